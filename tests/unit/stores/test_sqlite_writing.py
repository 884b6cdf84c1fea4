"""Writing: groups, turns, deadlines, cancellation."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import anyio
import pytest

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Reads, Snapshot
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.files import StoreFiles
from lineal.stores.sqlite.turn import Turn
from lineal.stores.sqlite.writer import IDLE_S
from lineal.testing.samples import ADA, a_context, a_receipt, an_edge, keep

from .sqlite_rooms import always, note, opened, other_process, read, refusal, said, told


class Held:
    """A write that holds its transaction open, so that others gather behind it."""

    def __init__(self, store: SqliteStore) -> None:
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._task = asyncio.ensure_future(store.commit(ADA, Reads(), self._decide))

    def _decide(self, _: Snapshot) -> Plan[None]:
        self._begun.set()
        self._go_on.wait(10)
        return Plan(Changes(), None)

    async def begun(self) -> None:
        await anyio.to_thread.run_sync(self._begun.wait, 10)

    async def let_go(self) -> None:
        self._go_on.set()
        await self._task


def impossible(_: Snapshot) -> Plan[None]:
    raise ZeroDivisionError


async def test_a_failing_write_takes_none_of_its_group_along(tmp_path: Path) -> None:
    async with opened(tmp_path / "m.db") as store:
        held = Held(store)
        await held.begun()
        good = [asyncio.ensure_future(note(store, f"ctx_{n}")) for n in range(20)]
        half = (a_context("ctx_half"), a_context("ctx_0", revision=7))
        bad = asyncio.ensure_future(keep(store, contexts=half))
        worse = asyncio.ensure_future(store.commit(ADA, Reads(), impossible))
        more = [asyncio.ensure_future(note(store, f"ctx_{n}")) for n in range(20, 30)]
        await asyncio.sleep(0)
        await held.let_go()
        await asyncio.gather(*good, *more)
        with pytest.raises(LinealError, match="doesn't follow") as caught:
            await bad
        assert caught.value.code is ErrorCode.CONFLICT
        with pytest.raises(ZeroDivisionError):
            await worse
        names = [f"ctx_{n}" for n in range(30)]
        seen = await read(store, "ctx_half", *names)
        assert list(seen.contexts) == names
        assert (await store.verify()).ok


async def test_a_group_is_synced_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "m.db") as store:
        held = Held(store)
        await held.begun()
        before = store_commits(store)
        writes = [asyncio.ensure_future(note(store, f"ctx_{n}")) for n in range(40)]
        await asyncio.sleep(0)
        await held.let_go()
        await asyncio.gather(*writes)
        assert store_commits(store) - before <= 2


def store_commits(store: SqliteStore) -> int:
    """Commit frames in the log: those whose header says how large the database is afterwards."""
    log = subprocess.run(["/bin/cat", StoreFiles(store.path).wal], capture_output=True).stdout
    frames = range(32, len(log), 24 + 4096)
    return sum(log[at + 4 : at + 8] != b"\0\0\0\0" for at in frames)


async def test_a_plan_that_keeps_nothing_writes_nothing(tmp_path: Path) -> None:
    clock = always()
    async with opened(tmp_path / "m.db", clock) as store:
        await note(store, "ctx_1")
        before = StoreFiles(store.path).wal_bytes()
        clock.advance(minutes=1)
        await keep(store)
        assert StoreFiles(store.path).wal_bytes() == before


async def test_a_write_is_seen_by_another_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as one, opened(path) as other:
        for number in range(20):
            await note(one, f"ctx_{number}")
            assert f"ctx_{number}" in (await read(other, f"ctx_{number}")).contexts


async def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    store = SqliteStore(path, clock=always())
    await store.open()
    writes = [asyncio.ensure_future(note(store, f"ctx_{n}")) for n in range(100)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    assert not StoreFiles(path).wal.exists()
    async with opened(path) as again:
        assert len((await read(again, *(f"ctx_{n}" for n in range(100)))).contexts) == 100


async def test_a_cancelled_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - for repetition
    chance = random.Random(seed)
    answered: set[str] = set()

    async def write(store: SqliteStore, name: str) -> None:
        receipt = a_receipt(name, f'{{"id": "{name}"}}')
        edge = an_edge(name, "ctx_root")
        await keep(store, contexts=(a_context(name),), edges=(edge,), receipt=receipt)
        answered.add(name)

    names = [f"ctx_{number}" for number in range(300)]
    async with opened(tmp_path / "m.db") as store:
        for name in names:
            if chance.random() < 0.5:
                with anyio.move_on_after(chance.uniform(0, 0.003)):
                    await write(store, name)
            else:
                task = asyncio.ensure_future(write(store, name))
                await asyncio.sleep(chance.uniform(0, 0.003))
                task.cancel()
                await asyncio.wait((task,))
        contexts = set((await read(store, *names)).contexts)
        edges = {edge.child_id for edge in await store.edges(ADA, tuple(names), "up")}
        receipts = {name for name in names if (await store.read(ADA, Reads(receipt=name))).receipt}
        assert contexts == edges == receipts
        assert answered <= contexts
        assert len(contexts) > 0
        assert (await store.verify()).ok


async def test_a_write_cancelled_while_it_waits_is_withdrawn(tmp_path: Path) -> None:
    async with opened(tmp_path / "m.db") as store:
        held = Held(store)
        await held.begun()
        with anyio.move_on_after(0.05) as waited:
            await note(store, "ctx_1")
        assert waited.cancelled_caught
        await held.let_go()
        await note(store, "ctx_2")
        assert list((await read(store, "ctx_1", "ctx_2")).contexts) == ["ctx_2"]


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_hanging_writer_hinders_writes_only_and_only_while_it_lives(
    tmp_path: Path, stopped: bool
) -> None:
    path = tmp_path / "m.db"
    async with opened(path, busy_timeout_s=0.4) as store:
        await note(store, "ctx_1")
        with other_process("holds", path) as holder:
            assert told(holder) == "held"
            if stopped:
                holder.send_signal(signal.SIGSTOP)
            for name in ("ctx_late", "ctx_later"):
                begun = time.monotonic()
                with pytest.raises(LinealError, match="busy") as caught, anyio.fail_after(5):
                    await note(store, name)
                assert caught.value.retryable
                assert caught.value.code is ErrorCode.UNAVAILABLE
                assert time.monotonic() - begun < 1.0
            assert "ctx_1" in (await read(store, "ctx_1")).contexts
            async with opened(path, busy_timeout_s=0.4) as another:
                assert "ctx_1" in (await read(another, "ctx_1")).contexts
        begun = time.monotonic()
        await note(store, "ctx_2")
        assert time.monotonic() - begun < 0.3
        seen = await read(store, "ctx_2", "ctx_late", "ctx_later")
        assert list(seen.contexts) == ["ctx_2"]


async def test_a_write_waits_for_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path, busy_timeout_s=0.2) as store:
        turn = Turn(StoreFiles(path).queue)
        with turn, pytest.raises(LinealError, match="busy"):
            await note(store, "ctx_1")
        await note(store, "ctx_2")
        turn.close()
        assert list((await read(store, "ctx_1", "ctx_2")).contexts) == ["ctx_2"]


async def test_a_new_file_whose_maker_hangs_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path):
        with other_process("holds", path) as holder:
            assert told(holder) == "held"
            StoreFiles(path).marker.unlink()  # as if it were still being made
            error = await refusal(SqliteStore(path, clock=always(), busy_timeout_s=0.3))
            assert "busy" in error.message
            assert error.retryable


async def test_a_forked_process_may_not_use_the_store(tmp_path: Path) -> None:
    with other_process("forks", tmp_path / "m.db") as process:
        child, parent = said(process)
    assert "before a fork" in child
    assert parent == {"seen": ["ctx_1", "ctx_2"], "ok": True}


@pytest.mark.slow
async def test_the_log_is_emptied_when_nobody_writes(tmp_path: Path) -> None:
    async with opened(tmp_path / "m.db") as store:
        await note(store, "ctx_1")
        assert StoreFiles(store.path).wal_bytes() > 0
        await anyio.sleep(IDLE_S + 0.5)
        assert StoreFiles(store.path).wal_bytes() == 0
        assert "ctx_1" in (await read(store, "ctx_1")).contexts


async def test_two_stores_of_one_process_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as one, opened(path) as other:
        writes = [note(store, f"ctx_{n}_{id(store)}") for n in range(50) for store in (one, other)]
        await asyncio.gather(*writes)
        assert (await one.stats(ADA)).contexts == 100
