"""Reading: what a store shows at one instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from lineal.models.changes import SIGHTINGS_MAX, Reads, Receipt, Scope, Snapshot, Tombstone
from lineal.models.context import Context, Sighting
from lineal.models.lineage import Direction, Edge, Relation
from lineal.models.user import UserRow
from lineal.policy.expiry import is_live
from lineal.stores.memory import alike
from lineal.stores.memory.tenant import Subject, Tenant, within

__all__ = [
    "edges_at",
    "ended",
    "is_derived",
    "live_context",
    "live_contexts",
    "live_row",
    "live_user",
    "receipt",
    "returnable",
    "snapshot",
    "tombstone",
    "tombstones",
]


def snapshot(tenant: Tenant, scope: Scope, reads: Reads, now: datetime) -> Snapshot:
    asked = {
        name: live_context(tenant, scope, name, now) for name in dict.fromkeys(reads.context_ids)
    }
    descendants = _descendants(tenant, scope, reads, now)
    return Snapshot(
        now=now,
        user=live_user(tenant, scope, now) if reads.user else None,
        known=reads.known and live_user(tenant, scope, now) is not None,
        contexts={name: context for name, context in asked.items() if context is not None},
        tombstones=tombstones(tenant, scope, reads.context_ids, now),
        receipt=receipt(tenant, reads.receipt, now),
        alike=alike.alike(tenant, scope, reads.alike, reads.alike_in, now),
        sightings=_sightings(tenant, scope, asked, now) if reads.sightings else {},
        revisions=_revisions(tenant, scope, asked, reads.revisions, now),
        withheld=_withheld(tenant, scope, reads.withheld_by, now),
        descendants=descendants,
        owners=_owners(tenant, scope, (*asked, *descendants), now) if reads.owners else (),
    )


def _owners(
    tenant: Tenant, scope: Scope, names: Iterable[str], now: datetime
) -> tuple[UserRow, ...]:
    """The live rows of the users of these contexts, by user and domain."""
    rows = {
        (context.user_id, context.domain)
        for context in (live_context(tenant, scope, name, now) for name in names)
        if context is not None
    }
    found = (live_row(tenant, key, now) for key in sorted(rows))
    return tuple(row for row in found if row is not None)


def live_context(tenant: Tenant, scope: Scope, name: str, now: datetime) -> Context | None:
    revisions = tenant.contexts.get(name)
    if not revisions or name in tenant.withheld or not is_live(revisions[-1].expires_at, now):
        return None
    return revisions[-1] if within(scope, revisions[-1]) else None


def is_derived(tenant: Tenant, context: Context, parent_id: str | None) -> bool:
    """Whether any revision names that id as what it was derived from; True without an id."""
    edges = tenant.up[context.context_id] if parent_id else {}
    derived = (e.parent_id == parent_id and e.relation is Relation.WAS_DERIVED_FROM for e in edges)
    return parent_id is None or any(derived)


def live_contexts(tenant: Tenant, scope: Scope, now: datetime) -> list[Context]:
    """In order of receipt."""
    found = (live_context(tenant, scope, name, now) for name in tenant.contexts)
    return [context for context in found if context is not None]


def live_user(tenant: Tenant, scope: Scope, now: datetime) -> UserRow | None:
    """The scope's user row; None for a scope of many."""
    if scope.user_id is None or scope.domain is None:
        return None
    return live_row(tenant, (scope.user_id, scope.domain), now)


def live_row(tenant: Tenant, key: tuple[str, str], now: datetime) -> UserRow | None:
    revisions = tenant.users.get(key)
    return revisions[-1] if revisions and is_live(revisions[-1].expires_at, now) else None


def receipt(tenant: Tenant, key: str | None, now: datetime) -> Receipt | None:
    """Its answer is empty once what it shows has ended, swept or not."""
    if key is None or key not in tenant.receipts:
        return None
    found = tenant.receipts[key]
    ended = any(_has_ended(tenant, subject, now) for subject in tenant.shown[key])
    return found.model_copy(update={"answer": ""}) if ended else found


def _has_ended(tenant: Tenant, subject: Subject, now: datetime) -> bool:
    revisions: Sequence[Context | UserRow] = (
        tenant.contexts.get(subject, ())
        if isinstance(subject, str)
        else tenant.users.get(subject, ())
    )
    hidden = subject in tenant.withheld
    return hidden or not revisions or not is_live(revisions[-1].expires_at, now)


