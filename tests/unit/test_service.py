"""The service over an embedded backend in memory: what is true of every call."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import anyio
import pytest

from lineal.clock import ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import SequentialIds
from lineal.models.base import Model
from lineal.models.changes import Call, Scope
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    ContextAnswer,
    ForgetContext,
    GetContext,
    MemoryType,
    UpdateContext,
)
from lineal.models.lineage import Evidence, TraceLineage
from lineal.models.parse import parse
from lineal.models.project import Project
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.limits import Limits
from lineal.policy.packing import told
from lineal.policy.provenance import READS_MAX
from lineal.ports.evidence import Witness
from lineal.schemas.book import SchemaBook
from lineal.service import SESSIONS_MAX, Defaults, Service, SessionReads
from lineal.stores.memory import MemoryStore
from lineal.testing.fake_backend import FakeBackend
from lineal.testing.samples import START

LONG = "The project is built with uv and its tests are run with pytest, always."


class House:
    """A service over a fresh memory, a clock that is moved by hand, and short ways to call it."""

    def __init__(self, witness: Witness | None = None, /, **defaults: str) -> None:
        self.clock = ManualClock(START)
        self.store = MemoryStore(clock=self.clock)
        backend = EmbeddedBackend(
            self.store,
            schemas=SchemaBook(),
            extractor=RulesExtractor(),
            embedder=HashingEmbedder(),
            ids=SequentialIds(),
        )
        self.service = Service(
            backend, limits=Limits(), defaults=Defaults(**defaults), witness=witness
        )

    async def append(self, call: Call | None = None, **asked: Any) -> AppendAnswer:
        request = parse(AppendContext, {"user_id": "ada", "domain": "coding", **asked})
        return await self.service.append_context(call or a_call(), request)

    async def upsert(self, call: Call | None = None, **asked: Any) -> UserAnswer:
        request = parse(UpsertUser, {"user_id": "ada", "domain": "coding", **asked})
        return await self.service.upsert_user(call or a_call("upsert_user"), request)

    async def update(
        self, context_id: str, call: Call | None = None, **asked: Any
    ) -> ContextAnswer:
        request = parse(UpdateContext, {"context_id": context_id, **asked})
        return await self.service.update_context(call or a_call("update_context"), request)

    async def get(self, context_id: str, call: Call | None = None) -> ContextAnswer:
        request = GetContext(context_id=context_id)
        return await self.service.get_context(call or a_call("get_context"), request)

    async def search(self, query: str = "", call: Call | None = None, **asked: Any) -> SearchAnswer:
        request = parse(SearchContext, {"query": query, "user_id": "ada", **asked})
        return await self.service.search_context(call or a_call("search_context"), request)


def a_call(tool: str = "append_context", session: str = "s1", **seen: Any) -> Call:
    return Call(tenant="local", evidence=Evidence(tool=tool, **seen), session=session)


async def refused(answer: Awaitable[object], code: ErrorCode) -> LinealError:
    with pytest.raises(LinealError) as caught:
        await answer
    assert caught.value.code is code
    return caught.value


@pytest.fixture
async def house() -> House:
    """One where ada is known in coding."""
    house = House()
    await house.upsert(fields={})
    return house


# Whose memory a call means.


@pytest.mark.parametrize("field", ["user_id", "domain"])
async def test_without_a_default_a_call_must_say_whose(house: House, field: str) -> None:
    """A1"""
    error = await refused(house.append(content="x", **{field: None}), ErrorCode.INVALID_REQUEST)
    assert error.message == f"Field '{field}' is required."
    assert error.details == {"field": field, "kind": "missing"}


async def test_every_verb_with_an_owner_asks_for_it() -> None:
    """A1"""
    service = House().service
    call = a_call()
    for answer in (
        service.append_context(call, AppendContext(content="x")),
        service.upsert_user(call, UpsertUser(fields={})),
        service.get_user(call, GetUser()),
        service.search_context(call, SearchContext()),
    ):
        error = await refused(answer, ErrorCode.INVALID_REQUEST)
        assert error.message == "Field 'user_id' is required."


async def test_a_search_needs_no_domain(house: House) -> None:
    """A search without one looks through every domain of the user."""
    await house.append(content="Coding fact.")
    await house.upsert(domain="hiring", context="Hiring fact.")
    assert {hit.domain for hit in (await house.search()).hits} == {"coding", "hiring"}


async def test_an_unknown_user_must_be_upserted_first(house: House) -> None:
    """A2"""
    error = await refused(house.append(user_id="eve", content="x"), ErrorCode.NOT_FOUND)
    assert "'eve'" in error.message
    assert "'coding'" in error.message
    assert "Call upsert_user first." in error.message
    assert error.details == {"user_id": "eve", "domain": "coding"}
    await refused(
        house.service.get_user(a_call(), GetUser(user_id="eve", domain="coding")),
        ErrorCode.NOT_FOUND,
    )


async def test_a_user_known_only_in_another_domain_is_unknown(house: House) -> None:
    """A2"""
    await refused(house.append(domain="hiring", content="x"), ErrorCode.NOT_FOUND)


async def test_a_user_behind_another_wall_is_unknown(house: House) -> None:
    foreign = a_call().model_copy(update={"tenant": "other"})
    await refused(house.append(foreign, content="x"), ErrorCode.NOT_FOUND)


async def test_a_refused_append_leaves_nothing_behind(house: House) -> None:
    """A2, E4"""
    await refused(house.append(user_id="eve", content="x"), ErrorCode.NOT_FOUND)
    stats = await house.service.stats(a_call())
    assert (stats.contexts, stats.users) == (0, 1)


async def test_the_default_user_is_made_at_first_use() -> None:
    """A1"""
    house = House(user_id="me", domain="coding")
    answer = await house.service.append_context(a_call(), AppendContext(content="We use uv."))
    assert (answer.user_id, answer.domain) == ("me", "coding")
    assert answer.fields_updated == ("package_manager",)
    row = await house.service.get_user(a_call(), GetUser())
    assert row.fields == {"package_manager": "uv"}
    assert row.schema_version == "coding.v1"


async def test_the_default_user_is_made_when_named_too() -> None:
    """A1"""
    house = House(user_id="ada", domain="coding")
    await house.append(content="We use uv.")


@pytest.mark.parametrize(
    ("defaults", "asked"),
    [
        ({"user_id": "ada"}, {"domain": "coding"}),
        ({"domain": "coding"}, {"user_id": "ada"}),
        ({"user_id": "me", "domain": "coding"}, {"user_id": "ada"}),
        ({"user_id": "me", "domain": "coding"}, {"domain": "hiring"}),
    ],
)
async def test_nobody_else_is_made_by_an_append(
    defaults: dict[str, str], asked: dict[str, str]
) -> None:
    """A1, A2: both must be configured, and both must be meant."""
    service = House(**defaults).service
    request = AppendContext(content="x", **asked)
    await refused(service.append_context(a_call(), request), ErrorCode.NOT_FOUND)


async def test_reading_makes_no_default_user() -> None:
    """A1: at first use means at the first write."""
    house = House(user_id="me", domain="coding")
    assert (await house.service.search_context(a_call(), SearchContext())).hits == ()
    await refused(house.service.get_user(a_call(), GetUser()), ErrorCode.NOT_FOUND)
    assert (await house.service.stats(a_call())).users == 0


async def test_an_expired_default_user_is_made_anew() -> None:
    """U16, A1"""
    house = House(user_id="ada", domain="coding")
    await house.upsert(fields={"editor": "vim"}, ttl_seconds=60)
    house.clock.advance(seconds=60)
    assert (await house.append(content="We use uv.")).fields_updated == ("package_manager",)
    row = await house.service.get_user(a_call(), GetUser())
    assert row.fields == {"package_manager": "uv"}


async def test_an_expired_user_must_be_upserted_again(house: House) -> None:
    """U16, A2"""
    await house.upsert(fields={"editor": "vim"}, memory_type="scratchpad")
    house.clock.advance(hours=1)
    await refused(house.append(content="x"), ErrorCode.NOT_FOUND)
    assert (await house.upsert(fields={"os": "linux"})).fields == {"os": "linux"}
    await house.append(content="x")


@pytest.mark.parametrize(
    ("defaults", "provisioned"),
    [(Defaults(user_id="ada", domain="coding"), True), (Defaults(), False)],
)
async def test_a_backend_is_told_of_the_default_user_and_of_no_other(
    defaults: Defaults, provisioned: bool
) -> None:
    """A1: an id names a memory of anyone, so a call by id makes nobody."""
    backend = FakeBackend(clock=ManualClock(START), ids=SequentialIds())
    service = Service(backend, limits=Limits(), defaults=defaults)
    call = a_call()
    request = UpsertUser(user_id="ada", domain="coding", fields={})
    await service.upsert_user(call, request)
    await refused(service.get_context(call, GetContext(context_id="ctx_1")), ErrorCode.NOT_FOUND)
    stamps = {record.verb: record.stamp for record in backend.calls if record.stamp}
    assert stamps["upsert_user"].provision is provisioned
    assert stamps["get_context"].provision is False
    assert stamps["get_context"].scope.user_id is None


@pytest.mark.parametrize("name", ["a\u200bda", "ada ", "\x00", "a\u202eda"])
async def test_a_name_that_hides_something_never_reaches_the_store(house: House, name: str) -> None:
    call = a_call()
    for answer in (
        house.append(user_id=name, content="x"),
        house.append(domain=name, content="x"),
        house.upsert(user_id=name, fields={}),
        house.service.get_user(call, GetUser(user_id=name, domain="coding")),
        house.service.search_context(call, SearchContext(user_id=name)),
        house.service.search_context(call, SearchContext(user_id="ada", domain=name)),
        house.get(name),
        house.update(name, title="t"),
        house.service.forget_context(call, ForgetContext(context_id=name)),
        house.service.trace_lineage(call, TraceLineage(context_id=name)),
        house.service.history(call, name),
        house.service.schema(name),
    ):
        await refused(answer, ErrorCode.INVALID_REQUEST)


@pytest.mark.parametrize("text", ["\ud83d", "a\ud83db"])
async def test_half_a_character_never_reaches_the_store(house: House, text: str) -> None:
    """In what is looked for and in keys either."""
    call = a_call()
    with pytest.raises(LinealError):
        await house.search(text)
    with pytest.raises(LinealError):
        await house.service.search_context(
            call, parse(SearchContext, {"user_id": "ada", "tags": [text]})
        )
    with pytest.raises(LinealError):
        await house.service.forget_context(
            call, parse(ForgetContext, {"context_id": "ctx_1", "idempotency_key": text})
        )


# What a write gets: its life and its lineage.


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({}, None),
        ({"memory_type": "scratchpad"}, 3_600),
        ({"memory_type": "episodic"}, 604_800),
        ({"memory_type": "procedural"}, None),
        ({"memory_type": "fact", "ttl_seconds": 5}, 5),
        ({"memory_type": "scratchpad", "ttl_seconds": None}, 3_600),
    ],
)
async def test_a_write_lives_as_long_as_it_asks(
    house: House, asked: dict[str, Any], seconds: int | None
) -> None:
    """N7, N8, U16"""
    answers: list[AppendAnswer | UserAnswer] = [
        await house.append(content="x", **asked),
        await house.upsert(fields={}, **asked),
    ]
    for answer in answers:
        assert answer.memory_type == asked.get("memory_type", "fact")
        lives = answer.expires_at and (answer.expires_at - START).total_seconds()
        assert lives == seconds


async def test_a_memory_with_ttl_zero_was_never_there(house: House) -> None:
    """N12"""
    answer = await house.append(content="x", ttl_seconds=0)
    assert answer.expires_at == START
    await refused(house.get(answer.context_id), ErrorCode.NOT_FOUND)


async def test_a_write_carries_what_was_seen_of_it(house: House) -> None:
    """L1, L2"""
    call = a_call(client_name="cursor", client_version="1", tool_use_id="t1", session_id="c1")
    said = {"confidence": 0.5, "derived_from": ["doc:1"], "model_version": "opus"}
    answer = await house.append(call, content="x", lineage=said)
    lineage = answer.lineage
    assert lineage.agent_source == "cursor/1"
    assert lineage.tool_calls == ("append_context:t1",)
    assert lineage.created_at == START
    assert (lineage.confidence, lineage.derived_from) == (0.5, ("doc:1",))
    assert (lineage.model_version, lineage.source_ids) == ("opus", ())
    stored = await house.get(answer.context_id)
    assert stored.lineage == lineage
    assert (stored.agent_source, stored.session_id) == ("cursor/1", "c1")


async def test_what_a_session_read_stands_as_source_of_its_next_write(house: House) -> None:
    """L4: through a search and through a get, in order of reading."""
    first = await house.append(content="Uv is used.")
    other = await house.append(content="Emacs is used.")
    await house.get(other.context_id)
    await house.search("uv")
    answer = await house.append(content="A conclusion.")
    assert answer.lineage.source_ids == (other.context_id, first.context_id)
    assert answer.lineage.derived_from == ()
    assert answer.lineage.observed is not None
    assert answer.lineage.observed.source_ids == (other.context_id, first.context_id)


async def test_what_another_session_read_is_no_source(house: House) -> None:
    """L4"""
    first = await house.append(content="x")
    await house.get(first.context_id, a_call("get_context", session="s2"))
    assert (await house.append(content="y")).lineage.source_ids == ()


async def test_two_walls_never_share_a_session(house: House) -> None:
    """L4"""
    first = await house.append(content="x")
    await house.get(first.context_id)
    foreign = a_call().model_copy(update={"tenant": "other"})
    await house.upsert(foreign, fields={})
    assert (await house.append(foreign, content="y")).lineage.source_ids == ()


async def test_an_update_and_an_upsert_say_what_was_read_too(house: House) -> None:
    """L4"""
    first = await house.append(content=LONG)
    second = await house.append(content=LONG + " Truly.")
    await house.get(first.context_id)
    await house.get(second.context_id)
    changed = await house.update(second.context_id, title="t")
    assert changed.lineage.source_ids == (first.context_id,)
    row = await house.upsert(fields={"os": "linux"})
    assert row.lineage.source_ids == (first.context_id, second.context_id)


async def test_a_memory_that_was_not_found_was_not_read(house: House) -> None:
    """L4"""
    await refused(house.get("ctx_nobody"), ErrorCode.NOT_FOUND)
    assert (await house.append(content="y")).lineage.source_ids == ()


async def test_what_a_session_wrote_it_has_not_read(house: House) -> None:
    """L4"""
    await house.append(content="x")
    assert (await house.append(content="y")).lineage.source_ids == ()


def test_a_session_remembers_its_latest_reads_only() -> None:
    """L4"""
    reads = SessionReads()
    reads.saw(a_call(), [f"ctx_{n}" for n in range(READS_MAX + 3)])
    reads.saw(a_call(), ["ctx_10"])
    read = reads.account(a_call()).read_ids
    assert (len(read), read[0], read[-1]) == (READS_MAX, "ctx_3", "ctx_10")


def test_the_session_longest_unused_is_forgotten_first() -> None:
    reads = SessionReads()
    for n in range(SESSIONS_MAX):
        reads.saw(a_call(session=f"s{n}"), ["ctx_1"])
    reads.saw(a_call(session="s0"), ["ctx_2"])
    reads.saw(a_call(session="new"), ["ctx_3"])
    assert reads.account(a_call(session="s0")).read_ids == ("ctx_1", "ctx_2")
    assert reads.account(a_call(session="s1")).read_ids == ()


class Watching:
    """A witness who saw which model called, and notes what it is told."""

    def __init__(self, *, awaits: bool = False) -> None:
        self.awaits = awaits
        self.heard: list[tuple[str, object]] = []

    def saw(self, call: Call, context_ids: Iterable[str]) -> None:
        self.heard.append((call.evidence.tool, tuple(context_ids)))

    def told(self, call: Call, event: Mapping[str, object]) -> None:
        self.heard.append(("note_event", dict(event)))

    def account(self, call: Call) -> Evidence:
        self.heard.append(("account", call.evidence.tool))
        more = {"model_version": "opus", "awaits": self.awaits}
        return call.evidence.model_copy(update=more)

    async def later(self, seen: Evidence) -> Evidence:
        return seen.model_copy(update={"awaits": False})


async def test_a_witness_is_told_what_was_shown_and_asked_what_it_knows_of_each_write() -> None:
    """L1, L4"""
    watching = Watching()
    house = House(watching)
    await house.upsert(fields={})
    stored = await house.append(content="We use uv.")
    name = stored.context_id
    await house.get(name)
    await house.search("uv")
    await house.service.history(a_call("history"), name)
    await house.service.trace_lineage(a_call("trace_lineage"), TraceLineage(context_id=name))
    await house.update(name, title="Tools")
    house.service.note_event(a_call(), {"hook_event_name": "SessionStart"})
    assert stored.lineage.model_version == "opus"
    assert watching.heard == [
        ("account", "upsert_user"),
        ("account", "append_context"),
        *((tool, (name,)) for tool in ("get_context", "search_context", "history")),
        ("trace_lineage", (name,)),
        ("account", "update_context"),
        ("note_event", {"hook_event_name": "SessionStart"}),
    ]


async def test_a_witness_is_not_asked_of_a_write_that_is_refused() -> None:
    watching = Watching()
    service = House(watching).service
    await refused(
        service.append_context(a_call(), AppendContext(content="x")), ErrorCode.INVALID_REQUEST
    )
    assert watching.heard == []


class Looking(FakeBackend):
    """It says when it has looked for the evidence of a write."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.looked = anyio.Event(), anyio.Event()

    async def catch_up(self) -> int:
        written = any(call.verb == "append_context" for call in self.calls)
        (self.looked if written else self.begun).set()
        return await super().catch_up()


