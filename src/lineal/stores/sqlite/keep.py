"""Writing: a plan's changes, each kept whole. Every function runs inside a job's savepoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import apsw

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import USER_REVISIONS_MAX, Changes, Fingerprint, Scope
from lineal.models.context import Context
from lineal.models.user import Head, UserRow
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.rows.small_rows import head_values
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Value
from lineal.stores.sqlite import counterparts, entries, letters, receipts
from lineal.stores.sqlite.alike import keep_keys
from lineal.stores.sqlite.completing import complete
from lineal.stores.sqlite.contexts import context_row, kept_tombstone
from lineal.stores.sqlite.erase import erase_context, erase_heads, erase_user
from lineal.stores.sqlite.graph import keep_edge
from lineal.stores.sqlite.outcomes import keep_outcome
from lineal.stores.sqlite.recent import remember_row
from lineal.stores.sqlite.sightings import keep_sighting
from lineal.stores.sqlite.tasks import drop_task, keep_task
from lineal.stores.sqlite.users import kept_user
from lineal.stores.sqlite.withholding import give_back, withhold

__all__ = [
    "insert_context",
    "keep",
    "keep_revision",
    "keep_user_revision",
    "put_user",
    "replace_context",
    "update_context",
]

_INSERT_CONTEXT = (
    "INSERT INTO context (tenant, context_id, user_id, domain, revision, memory_type, expires_at, "
    "occurred_at, created_at, updated_at, tag_lines, content_key, near_keys, "
    "project, held_at, held_until, held_root, context_digest) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_CONTEXT = (
    "UPDATE context SET revision = ?, memory_type = ?, expires_at = ?, occurred_at = ?, "
    "created_at = ?, updated_at = ?, tag_lines = ?, content_key = ?, near_keys = ?, "
    "project = ?, held_at = ?, held_until = ?, held_root = ?, context_digest = ? WHERE seq = ?"
)
_UPDATE_MARKS = (
    "UPDATE context SET content_key = ?, near_keys = ?, context_digest = ? WHERE seq = ?"
)
_INSERT_REVISION = "INSERT INTO context_revision VALUES (?, ?, ?, ?, ?)"
_INSERT_USER = (
    "INSERT INTO user_row (tenant, user_id, domain, revision, expires_at, row_digest) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_UPDATE_USER = "UPDATE user_row SET revision = ?, expires_at = ?, row_digest = ? WHERE user_seq = ?"
_INSERT_USER_REVISION = "INSERT INTO user_revision VALUES (?, ?, ?, ?, ?)"
_DELETE_EARLIER = "DELETE FROM user_revision WHERE of_user = ? AND number < ?"
_REPLACE_HEAD = "INSERT OR REPLACE INTO head VALUES (?, ?, ?, ?, ?, ?, ?)"


def keep(connection: apsw.Connection, scope: Scope, changes: Changes, now: datetime) -> None:
    """Keep all of it, or raise LinealError: conflict for a revision that doesn't follow.

    In this order: what became of letters is kept before others are posted, which may go at once
    then. What is given back is live, so it can be completed and revised by the same write.
    """
    _keep_letters(connection, scope, changes, to_ms(now))
    give_back(connection, scope, changes.restore, now)
    if changes.completed is not None:
        complete(connection, scope, changes.completed, now)
    _keep_contexts(connection, scope, changes, now)
    _keep_users(connection, scope, changes, now)
    _keep_others(connection, scope, changes)
    if changes.withhold is not None:
        withhold(connection, scope, changes.withhold, now)
    for name in changes.forget:
        _forget(connection, scope, name, now)
    if changes.receipt is not None:
        receipts.keep(connection, scope.tenant, changes, changes.receipt)


def _keep_letters(connection: apsw.Connection, scope: Scope, changes: Changes, now_ms: int) -> None:
    letters.settle(connection, changes.settled, now_ms)
    for told in changes.counterparts:
        counterparts.keep_of_write(connection, scope, told)
    for letter in changes.letters:
        letters.post(connection, scope, letter, now_ms)


def _keep_contexts(
    connection: apsw.Connection, scope: Scope, changes: Changes, now: datetime
) -> None:
    for context in changes.contexts:
        fingerprint = changes.fingerprints.get(context.context_id)
        _keep_context(connection, scope, context, fingerprint, now)
    _remark(connection, scope, changes)
    for sighting in changes.sightings:
        keep_sighting(connection, scope, sighting, now)


def _keep_users(connection: apsw.Connection, scope: Scope, changes: Changes, now: datetime) -> None:
    for user in changes.users:
        _keep_user(connection, scope.tenant, user, now)
    for user in changes.rewritten:
        _rewrite_user(connection, scope.tenant, user, now)
    for head in changes.heads:
        _keep_head(connection, scope, head)


def _keep_others(connection: apsw.Connection, scope: Scope, changes: Changes) -> None:
    """A task that is done and left to do again is left to do."""
    for edge in changes.edges:
        keep_edge(connection, scope.tenant, edge)
    for outcome in changes.outcomes:
        keep_outcome(connection, scope.tenant, outcome)
    for task in changes.done:
        drop_task(connection, scope, task)
    for task in changes.tasks:
        keep_task(connection, scope, task)


def _keep_context(
    connection: apsw.Connection,
    scope: Scope,
    context: Context,
    fingerprint: Fingerprint | None,
    now: datetime,
) -> None:
    name = context.context_id
    old = context_row(connection, scope.tenant, name)
    _refuse_ended(connection, scope, old, name, now)
    _follows(f"Context '{name}'", old.revision if old else 0, context.revision, context_id=name)
    before = old.marks if old else Marks()
    marks = Marks.of(fingerprint) if fingerprint else before
    if old is None:
        row = insert_context(connection, scope.tenant, context, marks)
    else:
        row = replace_context(connection, old, context, marks)
    keep_keys(connection, row, before)
    keep_revision(connection, row.revision_values(context))


def keep_revision(connection: apsw.Connection, values: tuple[Value, ...]) -> None:
    """values: a row of context_revision."""
    connection.execute(_INSERT_REVISION, values)


def insert_context(
    connection: apsw.Connection, tenant: str, context: Context, marks: Marks
) -> ContextRow:
    """A row that isn't there, and its entry; neither its keys nor its revision."""
    row = ContextRow.made(tenant, context, marks)
    connection.execute(_INSERT_CONTEXT, row[1:])
    seq = connection.last_insert_rowid()
    entries.add(connection, seq, tenant, context)
    return row._replace(seq=seq)


