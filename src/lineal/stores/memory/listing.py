"""Listing page by page: peers, outcomes, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from lineal.models.changes import Outcome, OutcomePage, Peer, Scope, Task
from lineal.stores.memory.look import live_row
from lineal.stores.memory.tenant import Tenant, task_key

__all__ = ["due", "outcomes", "peers"]


def peers(
    tenant: Tenant, scope: Scope, name: str, after: int, limit: int, now: datetime
) -> tuple[Peer, ...]:
    """Live users of the scope's domain in order of first receipt; () without a domain."""
    found = (
        Peer(row, tenant.heads.get(key, {}).get(name), place)
        for key, place in tenant.places.items()
        if place > after and key[1] == scope.domain and (row := live_row(tenant, key, now))
    )
    return tuple(islice(found, limit))


def outcomes(tenant: Tenant, scope: Scope, after: int, limit: int) -> OutcomePage:
    """Of the tenant, and of the domain and of the user, as user or as candidate, where the scope
    names them."""
    rest = enumerate(tenant.outcomes[after:], after + 1)
    page = list(islice(((n, outcome) for n, outcome in rest if _concerns(scope, outcome)), limit))
    return OutcomePage(
        outcomes=tuple(outcome for _, outcome in page), after=page[-1][0] if page else after
    )


def due(tenants: Iterable[Tenant], limit: int, now: datetime) -> tuple[Task, ...]:
    """Those whose time has come, the longest waiting first."""
    come = (task for room in tenants for task in room.tasks.values() if task.due_at <= now)
    ordered = sorted(come, key=lambda task: (task.due_at, task.tenant, *task_key(task)))
    return tuple(ordered[:limit])


def _concerns(scope: Scope, outcome: Outcome) -> bool:
    either = scope.user_id in (None, outcome.user_id, outcome.candidate_id)
    return either and scope.domain in (None, outcome.domain)
