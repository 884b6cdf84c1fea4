"""Which contexts have no vector yet, and keeping those that were made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from lineal.models.context import Context
from lineal.models.sheet import Space, Unembedded
from lineal.policy.indexing import embedded
from lineal.stores.memory.tenant import Tenant

__all__ = ["LEASE", "keep", "waiting"]

LEASE = timedelta(minutes=1)


def waiting(tenants: Iterable[Tenant], space: Space) -> Iterator[Unembedded]:
    """The changed ones first, then in order of receipt, behind one wall after another."""
    for tenant in tenants:
        made = tenant.vectors.get(space, {})
        shown = [
            Unembedded(number, revisions[-1])
            for number, (name, revisions) in enumerate(tenant.contexts.items(), 1)
            if name not in tenant.withheld and name not in made
        ]
        yield from sorted(shown, key=lambda item: item.context.revision == 1)


def keep(
    tenants: Iterable[Tenant], space: Space, context: Context, vector: Sequence[float]
) -> None:
    """Nothing for what has ended, or has changed since."""
    name = context.context_id
    for tenant in tenants:
        latest = tenant.contexts.get(name, [context])[-1]
        shown = name in tenant.contexts and name not in tenant.withheld
        if shown and latest.revision == context.revision and embedded(latest) == embedded(context):
            tenant.vectors.setdefault(space, {})[name] = tuple(vector)