async def test_a_write_that_awaits_evidence_has_it_looked_for_soon() -> None:
    """And what an earlier process left is looked for at the start."""
    backend, watching = Looking(), Watching(awaits=True)
    defaults = Defaults(user_id="ada", domain="coding")
    service = Service(backend, limits=Limits(), defaults=defaults, witness=watching)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as together:
            together.start_soon(service.completing)
            await backend.begun.wait()
            await service.append_context(a_call(), AppendContext(content="x"))
            await backend.looked.wait()
            together.cancel_scope.cancel()
    assert [call.verb for call in backend.calls] == ["catch_up", "append_context", "catch_up"]


# Projects.


def in_project(*names: str, tool: str = "append_context") -> Call:
    """A call of a client at work there, by all of the project's names."""
    return a_call(tool).model_copy(update={"project": Project(name=names[0], aliases=names)})


@pytest.mark.parametrize(
    ("call", "asked", "project"),
    [
        (a_call(), None, None),
        (in_project("here", "old"), None, "here"),
        (in_project("here"), "there", "there"),
        (in_project("here"), "", None),
        (a_call(), "there", "there"),
        (a_call(), "", None),
    ],
)
async def test_a_memory_belongs_to_where_the_client_works_unless_it_says_otherwise(
    house: House, call: Call, asked: str | None, project: str | None
) -> None:
    name = (await house.append(call, content="x", project=asked)).context_id
    assert (await house.get(name)).project == project
    assert (await house.update(name, in_project("else"), title="t")).project == project


