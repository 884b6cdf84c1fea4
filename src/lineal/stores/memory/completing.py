"""Later evidence: the lineage of what is kept already, put in its place."""

from __future__ import annotations

from datetime import datetime

from lineal.errors import LinealError
from lineal.models.changes import EVIDENCE, SIGHTINGS_MAX, Completed, Scope
from lineal.models.context import Context, Sighting
from lineal.models.lineage import Basis, Edge, Relation
from lineal.models.user import UserRow
from lineal.stores.memory import look
from lineal.stores.memory.tenant import Tenant, within

__all__ = ["check", "complete"]


def check(tenant: Tenant, scope: Scope, late: Completed, now: datetime) -> None:
    """Raises LinealError (conflict) for a revision that isn't kept, and for one that differs from
    what is kept in more than its lineage."""
    for context in late.contexts:
        name, number = context.context_id, context.revision
        if not look.tombstones(tenant, scope, (name,), now):
            live = look.live_context(tenant, scope, name, now)
            if live is None or number > live.revision:
                raise LinealError.conflict(
                    f"Revision {number} of context '{name}' isn't kept, so it can't be completed.",
                    context_id=name,
                )
            _require_same(tenant.contexts[name][number - 1], context)
    for user in late.users:
        present = _present(tenant, scope, user, now)
        if present is not None:
            _require_same(present, user)
    for old, new in late.sightings:
        _require_same(old, new)


def complete(tenant: Tenant, scope: Scope, late: Completed, now: datetime) -> None:
    """What has ended is left alone."""
    gone = look.tombstones(tenant, scope, (c.context_id for c in late.contexts), now)
    for context in late.contexts:
        if context.context_id not in gone:
            tenant.contexts[context.context_id][context.revision - 1] = context
            _drop_seen_uses(tenant, context)
    for user in late.users:
        if _present(tenant, scope, user, now) is not None:
            tenant.users[user.user_id, user.domain][-1] = user
    for old, new in late.sightings:
        _replace_sighting(tenant, scope, old, new, now)
    for edge in late.edges:
        if edge.child_id not in gone:
            tenant.up[edge.child_id][edge] = None
            tenant.down[edge.parent_id][edge] = None


def _present(tenant: Tenant, scope: Scope, user: UserRow, now: datetime) -> UserRow | None:
    """The kept row of that very revision, unless it ended or began anew."""
    present = look.live_row(tenant, (user.user_id, user.domain), now)
    if present is None or not within(scope, present):
        return None
    same = (present.revision, present.created_at) == (user.revision, user.created_at)
    return present if same else None


def _replace_sighting(
    tenant: Tenant, scope: Scope, old: Sighting, new: Sighting, now: datetime
) -> None:
    """In its place, if it is among the latest SIGHTINGS_MAX of a live context; else nothing."""
    if look.live_context(tenant, scope, old.context_id, now) is None:
        return
    kept = tenant.sightings.get(old.context_id, [])
    for place in range(max(0, len(kept) - SIGHTINGS_MAX), len(kept)):
        if kept[place].model_dump_json() == old.model_dump_json():
            kept[place] = new
            return


def _drop_seen_uses(tenant: Tenant, context: Context) -> None:
    """Take out the observed `used` edges of one revision."""
    for edge in [edge for edge in tenant.up[context.context_id] if _seen_use(edge, context)]:
        del tenant.up[edge.child_id][edge], tenant.down[edge.parent_id][edge]


def _seen_use(edge: Edge, context: Context) -> bool:
    kind = (edge.relation, edge.basis)
    return edge.revision == context.revision and kind == (Relation.USED, Basis.OBSERVED)


def _require_same(kept: Context | UserRow | Sighting, new: Context | UserRow | Sighting) -> None:
    """As written: a tuple that was kept is read as a list."""
    evidence = {name: getattr(new, name) for name in EVIDENCE & type(new).model_fields.keys()}
    later = kept.model_copy(update=evidence)
    if later.model_dump_json() != new.model_dump_json():
        raise LinealError.conflict("What is completed differs from what is kept.")
