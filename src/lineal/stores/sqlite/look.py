"""Reading: what a store shows at one instant. Every function runs inside one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Reads, Receipt, Scope, Snapshot, Tombstone
from lineal.models.context import Context
from lineal.models.user import Head, UserRow
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.sqlite.digests import naming, parsed
from lineal.stores.sqlite.graph import descendants
from lineal.stores.sqlite.receipts import receipt
from lineal.stores.sqlite.rows import head_of, tombstone_of
from lineal.stores.sqlite.statements import all_rows, one_row, sql, wall
from lineal.stores.sqlite.user_rows import USER_COLUMNS, UserKept

__all__ = [
    "context_row",
    "head",
    "history",
    "live_user",
    "present_context",
    "same_content",
    "snapshot",
    "tombstones",
    "user_history",
]

# The body of a memory that has ended is not even read.
_SELECT_CONTEXT = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", body, body_digest FROM context LEFT JOIN context_revision "
    "ON context_seq = seq AND number = revision AND (expires_at IS NULL OR expires_at > ?)",
)
_SELECT_ROW = sql("SELECT", CONTEXT_COLUMNS, "FROM context WHERE tenant = ? AND context_id = ?")
_SELECT_REVISIONS = (
    "SELECT number, body, body_digest FROM context_revision WHERE context_seq = ? ORDER BY number"
)
_SELECT_USER = sql(
    "SELECT",
    USER_COLUMNS,
    ", body, body_digest FROM user_row LEFT JOIN user_revision "
    "ON of_user = user_seq AND number = revision WHERE tenant = ? AND user_id = ? AND domain = ?",
)
_SELECT_USER_REVISIONS = (
    "SELECT number, body, body_digest FROM user_revision WHERE of_user = ? ORDER BY number"
)
_SELECT_HEAD = "SELECT * FROM head WHERE tenant = ? AND user_id = ? AND domain = ? AND name = ?"
_SELECT_TOMBSTONE = "SELECT * FROM tombstone WHERE tenant = ? AND context_id = ?"


def snapshot(connection: apsw.Connection, scope: Scope, reads: Reads, now: datetime) -> Snapshot:
    """The named rows; what has ended shows only its tombstone."""
    contexts: dict[str, Context] = {}
    marks: dict[str, Tombstone] = {}
    for name in dict.fromkeys(reads.context_ids):
        found = present_context(connection, scope, name, now)
        if isinstance(found, Context):
            contexts[name] = found
        elif found is not None:
            marks[name] = found
    return Snapshot(
        now=now,
        user=live_user(connection, scope, now) if reads.user else None,
        contexts=contexts,
        tombstones=marks,
        receipt=_receipt(connection, scope, reads.receipt, now),
        same_content=same_content(connection, scope, reads.content_key, now),
        descendants=_descendants(connection, scope, reads),
    )


def present_context(
    connection: apsw.Connection, scope: Scope, name: str, now: datetime
) -> Context | Tombstone | None:
    """The live context of that id, or the mark of one that has ended, within the scope."""
    statement = sql(_SELECT_CONTEXT, "WHERE tenant = ? AND context_id = ?")
    with naming(name):
        values = one_row(connection, statement, to_ms(now), scope.tenant, name)
    if values is None:
        return _tombstone(connection, scope, name)
    row = _asked(ContextRow.checked(values[:-2]), name)
    if not _within(scope, row.user_id, row.domain):
        return None
    if row.live(to_ms(now)):
        return row.context(row.revision, *values[-2:])
    return row.tombstone()


def context_row(connection: apsw.Connection, tenant: str, name: str) -> ContextRow | None:
    """The row of that id, live or not."""
    with naming(name):
        values = one_row(connection, _SELECT_ROW, tenant, name)
    return None if values is None else _asked(ContextRow.checked(values), name)


def same_content(
    connection: apsw.Connection, scope: Scope, content_key: str | None, now: datetime
) -> Context | None:
    """The first live context with that key, in order of receipt."""
    if content_key is None:
        return None
    inside = wall(scope)
    statement = sql(
        _SELECT_CONTEXT,
        "WHERE",
        inside.condition,
        "AND content_key = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY seq LIMIT 1",
    )
    now_ms = to_ms(now)
    values = one_row(connection, statement, now_ms, *inside.values, content_key, now_ms)
    if values is None:
        return None
    row = ContextRow.checked(values[:-2])
    return row.context(row.revision, *values[-2:])


def history(
    connection: apsw.Connection, scope: Scope, name: str, now: datetime
) -> tuple[Context, ...]:
    """Every revision of a live context, first to last."""
    row = context_row(connection, scope.tenant, name)
    if row is None or not row.live(to_ms(now)) or not _within(scope, row.user_id, row.domain):
        return ()
    with naming(name):
        found = all_rows(connection, _SELECT_REVISIONS, row.seq)
    return tuple(row.context(number, body, check) for number, body, check in found)


def tombstones(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, Tombstone]:
    """The marks of those that have ended, swept or not."""
    marks: dict[str, Tombstone] = {}
    for name in dict.fromkeys(names):
        row = context_row(connection, scope.tenant, name)
        if row is None:
            mark = _tombstone(connection, scope, name)
        elif row.live(to_ms(now)) or not _within(scope, row.user_id, row.domain):
            continue
        else:
            mark = row.tombstone()
        if mark is not None:
            marks[name] = mark
    return marks


def live_user(connection: apsw.Connection, scope: Scope, now: datetime) -> UserRow | None:
    """The scope's user row; None for a scope of many."""
    found = _live_user_kept(connection, scope, now)
    if found is None:
        return None
    row, body, body_digest = found
    return parsed(UserRow, row.body(row.revision, body, body_digest), row.what)