@pytest.mark.parametrize(
    ("call", "asked", "found"),
    [
        (in_project("here"), None, {"here", None}),
        (in_project("here", "old"), None, {"here", "old", None}),
        (in_project("here"), "*", {"here", "old", "there", None}),
        (in_project("here"), "there", {"there", None}),
        (in_project("here"), "", {None}),
        (a_call(), None, {None}),
        (a_call(), "*", {"here", "old", "there", None}),
    ],
)
async def test_a_search_looks_where_the_client_works_unless_it_says_otherwise(
    house: House, call: Call, asked: str | None, found: set[str | None]
) -> None:
    for project in ("here", "old", "there", ""):
        await house.append(content=f"Walnut of {project or 'everyone'}.", project=project)
    answer = await house.search("walnut", call, project=asked)
    shown = [await house.get(hit.context_id) for hit in answer.hits]
    assert {context.project for context in shown} == found
    assert answer.elsewhere == (4 - len(found) or None)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("here", None, True),
        ("old", None, True),
        ("", None, True),
        ("there", None, False),
        ("here", "", False),
        ("", "", True),
        ("here", "there", False),
        ("there", "there", True),
        ("", "there", True),
    ],
)
async def test_the_same_text_is_a_repetition_only_where_the_first_is_found(
    house: House, first: str, second: str | None, same: bool
) -> None:
    """A7"""
    call = in_project("here", "old")
    kept = await house.append(call, content=LONG, project=first)
    again = await house.append(call, content=LONG, project=second)
    assert again.duplicate_of == (kept.context_id if same else None)


