"""Reading user rows: present, past, and their vectors. Inside one transaction, always."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.user import Head, UserRow
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.digests import parsed
from lineal.stores.sqlite.rows import head_of
from lineal.stores.sqlite.statements import Value, all_rows, one_row, sql
from lineal.stores.sqlite.user_rows import USER_COLUMNS, UserKept

__all__ = ["head", "is_known", "kept_head", "kept_user", "live_user", "user_history"]

_SELECT_USER = sql(
    "SELECT",
    USER_COLUMNS,
    ", body, body_digest FROM user_row LEFT JOIN user_revision "
    "ON of_user = user_seq AND number = revision WHERE tenant = ? AND user_id = ? AND domain = ?",
)
_SELECT_KNOWN = sql(
    "SELECT", USER_COLUMNS, "FROM user_row WHERE tenant = ? AND user_id = ? AND domain = ?"
)
_SELECT_USER_REVISIONS = (
    "SELECT number, body, body_digest FROM user_revision WHERE of_user = ? ORDER BY number"
)
_SELECT_HEAD = "SELECT * FROM head WHERE tenant = ? AND user_id = ? AND domain = ? AND name = ?"


class _Found(NamedTuple):
    """A user row with the body of its present revision, not yet checked."""

    row: UserKept
    body: Value
    body_digest: Value


def live_user(connection: apsw.Connection, scope: Scope, now: datetime) -> UserRow | None:
    """The scope's user row; None for a scope of many."""
    found = _live(connection, scope, now)
    if found is None:
        return None
    row = found.row
    return parsed(UserRow, row.body(row.revision, found.body, found.body_digest), row.what)


def is_known(connection: apsw.Connection, scope: Scope, now: datetime) -> bool:
    """Whether the scope's user has a live row; its body is not even read."""
    if scope.user_id is None or scope.domain is None:
        return False
    values = one_row(connection, _SELECT_KNOWN, scope.tenant, scope.user_id, scope.domain)
    return values is not None and UserKept.checked(values).live(to_ms(now))


def kept_user(connection: apsw.Connection, scope: Scope) -> UserKept | None:
    """The scope's row without its body, live or not; None for a scope of many."""
    found = _found(connection, scope)
    return None if found is None else found.row


def user_history(connection: apsw.Connection, scope: Scope, now: datetime) -> tuple[str, ...]:
    """JSON of every revision of the live user row, first to last."""
    found = _live(connection, scope, now)
    if found is None:
        return ()
    revisions = all_rows(connection, _SELECT_USER_REVISIONS, found.row.user_seq)
    return tuple(found.row.body(number, body, check) for number, body, check in revisions)


def head(connection: apsw.Connection, scope: Scope, name: str, now: datetime) -> Head | None:
    """The live user's head of that name."""
    return None if _live(connection, scope, now) is None else kept_head(connection, scope, name)


def kept_head(connection: apsw.Connection, scope: Scope, name: str) -> Head | None:
    """The head of that name, of a user who is known to be live."""
    key = (scope.tenant, scope.user_id, scope.domain, name)
    values = one_row(connection, _SELECT_HEAD, *key)
    return None if values is None else head_of(values)


def _live(connection: apsw.Connection, scope: Scope, now: datetime) -> _Found | None:
    found = _found(connection, scope)
    return found if found is not None and found.row.live(to_ms(now)) else None


def _found(connection: apsw.Connection, scope: Scope) -> _Found | None:
    if scope.user_id is None or scope.domain is None:
        return None
    values = one_row(connection, _SELECT_USER, scope.tenant, scope.user_id, scope.domain)
    if values is None:
        return None
    row = UserKept.checked(values[:-2])
    if (row.user_id, row.domain) != (scope.user_id, scope.domain):
        raise trouble.damaged(row.what)
    return _Found(row, *values[-2:])
