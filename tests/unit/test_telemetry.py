"""What a trace shows of a memory, and what it never shows unless asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple

import pytest
from mcp import Client
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from lineal import __version__
from lineal.clock import Clock, ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.errors import ErrorCode, LinealError
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.faces.mcp.access import OneClient
from lineal.faces.mcp.server import build_server
from lineal.ids import RandomIds
from lineal.models.changes import Outcome, Scope, Stamp
from lineal.models.context import ForgetContext
from lineal.models.lineage import Evidence
from lineal.models.matching import RecordOutcome
from lineal.policy.limits import Limits
from lineal.ports.backend import Backend
from lineal.schemas.book import SchemaBook
from lineal.service import Defaults, Service
from lineal.stores.memory import MemoryStore
from lineal.telemetry.backend import TracedBackend
from lineal.telemetry.records import CONTENT_CHARS_MAX, RECORDS_MAX, Record, records
from lineal.testing import BackendSuite
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.backend_suite import Typed
from lineal.testing.samples import START

SCHEMAS, RULES = SchemaBook(), RulesExtractor()
"""Of all backends here: they keep nothing but what they have read and made of schema files."""

DOMAIN = "dating"
SAID = "Ada is 34 and told nobody that she breeds axolotls."
VERBS = sorted(name for name in vars(Backend) if not name.startswith("_"))
PROPERTIES = {"name", "capabilities"}
ENDLESS = {"background"}
"""A span of it would never end."""

ASKED_OFTEN = {"outbox_state"}
"""By whoever watches the process, and of no memory."""

MEMORY_KEYS = {
    "gen_ai.operation.name",
    "gen_ai.memory.store.id",
    "gen_ai.memory.record.id",
    "gen_ai.memory.record.count",
    "lineal.domain",
    "lineal.memory.type",
    "lineal.memory.duplicate",
    "error.type",
}
"""All that a span may tell where content isn't asked for."""


def embedded(clock: Clock) -> Backend:
    return EmbeddedBackend(
        MemoryStore(clock=clock),
        schemas=SCHEMAS,
        extractor=RULES,
        embedder=HashingEmbedder(),
        ids=RandomIds(),
        clock=clock,
    )


class Traced(NamedTuple):
    """ada's notes behind a traced backend, and the spans that have ended."""

    backend: TracedBackend
    ada: Caller
    seen: InMemorySpanExporter

    def spans(self) -> list[ReadableSpan]:
        """Those since the last time."""
        found = list(self.seen.get_finished_spans())
        self.seen.clear()
        return found

    def only(self) -> ReadableSpan:
        (span,) = self.spans()
        return span


async def traced(*, content: bool) -> AsyncIterator[Traced]:
    seen = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(seen))
    backend = TracedBackend(embedded(ManualClock(START)), content=content, provider=provider)
    ada = Caller(backend, domain=DOMAIN)
    await backend.open()
    await ada.upsert(fields={"age": 33})
    seen.clear()
    yield Traced(backend, ada, seen)
    await backend.close()


@pytest.fixture
async def memory() -> AsyncIterator[Traced]:
    async for one in traced(content=False):
        yield one


@pytest.fixture
async def telling() -> AsyncIterator[Traced]:
    """The same with content asked for."""
    async for one in traced(content=True):
        yield one


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


STAMP = Stamp(
    scope=Scope(tenant="acme", user_id="ada", domain=DOMAIN), evidence=Evidence(tool="test")
)


async def _recorded(memory: Traced) -> None:
    await Caller(memory.backend, user_id="grace", domain=DOMAIN).upsert()
    request = RecordOutcome(candidate_id="grace", outcome="accepted")
    memory.seen.clear()
    await memory.backend.record_outcome(STAMP, request)


async def _outcomes(memory: Traced) -> None:
    await _recorded(memory)
    memory.seen.clear()
    assert [one.candidate_id async for one in memory.backend.outcomes(STAMP)] == ["grace"]