async def test_an_upserts_text_is_found_in_every_project_that_said_it(house: House) -> None:
    """U1: and in each it is kept once."""
    for project in ("here", "there", "here"):
        await house.upsert(in_project(project), context=LONG)
    for project in ("here", "there"):
        answer = await house.search("pytest", in_project(project))
        assert (len(answer.hits), answer.elsewhere) == (1, 1)


# Changing a memory.

FULL: dict[str, Any] = {
    "content": LONG,
    "title": "Tools",
    "summary": "Which tools the project uses.",
    "tags": ["tools"],
    "metadata": {"a": {"b": [1, None, "x"]}},
    "nia_references": {"web_searches": ["uv"], "theirs": True},
    "edited_files": [{"file_path": "a.py", "operation": "created", "note": "n"}],
    "source": "manual",
    "speaker": "ada",
    "memory_type": "episodic",
}

CHANGES: dict[str, Any] = {
    "title": "Other",
    "summary": "A wholly other summary.",
    "content": LONG + " And ruff.",
    "tags": [],
    "metadata": {},
    "nia_references": {"web_searches": []},
    "edited_files": [],
    "memory_type": "procedural",
    "ttl_seconds": 60,
    "lineage": {"confidence": 1},
}


@pytest.mark.parametrize("field", CHANGES)
async def test_an_update_changes_what_is_sent_and_nothing_else(house: House, field: str) -> None:
    """N1, N9, N16"""
    made = await house.append(a_call(client_name="cursor"), **FULL)
    before = (await house.get(made.context_id)).model_dump(mode="json")
    house.clock.advance(minutes=1)
    changed = await house.update(made.context_id, **{field: CHANGES[field]})
    after = changed.model_dump(mode="json")
    moved = {name for name in after if after[name] != before[name]}
    always = {"revision", "updated_at", "lineage"}
    expiry = {"expires_at"} if field in ("memory_type", "ttl_seconds") else set()
    sent = {field} - {"ttl_seconds"}
    assert moved == always | expiry | sent
    if sent - {"lineage"}:
        assert after[field] == CHANGES[field]
    assert (await house.get(made.context_id)).model_dump(mode="json") == after


