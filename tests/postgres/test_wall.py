"""The wall stands in the database itself: whoever speaks to it as the store does, and forgets to
say whose rows, gets none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import psycopg
import pytest
from psycopg import sql
from tests.postgres.cluster import SUPERUSER
from tests.postgres.writers import kept, opened

from lineal.clock import ManualClock
from lineal.models.changes import Fingerprint, Scope, Withholding
from lineal.models.search import TextQuery
from lineal.models.sheet import Pieces, Space
from lineal.models.user import Head
from lineal.ports.store import Store
from lineal.stores.postgres.schema import DIRECTORY, SHOWN, TABLES
from lineal.testing.samples import (
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

TENANTS = ("acme", "evil")
SPACE = Space("axes.v1", 4)
NAMES = ("ctx_1", "ctx_2", "ctx_gone", "ctx_held")

HIDDEN = tuple(name for name in TABLES if name not in SHOWN)

TRESPASSES = (
    'INSERT INTO {0} SELECT (jsonb_populate_record(mine, \'{{"tenant_id": "evil"}}\')).* '
    "FROM {0} AS mine LIMIT 1",
    "UPDATE {0} SET tenant_id = 'evil'",
    "UPDATE {0} SET tenant_id = 'acme' WHERE tenant_id = 'evil'",
    "DELETE FROM {0} WHERE tenant_id = 'evil'",
)
"""What acme may try."""

Connection = psycopg.Connection[tuple[Any, ...]]


def of(tenant: str) -> Scope:
    return Scope(tenant=tenant, user_id="ada", domain="coding")


async def fill(store: Store, scope: Scope) -> None:
    """A row in nearly every table, or more."""
    await keep(
        store,
        scope,
        contexts=tuple(a_context(n, speaker="Ada", session_id="s", project="p") for n in NAMES),
        users=(a_user(),),
        heads=(Head(name="coding", version="v1", vector=(1.0, 0.0)),),
        edges=(an_edge("ctx_2", "ctx_1"),),
        fingerprints={"ctx_1": Fingerprint(content_key="same", keys=(1, 2))},
        outcomes=(an_outcome("out_1"),),
        tasks=(a_task(tenant=scope.tenant),),
        receipt=a_receipt("key", json.dumps({"context_id": "ctx_1", "user_id": "ada"})),
    )
    await keep(store, scope, sightings=(a_sighting("ctx_1"),), forget=("ctx_gone",))
    held = Withholding(root="ctx_held", context_ids=("ctx_held",), until=START.replace(year=2027))
    await keep(store, scope, withhold=held)


async def embed(store: Store) -> None:
    while (batch := await store.claim(SPACE, "one")) is not None:
        pieces = [Pieces((1,), bytes(SPACE.dim))] * len(batch.items)
        await store.keep_vectors(batch, [(1.0, 0.0, 0.0, 0.0)] * len(batch.items), pieces)


async def filled_by_store(dsn: str) -> None:
    async with opened(dsn, clock=ManualClock(START)) as store:
        for tenant in TENANTS:
            await fill(store, of(tenant))
        await embed(store)
        for tenant in TENANTS:
            await keep(store, of(tenant), contexts=(a_context("ctx_unembedded"),))


@pytest.fixture
def filled(postgres_dsn: str) -> str:
    """The address of a database with two tenants who use the same ids."""
    anyio.run(filled_by_store, postgres_dsn)
    return postgres_dsn


@contextmanager
def speaking(connection: Connection, tenant: str | None) -> Iterator[None]:
    """In a transaction that says whose rows, as the store does, or doesn't, and keeps nothing."""
    with connection.transaction(force_rollback=True):
        if tenant is not None:
            connection.execute("SELECT set_config('lineal.tenant', %s, true)", (tenant,))
        yield


def table(name: str) -> sql.Identifier:
    return sql.Identifier("lineal", name)


def seen(connection: Connection, name: str) -> dict[str, int]:
    """How many rows of each tenant a table shows."""
    counted = sql.SQL("SELECT tenant_id, count(*)::int FROM {} GROUP BY tenant_id")
    return dict(connection.execute(counted.format(table(name))).fetchall())


def tables(connection: Connection) -> dict[str, bool]:
    """Every table that there is, and whether the wall binds its owner too."""
    question = (
        "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class "
        "WHERE relnamespace = 'lineal'::regnamespace AND relkind IN ('r', 'p')"
    )
    return dict(connection.execute(question).fetchall())


def test_every_table_of_tenants_is_behind_the_wall(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        found = tables(connection)
    assert found.keys() == {*TABLES, *DIRECTORY}
    assert [name for name in TABLES if not found[name]] == []


def test_no_table_shows_anything_to_whoever_does_not_say_whose(
    filled: str,
) -> None:
    with psycopg.connect(filled) as connection:
        for name in HIDDEN:
            with speaking(connection, None):
                assert seen(connection, name) == {}
            with speaking(connection, ""):
                assert seen(connection, name) == {}
    with psycopg.connect(filled, user=SUPERUSER) as above:
        empty = [name for name in TABLES if seen(above, name).keys() != set(TENANTS)]
    assert empty == [], "of these the question proves nothing"


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_tenant_sees_its_own_rows_alone(filled: str, tenant: str) -> None:
    with psycopg.connect(filled) as connection, speaking(connection, tenant):
        shown = {name: seen(connection, name) for name in HIDDEN}
    assert {name: rows for name, rows in shown.items() if rows.keys() - {tenant}} == {}
    assert shown["context"].keys() == {tenant}


def test_a_connection_forgets_whose_it_was_when_its_transaction_ends(filled: str) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        for tenant in (*TENANTS, *TENANTS):
            with speaking(connection, tenant):
                assert seen(connection, "context").keys() == {tenant}
            assert seen(connection, "context") == {}


async def test_one_connection_for_two_tenants_shows_each_its_own(filled: str) -> None:
    async with opened(filled, clock=ManualClock(START), pool_max=1) as store:
        await keep(store, of("acme"), contexts=(a_context("ctx_only", content="only acme's"),))
        assert await kept(store, of("evil"), ("ctx_only",)) == set()
        page = await store.find(of("evil"), TextQuery(terms=("acme",)))
        assert page.candidates == ()
        assert await kept(store, of("acme"), ("ctx_only",)) == {"ctx_only"}


def test_a_row_of_another_tenant_can_be_neither_put_in_nor_taken_over(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        done = [
            (name, number)
            for name in TABLES
            for number, statement in enumerate(TRESPASSES)
            if not refused_by_wall(connection, statement, name)
        ]
    assert done == []


def refused_by_wall(connection: Connection, statement: str, name: str) -> bool:
    """Whether acme is kept from it, or finds no row to do it to."""
    whole = sql.SQL(statement).format(table(name))
    try:
        with speaking(connection, "acme"):
            return connection.execute(whole).rowcount == 0
    except psycopg.errors.InsufficientPrivilege as error:
        return "row-level security" in str(error)
