"""Writing: a plan's changes, each kept whole. Every function runs inside a write transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import USER_REVISIONS_MAX, Changes, Fingerprint, Scope
from lineal.models.context import Context
from lineal.models.user import Head, UserRow
from lineal.stores.postgres import contexts, entries, receipts, vectors
from lineal.stores.postgres.alike import KEEP_KEYS, keep_keys
from lineal.stores.postgres.completing import complete
from lineal.stores.postgres.erase import erase_contexts, erase_heads, erase_user
from lineal.stores.postgres.graph import keep_edges
from lineal.stores.postgres.locks import room_key
from lineal.stores.postgres.ordering import ordered_number
from lineal.stores.postgres.outcomes import keep_outcome
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.sightings import keep_sighting
from lineal.stores.postgres.statements import CONTEXT, USER
from lineal.stores.postgres.tasks import drop_task, keep_task
from lineal.stores.postgres.users import kept_user
from lineal.stores.postgres.withholding import give_back, withhold
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.rows.small_rows import head_values
from lineal.stores.rows.user_rows import UserKept

__all__ = ["INSERT_CONTEXT", "INSERT_FIRST", "INSERT_WHOLE", "keep", "landed"]

# A new context is withheld by nobody. The driver keeps what it has made of a statement only up to
# fifty values, and makes it anew each time beyond that (a quarter of a millisecond).
#
# An id that has ended is never given again: its mark stays. Where nothing is inserted the revision
# has no context, which is an error of the engine's; then the next try looks first (careful).
INSERT_CONTEXT = sql(
    "INSERT INTO lineal.context (",
    CONTEXT,
    ") SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, NULL, NULL, NULL, %s "
    "WHERE NOT EXISTS (SELECT 1 FROM lineal.tombstone WHERE tenant_id = %s AND context_id = %s) "
    "ON CONFLICT (tenant_id, context_id) DO NOTHING",
)
_UPDATE_CONTEXT = (
    "UPDATE lineal.context SET revision = %s, memory_type = %s, expires_at = %s, "
    "occurred_at = %s, created_at = %s, updated_at = %s, tag_lines = %s, content_key = %s, "
    "near_keys = %s, project = %s, held_at = %s, held_until = %s, held_root = %s, "
    "context_digest = %s WHERE tenant_id = %s AND seq = %s"
)
_UPDATE_MARKS = (
    "UPDATE lineal.context SET content_key = %s, near_keys = %s, context_digest = %s "
    "WHERE tenant_id = %s AND seq = %s"
)
_INSERT_REVISION = (
    "INSERT INTO lineal.context_revision "
    "(tenant_id, context_seq, number, recorded_at, body, body_digest) "
    "VALUES (%s, %s, %s, %s, %s, %s)"
)
INSERT_FIRST = (
    "INSERT INTO lineal.context_revision "
    "(tenant_id, context_seq, number, recorded_at, body, body_digest) "
    "VALUES (%s, %s, 1, %s, %s, %s)"
)
INSERT_WHOLE = sql(
    "WITH made AS (",
    INSERT_CONTEXT,
    "), told AS (",
    INSERT_FIRST,
    "), shelved AS (",
    entries.SHELVE,
    "), waiting AS (",
    vectors.WAIT_NEW,
    "), keyed AS (",
    KEEP_KEYS,
    "), posted AS (",
    entries.POST,
    ")",
    entries.ENTER,
)
"""A new context and all that comes with it, in one go."""

_INSERT_USER = sql("INSERT INTO lineal.user_row (", USER, ") VALUES (%s, %s, %s, %s, %s, %s, %s)")
_UPDATE_USER = (
    "UPDATE lineal.user_row SET revision = %s, expires_at = %s, row_digest = %s "
    "WHERE tenant_id = %s AND user_seq = %s"
)
_INSERT_USER_REVISION = (
    "INSERT INTO lineal.user_revision "
    "(tenant_id, of_user, number, recorded_at, body, body_digest) VALUES (%s, %s, %s, %s, %s, %s)"
)
_DELETE_EARLIER = (
    "DELETE FROM lineal.user_revision WHERE tenant_id = %s AND of_user = %s AND number < %s"
)
_REPLACE_HEAD = (
    "INSERT INTO lineal.head (tenant_id, user_id, domain, name, version, vector, head_digest) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, user_id, domain, name) "
    "DO UPDATE SET version = excluded.version, vector = excluded.vector, "
    "head_digest = excluded.head_digest"
)
_LANDED_CONTEXT = (
    "SELECT 1 FROM lineal.context JOIN lineal.context_revision "
    "ON context_revision.tenant_id = context.tenant_id AND context_seq = seq "
    "WHERE context.tenant_id = %s AND context_id = %s AND number = %s AND body_digest = %s"
)
_LANDED_USER = (
    "SELECT 1 FROM lineal.user_row JOIN lineal.user_revision "
    "ON user_revision.tenant_id = user_row.tenant_id AND of_user = user_seq "
    "WHERE user_row.tenant_id = %s AND user_id = %s AND domain = %s AND number = %s "
    "AND body_digest = %s"
)


async def keep(session: Session, scope: Scope, changes: Changes, now: datetime) -> None:
    """Keep all of it, or raise LinealError: conflict for a revision that doesn't follow. What is
    given back is live, so it can be completed and revised by the same write."""
    if changes.letters or changes.settled or changes.counterparts:
        raise LinealError.invalid("letters", "A store in PostgreSQL has no outbox.")
    await give_back(session, scope, changes.restore, now)
    if changes.completed is not None:
        await complete(session, scope, changes.completed, now)
    await _keep_contexts(session, scope, changes, now)
    await _keep_users(session, scope, changes, now)
    await _keep_others(session, scope, changes)
    if changes.withhold is not None:
        await withhold(session, scope, changes.withhold, now)
    await _forget(session, scope, changes.forget, now)
    if changes.receipt is not None:
        await receipts.keep(session, scope.tenant, changes, changes.receipt)


async def landed(session: Session, scope: Scope, changes: Changes) -> bool | None:
    """Whether a plan that was sent to be committed is there; None where nothing of it would tell.

    A revision with the very digest that the plan gave it is nobody else's: it holds its time. With
    a receipt the decision itself sees, at the next try, what was done."""
    if changes.receipt is not None:
        return False
    for context in changes.contexts:
        row = ContextRow.made(scope.tenant, context, Marks())
        check = row.revision_values(context)[-1]
        bound = (scope.tenant, context.context_id, context.revision, check)
        return await session.row(_LANDED_CONTEXT, *bound) is not None
    for user in (*changes.users, *changes.rewritten):
        check = UserKept.made(scope.tenant, user).revision_values(user)[-1]
        bound_user = (scope.tenant, user.user_id, user.domain, user.revision, check)
        return await session.row(_LANDED_USER, *bound_user) is not None
    return None


async def _keep_contexts(session: Session, scope: Scope, changes: Changes, now: datetime) -> None:
    changed = [c.context_id for c in changes.contexts if c.revision > 1]
    made = {c.context_id for c in changes.contexts if c.revision == 1}
    marked = [name for name in changes.fingerprints if name not in made]
    rows = await contexts.locked_rows(session, scope.tenant, (*changed, *marked))
    written: set[str] = set()
    for context in changes.contexts:
        name = context.context_id
        marks = changes.fingerprints.get(name)
        if context.revision == 1:
            rows[name] = await _insert(session, scope, context, marks)
        else:
            rows[name] = await _replace(session, scope, rows.get(name), context, marks, now)
        written.add(name)
    await _remark(session, rows, changes, written)
    for sighting in changes.sightings:
        await keep_sighting(session, scope, sighting, now)


async def _insert(
    session: Session, scope: Scope, context: Context, fingerprint: Fingerprint | None
) -> ContextRow:
    marks = Marks.of(fingerprint) if fingerprint else Marks()
    row = ContextRow.made(scope.tenant, context, marks, await session.number())
    name = context.context_id
    if session.careful:
        await _require_new(session, name)
    place = entries.placed(session, row.seq, context)
    seq, _, at, body, check = row.revision_values(context)
    room = room_key(row.tenant, (row.user_id, row.domain))
    await session.run(
        INSERT_WHOLE,
        *(*row[:15], row.context_digest, scope.tenant, name),
        *(row.tenant, seq, at, body, check),
        *place.on_shelf,
        *(row.seq, row.tenant),
        *(row.tenant, room, row.seq, list(row.marks.keys)),
        *place.posting,
        *place.entry,
    )
    await entries.hear(session, place)
    return row


async def _require_new(session: Session, name: str) -> None:
    row = await contexts.context_row(session, session.tenant, name)
    mark = await contexts.kept_tombstone(session, Scope(tenant=session.tenant), name)
    if mark is not None or (row is not None and row.held):
        raise _ended(name)
    if row is not None:
        raise _gap(f"Context '{name}'", row.revision, 1, name)


async def _replace(
    session: Session,
    scope: Scope,
    old: ContextRow | None,
    context: Context,
    fingerprint: Fingerprint | None,
    now: datetime,
) -> ContextRow:
    """The new present of a row that is there."""
    name = context.context_id
    if old is None:
        mark = await contexts.kept_tombstone(session, Scope(tenant=scope.tenant), name)
        raise _gap(f"Context '{name}'", 0, context.revision, name) if mark is None else _ended(name)
    if not old.live(to_ms(now)):
        raise _ended(name)
    if context.revision != old.revision + 1:
        raise _gap(f"Context '{name}'", old.revision, context.revision, name)
    if (old.user_id, old.domain) != (context.user_id, context.domain):
        raise LinealError.conflict(
            f"Context '{name}' belongs to another user or domain for good.", context_id=name
        )
    marks = Marks.of(fingerprint) if fingerprint else old.marks
    row = ContextRow.made(old.tenant, context, marks, old.seq)
    await session.run(_UPDATE_CONTEXT, *row[5:], row.tenant, row.seq)
    await entries.replace(session, old, context)
    await keep_keys(session, row, old.marks)
    await session.run(_INSERT_REVISION, *_revision(row, context))
    return row


async def _remark(
    session: Session, rows: dict[str, ContextRow], changes: Changes, written: set[str]
) -> None:
    """Fingerprints of contexts that have no new revision here."""
    for name, fingerprint in changes.fingerprints.items():
        old = None if name in written else rows.get(name)
        if old is not None and not old.held:
            row = old.remarked(Marks.of(fingerprint))
            await session.run(_UPDATE_MARKS, *row.marks, row.context_digest, row.tenant, row.seq)
            await keep_keys(session, row, old.marks)


async def _keep_users(session: Session, scope: Scope, changes: Changes, now: datetime) -> None:
    for user in changes.users:
        await _keep_user(session, scope.tenant, user, now)
    for user in changes.rewritten:
        await _rewrite_user(session, scope.tenant, user, now)
    for head in changes.heads:
        await _keep_head(session, scope, head)


async def _keep_others(session: Session, scope: Scope, changes: Changes) -> None:
    """A task that is done and left to do again is left to do."""
    await keep_edges(session, scope.tenant, changes.edges)
    for outcome in changes.outcomes:
        await keep_outcome(session, scope.tenant, outcome)
    for task in changes.done:
        await drop_task(session, scope, task)
    for task in changes.tasks:
        await keep_task(session, scope, task)


async def _keep_user(session: Session, tenant: str, user: UserRow, now: datetime) -> UserKept:
    """A first revision replaces what has expired; heads that the row doesn't name go."""
    scope = Scope(tenant=tenant, user_id=user.user_id, domain=user.domain)
    old = await kept_user(session, scope, locked=True)
    if old is not None and not old.live(to_ms(now)):
        await erase_user(session, old)
        old = None
    last = old.revision if old else 0
    if user.revision != last + 1:
        what = f"User '{user.user_id}' in '{user.domain}'"
        raise _gap(what, last, user.revision, user_id=user.user_id)
    row = UserKept.made(tenant, user, old.user_seq if old else await ordered_number(session))
    if old is None:
        await session.run(_INSERT_USER, *row)
    else:
        await session.run(_UPDATE_USER, *row[4:], tenant, row.user_seq)
    seq, *values = row.revision_values(user)
    await session.run(_INSERT_USER_REVISION, tenant, seq, *values)
    session.recent.remember((tenant, user.user_id, user.domain), bytes(values[-1]), user)  # type: ignore[arg-type]
    if user.revision > USER_REVISIONS_MAX:
        earliest = user.revision - USER_REVISIONS_MAX + 1
        await session.run(_DELETE_EARLIER, tenant, row.user_seq, earliest)
    await erase_heads(session, row, kept=user.heads)
    return row


