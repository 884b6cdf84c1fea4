"""Connections are few, break, and come back; callers queue or are told so."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import anyio
import psycopg
import pytest
from anyio.to_thread import run_sync
from tests.postgres.cluster import Cluster
from tests.postgres.engine import require
from tests.postgres.writers import Crowd, append, kept, opened, refused, user_of

from lineal.errors import ErrorCode
from lineal.stores.postgres import PostgresStore
from lineal.testing.samples import ADA

CALLERS = 40
POOL = 3
WRITERS = 16
CUTS = 15
"""How often all connections are broken while the writers write."""

PASSWORD = "hunter2-of-the-store"  # noqa: S105 - it opens nothing
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'lineal'"


@pytest.fixture
def server() -> Iterator[Cluster]:
    """One that a test may restart and fill: eight connections, three of them the superuser's."""
    require()
    with Cluster(settings={"max_connections": "8", "max_wal_senders": "0"}) as own:
        yield own


@asynccontextmanager
async def watched(cluster: Cluster, dsn: str) -> AsyncIterator[list[int]]:
    """Numbers of connections to the database, counted again and again."""
    seen: list[int] = []
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    question = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = %s"

    async def count() -> None:
        while True:
            seen.append((await run_sync(cluster.sql, question, name))[0][0])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        yield seen
        tasks.cancel_scope.cancel()


async def test_more_callers_than_connections_queue_and_none_fails(
    cluster: Cluster, postgres_dsn: str
) -> None:
    async with opened(postgres_dsn, pool_max=POOL) as store:
        names = tuple(f"ctx_{n}" for n in range(CALLERS))
        async with (
            watched(cluster, postgres_dsn) as numbers,
            anyio.create_task_group() as tasks,
        ):
            for n, name in enumerate(names):
                tasks.start_soon(append, store, user_of(n % 5), f"key{n}", name)
        assert max(numbers) <= POOL
        there = [await kept(store, user_of(n), names[n::5]) for n in range(5)]
    assert sum(map(len, there)) == CALLERS


async def test_a_server_that_is_down_is_named_without_its_password(
    server: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    dsn = server.dsn("lineal_1", password=PASSWORD)
    await run_sync(server.stop)
    store = PostgresStore(dsn, busy_timeout_s=1.0)
    with caplog.at_level(logging.DEBUG), anyio.fail_after(10):
        error = await refused(store.open())
        await store.close()
    assert error.code is ErrorCode.UNAVAILABLE
    assert error.retryable
    assert "LINEAL_BACKEND" in error.message
    assert PASSWORD not in repr((error, error.details, error.__cause__)) + caplog.text
    await run_sync(server.start)


async def test_a_store_goes_on_after_the_server_was_restarted(server: Cluster) -> None:
    async with opened(server.new_database(), pool_max=2) as store:
        await append(store, ADA, "k1", "ctx_1")
        await run_sync(server.restart)
        assert await kept(store, ADA, ("ctx_1",)) == {"ctx_1"}
        await run_sync(server.restart)
        await append(store, ADA, "k2", "ctx_2")
        assert await kept(store, ADA, ("ctx_1", "ctx_2")) == {"ctx_1", "ctx_2"}


async def test_writes_whose_connections_break_are_kept_once_or_refused(
    cluster: Cluster, postgres_dsn: str
) -> None:
    async with opened(postgres_dsn) as store:
        crowd = Crowd(store, WRITERS)
        async with crowd.writing():
            for _ in range(CUTS):
                await crowd.further(WRITERS)
                await run_sync(cluster.sql, CUT)
            await crowd.further(WRITERS)
        figures = f"{len(crowd.acked)} acknowledged, refused {dict(crowd.refusals)}"
        print(figures)  # noqa: T201 - shown with a failure, or with -s
        assert await crowd.judged(store) == (0, 0), figures


async def test_where_no_connection_is_left_the_caller_is_told_and_may_retry(
    server: Cluster,
) -> None:
    dsn = server.new_database()
    async with opened(dsn, pool_max=1):
        pass  # its tables are made
    with ExitStack() as others:
        for _ in range(5):
            others.enter_context(psycopg.connect(dsn))
        store = PostgresStore(dsn, busy_timeout_s=1.0)
        with anyio.fail_after(10):
            error = await refused(store.open())
        await store.close()
        assert (error.code, error.retryable) == (ErrorCode.UNAVAILABLE, True)
    async with opened(dsn) as later:
        assert await append(later, ADA, "k1", "ctx_1") == "ctx_1"
