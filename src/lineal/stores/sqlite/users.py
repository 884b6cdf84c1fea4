"""Reading user rows: present, past, and their vectors. Inside one transaction, always."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.user import Head, UserRow
from lineal.stores.rows.digests import parsed
from lineal.stores.rows.small_rows import head_of
from lineal.stores.rows.user_rows import USER_COLUMNS, UserKept
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.recent import recent_row, remember_row
from lineal.stores.sqlite.statements import Row, Value, all_rows, one_row, sql

__all__ = [
    "Found",
    "head",
    "is_known",
    "kept_head",
    "kept_user",
    "live_found",
    "live_user",
    "user_history",
]

_SELECT_USER = sql(
    "SELECT",
    USER_COLUMNS,
    ", body, body_digest FROM user_row LEFT JOIN user_revision "
    "ON of_user = user_seq AND number = revision WHERE tenant = ? AND user_id = ? AND domain = ?",
)
_SELECT_PRESENT = sql(
    "SELECT",
    USER_COLUMNS,
    ", body_digest FROM user_row LEFT JOIN user_revision "
    "ON of_user = user_seq AND number = revision WHERE tenant = ? AND user_id = ? AND domain = ?",
)
_SELECT_KNOWN = sql(
    "SELECT", USER_COLUMNS, "FROM user_row WHERE tenant = ? AND user_id = ? AND domain = ?"
)
_SELECT_USER_REVISIONS = (
    "SELECT number, body, body_digest FROM user_revision WHERE of_user = ? ORDER BY number"
)
_SELECT_HEAD = "SELECT * FROM head WHERE tenant = ? AND user_id = ? AND domain = ? AND name = ?"


class _Present(NamedTuple):
    """A user row without the body of its present revision."""

    row: UserKept
    body_digest: Any


class Found(NamedTuple):
    """A user row with the body of its present revision, not yet checked."""

    row: UserKept
    body: Value
    body_digest: Any


def live_user(connection: apsw.Connection, scope: Scope, now: datetime) -> UserRow | None:
    """The scope's user row; None for a scope of many."""
    present = _present(connection, scope)
    if present is None or not present.row.live(to_ms(now)):
        return None
    known = recent_row(connection, present.body_digest)
    return known if known is not None else _read(connection, scope)


def _read(connection: apsw.Connection, scope: Scope) -> UserRow | None:
    found = _found(connection, scope)
    if found is None:
        return None
    body = found.row.body(found.row.revision, found.body, found.body_digest)
    user = parsed(UserRow, body, found.row.what)
    remember_row(connection, bytes(found.body_digest), user)
    return user


def is_known(connection: apsw.Connection, scope: Scope, now: datetime) -> bool:
    """Whether the scope's user has a live row; its body is not even read."""
    if scope.user_id is None or scope.domain is None:
        return False
    values = one_row(connection, _SELECT_KNOWN, scope.tenant, scope.user_id, scope.domain)
    return values is not None and UserKept.checked(values).live(to_ms(now))


def kept_user(connection: apsw.Connection, scope: Scope) -> UserKept | None:
    """The scope's row without its body, live or not; None for a scope of many."""
    present = _present(connection, scope)
    return None if present is None else present.row


def user_history(connection: apsw.Connection, scope: Scope, now: datetime) -> tuple[str, ...]:
    """JSON of every revision of the live user row, first to last."""
    found = live_found(connection, scope, now)
    if found is None:
        return ()
    revisions = all_rows(connection, _SELECT_USER_REVISIONS, found.row.user_seq)
    return tuple(found.row.body(number, body, check) for number, body, check in revisions)


def head(connection: apsw.Connection, scope: Scope, name: str, now: datetime) -> Head | None:
    """The live user's head of that name."""
    return (
        None if live_found(connection, scope, now) is None else kept_head(connection, scope, name)
    )


def kept_head(connection: apsw.Connection, scope: Scope, name: str) -> Head | None:
    """The head of that name, of a user who is known to be live."""
    key = (scope.tenant, scope.user_id, scope.domain, name)
    values = one_row(connection, _SELECT_HEAD, *key)
    return None if values is None else head_of(values)


def _present(connection: apsw.Connection, scope: Scope) -> _Present | None:
    if scope.user_id is None or scope.domain is None:
        return None
    values = one_row(connection, _SELECT_PRESENT, scope.tenant, scope.user_id, scope.domain)
    return None if values is None else _Present(_asked(values[:-1], scope), values[-1])


def _asked(values: Row, scope: Scope) -> UserKept:
    """The row, which a damaged index could have taken from somewhere else."""
    row = UserKept.checked(values)
    if (row.user_id, row.domain) != (scope.user_id, scope.domain):
        raise trouble.damaged(row.what)
    return row


def live_found(connection: apsw.Connection, scope: Scope, now: datetime) -> Found | None:
    """The scope's row with the JSON of its present revision, if it is live."""
    found = _found(connection, scope)
    return found if found is not None and found.row.live(to_ms(now)) else None


def _found(connection: apsw.Connection, scope: Scope) -> Found | None:
    if scope.user_id is None or scope.domain is None:
        return None
    values = one_row(connection, _SELECT_USER, scope.tenant, scope.user_id, scope.domain)
    if values is None:
        return None
    return Found(_asked(values[:-2], scope), *values[-2:])
