"""Later evidence: the lineage of what is kept already, written anew in its place."""

from __future__ import annotations

from datetime import datetime

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import EVIDENCE, Completed, Scope
from lineal.models.context import Context, Sighting
from lineal.models.user import UserRow
from lineal.stores.postgres import entries
from lineal.stores.postgres.contexts import locked_rows, revision, tombstones, within
from lineal.stores.postgres.graph import drop_seen_uses, keep_edges
from lineal.stores.postgres.session import Session
from lineal.stores.postgres.sightings import replace_sighting
from lineal.stores.postgres.users import live_found
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.digests import body_of, parsed

__all__ = ["complete"]

_UPDATE_CONTEXT = (
    "UPDATE lineal.context_revision SET body = %s, body_digest = %s "
    "WHERE tenant_id = %s AND context_seq = %s AND number = %s"
)
_UPDATE_USER = (
    "UPDATE lineal.user_revision SET body = %s, body_digest = %s "
    "WHERE tenant_id = %s AND of_user = %s AND number = %s"
)


async def complete(session: Session, scope: Scope, late: Completed, now: datetime) -> None:
    """Raises LinealError (conflict) for a revision that isn't kept, and for one that differs from
    what is kept in more than its lineage. What has ended is left alone."""
    ended: set[str] = set()
    for context in late.contexts:
        if await _complete_context(session, scope, context, now):
            await drop_seen_uses(session, scope.tenant, context.context_id, context.revision)
        else:
            ended.add(context.context_id)
    for user in late.users:
        await _complete_user(session, scope, user, now)
    for old, new in late.sightings:
        _require_same(f"The sighting of '{old.context_id}'", old, new)
        await replace_sighting(session, scope, old, new, now)
    told = [edge for edge in late.edges if edge.child_id not in ended]
    await keep_edges(session, scope.tenant, told)


async def _complete_context(
    session: Session, scope: Scope, context: Context, now: datetime
) -> bool:
    """False when it has ended."""
    name, number = context.context_id, context.revision
    row = await _locked(session, scope, name, now)
    if row is None and await tombstones(session, scope, (name,), now):
        return False
    kept = None if row is None else await revision(session, row, number)
    what = f"Revision {number} of context '{name}'"
    if row is None or kept is None:
        raise LinealError.conflict(f"{what} isn't kept, so it can't be completed.", context_id=name)
    _require_same(what, kept, context)
    if number == row.revision:
        await entries.replace(session, row, context)
    _, _, _, body, check = row.revision_values(context)
    await session.run(_UPDATE_CONTEXT, body, check, row.tenant, row.seq, number)
    return True


async def _locked(session: Session, scope: Scope, name: str, now: datetime) -> ContextRow | None:
    """The row of that id if it is live and within the scope, locked."""
    row = (await locked_rows(session, scope.tenant, (name,))).get(name)
    if row is None or not row.live(to_ms(now)) or not within(scope, row.user_id, row.domain):
        return None
    return row


async def _complete_user(session: Session, scope: Scope, user: UserRow, now: datetime) -> None:
    """A row that has moved on, ended or begun anew is left alone."""
    key = Scope(tenant=scope.tenant, user_id=user.user_id, domain=user.domain)
    inside = scope.user_id in (None, key.user_id) and scope.domain in (None, key.domain)
    found = await live_found(session, key, now) if inside else None
    if found is None or found.row.revision != user.revision:
        return
    row = found.row
    kept = parsed(UserRow, row.body(row.revision, found.body, found.body_digest), row.what)
    if kept.created_at == user.created_at:
        _require_same(row.what, kept, user)
        _, _, _, body, check = row.revision_values(user)
        await session.run(_UPDATE_USER, body, check, row.tenant, row.user_seq, row.revision)
        known = (row.tenant, row.user_id, row.domain)
        session.recent.remember(known, bytes(check), user)  # type: ignore[arg-type]


def _require_same(
    what: str, kept: Context | UserRow | Sighting, new: Context | UserRow | Sighting
) -> None:
    """As written: a tuple that was kept is read as a list."""
    evidence = {name: getattr(new, name) for name in EVIDENCE & type(new).model_fields.keys()}
    if body_of(kept.model_copy(update=evidence)) != body_of(new):
        raise LinealError.conflict(f"{what} differs from what is kept in more than its lineage.")
