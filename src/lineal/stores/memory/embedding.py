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
    """In order of receipt, behind one wall after another."""
    for tenant in tenants:
        made = tenant.vectors.get(space, {})
        for number, (name, revisions) in enumerate(tenant.contexts.items(), 1):
            context = revisions[-1]
            if name not in tenant.withheld and (name, embedded(context)) not in made:
                yield Unembedded(number, context)


def keep(
    tenants: Iterable[Tenant], space: Space, context: Context, vector: Sequence[float]
) -> None:
    """Of the text that it was made of; nothing for what has ended."""
    name = context.context_id
    for tenant in tenants:
        if context in tenant.contexts.get(name, ()):
            tenant.vectors.setdefault(space, {})[name, embedded(context)] = tuple(vector)