async def test_who_made_a_memory_never_changes(house: House) -> None:
    """N18; the revision's own lineage says who changed it (L1)."""
    made = await house.append(a_call(client_name="cursor"), content=LONG)
    house.clock.advance(days=1)
    other = a_call("update_context", session="s2", client_name="claude-code", session_id="c2")
    changed = await house.update(made.context_id, other, title="t")
    assert changed.agent_source == "cursor"
    assert changed.lineage.agent_source == "claude-code"
    assert changed.created_at == changed.lineage.created_at == START
    assert changed.updated_at == house.clock.now()


async def test_updated_at_never_goes_back(house: House) -> None:
    made = await house.append(content=LONG)
    first = await house.update(made.context_id, title="one")
    house.clock.advance(days=-400)
    second = await house.update(made.context_id, title="two")
    assert second.revision == first.revision + 1
    assert second.updated_at >= first.updated_at


async def test_what_is_declared_again_replaces_the_earlier_declaration(house: House) -> None:
    """N17; and what isn't sent stays declared."""
    made = await house.append(content=LONG, lineage={"confidence": 0.2, "derived_from": ["a"]})
    kept = await house.update(made.context_id, title="t")
    assert (kept.lineage.confidence, kept.lineage.derived_from) == (0.2, ("a",))
    changed = await house.update(made.context_id, lineage={"derived_from": ["b"]})
    assert (changed.lineage.confidence, changed.lineage.derived_from) == (None, ("b",))
    history = await house.service.history(a_call(), made.context_id)
    assert [r.lineage.derived_from for r in history] == [("a",), ("a",), ("b",)]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"title": "t"}, 604_800),
        ({"memory_type": "scratchpad"}, 60 + 3_600),
        ({"memory_type": "fact"}, None),
        ({"ttl_seconds": 10}, 60 + 10),
        ({"ttl_seconds": None}, 60 + 604_800),
        ({"memory_type": "fact", "ttl_seconds": 10}, 60 + 10),
        ({"memory_type": "fact", "ttl_seconds": None}, None),
    ],
)
async def test_an_updates_life_is_counted_from_now(
    house: House, asked: dict[str, Any], seconds: int | None
) -> None:
    """N9-N13: an episodic memory, changed after a minute."""
    made = await house.append(content=LONG, memory_type="episodic")
    house.clock.advance(minutes=1)
    changed = await house.update(made.context_id, **asked)
    lives = changed.expires_at and (changed.expires_at - START).total_seconds()
    assert lives == seconds


