"""Counting what is there."""

from __future__ import annotations

from lineal.clock import to_ms
from lineal.models.changes import Scope, StoreStats
from lineal.stores.rows.context_rows import WITHHELD
from lineal.stores.sqlite.connection import engine_name
from lineal.stores.sqlite.readers import View
from lineal.stores.sqlite.schema import VERSION
from lineal.stores.sqlite.statements import Value, all_rows, one_value, sql, wall

__all__ = ["stats"]

_LIVE = "(expires_at IS NULL OR expires_at > ?)"
_CONTEXTS = "SELECT count(*) FROM context WHERE"
_REVISIONS = "SELECT count(*) FROM context JOIN context_revision ON context_seq = seq WHERE"
_USERS = "SELECT count(*) FROM user_row WHERE"
_TOMBSTONES = "SELECT count(*) FROM tombstone WHERE"
_EDGES = "SELECT count(*) FROM edge WHERE tenant = ?"
_BY_TYPE = "SELECT memory_type, count(*) FROM context WHERE"
_BY_DOMAIN = "SELECT domain, count(*) FROM context WHERE"


def stats(view: View, scope: Scope, wal_bytes: int) -> StoreStats:
    """Counts of live rows in the scope; edges of the tenant; sizes of the whole store."""
    inside = wall(scope)
    live = sql(inside.condition, "AND", _LIVE)
    bound: tuple[Value, ...] = (*inside.values, to_ms(view.now))
    by_type = all_rows(view.connection, sql(_BY_TYPE, live, "GROUP BY memory_type"), *bound)
    by_domain = all_rows(view.connection, sql(_BY_DOMAIN, live, "GROUP BY domain"), *bound)
    expired = sql(_CONTEXTS, inside.condition, "AND expires_at > ? AND expires_at <= ?")
    swept = _count(view, sql(_TOMBSTONES, inside.condition), inside.values)
    held = sql(_CONTEXTS, inside.condition, "AND expires_at = ?")
    return StoreStats(
        contexts=_count(view, sql(_CONTEXTS, live), bound),
        revisions=_count(view, sql(_REVISIONS, live), bound),
        users=_count(view, sql(_USERS, live), bound),
        tombstones=swept + _count(view, held, (*inside.values, WITHHELD)),
        edges=_count(view, _EDGES, (scope.tenant,)),
        expired_unswept=_count(view, expired, (*inside.values, WITHHELD, to_ms(view.now))),
        by_type=dict(by_type),
        by_domain=dict(by_domain),
        size_bytes=view.connection.pragma("page_count") * view.connection.pragma("page_size"),
        wal_bytes=wal_bytes,
        schema_version=VERSION,
        engine=engine_name(),
    )


def _count(view: View, statement: str, bound: tuple[Value, ...]) -> int:
    count: int = one_value(view.connection, statement, *bound)
    return count
