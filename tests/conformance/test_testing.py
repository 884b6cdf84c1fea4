"""The tools that lineal.testing hands out do what they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from lineal.clock import ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.errors import LinealError
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.changes import Reads
from lineal.ports.store import Store
from lineal.schemas.book import SchemaBook
from lineal.stores.memory import MemoryStore
from lineal.testing import FailingStore, FakeBackend, Fault, kill_hard, resume, stop
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.samples import ADA, START, a_context, keep

BROKEN = LinealError.unavailable("The connection broke.")


@pytest.fixture
def store() -> Store:
    return MemoryStore(clock=ManualClock(START))


async def test_a_fault_before_a_commit_keeps_nothing(store: Store) -> None:
    failing = FailingStore(store, Fault(2, "before", BROKEN))
    await keep(failing, contexts=(a_context("ctx_1"),))
    with pytest.raises(LinealError) as raised:
        await keep(failing, contexts=(a_context("ctx_2"),))
    assert raised.value is BROKEN
    await keep(failing, contexts=(a_context("ctx_3"),))
    seen = await store.read(ADA, Reads(context_ids=("ctx_1", "ctx_2", "ctx_3")))
    assert sorted(seen.contexts) == ["ctx_1", "ctx_3"]
    assert failing.commits == 3


async def test_a_fault_after_a_commit_keeps_everything(store: Store) -> None:
    failing = FailingStore(store, Fault(1, "after", BROKEN))
    with pytest.raises(LinealError):
        await keep(failing, contexts=(a_context("ctx_1"),))
    assert (await store.read(ADA, Reads(context_ids=("ctx_1",)))).contexts


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_retry_with_its_key_after_either_fault_gives_one_row(
    store: Store, when: str
) -> None:
    """Check 35: the caller can't know whether the write was kept; asking again is safe."""
    fault = Fault(2, "before" if when == "before" else "after", BROKEN)
    ada = Caller(_embedded(FailingStore(store, fault)))
    await ada.upsert()
    with pytest.raises(LinealError):
        await ada.append(idempotency_key="k")
    answer = await ada.append(idempotency_key="k")
    assert await ada.found() == [answer.context_id]


async def test_a_fake_records_every_call_and_fails_when_told() -> None:
    fake = FakeBackend(clock=ManualClock(START))
    ada = Caller(fake)
    await ada.upsert()
    fake.fail_next(BROKEN)
    with pytest.raises(LinealError, match="broke"):
        await ada.append()
    await ada.append()
    fake.fail_when("search_context", LinealError.conflict("Told to."))
    for _ in range(2):
        with pytest.raises(LinealError, match="Told to"):
            await ada.search()
    await ada.user()
    fake.fail_when("search_context", None)
    assert len(await ada.found()) == 1
    assert [call.verb for call in fake.calls] == [
        "upsert_user",
        "append_context",
        "append_context",
        *["search_context"] * 2,
        "get_user",
        "search_context",
    ]
    stamp = fake.calls[0].stamp
    assert stamp is not None
    assert stamp.scope == ADA.model_copy(update={"domain": "notes"})


async def test_a_held_call_waits_at_its_gate_and_has_done_nothing_yet() -> None:
    fake = FakeBackend()
    ada = Caller(fake)
    await ada.upsert()
    gate = fake.hold("append_context")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ada.append)
        await gate.reached()
        assert await ada.found() == []
        gate.open()
    assert len(await ada.found()) == 1


async def test_a_held_call_that_is_cancelled_has_done_nothing() -> None:
    fake = FakeBackend()
    ada = Caller(fake)
    await ada.upsert()
    gate = fake.hold("append_context")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ada.append)
        await gate.reached()
        tasks.cancel_scope.cancel()
    assert await ada.found() == []


@pytest.fixture
def echo() -> Iterator[subprocess.Popen[bytes]]:
    """A process that repeats each line it is sent."""
    code = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as process:
        yield process
        process.kill()


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads the state from /proc")
def test_a_stopped_process_goes_on_when_resumed_and_dies_when_killed(
    echo: subprocess.Popen[bytes],
) -> None:
    assert _said(echo, b"one\n") == b"one\n"
    stop(echo)
    assert _state(echo) == "T"
    resume(echo)
    assert _said(echo, b"two\n") == b"two\n"
    assert kill_hard(echo) == -9


def test_the_tools_load_without_pytest() -> None:
    """Suites import it; a backend's own tests may use another runner for the rest."""
    code = (
        "import sys, lineal.testing as t; t.FakeBackend; t.FailingStore; t.kill_hard; "
        "sys.exit('pytest' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_tool_is_an_attribute_error() -> None:
    import lineal.testing

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = lineal.testing.Nothing
    assert all(hasattr(lineal.testing, name) for name in lineal.testing.__all__)


def _embedded(store: Store) -> EmbeddedBackend:
    return EmbeddedBackend(
        store,
        schemas=SchemaBook(),
        extractor=RulesExtractor(),
        embedder=HashingEmbedder(),
        ids=RandomIds(),
    )


def _said(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline()


def _state(process: subprocess.Popen[bytes]) -> str:
    """The kernel's letter for it: T is stopped. Waits for the signal to arrive."""
    while True:
        state = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if state not in ("S", "R"):
            return state