async def test_an_update_never_revives(house: House) -> None:
    """N12, N14"""
    made = await house.append(content=LONG)
    ended = await house.update(made.context_id, ttl_seconds=0)
    assert ended.expires_at == START
    await refused(house.update(made.context_id, ttl_seconds=60), ErrorCode.NOT_FOUND)


async def test_another_expected_revision_is_a_conflict_that_says_both(house: House) -> None:
    made = await house.append(content=LONG)
    await house.update(made.context_id, title="t", expected_revision=1)
    error = await refused(
        house.update(made.context_id, title="u", expected_revision=1), ErrorCode.CONFLICT
    )
    assert error.details["revision"] == 2
    assert "revision 2, not 1" in error.message


async def test_an_error_for_an_id_that_ended_is_that_of_one_that_never_was(house: House) -> None:
    """Nothing is told of what can't be read."""
    made = await house.append(content=LONG)
    await house.service.forget_context(a_call(), ForgetContext(context_id=made.context_id))
    ended = await refused(house.get(made.context_id), ErrorCode.NOT_FOUND)
    unknown = await refused(house.get("ctx_9"), ErrorCode.NOT_FOUND)
    assert ended.message.replace(made.context_id, "ctx_9") == unknown.message


# The row of a user.


async def test_an_append_names_the_fields_that_moved(house: House) -> None:
    """A3, A5"""
    first = await house.append(content="We use uv and ruff.")
    assert first.fields_updated == ("package_manager", "tools")
    assert first.context_id == "ctx_2"
    again = await house.append(content="Again: uv, with ruff.")
    assert again.fields_updated == ()


async def test_a_head_is_refreshed_only_when_a_soft_field_moved(house: House) -> None:
    """A6, U9"""
    assert not (await house.append(content="We use uv.")).embeddings_refreshed
    assert (await house.append(content="I prefer small functions.")).embeddings_refreshed
    assert not (await house.append(content="I prefer small functions.")).embeddings_refreshed
    row = await house.service.get_user(a_call(), GetUser(user_id="ada", domain="coding"))
    assert {name: head.dim for name, head in row.embeddings.items()} == {"coding": 256}


async def test_an_older_event_doesnt_overwrite_a_newer_value(house: House) -> None:
    """A10"""
    await house.append(content="I use vim.", occurred_at="2026-02-01T00:00:00Z")
    late = await house.append(content="I use emacs.", occurred_at="2026-01-01T00:00:00Z")
    assert late.fields_updated == ()
    await house.append(content="I use zed.")
    row = await house.service.get_user(a_call(), GetUser(user_id="ada", domain="coding"))
    assert row.fields["editor"] == "zed"


