"""Peers: the live users of a domain, page by page."""

from __future__ import annotations

from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Peer, Scope
from lineal.models.user import Head, UserRow
from lineal.stores.rows.digests import parsed
from lineal.stores.rows.user_rows import USER_COLUMNS, UserKept
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.statements import Row, all_rows, sql
from lineal.stores.sqlite.users import kept_head

__all__ = ["peers"]

_SELECT = sql(
    "SELECT",
    USER_COLUMNS,
    ", body, body_digest FROM user_row LEFT JOIN user_revision "
    "ON of_user = user_seq AND number = revision "
    "WHERE tenant = ? AND domain = ? AND user_seq > ? AND (expires_at IS NULL OR expires_at > ?) "
    "ORDER BY user_seq LIMIT ?",
)


def peers(
    connection: apsw.Connection, scope: Scope, name: str, after: int, limit: int, now: datetime
) -> tuple[Peer, ...]:
    """Live users of the scope's domain by user_seq, with their head of that name; () without a
    domain."""
    if scope.domain is None:
        return ()
    bound = (scope.tenant, scope.domain, after, to_ms(now), limit)
    found = all_rows(connection, _SELECT, *bound)
    return tuple(_peer(connection, scope, name, values) for values in found)


def _peer(connection: apsw.Connection, scope: Scope, name: str, values: Row) -> Peer:
    row = UserKept.checked(values[:-2])
    if (row.tenant, row.domain) != (scope.tenant, scope.domain):
        raise trouble.damaged(row.what, user_id=row.user_id)
    user = parsed(UserRow, row.body(row.revision, *values[-2:]), row.what)
    return Peer(user, _head(connection, row, name), row.user_seq)


def _head(connection: apsw.Connection, row: UserKept, name: str) -> Head | None:
    scope = Scope(tenant=row.tenant, user_id=row.user_id, domain=row.domain)
    return kept_head(connection, scope, name)
