"""Sweepers work side by side, each row once, and wait for nobody who writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, LiteralString

import anyio
import psycopg
from psycopg import sql
from tests.postgres.writers import kept, opened, user_of

from lineal.clock import ManualClock
from lineal.models.changes import Fingerprint, Scope, SweepReport, Withholding
from lineal.models.sheet import Pieces, Space
from lineal.models.user import Head
from lineal.ports.store import Store
from lineal.stores.postgres.locks import room_key
from lineal.stores.postgres.schema import TABLES
from lineal.testing.samples import (
    ADA,
    START,
    a_context,
    a_receipt,
    a_sighting,
    a_task,
    a_user,
    an_edge,
    an_outcome,
    keep,
)

USERS, EACH, SWEEPERS = 30, 10, 3
HOUR = timedelta(hours=1)
LATER = START + 2 * HOUR
NAMES = tuple(f"ctx_{user}_{n}" for user in range(USERS) for n in range(EACH))
SPACE = Space("axes.v1", 4)
STAYS = {"tombstone", "edge", "outcome", "receipt", "receipt_context", "receipt_user"}
"""Tables of which a sweep leaves something, without content; and which shelves there were."""


async def expiring(store: Store) -> None:
    """Contexts and rows of many users that all end within the hour."""
    for user in range(USERS):
        scope = user_of(user)
        of_user: dict[str, Any] = {"user_id": scope.user_id, "expires_at": START + HOUR}
        names = NAMES[user * EACH : (user + 1) * EACH]
        contexts = tuple(a_context(name, speaker="Ada", **of_user) for name in names)
        prints = {name: Fingerprint(content_key="same", keys=(1, 2)) for name in names}
        row = a_user(**of_user)
        await keep(store, scope, contexts=contexts, users=(row,), fingerprints=prints)


@contextmanager
def busy(dsn: str, statement: LiteralString, *values: object) -> Iterator[None]:
    """While somebody else's transaction holds what this statement locks."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT set_config('lineal.tenant', 'acme', true)")
        connection.execute(statement, values)
        yield


def counted(dsn: str) -> dict[str, int]:
    """Rows of the tenant in each table that has any."""
    with psycopg.connect(dsn, row_factory=psycopg.rows.scalar_row) as connection:
        connection.execute("SELECT set_config('lineal.tenant', 'acme', true)")
        question = sql.SQL("SELECT count(*) FROM {}")
        tables = {name: question.format(sql.Identifier("lineal", name)) for name in TABLES}
        counts = {name: connection.execute(asked).fetchone() for name, asked in tables.items()}
    return {name: count for name, count in counts.items() if count}


async def test_sweepers_side_by_side_take_out_every_row_once(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, clock=ManualClock(START)) as store:
        await expiring(store)
    reports: list[SweepReport] = []

    async def sweeper() -> None:
        async with opened(postgres_dsn, clock=ManualClock(LATER)) as store:
            for _ in range(10):
                reports.append(await store.sweep(limit=50))

    async with anyio.create_task_group() as group:
        for _ in range(SWEEPERS):
            group.start_soon(sweeper)
    assert sum(report.contexts for report in reports) == USERS * EACH
    assert sum(report.users for report in reports) == USERS
    async with opened(postgres_dsn, clock=ManualClock(LATER)) as store:
        assert (await store.stats(Scope(tenant="acme"))).tombstones == USERS * EACH
        assert (await store.verify()).ok


async def test_a_room_in_which_somebody_writes_is_left_for_the_next_time(postgres_dsn: str) -> None:
    clock = ManualClock(START)
    room = room_key("acme", ("user3", "coding"))
    async with opened(postgres_dsn, clock=clock, busy_timeout_s=5) as store:
        await expiring(store)
        clock.advance(hours=2)
        with busy(postgres_dsn, "SELECT pg_advisory_xact_lock(%s)", room):
            swept = await store.sweep()
        assert (swept.contexts, swept.users) == ((USERS - 1) * EACH, USERS - 1)
        swept = await store.sweep()
        assert (swept.contexts, swept.users) == (EACH, 1)


async def test_a_row_that_somebody_is_at_is_left_for_the_next_time(postgres_dsn: str) -> None:
    clock = ManualClock(START)
    lock: LiteralString = "SELECT 1 FROM lineal.context WHERE context_id = %s FOR UPDATE"
    async with opened(postgres_dsn, clock=clock, busy_timeout_s=5) as store:
        await expiring(store)
        clock.advance(hours=2)
        with busy(postgres_dsn, lock, NAMES[0]):
            assert (await store.sweep()).contexts == USERS * EACH - 1
        assert (await store.sweep()).contexts == 1


async def test_a_limit_holds_for_all_tenants_together(postgres_dsn: str) -> None:
    clock = ManualClock(START)
    async with opened(postgres_dsn, clock=clock) as store:
        for tenant in ("acme", "evil", "other"):
            scope = Scope(tenant=tenant, user_id="ada", domain="coding")
            ending = tuple(a_context(name, expires_at=START + HOUR) for name in NAMES[:4])
            await keep(store, scope, contexts=ending)
        clock.advance(hours=2)
        assert [(await store.sweep(limit=5)).contexts for _ in range(4)] == [5, 5, 2, 0]


async def test_nothing_that_led_to_what_has_ended_is_left(postgres_dsn: str) -> None:
    clock = ManualClock(START)
    async with opened(postgres_dsn, clock=clock) as store:
        await _furnish(store)
        everything = counted(postgres_dsn)
        assert everything.keys() >= set(TABLES) - {"tombstone", "unembedded"}
        clock.advance(hours=2)
        assert (await store.sweep()).contexts == 2
        left = counted(postgres_dsn)
        assert left.keys() - {"shelf", "space"} == STAYS
        assert left["tombstone"] == 2
        assert await kept(store, ADA, NAMES[:2]) == set()
        assert (await store.verify()).ok


async def _furnish(store: Store) -> None:
    """A row in nearly every table; what is withheld can be given back for an hour."""
    ending: dict[str, Any] = {"expires_at": START + HOUR, "speaker": "Ada", "session_id": "s"}
    held = Withholding(root=NAMES[1], context_ids=(NAMES[1],), until=START + HOUR)
    await keep(
        store,
        contexts=tuple(a_context(name, **ending) for name in NAMES[:2]),
        users=(a_user(expires_at=START + HOUR),),
        heads=(Head(name="coding", version="v1", vector=(1.0, 0.0)),),
        edges=(an_edge(NAMES[1], NAMES[0]),),
        fingerprints={NAMES[0]: Fingerprint(content_key="same", keys=(1, 2))},
        outcomes=(an_outcome("out_1"),),
        tasks=(a_task(context_id=NAMES[0]),),
        receipt=a_receipt("key", json.dumps({"context_id": NAMES[0]})),
    )
    batch = await store.claim(SPACE, "one")
    assert batch is not None
    made = [(1.0, 0.0, 0.0, 0.0)] * len(batch.items)
    await store.keep_vectors(batch, made, [Pieces((1,), bytes(SPACE.dim))] * len(made))
    await keep(store, sightings=(a_sighting(NAMES[0]),))
    await keep(store, withhold=held)