def replace_context(
    connection: apsw.Connection, old: ContextRow, context: Context, marks: Marks
) -> ContextRow:
    """The new present of a row that is there."""
    if (old.user_id, old.domain) != (context.user_id, context.domain):
        raise LinealError.conflict(
            f"Context '{old.context_id}' belongs to another user or domain for good.",
            context_id=old.context_id,
        )
    entries.replace(connection, old, context)
    row = ContextRow.made(old.tenant, context, marks, old.seq)
    update_context(connection, row)
    return row


def update_context(connection: apsw.Connection, row: ContextRow) -> None:
    """The row in its place, without its entry."""
    connection.execute(_UPDATE_CONTEXT, (*row[5:], row.seq))


def _refuse_ended(
    connection: apsw.Connection, scope: Scope, old: ContextRow | None, name: str, now: datetime
) -> None:
    if old is None:
        ended = kept_tombstone(connection, Scope(tenant=scope.tenant), name) is not None
    else:
        ended = not old.live(to_ms(now))
    if ended:
        raise LinealError.conflict(
            f"Context '{name}' has ended; an ended memory takes no new revision.", context_id=name
        )


def _remark(connection: apsw.Connection, scope: Scope, changes: Changes) -> None:
    """Fingerprints of contexts that have no new revision here."""
    written = {context.context_id for context in changes.contexts}
    for name, fingerprint in changes.fingerprints.items():
        old = None if name in written else context_row(connection, scope.tenant, name)
        if old is not None and not old.held:
            row = old.remarked(Marks.of(fingerprint))
            connection.execute(_UPDATE_MARKS, (*row.marks, row.context_digest, row.seq))
            keep_keys(connection, row, old.marks)


def _keep_user(connection: apsw.Connection, tenant: str, user: UserRow, now: datetime) -> UserKept:
    """A first revision replaces what has expired; heads that the row doesn't name go."""
    scope = Scope(tenant=tenant, user_id=user.user_id, domain=user.domain)
    old = kept_user(connection, scope)
    if old is not None and not old.live(to_ms(now)):
        erase_user(connection, old)
        old = None
    what = f"User '{user.user_id}' in '{user.domain}'"
    _follows(what, old.revision if old else 0, user.revision, user_id=user.user_id)
    row = put_user(connection, UserKept.made(tenant, user, old.user_seq if old else 0))
    values = row.revision_values(user)
    keep_user_revision(connection, values)
    remember_row(connection, bytes(values[-1]), user)  # type: ignore[arg-type]
    if user.revision > USER_REVISIONS_MAX:
        earliest = user.revision - USER_REVISIONS_MAX + 1
        connection.execute(_DELETE_EARLIER, (row.user_seq, earliest))
    erase_heads(connection, row, kept=user.heads)
    return row


def put_user(connection: apsw.Connection, row: UserKept) -> UserKept:
    """The row in its place, or a new one where it has no number yet."""
    if row.user_seq:
        connection.execute(_UPDATE_USER, (*row[4:], row.user_seq))
        return row
    connection.execute(_INSERT_USER, row[1:])
    return row._replace(user_seq=connection.last_insert_rowid())


def keep_user_revision(connection: apsw.Connection, values: tuple[Value, ...]) -> None:
    """values: a row of user_revision."""
    connection.execute(_INSERT_USER_REVISION, values)


def _rewrite_user(connection: apsw.Connection, tenant: str, user: UserRow, now: datetime) -> None:
    """A revision before which there is none: nothing that stood there is ever read again."""
    receipts.empty_of_user(connection, tenant, user.user_id, user.domain)
    row = _keep_user(connection, tenant, user, now)
    connection.execute(_DELETE_EARLIER, (row.user_seq, user.revision))


def _keep_head(connection: apsw.Connection, scope: Scope, head: Head) -> None:
    if scope.user_id is None or scope.domain is None:
        raise LinealError.invalid("scope", "A head belongs to one user in one domain; name both.")
    connection.execute(_REPLACE_HEAD, head_values(scope, head))


def _forget(connection: apsw.Connection, scope: Scope, name: str, now: datetime) -> None:
    """Take one context out; an id that isn't in the scope is left alone."""
    row = context_row(connection, scope.tenant, name)
    if row is None or scope.user_id not in (None, row.user_id):
        return
    if scope.domain in (None, row.domain):
        erase_context(connection, row, row.forgotten(to_ms(now)))


def _follows(what: str, last: int, offered: int, **details: Any) -> None:
    if offered != last + 1:
        raise LinealError.conflict(
            f"{what} is at revision {last}, so revision {offered} doesn't follow it. "
            "Read it again and repeat the change.",
            revision=last,
            offered=offered,
            **details,
        )