async def test_the_same_upsert_twice_gives_the_same_row(house: House) -> None:
    """U1, and one context for its text."""
    asked: dict[str, Any] = {
        "context": "We use uv.",
        "fields": {"os": "linux"},
        "memory_ref": "mem0://x",
    }
    first = await house.upsert(**asked)
    second = await house.upsert(**asked)
    assert second == first
    assert (await house.service.stats(a_call())).contexts == 1


async def test_fields_beat_what_the_text_says_key_by_key(house: House) -> None:
    """U5"""
    row = await house.upsert(context="We use uv on linux.", fields={"package_manager": "pip"})
    assert row.fields == {"package_manager": "pip", "os": "linux"}


async def test_each_value_says_where_it_came_from(house: House) -> None:
    """U5, U7"""
    await house.append(content="I use vim.")
    await house.upsert(context="We use uv.", fields={"os": "linux"})
    request = GetUser(user_id="ada", domain="coding", provenance=True)
    row = await house.service.get_user(a_call(), request)
    assert row.provenance is not None
    told = {name: (v.source, v.origin, v.context_id) for name, v in row.provenance.items()}
    assert told == {
        "package_manager": ("extracted", "upsert", "ctx_3"),
        "os": ("stated", "upsert", None),
        "editor": ("extracted", "append", "ctx_2"),
    }


async def test_a_wrong_type_is_refused_and_nothing_is_kept(house: House) -> None:
    """U6, E4"""
    error = await refused(
        house.upsert(context="We use uv.", fields={"os": 5}), ErrorCode.INVALID_REQUEST
    )
    assert error.details["field"] == "os"
    assert (await house.service.stats(a_call())).contexts == 0


async def test_an_unregistered_domain_keeps_everything_as_extras(house: House) -> None:
    """U11"""
    row = await house.upsert(domain="garden", context="Five roses.", fields={"roses": 5})
    assert (row.schema_version, row.fields, row.extras) == ("garden.v0", {}, {"roses": 5})
    assert (await house.append(domain="garden", content="Six roses.")).fields_updated == ()


async def test_extras_and_memory_ref_are_left_out_where_there_are_none(house: House) -> None:
    """U6, U12"""
    row = await house.upsert(fields={"os": "linux"}, memory_ref="https://example.org/x")
    shown = row.model_dump(mode="json")
    assert "extras" not in shown
    assert "memory_ref" not in shown
    assert set(shown) == {
        "user_id", "domain", "schema_version", "fields", "derived", "embeddings",
        "last_enriched_at", "memory_type", "expires_at", "lineage",
    }  # fmt: skip


# Once is enough.

Ask = Callable[[House], Awaitable[Model]]

ASKS: dict[str, Ask] = {
    "append": lambda h: h.append(content="We use uv.", idempotency_key="k"),
    "upsert": lambda h: h.upsert(context="On linux.", fields={"x": [1]}, idempotency_key="k"),
    "update": lambda h: h.update("ctx_2", title="t", tags=["a"], idempotency_key="k"),
    "forget": lambda h: h.service.forget_context(
        a_call(), ForgetContext(context_id="ctx_2", idempotency_key="k")
    ),
}


@pytest.mark.parametrize("verb", ASKS)
async def test_a_repeated_request_is_answered_the_same_and_done_once(
    house: House, verb: str
) -> None:
    await house.append(**FULL)
    first = await ASKS[verb](house)
    stats = await house.service.stats(a_call())
    house.clock.advance(minutes=5)
    again = await ASKS[verb](house)
    assert again.model_dump_json() == first.model_dump_json()
    now = await house.service.stats(a_call())
    assert (now.contexts, now.revisions, now.users) == (
        stats.contexts,
        stats.revisions,
        stats.users,
    )


@pytest.mark.parametrize(("one", "other"), [("append", "upsert"), ("append", "forget")])
async def test_one_key_for_two_requests_is_a_conflict(house: House, one: str, other: str) -> None:
    await house.append(**FULL)
    await ASKS[one](house)
    await refused(ASKS[other](house), ErrorCode.CONFLICT)


async def test_a_dry_run_uses_up_no_key(house: House) -> None:
    made = await house.append(content=LONG)
    asked = ForgetContext(context_id=made.context_id, dry_run=True, idempotency_key="k")
    answer = await house.service.forget_context(a_call(), asked)
    assert (answer.count, answer.dry_run) == (1, True)
    real = asked.model_copy(update={"dry_run": False})
    assert (await house.service.forget_context(a_call(), real)).count == 1


async def test_a_repeated_update_doesnt_show_a_memory_that_has_ended(house: House) -> None:
    """T1: a receipt is no way to read on."""
    made = await house.append(content=LONG, ttl_seconds=60)
    asked: dict[str, Any] = {"title": "t", "idempotency_key": "k"}
    await house.update(made.context_id, **asked)
    house.clock.advance(seconds=60)
    with pytest.raises(LinealError):
        await house.update(made.context_id, **asked)


# The rest of the doors.