def user_history(connection: apsw.Connection, scope: Scope, now: datetime) -> tuple[str, ...]:
    """JSON of every revision of the live user row, first to last."""
    found = _live_user_kept(connection, scope, now)
    if found is None:
        return ()
    row = found[0]
    revisions = all_rows(connection, _SELECT_USER_REVISIONS, row.user_seq)
    return tuple(row.body(number, body, check) for number, body, check in revisions)


def head(connection: apsw.Connection, scope: Scope, name: str, now: datetime) -> Head | None:
    """The live user's head of that name."""
    if _live_user_kept(connection, scope, now) is None:
        return None
    key = (scope.tenant, scope.user_id, scope.domain, name)
    values = one_row(connection, _SELECT_HEAD, *key)
    return None if values is None else head_of(values)


def _live_user_kept(
    connection: apsw.Connection, scope: Scope, now: datetime
) -> tuple[UserKept, Any, Any] | None:
    if scope.user_id is None or scope.domain is None:
        return None
    values = one_row(connection, _SELECT_USER, scope.tenant, scope.user_id, scope.domain)
    if values is None:
        return None
    row = UserKept.checked(values[:-2])
    if (row.user_id, row.domain) != (scope.user_id, scope.domain):
        raise trouble.damaged(row.what)
    return (row, *values[-2:]) if row.live(to_ms(now)) else None


def _receipt(
    connection: apsw.Connection, scope: Scope, key: str | None, now: datetime
) -> Receipt | None:
    return None if key is None else receipt(connection, scope.tenant, key, to_ms(now))


def _tombstone(connection: apsw.Connection, scope: Scope, name: str) -> Tombstone | None:
    values = one_row(connection, _SELECT_TOMBSTONE, scope.tenant, name)
    if values is None:
        return None
    mark = tombstone_of(values)
    return mark if _within(scope, mark.user_id, mark.domain) else None


def _descendants(connection: apsw.Connection, scope: Scope, reads: Reads) -> tuple[str, ...]:
    if reads.descendants_of is None:
        return ()
    root, relations = reads.descendants_of, reads.relations
    return descendants(connection, scope.tenant, root, relations, reads.descendants_max)


def _within(scope: Scope, user_id: str, domain: str) -> bool:
    return scope.user_id in (None, user_id) and scope.domain in (None, domain)


def _asked(row: ContextRow, name: str) -> ContextRow:
    """The row, which a damaged index could have taken from somewhere else."""
    if row.context_id != name:
        raise trouble.damaged(f"The memory '{name}'", context_id=name)
    return row