async def _on_one(memory: Traced, verb: str, **values: Any) -> None:
    """A caller's verb on a memory that is there."""
    context_id = (await memory.ada.append()).context_id
    memory.seen.clear()
    await getattr(memory.ada, verb)(context_id, **values)


async def _backup(memory: Traced) -> None:
    with pytest.raises(LinealError):  # a store in memory has no file
        await memory.backend.backup(Path("unwritten.db"))


async def _export(memory: Traced) -> None:
    with pytest.raises(LinealError):
        await anext(memory.backend.export(None, vectors=True))


async def _load(memory: Traced) -> None:
    with pytest.raises(LinealError):
        await memory.backend.load(())


Doing = Callable[[Traced], Awaitable[Any]]

CALLS: dict[str, tuple[str, Doing]] = {
    "open": ("lineal.open", lambda m: m.backend.open()),
    "close": ("lineal.close", lambda m: m.backend.close()),
    "append_context": ("create_memory", lambda m: m.ada.append()),
    "upsert_user": ("upsert_memory", lambda m: m.ada.upsert()),
    "update_context": ("update_memory", lambda m: _on_one(m, "update", title="T")),
    "search_context": ("search_memory", lambda m: m.ada.search("axolotls")),
    "get_context": ("lineal.get_context", lambda m: _on_one(m, "get")),
    "get_user": ("lineal.get_user", lambda m: m.ada.user()),
    "forget_context": ("delete_memory", lambda m: _on_one(m, "forget")),
    "trace_lineage": ("lineal.trace_lineage", lambda m: _on_one(m, "trace")),
    "history": ("lineal.history", lambda m: _on_one(m, "history")),
    "schema": ("lineal.schema", lambda m: m.backend.schema(DOMAIN)),
    "domains": ("lineal.domains", lambda m: m.backend.domains()),
    "read_text": ("lineal.read_text", lambda m: m.backend.read_text(STAMP, SAID)),
    "match_users": ("lineal.match_users", lambda m: m.ada.match()),
    "record_outcome": ("lineal.record_outcome", _recorded),
    "outcomes": ("lineal.outcomes", _outcomes),
    "reindex": ("lineal.reindex", lambda m: m.backend.reindex(language=None)),
    "catch_up": ("lineal.catch_up", lambda m: m.backend.catch_up()),
    "sweep": ("lineal.sweep", lambda m: m.backend.sweep()),
    "stats": ("lineal.stats", lambda m: m.ada.stats()),
    "verify": ("lineal.verify", lambda m: m.backend.verify()),
    "backup": ("lineal.backup", _backup),
    "export": ("lineal.export", _export),
    "load": ("lineal.load", _load),
}
"""Each verb of the port: its span's name, and a call of it."""


class TestTraced(BackendSuite):
    """A traced backend keeps every promise of the port."""

    schema = Typed(
        DOMAIN,
        field="age",
        value=34,
        wrong="thirty-four",
        soft={"interests": ["climbing"]},
        derived="attachment_style",
    )

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        return TracedBackend(embedded(clock), content=True, provider=TracerProvider())


def test_no_verb_of_the_port_goes_untraced() -> None:
    """A new verb needs its method in TracedBackend, and its line in CALLS above."""
    own = sorted(name for name in vars(TracedBackend) if not name.startswith("_"))
    assert own == VERBS
    assert sorted(CALLS.keys() | PROPERTIES | ENDLESS | ASKED_OFTEN) == VERBS


@pytest.mark.parametrize("verb", CALLS)
async def test_each_verb_is_one_span(memory: Traced, verb: str) -> None:
    name, doing = CALLS[verb]
    await doing(memory)
    span = memory.only()
    assert span.name == name
    assert span.kind is SpanKind.INTERNAL
    assert span.end_time is not None
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == (
        "lineal",
        __version__,
    )


@pytest.mark.parametrize("verb", CALLS)
async def test_nothing_but_these_is_told_unasked(memory: Traced, verb: str) -> None:
    await CALLS[verb][1](memory)
    for span in memory.spans():
        assert told(span).keys() <= MEMORY_KEYS
        assert not span.events