async def test_a_broken_limit_stops_a_call_before_the_backend(house: House) -> None:
    await refused(house.append(content=" "), ErrorCode.INVALID_REQUEST)
    await refused(house.append(content="x", source="dream"), ErrorCode.INVALID_REQUEST)
    await refused(house.update("ctx_1", content="short"), ErrorCode.INVALID_REQUEST)
    await refused(house.upsert(), ErrorCode.INVALID_REQUEST)


async def test_a_query_of_signs_only_finds_nothing_and_an_empty_one_lists(house: House) -> None:
    await house.append(content="x")
    assert (await house.search("?!")).hits == ()
    assert len((await house.search(" ")).hits) == 1


async def test_what_was_left_out_of_a_search_is_counted(house: House) -> None:
    for n in range(30):
        await house.append(content=f"Note {n}: " + "word " * 40)
    request = SearchContext(query="word", user_id="ada", max_tokens=500)
    answer = await house.service.search_context(a_call(), request)
    assert 0 < len(answer.hits) < 30
    assert answer.more == 30 - len(answer.hits)
    assert (
        sum(len(json.dumps(told(hit, answer.now), ensure_ascii=False)) for hit in answer.hits)
        <= 2_000
    )


async def test_a_long_memory_of_many_lines_is_found(house: House) -> None:
    """Cut to the budget, with the way to the rest."""
    await house.append(content="uv is used\n" * 2_000)
    (hit,) = (await house.search("uv")).hits
    assert hit.missing_chars is not None
    assert len(hit.content) > 3_000


async def test_sweeping_takes_out_what_has_ended_whatever_its_number(house: House) -> None:
    """T2"""
    for n in range(1_203):
        await house.append(content=f"Note {n}.", ttl_seconds=5)
    house.clock.advance(seconds=5)
    assert (await house.service.sweep()).contexts == 1_203
    stats = await house.service.stats(a_call())
    assert (stats.contexts, stats.expired_unswept, stats.tombstones) == (0, 0, 1_203)


async def test_sweeping_refuses_after_a_jump_of_the_clock(house: House) -> None:
    await house.append(content="x", ttl_seconds=5)
    house.clock.advance(days=3_652)
    report = await house.service.sweep()
    assert report.refused
    assert report.contexts == 0
    assert (await house.service.sweep(accept_clock=True)).contexts == 1


async def test_the_embedded_backend_does_everything_itself(house: House) -> None:
    assert dict(house.service.capabilities) == dict.fromkeys(Capability, "native")
    assert house.service.backend_name == "embedded"


async def test_a_memory_type_is_shown_as_its_word(house: House) -> None:
    """N5"""
    answer = await house.append(content="x", memory_type="procedural")
    assert answer.memory_type is MemoryType.PROCEDURAL
    assert answer.model_dump(mode="json")["memory_type"] == "procedural"


# What was read from a text lives no longer than the text is believed.


async def tools_of(house: House) -> Any:
    row = await house.service.get_user(a_call(), GetUser(user_id="ada", domain="coding"))
    return row.fields.get("tools")


async def test_a_changed_content_is_read_again(house: House) -> None:
    """N22"""
    note = await house.append(content="We use ruff and docker for everything that we build here.")
    await house.append(content="We use mypy too.")
    assert await tools_of(house) == ["ruff", "docker", "mypy"]
    await house.update(
        note.context_id,
        content="We use docker for everything that we build, and pytest to test it.",
    )
    assert set(await tools_of(house)) == {"docker", "mypy", "pytest"}


async def test_forgetting_takes_out_what_only_that_text_said(house: House) -> None:
    """L6: whoever else added to the same list before or after."""
    await house.upsert(fields={"tools": ["redis"]} | {"editor": "zed"})
    first = await house.append(content="We use ruff.")
    await house.append(content="We use mypy.")
    await house.service.forget_context(a_call(), ForgetContext(context_id=first.context_id))
    assert await tools_of(house) == ["redis", "mypy"]


async def test_forgetting_the_latest_text_keeps_what_others_said(house: House) -> None:
    """L6"""
    await house.append(content="We use ruff.")
    last = await house.append(content="We use ruff and mypy.")
    await house.service.forget_context(a_call(), ForgetContext(context_id=last.context_id))
    assert await tools_of(house) == ["ruff"]


async def test_forgetting_reaches_a_value_that_was_overwritten_since(house: House) -> None:
    """L6: it stands in the row's history."""
    first = await house.append(content="I work with vim.")
    await house.append(content="I work with emacs.")
    scope = Scope(tenant="local", user_id="ada", domain="coding")
    assert '"vim"' in "".join(await house.store.user_history(scope))
    await house.service.forget_context(a_call(), ForgetContext(context_id=first.context_id))
    assert '"vim"' not in "".join(await house.store.user_history(scope))
