"""A disk that fails at any of its operations (check 4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Reads, Snapshot
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import ADA, a_context, a_receipt, an_edge

from .faultvfs import FaultVFS
from .sqlite_rooms import always, opened, read

NAMES = tuple(f"ctx_{number}" for number in range(6))


@pytest.fixture
def disk() -> Iterator[FaultVFS]:
    vfs = FaultVFS()
    yield vfs
    vfs.unregister()


async def write(store: SqliteStore, name: str) -> bool:
    """Keep a note, once for its idempotency key; whether it was acknowledged."""

    def decide(seen: Snapshot) -> Plan[None]:
        if seen.receipt is not None:
            return Plan(Changes(), None)
        receipt = a_receipt(name, f'{{"id": "{name}"}}')
        context = a_context(name, content=f"walnut {name} " * 300)
        edges = (an_edge(name, "ctx_root"),)
        return Plan(Changes(contexts=(context,), edges=edges, receipt=receipt), None)

    return await acknowledged(store, Reads(receipt=name), decide)


async def forget(store: SqliteStore, name: str) -> bool:
    return await acknowledged(store, Reads(), lambda _: Plan(Changes(forget=(name,)), None))


async def acknowledged(store: SqliteStore, reads: Reads, decide: object) -> bool:
    """Whether it succeeded; any other failure than `unavailable` is a bug."""
    try:
        await store.commit(ADA, reads, decide)  # type: ignore[arg-type]
    except LinealError as error:
        if error.code is not ErrorCode.UNAVAILABLE:
            raise
        return False
    return True


async def run(path: Path, disk: FaultVFS, after: int, *, sticky: bool, result: int) -> int:
    """Write, forget and close with one fault after so many operations; returns how many it took.

    Whatever happened: what was acknowledged is there, a retry makes it exactly one, nothing is
    damaged."""
    async with opened(path) as store:
        begun = disk.operations
        disk.arm(after, sticky=sticky, result=result)
        acked = {name for name in NAMES if await write(store, name)}
        forgotten = await forget(store, NAMES[0])
        assert acked - set((await read(store, *NAMES)).contexts) <= {NAMES[0]}
        disk.heal()
        for name in NAMES[1:]:
            assert await write(store, name)
        forgotten = await forget(store, NAMES[0]) or forgotten
        assert forgotten
    taken = disk.operations - begun
    async with opened(path) as store:
        assert set((await read(store, *NAMES)).contexts) == set(NAMES[1:])
        assert len(await store.edges(ADA, NAMES[1:], "up")) == len(NAMES) - 1
        report = await store.verify()
        assert report.ok, report
    return taken


async def test_without_a_fault_everything_is_kept(tmp_path: Path, disk: FaultVFS) -> None:
    taken = await run(
        tmp_path / "m.db", disk, 1_000_000, sticky=False, result=apsw.SQLITE_IOERR_WRITE
    )
    assert taken > 50


@pytest.mark.slow
@pytest.mark.parametrize("sticky", [False, True])
@pytest.mark.parametrize(
    "result", [apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_FULL]
)
async def test_a_fault_at_any_operation_damages_nothing(
    tmp_path: Path, disk: FaultVFS, sticky: bool, result: int
) -> None:
    never = 1_000_000
    total = await run(tmp_path / "whole.db", disk, never, sticky=sticky, result=result)
    for after in range(0, total, 3 if sticky else 1):
        await run(tmp_path / f"{after}.db", disk, after, sticky=sticky, result=result)


async def test_a_failed_commit_says_that_its_outcome_is_unknown(
    tmp_path: Path, disk: FaultVFS
) -> None:
    async with opened(tmp_path / "m.db", always()) as store:
        await write(store, "ctx_1")
        disk.arm(0, sticky=False, result=apsw.SQLITE_IOERR_WRITE)
        with pytest.raises(LinealError, match="may or may not") as caught:
            await store.commit(
                ADA, Reads(), lambda _: Plan(Changes(contexts=(a_context("ctx_2"),)), None)
            )
        assert caught.value.retryable
        assert "idempotency_key" in caught.value.message
        assert caught.value.details["outcome"] == "unknown"