async def test_no_content_and_no_name_of_a_user_is_told_unasked(memory: Traced) -> None:
    ada = memory.ada
    first = await ada.append(SAID, title="axolotls", tags=["axolotls"])
    await ada.append(SAID)
    await ada.update(first.context_id, content=SAID * 2)
    await ada.search("axolotls")
    await ada.get(first.context_id)
    await ada.upsert(context=SAID)
    await ada.match(description="axolotls")
    await ada.forget(first.context_id)
    shown = " ".join(span.to_json() for span in memory.spans())
    assert "axolotl" not in shown
    assert '"ada"' not in shown


async def test_a_created_memory_is_told_by_id_type_and_place(memory: Traced) -> None:
    answer = await memory.ada.append(SAID, memory_type="fact")
    assert told(memory.only()) == {
        "gen_ai.operation.name": "create_memory",
        "gen_ai.memory.store.id": "acme",
        "gen_ai.memory.record.id": answer.context_id,
        "gen_ai.memory.record.count": 1,
        "lineal.domain": DOMAIN,
        "lineal.memory.type": "fact",
    }


async def test_a_repetition_is_told_as_one(memory: Traced) -> None:
    await memory.ada.append(SAID)
    await memory.ada.append(SAID)
    first, again = map(told, memory.spans())
    assert "lineal.memory.duplicate" not in first
    assert again["lineal.memory.duplicate"] is True


async def test_a_search_tells_how_many_it_found(memory: Traced) -> None:
    await memory.ada.append(SAID)
    memory.seen.clear()
    await memory.ada.search("axolotls")
    assert told(memory.only()) == {
        "gen_ai.operation.name": "search_memory",
        "gen_ai.memory.store.id": "acme",
        "gen_ai.memory.record.count": 1,
        "lineal.domain": DOMAIN,
    }


async def test_a_forgotten_memory_is_counted_with_what_goes_with_it(memory: Traced) -> None:
    root = (await memory.ada.append(SAID)).context_id
    await memory.ada.append("Axolotls need cold water.", lineage={"derived_from": [root]})
    memory.seen.clear()
    await memory.ada.forget(root, cascade=True)
    span = memory.only()
    assert span.name == "delete_memory"
    assert told(span)["gen_ai.memory.record.id"] == root
    assert told(span)["gen_ai.memory.record.count"] == 2


async def test_what_deletes_nothing_is_no_deletion(memory: Traced) -> None:
    await _on_one(memory, "forget", dry_run=True)
    span = memory.only()
    assert span.name == "lineal.preview_forget"
    assert "gen_ai.operation.name" not in told(span)


async def test_an_undone_deletion_is_no_deletion(memory: Traced) -> None:
    request = ForgetContext(context_id="ctx_unknown", undo=True)
    with pytest.raises(LinealError):
        await memory.backend.forget_context(STAMP, request)
    span = memory.only()
    assert span.name == "lineal.undo_forget"
    assert "gen_ai.operation.name" not in told(span)


async def test_a_failure_is_told_by_its_code_only(memory: Traced) -> None:
    with pytest.raises(LinealError):
        await memory.ada.update("ctx_gone", title="axolotls")
    span = memory.only()
    assert told(span)["error.type"] == "not_found"
    assert told(span)["gen_ai.memory.record.id"] == "ctx_gone"
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert not span.events


async def test_a_callers_words_in_an_ids_place_are_not_told(memory: Traced) -> None:
    with pytest.raises(LinealError):
        await memory.ada.get("my password is axolotl")
    assert "axolotl" not in memory.only().to_json()


class Defective(EmbeddedBackend):
    """Fails with words of what it was given, as a defect may."""

    async def domains(self) -> tuple[str, ...]:
        raise ValueError(SAID)

    async def outcomes(self, stamp: Stamp) -> AsyncIterator[Outcome]:
        async for outcome in super().outcomes(stamp):
            yield outcome
        raise LinealError(ErrorCode.UNAVAILABLE, SAID)