async def _rewrite_user(session: Session, tenant: str, user: UserRow, now: datetime) -> None:
    """A revision before which there is none: nothing that stood there is ever read again."""
    await receipts.empty_of_user(session, tenant, user.user_id, user.domain)
    row = await _keep_user(session, tenant, user, now)
    await session.run(_DELETE_EARLIER, tenant, row.user_seq, user.revision)


async def _keep_head(session: Session, scope: Scope, head: Head) -> None:
    if scope.user_id is None or scope.domain is None:
        raise LinealError.invalid("scope", "A head belongs to one user in one domain; name both.")
    await session.run(_REPLACE_HEAD, *head_values(scope, head))


async def _forget(session: Session, scope: Scope, names: Iterable[str], now: datetime) -> None:
    """Take contexts out; an id that isn't in the scope is left alone."""
    rows = await contexts.locked_rows(session, scope.tenant, names)
    gone = [row for row in rows.values() if contexts.within(scope, row.user_id, row.domain)]
    if gone:
        await erase_contexts(session, gone, [row.forgotten(to_ms(now)) for row in gone])


def _revision(row: ContextRow, context: Context) -> tuple[Any, ...]:
    return (row.tenant, *row.revision_values(context))


def _ended(name: str) -> LinealError:
    return LinealError.conflict(
        f"Context '{name}' has ended; an ended memory takes no new revision.", context_id=name
    )


def _gap(
    what: str, last: int, offered: int, context_id: str | None = None, **details: Any
) -> LinealError:
    named = {} if context_id is None else {"context_id": context_id}
    return LinealError.conflict(
        f"{what} is at revision {last}, so revision {offered} doesn't follow it. "
        "Read it again and repeat the change.",
        revision=last,
        offered=offered,
        **named,
        **details,
    )
