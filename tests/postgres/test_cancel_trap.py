"""A commit that waits for its standby must not be hurried: PostgreSQL answers a cancelled wait with
success and a warning (01000), though the write is on one machine only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.to_thread import run_sync
from tests.postgres.cluster import Cluster
from tests.postgres.engine import require
from tests.postgres.writers import append, kept, opened, refused

from lineal.errors import ErrorCode, LinealError
from lineal.testing.samples import ADA

pytestmark = pytest.mark.slow

WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
HURRIED = "canceling wait for synchronous replication"
"""What a server writes in its log when somebody cancels the wait."""

WHILE_S = 0.5
"""Time enough for a cancel request to arrive: it takes milliseconds."""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    require()
    with Cluster(durable=True) as first, first.standby() as second:
        first.set(synchronous_standby_names="*")
        yield first, second


@pytest.fixture
def dsn(pair: tuple[Cluster, Cluster]) -> str:
    return pair[0].new_database()


@asynccontextmanager
async def standby_away(pair: tuple[Cluster, Cluster]) -> AsyncIterator[None]:
    await run_sync(pair[1].stop)
    try:
        yield
    finally:
        await run_sync(pair[1].start)


async def waits(pair: tuple[Cluster, Cluster]) -> None:
    """Until a commit waits for the standby."""
    await run_sync(pair[0].wait_until, WAITS)


async def still_waits(pair: tuple[Cluster, Cluster]) -> bool:
    """After a while, unhurried."""
    await anyio.sleep(WHILE_S)
    rows = await run_sync(pair[0].sql, WAITS)
    return rows == [(True,)] and HURRIED not in pair[0].log()


async def kept_once(dsn: str, answer: str) -> bool:
    """Whether of all that was tried only this is there."""
    async with opened(dsn) as store:
        return await kept(store, ADA, ("ctx_1", "ctx_2")) == {answer}


async def test_a_cancelled_caller_is_told_nothing_and_the_server_is_not_hurried(
    pair: tuple[Cluster, Cluster], dsn: str
) -> None:
    async with opened(dsn) as store:
        async with standby_away(pair):
            caller = asyncio.create_task(append(store, ADA, "key", "ctx_1"))
            await waits(pair)
            caller.cancel()
            assert await still_waits(pair)
            assert not caller.done() or caller.cancelled()
        with pytest.raises((asyncio.CancelledError, LinealError)):
            await caller
        answer = await append(store, ADA, "key", "ctx_2")
    assert await kept_once(dsn, answer)


async def test_at_the_deadline_the_outcome_is_unknown_and_the_server_is_not_hurried(
    pair: tuple[Cluster, Cluster], dsn: str
) -> None:
    async with opened(dsn, busy_timeout_s=1.0) as store:
        async with standby_away(pair):
            with anyio.fail_after(30):
                error = await refused(append(store, ADA, "key", "ctx_1"))
            assert await still_waits(pair)
        assert (error.code, error.details["outcome"]) == (ErrorCode.UNAVAILABLE, "unknown")
        assert error.retryable
        answer = await append(store, ADA, "key", "ctx_2")
    assert await kept_once(dsn, answer)


async def test_a_wait_that_an_administrator_cancels_is_not_acknowledged(
    pair: tuple[Cluster, Cluster], dsn: str
) -> None:
    cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    async with opened(dsn, busy_timeout_s=3.0) as store:
        async with standby_away(pair):
            caller = asyncio.create_task(refused(append(store, ADA, "key", "ctx_1")))
            await waits(pair)
            await run_sync(pair[0].sql, cancel)
            with anyio.fail_after(60):
                error = await caller
        assert (error.code, error.details["outcome"]) == (ErrorCode.UNAVAILABLE, "unknown")
        assert HURRIED in pair[0].log(1_000)
        answer = await append(store, ADA, "key", "ctx_2")
    assert await kept_once(dsn, answer)
