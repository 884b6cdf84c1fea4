"""Contexts whose content is equal or nearly so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from lineal.models.changes import ALIKE_MAX, Fingerprint, Scope
from lineal.models.context import Context
from lineal.policy.expiry import is_live
from lineal.stores.memory.tenant import Tenant, within

__all__ = ["alike"]

WALK_MAX = 64
"""Contexts that are looked at for each key, newest first, live or not, as in the stores on disk."""


def alike(
    tenant: Tenant,
    scope: Scope,
    asked: Fingerprint | None,
    projects: tuple[str, ...] | None,
    now: datetime,
) -> tuple[Context, ...]:
    """Live contexts of equal content_key by receipt, then those that share most keys, newest first.

    At most ALIKE_MAX; () for a scope of many. projects: only of these and of none; None: of any.
    """
    if asked is None or scope.user_id is None or scope.domain is None:
        return ()
    marks = _newest_first(tenant, scope)
    same = (name for name, mark in marks.items() if mark.content_key == asked.content_key)
    equal = list(islice(same, WALK_MAX))
    near = [name for name in _most_shared(marks, asked.keys) if name not in equal]
    found = (tenant.contexts[name][-1] for name in (*reversed(equal), *near))
    live = (
        context
        for context in found
        if is_live(context.expires_at, now)
        and (projects is None or context.project in (None, *projects))
    )
    return tuple(islice(live, ALIKE_MAX))


def _newest_first(tenant: Tenant, scope: Scope) -> dict[str, Fingerprint]:
    """By id, of the scope's contexts, live or not, but not of what is withheld."""
    return {
        name: tenant.fingerprints[name]
        for name in reversed(tenant.contexts)
        if name in tenant.fingerprints and name not in tenant.withheld
        if within(scope, tenant.contexts[name][-1])
    }


def _most_shared(marks: dict[str, Fingerprint], keys: Iterable[int]) -> list[str]:
    """Ids, the most shared keys first, then as in `marks`."""
    shared: Counter[str] = Counter()
    for key in set(keys):
        holders = (name for name, mark in marks.items() if key in mark.keys)
        shared.update(islice(holders, WALK_MAX))
    places = {name: place for place, name in enumerate(marks)}
    return sorted(shared, key=lambda name: (-shared[name], places[name]))
