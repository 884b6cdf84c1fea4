"""Peers: the live users of a domain, page by page."""

from __future__ import annotations

from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Peer, Scope
from lineal.models.user import Head, UserRow
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import USER
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import parsed
from lineal.stores.rows.small_rows import head_of
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Row

__all__ = ["peers"]

_SELECT = sql(
    "SELECT",
    USER,
    ", body, body_digest, version, vector, head_digest FROM lineal.user_row "
    "LEFT JOIN LATERAL (SELECT body, body_digest FROM lineal.user_revision "
    "WHERE user_revision.tenant_id = user_row.tenant_id AND of_user = user_seq "
    "AND number = user_row.revision) AS present ON true "
    "LEFT JOIN LATERAL (SELECT version, vector, head_digest FROM lineal.head "
    "WHERE head.tenant_id = user_row.tenant_id AND head.user_id = user_row.user_id "
    "AND head.domain = user_row.domain AND name = %s) AS named ON true "
    "WHERE tenant_id = %s AND domain = %s AND user_seq > %s "
    "AND (expires_at IS NULL OR expires_at > %s) ORDER BY user_seq LIMIT %s",
)


async def peers(
    session: Session, scope: Scope, name: str, after: int, limit: int, now: datetime
) -> tuple[Peer, ...]:
    """Live users of the scope's domain by user_seq, with their head of that name; () without a
    domain."""
    if scope.domain is None:
        return ()
    bound = (name, scope.tenant, scope.domain, after, to_ms(now), limit)
    found = await session.rows(_SELECT, *bound)
    return tuple(_peer(scope, name, values) for values in found)


def _peer(scope: Scope, name: str, values: Row) -> Peer:
    row = UserKept.checked(values[:-5])
    if (row.tenant, row.domain) != (scope.tenant, scope.domain):
        raise damaged(row.what, user_id=row.user_id)
    user = parsed(UserRow, row.body(row.revision, *values[-5:-3]), row.what)
    return Peer(user, _head(row, name, values[-3:]), row.user_seq)


def _head(row: UserKept, name: str, values: Row) -> Head | None:
    """values: version, vector, digest; NULL where there is no head of that name."""
    if values[0] is None:
        return None
    return head_of((row.tenant, row.user_id, row.domain, name, *values))