async def test_a_defect_is_told_by_its_class_only(memory: Traced) -> None:
    broken = Defective(
        MemoryStore(clock=ManualClock(START)),
        schemas=SCHEMAS,
        extractor=RULES,
        embedder=HashingEmbedder(),
        ids=RandomIds(),
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory.seen))
    backend = TracedBackend(broken, content=True, provider=provider)
    with pytest.raises(ValueError, match="axolotls"):
        await backend.domains()
    with pytest.raises(LinealError):
        [one async for one in backend.outcomes(STAMP)]
    defect, refused = memory.spans()
    assert told(defect)["error.type"] == "ValueError"
    assert told(refused)["error.type"] == "unavailable"
    assert "axolotl" not in defect.to_json() + refused.to_json()


async def test_content_is_told_where_it_is_asked_for(telling: Traced) -> None:
    answer = await telling.ada.append(SAID)
    await telling.ada.search("axolotls")
    created, searched = map(told, telling.spans())
    assert created["lineal.user.id"] == "ada"
    assert created["gen_ai.memory.records"] == ({"id": answer.context_id, "content": SAID},)
    assert searched["gen_ai.memory.query.text"] == "axolotls"
    (hit,) = searched["gen_ai.memory.records"]
    assert hit["id"] == answer.context_id
    assert hit["content"] == SAID
    assert hit["score"] > 0


async def test_a_users_row_is_told_as_a_record_where_content_is_asked_for(
    telling: Traced,
) -> None:
    await telling.ada.upsert(fields={"age": 34, "pet": "axolotl"})
    (row,) = told(telling.only())["gen_ai.memory.records"]
    assert row["id"] == "ada"
    values = json.loads(row["content"])
    assert (values["age"], values["pet"]) == (34, "axolotl")


def test_what_is_told_of_contents_is_bounded() -> None:
    many = records(Record(f"ctx_{n}", "x" * 100_000) for n in range(1_000))
    assert len(many) == RECORDS_MAX
    for one in many:
        assert isinstance(one, Mapping)
        assert len(str(one["content"])) == CONTENT_CHARS_MAX


async def test_a_span_that_is_not_sampled_costs_no_telling() -> None:
    """And the call is done all the same."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    seen = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    backend = TracedBackend(embedded(ManualClock(START)), content=True, provider=provider)
    await Caller(backend).upsert()
    assert (await Caller(backend).append(SAID)).context_id
    assert not seen.get_finished_spans()


TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


async def test_the_clients_span_is_the_parent_of_ours(memory: Traced) -> None:
    """With no provider in the process, so that the SDK's span between them isn't recorded."""
    service = Service(
        memory.backend, limits=Limits(), defaults=Defaults(user_id="ada", domain=DOMAIN)
    )

    async def connect() -> Service:
        return service

    async with Client(build_server(OneClient(connect))) as client:
        arguments = {"content": SAID}
        meta: Any = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
        result = await client.call_tool("append_context", arguments, meta=meta)
        await client.call_tool("append_context", {"content": "No trace comes with this one."})
    assert not result.is_error
    with_parent, without = memory.spans()
    assert with_parent.parent is not None
    assert with_parent.parent.is_remote
    assert format_span_id(with_parent.parent.span_id) == SPAN_ID
    assert format_trace_id(with_parent.parent.trace_id) == TRACE_ID
    assert with_parent.parent.trace_state.get("vendor") == "1"
    assert without.parent is None


# A provider is set once in a process, for good: what follows happens in processes of its own.

SERVING = """
import anyio, json, sys
from mcp import Client
from lineal.app import backend_of
from lineal.faces.mcp.access import OneClient
from lineal.faces.mcp.server import build_server
from lineal.policy.limits import Limits
from lineal.service import Defaults, Service
from lineal.settings import Settings
from lineal.telemetry.backend import TracedBackend
from lineal.telemetry.setup import Asked, exporting

async def main(meta):
    backend = TracedBackend(backend_of(Settings(backend="memory://", embedder="none")))
    defaults = Defaults(user_id="ada", domain="notes")
    service = Service(backend, limits=Limits(), defaults=defaults)
    async def connect():
        return service
    async with Client(build_server(OneClient(connect))) as client:
        told = await client.call_tool("append_context", {"content": "Axolotls."}, meta=meta)
        assert not told.is_error, told