def _sightings(
    tenant: Tenant, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, tuple[Sighting, ...]]:
    """Of those that are live, perhaps none."""
    live = (name for name in names if live_context(tenant, scope, name, now) is not None)
    return {name: tuple(tenant.sightings.get(name, ())[-SIGHTINGS_MAX:]) for name in live}


def _revisions(
    tenant: Tenant, scope: Scope, names: Iterable[str], most: int, now: datetime
) -> dict[str, tuple[Context, ...]]:
    """The latest of those that are live."""
    live = (name for name in names if most and live_context(tenant, scope, name, now) is not None)
    return {name: tuple(tenant.contexts[name][-most:]) for name in live}


def _withheld(tenant: Tenant, scope: Scope, root: str | None, now: datetime) -> tuple[Context, ...]:
    """What that root withholds and would be live if it were given back."""
    found = [
        tenant.contexts[name][-1]
        for name in tenant.contexts
        if name in tenant.withheld and tenant.withheld[name].root == root
        if returnable(tenant, scope, name, now)
    ]
    return tuple(context for context in found if is_live(context.expires_at, now))


def returnable(tenant: Tenant, scope: Scope, name: str, now: datetime) -> bool:
    """Whether it is withheld within the scope and can still be given back."""
    held = tenant.withheld.get(name)
    return held is not None and now < held.until and within(scope, tenant.contexts[name][-1])


def tombstones(
    tenant: Tenant, scope: Scope, context_ids: Iterable[str], now: datetime
) -> dict[str, Tombstone]:
    asked = {name: tombstone(tenant, name, now) for name in dict.fromkeys(context_ids)}
    return {name: mark for name, mark in asked.items() if mark and within(scope, mark)}


def tombstone(tenant: Tenant, name: str, now: datetime) -> Tombstone | None:
    """The kept mark, or the one that a sweep would leave."""
    revisions = tenant.contexts.get(name)
    if not revisions:
        return tenant.tombstones.get(name)
    last = revisions[-1]
    if name in tenant.withheld:
        return ended(last, "forgotten", tenant.withheld[name].at)
    return None if is_live(last.expires_at, now) else ended(last, "expired", last.expires_at or now)


def ended(
    context: Context, reason: Literal["expired", "forgotten"], ended_at: datetime
) -> Tombstone:
    kept = ("context_id", "user_id", "domain", "revision", "created_at")
    values = {name: getattr(context, name) for name in kept}
    memory_type = context.memory_type.value
    return Tombstone(**values, reason=reason, memory_type=memory_type, ended_at=ended_at)


def _descendants(tenant: Tenant, scope: Scope, reads: Reads, now: datetime) -> tuple[str, ...]:
    """The live ones, breadth first, by id within a level; never the root, whatever the cycles."""
    if reads.descendants_of is None:
        return ()

    def counts(name: str) -> bool:
        """Whether it is live, or, where that is asked for, may be given back."""
        held = reads.descendants_withheld and returnable(tenant, scope, name, now)
        return held or live_context(tenant, scope, name, now) is not None

    seen = {reads.descendants_of: None}
    level = [reads.descendants_of]
    held = reads.descendants_withheld and returnable(tenant, scope, reads.descendants_of, now)
    live = [*level] if held else []
    while level and len(live) < reads.descendants_max:
        children = {c for parent in level for c in _children(tenant, parent, reads.relations)}
        level = sorted(children - seen.keys())
        seen.update(dict.fromkeys(level))
        live += filter(counts, level)
    return tuple(live[: reads.descendants_max])


def _children(tenant: Tenant, parent_id: str, relations: tuple[Relation, ...]) -> Iterator[str]:
    edges = tenant.down.get(parent_id, ())
    return (edge.child_id for edge in edges if edge.relation in relations)


def edges_at(tenant: Tenant, context_ids: Iterable[str], direction: Direction) -> Iterator[Edge]:
    for name in context_ids:
        if direction in ("up", "both"):
            yield from tenant.up.get(name, ())
        if direction in ("down", "both"):
            yield from tenant.down.get(name, ())
