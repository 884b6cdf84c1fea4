"""What was acknowledged is there: after kill -9, on a full disk, and beside a backup."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import pytest

from lineal.errors import LinealError
from lineal.models.changes import Reads
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import ADA

from .sqlite_rooms import note, opened, other_process, read, said, told

ROUNDS = 8
WRITERS = 4


@pytest.mark.slow
async def test_what_killed_processes_had_acknowledged_is_there(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - for repetition
    chance = random.Random(seed)
    path = tmp_path / "m.db"
    acked: list[str] = []
    for number in range(ROUNDS):
        with contextlib.ExitStack() as running:
            writers = [
                running.enter_context(other_process("writes", path, f"ctx_{number}_{writer}_"))
                for writer in range(WRITERS)
            ]
            acked += [told(writer) for writer in writers]
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            for writer in writers:
                writer.kill()
            acked += [name for writer in writers for name in said(writer)]
        async with opened(path) as store:
            await expect_whole(store, acked)
    assert len(acked) > ROUNDS * WRITERS


async def expect_whole(store: SqliteStore, acked: list[str]) -> None:
    """Every acknowledged note with its edge and receipt, and nothing by halves."""
    assert set((await read(store, *acked)).contexts) == set(acked)
    assert {edge.child_id for edge in await store.edges(ADA, tuple(acked), "up")} == set(acked)
    for name in acked[-20:]:
        assert (await store.read(ADA, Reads(receipt=name))).receipt is not None
    stats = await store.stats(ADA)
    assert stats.edges == stats.contexts == stats.revisions
    report = await store.verify()
    assert report.ok, report


async def test_a_full_disk_loses_nothing_and_refuses_nothing_for_long(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with other_process("fills", path, 400_000) as process:
        (told_of,) = said(process)
    assert "storage is full" in told_of["refused"]
    assert told_of["seen"] == len(told_of["kept"]) > 3
    async with opened(path) as store:
        names = [*told_of["kept"], "ctx_after"]
        assert set((await read(store, *names)).contexts) == set(names)
        assert (await store.verify()).ok


async def test_python_itself_opens_no_file_of_the_database(tmp_path: Path) -> None:
    with other_process("watched", tmp_path / "m.db") as process:
        (touched,) = said(process)
    assert touched == []


async def test_a_backup_made_while_others_write_is_whole(tmp_path: Path) -> None:
    path, target = tmp_path / "m.db", tmp_path / "copy.db"
    steps: list[tuple[int, int]] = []
    async with opened(path) as store:
        for number in range(50):
            await note(store, f"ctx_{number}", content="walnut " * 500)
        with other_process("writes", path, "other_") as writer:
            told(writer)
            size = await store.backup(target, lambda done, total: steps.append((done, total)))
        assert size == target.stat().st_size
    assert steps
    assert steps[-1][0] == steps[-1][1]
    async with opened(target) as copy:
        names = [f"ctx_{number}" for number in range(50)]
        assert set((await read(copy, *names)).contexts) == set(names)
        assert (await copy.verify()).ok


async def test_a_backup_replaces_nothing(tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")
    async with opened(tmp_path / "m.db") as store:
        with pytest.raises(LinealError, match="exists already"):
            await store.backup(target)
        with pytest.raises(LinealError, match="doesn't exist"):
            await store.backup(tmp_path / "nowhere" / "copy.db")
    assert target.read_text() == "mine"


async def test_a_stopped_backup_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    async with opened(tmp_path / "m.db") as store:
        for number in range(20):
            await note(store, f"ctx_{number}", content=f"{number} " * 100_000)

        def stop(done: int, total: int) -> None:
            raise InterruptedError

        with pytest.raises(LinealError):
            await store.backup(target, stop)
    assert not target.exists()
