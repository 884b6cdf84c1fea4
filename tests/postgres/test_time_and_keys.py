"""Whose time it is, and what one idempotency key means to many who use it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import psycopg
from tests.postgres.writers import opened

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Reads, Receipt, Scope, Snapshot
from lineal.stores.postgres import PostgresStore
from lineal.testing.samples import START, a_context, keep

TENANT = "acme"
WRITERS = 20
KEYS = tuple(f"key{number}" for number in range(12))
NEAR = timedelta(seconds=5)


async def test_by_default_it_is_the_databases_time(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as store:
        seen = await store.read(Scope(tenant=TENANT), Reads())
    with psycopg.connect(postgres_dsn) as connection:
        told = connection.execute("SELECT clock_timestamp()").fetchone()
    assert told is not None
    assert timedelta() <= told[0] - seen.now < NEAR


async def test_the_databases_time_says_what_has_ended(postgres_dsn: str) -> None:
    async with opened(postgres_dsn) as store:
        now = (await store.read(Scope(tenant=TENANT), Reads())).now
        ended, lives = (
            a_context(name, expires_at=now + timedelta(hours=hours))
            for name, hours in (("ctx_ended", -1), ("ctx_lives", 1))
        )
        await keep(store, contexts=(ended, lives))
        seen = await store.read(Scope(tenant=TENANT), Reads(context_ids=("ctx_ended", "ctx_lives")))
        assert (set(seen.contexts), set(seen.tombstones)) == ({"ctx_lives"}, {"ctx_ended"})
        assert (await store.sweep()).contexts == 1


async def test_its_record_of_time_is_not_written_with_every_write(postgres_dsn: str) -> None:
    """It is one row, which all writes would wait for."""
    marks: set[int] = set()
    began = datetime.now(UTC)
    async with opened(postgres_dsn) as store:
        for number in range(30):
            await keep(store, contexts=(a_context(f"ctx_{number}"),))
            with psycopg.connect(postgres_dsn) as connection:
                marks |= {at for (at,) in connection.execute("SELECT high_at FROM lineal.store")}
    seconds = (datetime.now(UTC) - began).total_seconds()
    assert len(marks) <= seconds + 2


async def test_one_key_of_many_users_is_done_once(postgres_dsn: str) -> None:
    """Their writes run side by side: the key alone holds them together."""
    answers: dict[str, list[str]] = {key: [] for key in KEYS}

    async def write(store: PostgresStore, key: str, number: int) -> None:
        user = f"user{number}"
        scope = Scope(tenant=TENANT, user_id=user, domain="coding")
        answer = await store.commit(scope, Reads(receipt=key), lambda seen: once(seen, key, user))
        answers[key].append(answer)

    async with opened(postgres_dsn, pool_max=WRITERS) as store:
        for key in KEYS:  # the first ones wait for connections, and come one after the other
            async with anyio.create_task_group() as tasks:
                for number in range(WRITERS):
                    tasks.start_soon(write, store, key, number)
        stats = await store.stats(Scope(tenant=TENANT))
    assert [(len(each), len(set(each))) for each in answers.values()] == [(WRITERS, 1)] * len(KEYS)
    assert stats.contexts == len(KEYS)


def once(seen: Snapshot, key: str, user: str) -> Plan[str]:
    if seen.receipt is not None:
        return Plan(Changes(), seen.receipt.answer)
    context = a_context(f"ctx_{key}_{user}", user_id=user)
    receipt = Receipt(key=key, verb="append", request_hash="h", answer=user, recorded_at=START)
    return Plan(Changes(contexts=(context,), receipt=receipt), user)


async def test_a_key_that_nobody_looked_up_conflicts(postgres_dsn: str) -> None:
    receipt = Receipt(key="k", verb="append", request_hash="h", answer="a", recorded_at=START)
    async with opened(postgres_dsn) as store:
        await keep(store, contexts=(a_context("ctx_1"),), receipt=receipt)
        try:
            await keep(store, contexts=(a_context("ctx_2"),), receipt=receipt)
        except LinealError as error:
            refused = error
        assert refused.code is ErrorCode.CONFLICT
        assert (await store.stats(Scope(tenant=TENANT))).contexts == 1
