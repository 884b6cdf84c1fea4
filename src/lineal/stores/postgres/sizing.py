"""How much room the store takes, from the server's own books: no table is read through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import psycopg

from lineal.models.sizing import IndexSize, Sizes, TableSize
from lineal.stores.postgres import trouble
from lineal.stores.postgres.address import CONNECT_S, conninfo_of
from lineal.stores.postgres.migrate import version_of
from lineal.stores.postgres.session import Connection, Session
from lineal.stores.postgres.tenants import enter, pages

__all__ = ["TENANTS_MAX", "measured", "sizes"]

TENANTS_MAX = 2_000
"""Tenants whose memories are counted: each costs a statement."""

BODIES_OF, BODIES_EACH = 20, 50
"""Tenants, and revisions of each, whose texts' lengths are looked at."""

_TABLES = (
    "SELECT relname, greatest(reltuples, 0)::bigint, "
    "pg_table_size(pg_class.oid) "
    "- coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0), "
    "coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0) "
    "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE nspname = 'lineal' AND relkind = 'r' ORDER BY relname"
)
_INDEXES = (
    "SELECT owner.relname, made.relname, amname, pg_relation_size(made.oid) "
    "FROM pg_index JOIN pg_class AS made ON made.oid = indexrelid "
    "JOIN pg_class AS owner ON owner.oid = indrelid JOIN pg_am ON pg_am.oid = made.relam "
    "JOIN pg_namespace ON pg_namespace.oid = owner.relnamespace "
    "WHERE nspname = 'lineal' ORDER BY owner.relname, made.relname"
)
_TENANTS = "SELECT count(*) FROM lineal.tenant"
_ENTRIES = "SELECT coalesce(sum(entries), 0)::bigint FROM lineal.shelf WHERE tenant_id = %s"
_BODIES = (
    "SELECT octet_length(body) FROM lineal.context_revision WHERE tenant_id = %s "
    "ORDER BY context_seq DESC LIMIT %s"
)

NOTHING = Sizes(memories=0, tenants=0, looked_at=0, largest=0, body_bytes=None, tables=())


class _Counted(NamedTuple):
    """memories: of each tenant that was looked at. lengths: of some texts, in bytes."""

    memories: tuple[int, ...]
    lengths: tuple[int, ...]


async def measured(dsn: str) -> Sizes:
    """The sizes of a database, on a connection of its own. Raises LinealError where it can't be
    asked."""
    try:
        async with await psycopg.AsyncConnection.connect(
            conninfo_of(dsn), autocommit=True
        ) as connection:
            return await sizes(connection)
    except psycopg.Error as error:
        raise trouble.translated(error, CONNECT_S) from error


async def sizes(connection: Connection) -> Sizes:
    """Of the store in the connection's database; nothing where there is none."""
    if await version_of(connection) == 0:
        return NOTHING
    async with connection.transaction(), connection.pipeline():
        session = Session(connection, "")
        tables = await _tables(session)
        tenants = await session.value(_TENANTS)
        counted = await _counted(session)
    memories = sum(counted.memories)
    if len(counted.memories) < tenants:
        memories = next(table.rows for table in tables if table.name == "entry")
    return Sizes(
        memories=memories,
        tenants=tenants,
        looked_at=len(counted.memories),
        largest=max(counted.memories, default=0),
        body_bytes=_mean(counted.lengths),
        tables=tables,
    )


async def _tables(session: Session) -> tuple[TableSize, ...]:
    asked = await session.ask(_TABLES)
    indexes: dict[str, list[IndexSize]] = {}
    for table, name, kind, size_bytes in await session.rows(_INDEXES):
        one = IndexSize(name=name, kind=kind, size_bytes=size_bytes)
        indexes.setdefault(table, []).append(one)
    return tuple(
        TableSize(
            name=name,
            rows=rows,
            heap_bytes=heap_bytes,
            toast_bytes=toast_bytes,
            indexes=tuple(indexes.get(name, ())),
        )
        for name, rows, heap_bytes, toast_bytes in await asked.rows()
    )


async def _counted(session: Session) -> _Counted:
    """By the shelves, which know how many lie on them."""
    memories: list[int] = []
    lengths: list[int] = []
    async for tenants in pages(session):
        asked = []
        for tenant in tenants[: TENANTS_MAX - len(memories)]:
            await enter(session, tenant)
            asked.append(await session.ask(_ENTRIES, tenant))
            if len(memories) + len(asked) <= BODIES_OF:
                rows = await session.rows(_BODIES, tenant, BODIES_EACH)
                lengths += (length for (length,) in rows)
        memories += [int(await one.value()) for one in asked]
        if len(memories) >= TENANTS_MAX:
            break
    return _Counted(tuple(memories), tuple(lengths))


def _mean(numbers: Iterable[int]) -> float | None:
    found = list(numbers)
    return sum(found) / len(found) if found else None