exporters, meta = sys.argv[1], json.loads(sys.argv[2])
with exporting(Asked(exporters)) as ours:
    anyio.run(main, meta)
print(ours)
"""


WITHOUT_SDK = "import sys; sys.modules['opentelemetry.sdk'] = None" + SERVING


def served(
    exporters: str, script: str = SERVING, **environment: str
) -> subprocess.CompletedProcess[str]:
    """One call with the client's trace context, in a process that was asked for these exporters."""
    return subprocess.run(
        [sys.executable, "-c", script, exporters, json.dumps({"traceparent": TRACEPARENT})],
        env={"PATH": os.environ.get("PATH", ""), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def spans_on(text: str) -> dict[str, dict[str, Any]]:
    """Spans as the SDK's console exporter writes them, by name."""
    found, decoder = {}, json.JSONDecoder()
    while (start := text.find("{")) >= 0:
        span, end = decoder.raw_decode(text[start:])
        found[span["name"]] = span
        text = text[start + end :]
    return found


def test_the_protocols_span_stands_between_the_clients_and_ours() -> None:
    done = served("console")
    assert done.stdout == "True\n"  # spans go to stderr: stdout is the protocol's
    spans = spans_on(done.stderr)
    server, memory = spans["tools/call append_context"], spans["create_memory"]
    assert server["parent_id"] == f"0x{SPAN_ID}"
    assert memory["parent_id"] == server["context"]["span_id"]
    assert memory["context"]["trace_id"] == f"0x{TRACE_ID}"
    assert server["kind"] == "SpanKind.SERVER"
    assert "Axolotls" not in done.stderr


def test_spans_carry_the_name_of_the_service() -> None:
    def named(**environment: str) -> str:
        span = spans_on(served("console", **environment).stderr)["create_memory"]
        name = span["resource"]["attributes"]["service.name"]
        assert isinstance(name, str)
        return name

    assert named() == "lineal"
    assert named(OTEL_SERVICE_NAME="my-memory") == "my-memory"


@pytest.mark.parametrize("exporters", ["", "none"])
def test_nothing_is_sent_unasked(exporters: str) -> None:
    """An address alone is no question: agents set one for themselves, and we would inherit it."""
    done = served(exporters, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_an_exporter_that_isnt_there_is_named_and_the_calls_go_on() -> None:
    done = served("carrier-pigeon")
    assert done.stdout == "False\n"
    assert "carrier-pigeon" in done.stderr


def test_a_wrong_variable_is_told_and_the_calls_go_on() -> None:
    done = served("console", OTEL_BSP_MAX_QUEUE_SIZE="-1")
    assert done.stdout == "False\n"
    assert "max_queue_size must be a positive integer" in done.stderr


def test_without_an_sdk_what_is_missing_is_named_and_the_calls_go_on() -> None:
    done = served("otlp", WITHOUT_SDK)
    assert done.stdout == "False\n"
    assert "lineal[otel]" in done.stderr


@contextmanager
def collector() -> Iterator[tuple[str, SimpleQueue[tuple[str, bytes]]]]:
    """Its address, and what was posted: (path, body)."""
    came: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_gets_the_spans_over_http() -> None:
    with collector() as (url, came):
        done = served("otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url)
        path, body = came.get(timeout=10)
    assert done.stdout == "True\n"
    assert path == "/v1/traces"
    assert b"create_memory" in body
    assert b"tools/call append_context" in body
    assert b"Axolotls" not in body


def test_a_collector_that_never_answers_doesnt_hold_the_process() -> None:
    """It waits a second for it; the SDK alone would wait ten."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        began_s = monotonic()
        served("")
        without_s = monotonic() - began_s
        began_s = monotonic()
        served("otlp", OTEL_EXPORTER_OTLP_ENDPOINT=url)
        assert monotonic() - began_s < without_s + 6
