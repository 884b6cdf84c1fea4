"""Reading user rows: present, past, and their vectors. Inside one transaction, always."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.user import Head, UserRow
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.postgres.statements import USER
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import parsed
from lineal.stores.rows.small_rows import head_of
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Row, Value

__all__ = [
    "Found",
    "ask_user",
    "head",
    "is_known",
    "kept_head",
    "kept_user",
    "live_found",
    "live_of",
    "live_user",
    "live_users",
    "user_history",
]

_OF_USER = "user_row.tenant_id = %s AND user_id = %s AND domain = %s"
_USER = sql(
    "SELECT user_seq, user_row.tenant_id, user_id, domain, revision, expires_at, row_digest, "
    "CASE WHEN body_digest = %s THEN NULL ELSE body END, body_digest FROM lineal.user_row "
    "LEFT JOIN lineal.user_revision ON user_revision.tenant_id = user_row.tenant_id "
    "AND of_user = user_seq AND number = revision WHERE",
    _OF_USER,
)
_ROW = sql("SELECT", USER, "FROM lineal.user_row WHERE", _OF_USER)
_LOCKED = sql(_ROW, "FOR UPDATE")
_REVISIONS = (
    "SELECT number, body, body_digest FROM lineal.user_revision "
    "WHERE tenant_id = %s AND of_user = %s ORDER BY number"
)
_HEAD = (
    "SELECT tenant_id, user_id, domain, name, version, vector, head_digest FROM lineal.head "
    "WHERE tenant_id = %s AND user_id = %s AND domain = %s AND name = %s"
)


class Found(NamedTuple):
    """A user row with the body of its present revision, not yet checked."""

    row: UserKept
    body: Value
    body_digest: Any


async def ask_user(session: Session, scope: Scope) -> Asked | None:
    """The scope's user row, on its way; its body only where it isn't remembered. None for a scope
    of many."""
    if scope.user_id is None or scope.domain is None:
        return None
    known = session.recent.digest_of((scope.tenant, scope.user_id, scope.domain))
    return await session.ask(_USER, known, scope.tenant, scope.user_id, scope.domain)


async def live_of(
    session: Session, scope: Scope, asked: Asked | None, now: datetime
) -> UserRow | None:
    """What was asked for, if it is live."""
    values = None if asked is None else await asked.row()
    if values is None:
        return None
    row = _asked(values[:-2], scope)
    return _read(session, row, *values[-2:]) if row.live(to_ms(now)) else None


async def live_user(session: Session, scope: Scope, now: datetime) -> UserRow | None:
    """The scope's user row; None for a scope of many."""
    return await live_of(session, scope, await ask_user(session, scope), now)


async def live_users(
    session: Session, scopes: Iterable[Scope], now: datetime
) -> tuple[UserRow, ...]:
    """Those of these that are live, in their order."""
    asked = [(scope, await ask_user(session, scope)) for scope in scopes]
    found = [await live_of(session, scope, each, now) for scope, each in asked]
    return tuple(row for row in found if row is not None)


async def is_known(session: Session, scope: Scope, now: datetime) -> bool:
    """Whether the scope's user has a live row; its body is not even read."""
    row = await kept_user(session, scope)
    return row is not None and row.live(to_ms(now))


async def kept_user(session: Session, scope: Scope, *, locked: bool = False) -> UserKept | None:
    """The scope's row without its body, live or not; None for a scope of many."""
    if scope.user_id is None or scope.domain is None:
        return None
    statement = _LOCKED if locked else _ROW
    values = await session.row(statement, scope.tenant, scope.user_id, scope.domain)
    return None if values is None else _asked(values, scope)


async def live_found(session: Session, scope: Scope, now: datetime) -> Found | None:
    """The scope's row with the JSON of its present revision, if it is live."""
    if scope.user_id is None or scope.domain is None:
        return None
    values = await session.row(_USER, b"", scope.tenant, scope.user_id, scope.domain)
    if values is None:
        return None
    found = Found(_asked(values[:-2], scope), *values[-2:])
    return found if found.row.live(to_ms(now)) else None


async def user_history(session: Session, scope: Scope, now: datetime) -> tuple[str, ...]:
    """JSON of every revision of the live user row, first to last."""
    row = await kept_user(session, scope)
    if row is None or not row.live(to_ms(now)):
        return ()
    found = await session.rows(_REVISIONS, row.tenant, row.user_seq)
    return tuple(row.body(number, body, check) for number, body, check in found)


async def head(session: Session, scope: Scope, name: str, now: datetime) -> Head | None:
    """The live user's head of that name."""
    if not await is_known(session, scope, now):
        return None
    return await kept_head(session, scope, name)


async def kept_head(session: Session, scope: Scope, name: str) -> Head | None:
    """The head of that name, of a user who is known to be live."""
    values = await session.row(_HEAD, scope.tenant, scope.user_id, scope.domain, name)
    return None if values is None else head_of(values)


def _read(session: Session, row: UserKept, body: Value, body_digest: Any) -> UserRow:
    key = (row.tenant, row.user_id, row.domain)
    known = session.recent.row(key, body_digest) if body is None else None
    if known is not None:
        return known
    user = parsed(UserRow, row.body(row.revision, body, body_digest), row.what)
    session.recent.remember(key, body_digest, user)
    return user


def _asked(values: Row, scope: Scope) -> UserKept:
    """The row, which a damaged index could have taken from somewhere else."""
    row = UserKept.checked(values)
    if (row.user_id, row.domain) != (scope.user_id, scope.domain):
        raise damaged(row.what)
    return row
