"""Counting what is there."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Scope, StoreStats
from lineal.stores.postgres.schema import VERSION
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import wall
from lineal.stores.rows.context_rows import WITHHELD

__all__ = ["stats"]

_LIVE = "(expires_at IS NULL OR expires_at > %s)"
_CONTEXTS = "SELECT memory_type, domain, count(*) FROM lineal.context WHERE"
_IN_GROUPS = "GROUP BY memory_type, domain"
_REVISIONS = (
    "SELECT count(*) FROM lineal.context JOIN lineal.context_revision USING (tenant_id) "
    "WHERE context_seq = seq AND"
)
_USERS = "SELECT count(*) FROM lineal.user_row WHERE"
_TOMBSTONES = "SELECT count(*) FROM lineal.tombstone WHERE"
_EDGES = "SELECT count(*) FROM lineal.edge WHERE tenant_id = %s"
_ENDED = (
    "SELECT count(*) FILTER (WHERE expires_at = %s), count(*) FILTER (WHERE expires_at > %s) "
    "FROM lineal.context WHERE expires_at <= %s AND"
)
_ENGINE = (
    "SELECT pg_database_size(current_database()), current_setting('server_version'), "
    "(SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector')"
)


async def stats(session: Session, scope: Scope, now: datetime) -> StoreStats:
    """Counts of live rows in the scope; edges of the tenant; sizes of the whole store."""
    inside, now_ms = wall(scope), to_ms(now)
    live, bound = sql(inside.condition, "AND", _LIVE), (*inside.values, now_ms)
    groups = await session.ask(sql(_CONTEXTS, live, _IN_GROUPS), *bound)
    revisions = await session.ask(sql(_REVISIONS, live), *bound)
    users = await session.ask(sql(_USERS, live), *bound)
    marks = await session.ask(sql(_TOMBSTONES, inside.condition), *inside.values)
    edges = await session.ask(_EDGES, scope.tenant)
    ended = sql(_ENDED, inside.condition)
    held, expired = await session.row(ended, WITHHELD, WITHHELD, now_ms, *inside.values) or (0, 0)
    size, server, vectors = await session.row(_ENGINE) or (0, "", "")
    by_type: Counter[str] = Counter()
    by_domain: Counter[str] = Counter()
    for memory_type, domain, count in await groups.rows():
        by_type[memory_type] += count
        by_domain[domain] += count
    return StoreStats(
        contexts=by_type.total(),
        revisions=await revisions.value(),
        users=await users.value(),
        tombstones=await marks.value() + held,
        edges=await edges.value(),
        expired_unswept=expired,
        by_type=dict(by_type),
        by_domain=dict(by_domain),
        size_bytes=size,
        schema_version=VERSION,
        engine=_engine(server, vectors),
    )


def _engine(server: str, vectors: str) -> str:
    """server: as packagers write it, "18.6 (Debian 18.6-1)"."""
    return f"PostgreSQL {server.partition(' ')[0]}, pgvector {vectors}"
