"""Later evidence: the lineage of what is kept already, written anew in its place."""

from __future__ import annotations

from datetime import datetime

import apsw

from lineal.errors import LinealError
from lineal.models.changes import EVIDENCE, Completed, Scope
from lineal.models.context import Context, Sighting
from lineal.models.user import UserRow
from lineal.stores.rows.digests import body_of, parsed
from lineal.stores.sqlite import entries
from lineal.stores.sqlite.contexts import live_row, revision, tombstones
from lineal.stores.sqlite.graph import drop_seen_uses, keep_edge
from lineal.stores.sqlite.recent import remember_row
from lineal.stores.sqlite.sightings import replace_sighting
from lineal.stores.sqlite.users import live_found

__all__ = ["complete"]

_UPDATE_CONTEXT = (
    "UPDATE context_revision SET body = ?, body_digest = ? WHERE context_seq = ? AND number = ?"
)
_UPDATE_USER = "UPDATE user_revision SET body = ?, body_digest = ? WHERE of_user = ? AND number = ?"


def complete(connection: apsw.Connection, scope: Scope, late: Completed, now: datetime) -> None:
    """Raises LinealError (conflict) for a revision that isn't kept, and for one that differs from
    what is kept in more than its lineage. What has ended is left alone."""
    ended: set[str] = set()
    for context in late.contexts:
        if _complete_context(connection, scope, context, now):
            name, number = context.context_id, context.revision
            drop_seen_uses(connection, scope.tenant, name, number)
        else:
            ended.add(context.context_id)
    for user in late.users:
        _complete_user(connection, scope, user, now)
    for old, new in late.sightings:
        _require_same(f"The sighting of '{old.context_id}'", old, new)
        replace_sighting(connection, scope, old, new, now)
    for edge in late.edges:
        if edge.child_id not in ended:
            keep_edge(connection, scope.tenant, edge)


def _complete_context(
    connection: apsw.Connection, scope: Scope, context: Context, now: datetime
) -> bool:
    """False when it has ended."""
    name, number = context.context_id, context.revision
    row = live_row(connection, scope, name, now)
    if row is None and tombstones(connection, scope, (name,), now):
        return False
    kept = None if row is None else revision(connection, row, number)
    what = f"Revision {number} of context '{name}'"
    if row is None or kept is None:
        raise LinealError.conflict(f"{what} isn't kept, so it can't be completed.", context_id=name)
    _require_same(what, kept, context)
    if number == row.revision:
        entries.replace(connection, row, context)
    _, _, _, body, check = row.revision_values(context)
    connection.execute(_UPDATE_CONTEXT, (body, check, row.seq, number))
    return True


def _complete_user(connection: apsw.Connection, scope: Scope, user: UserRow, now: datetime) -> None:
    """A row that has moved on, ended or begun anew is left alone."""
    key = Scope(tenant=scope.tenant, user_id=user.user_id, domain=user.domain)
    inside = scope.user_id in (None, key.user_id) and scope.domain in (None, key.domain)
    found = live_found(connection, key, now) if inside else None
    if found is None or found.row.revision != user.revision:
        return
    row = found.row
    kept = parsed(UserRow, row.body(row.revision, found.body, found.body_digest), row.what)
    if kept.created_at == user.created_at:
        _require_same(row.what, kept, user)
        _, _, _, body, check = row.revision_values(user)
        connection.execute(_UPDATE_USER, (body, check, row.user_seq, row.revision))
        remember_row(connection, bytes(check), user)  # type: ignore[arg-type]


def _require_same(
    what: str, kept: Context | UserRow | Sighting, new: Context | UserRow | Sighting
) -> None:
    """As written: a tuple that was kept is read as a list."""
    evidence = {name: getattr(new, name) for name in EVIDENCE & type(new).model_fields.keys()}
    if body_of(kept.model_copy(update=evidence)) != body_of(new):
        raise LinealError.conflict(f"{what} differs from what is kept in more than its lineage.")
