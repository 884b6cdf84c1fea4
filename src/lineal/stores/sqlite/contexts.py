"""Reading contexts: present, past and ended. Inside one transaction, always."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope, Tombstone
from lineal.models.context import Context
from lineal.policy.expiry import is_live
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.rows.digests import naming
from lineal.stores.rows.small_rows import tombstone_of
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.statements import all_rows, one_row, sql

__all__ = [
    "context_row",
    "history",
    "kept_tombstone",
    "live_row",
    "numbered",
    "present_context",
    "returnable",
    "returnable_row",
    "revision",
    "revisions",
    "tombstones",
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
_SELECT_LATEST = (
    "SELECT number, body, body_digest FROM context_revision WHERE context_seq = ? "
    "ORDER BY number DESC LIMIT ?"
)
_SELECT_REVISION = (
    "SELECT number, body, body_digest FROM context_revision WHERE context_seq = ? AND number = ?"
)
_SELECT_RETURNABLE = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", body, body_digest FROM context JOIN context_revision "
    "ON context_seq = seq AND number = revision "
    "WHERE tenant = ? AND held_root = ? AND held_until > ? ORDER BY seq",
)
_SELECT_TOMBSTONE = "SELECT * FROM tombstone WHERE tenant = ? AND context_id = ?"


def present_context(
    connection: apsw.Connection, scope: Scope, name: str, now: datetime
) -> Context | Tombstone | None:
    """The live context of that id, or the mark of one that has ended, within the scope."""
    statement = sql(_SELECT_CONTEXT, "WHERE tenant = ? AND context_id = ?")
    with naming(name):
        values = one_row(connection, statement, to_ms(now), scope.tenant, name)
    if values is None:
        return kept_tombstone(connection, scope, name)
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


def live_row(
    connection: apsw.Connection, scope: Scope, name: str, now: datetime
) -> ContextRow | None:
    """The row of that id if it is live and within the scope."""
    row = context_row(connection, scope.tenant, name)
    if row is None or not row.live(to_ms(now)) or not _within(scope, row.user_id, row.domain):
        return None
    return row


def numbered(connection: apsw.Connection, scope: Scope, seq: int, now: datetime) -> Context | None:
    """The live context of that row if it is within the scope; an index that led here isn't
    believed."""
    values = one_row(connection, sql(_SELECT_CONTEXT, "WHERE seq = ?"), to_ms(now), seq)
    if values is None:
        return None
    row = ContextRow.checked(values[:-2])
    inside = row.tenant == scope.tenant and _within(scope, row.user_id, row.domain)
    if not inside or not row.live(to_ms(now)):
        return None
    return row.context(row.revision, *values[-2:])


def history(
    connection: apsw.Connection, scope: Scope, name: str, now: datetime
) -> tuple[Context, ...]:
    """Every revision of a live context, first to last."""
    row = live_row(connection, scope, name, now)
    if row is None:
        return ()
    with naming(name):
        found = all_rows(connection, _SELECT_REVISIONS, row.seq)
    return tuple(row.context(number, body, check) for number, body, check in found)


def revisions(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], most: int, now: datetime
) -> dict[str, tuple[Context, ...]]:
    """By id of each that is live: its latest `most` revisions, first to last."""
    found: dict[str, tuple[Context, ...]] = {}
    for name in names:
        row = live_row(connection, scope, name, now)
        if row is not None:
            latest = all_rows(connection, _SELECT_LATEST, row.seq, most)
            found[name] = tuple(row.context(*values) for values in reversed(latest))
    return found


def revision(connection: apsw.Connection, row: ContextRow, number: int) -> Context | None:
    """That revision of the row, whether the row is live or not."""
    values = one_row(connection, _SELECT_REVISION, row.seq, number)
    return None if values is None else row.context(*values)


def returnable_row(
    connection: apsw.Connection, scope: Scope, name: str, now: datetime
) -> ContextRow | None:
    """The row of that id if it is withheld, can be given back, and is within the scope."""
    row = context_row(connection, scope.tenant, name)
    if row is None or not row.returnable(to_ms(now)):
        return None
    return row if _within(scope, row.user_id, row.domain) else None


def returnable(
    connection: apsw.Connection, scope: Scope, root: str, now: datetime
) -> tuple[Context, ...]:
    """What that root withholds and would be live if it were given back, in order of receipt."""
    found: list[Context] = []
    for values in all_rows(connection, _SELECT_RETURNABLE, scope.tenant, root, to_ms(now)):
        row = ContextRow.checked(values[:-2])
        if row.held_root == root and _within(scope, row.user_id, row.domain):
            context = row.context(row.revision, *values[-2:])
            found += [context] if is_live(context.expires_at, now) else []
    return tuple(found)


def tombstones(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, Tombstone]:
    """The marks of those that have ended, swept or not."""
    marks: dict[str, Tombstone] = {}
    for name in dict.fromkeys(names):
        row = context_row(connection, scope.tenant, name)
        if row is None:
            mark = kept_tombstone(connection, scope, name)
        elif row.live(to_ms(now)) or not _within(scope, row.user_id, row.domain):
            continue
        else:
            mark = row.tombstone()
        if mark is not None:
            marks[name] = mark
    return marks


def kept_tombstone(connection: apsw.Connection, scope: Scope, name: str) -> Tombstone | None:
    """The mark that a sweep or a forget has left of that id."""
    values = one_row(connection, _SELECT_TOMBSTONE, scope.tenant, name)
    if values is None:
        return None
    mark = tombstone_of(values)
    return mark if _within(scope, mark.user_id, mark.domain) else None


def _within(scope: Scope, user_id: str, domain: str) -> bool:
    return scope.user_id in (None, user_id) and scope.domain in (None, domain)


def _asked(row: ContextRow, name: str) -> ContextRow:
    """The row, which a damaged index could have taken from somewhere else."""
    if row.context_id != name:
        raise trouble.damaged(f"The memory '{name}'", context_id=name)
    return row
