"""Tasks: what a write left to be done, by whichever process comes first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import Scope, Task
from lineal.stores.postgres.locks import Room
from lineal.stores.postgres.session import Session
from lineal.stores.postgres.tenants import enter, pages
from lineal.stores.rows.small_rows import task_key, task_of, task_values

__all__ = [
    "drop_task",
    "due",
    "keep_task",
    "tasks_of_contexts",
    "tasks_of_users",
]

_REPLACE = (
    "INSERT INTO lineal.task VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (tenant_id, user_id, domain, kind, context_id) DO UPDATE SET "
    "due_at = excluded.due_at, tries = excluded.tries, task_digest = excluded.task_digest"
)
_DELETE = (
    "DELETE FROM lineal.task WHERE tenant_id = %s AND user_id = %s AND domain = %s AND kind = %s "
    "AND context_id = %s"
)
_DELETE_OF_CONTEXTS = (
    "DELETE FROM lineal.task WHERE tenant_id = %s AND context_id = ANY(%s::text[])"
)
_DELETE_OF_USERS = (
    "DELETE FROM lineal.task USING unnest(%s::text[], %s::text[]) AS gone (of_user, of_domain) "
    "WHERE tenant_id = %s AND user_id = of_user AND domain = of_domain"
)
_SELECT_DUE = (
    "SELECT * FROM lineal.task WHERE tenant_id = %s AND due_at <= %s ORDER BY due_at, "
    "user_id, domain, kind, context_id LIMIT %s"
)


async def keep_task(session: Session, scope: Scope, task: Task) -> None:
    """In the place of another of the same kind, user, domain and context."""
    _require_tenant(scope, task)
    await session.run(_REPLACE, *task_values(task))


async def drop_task(session: Session, scope: Scope, task: Task) -> None:
    _require_tenant(scope, task)
    await session.run(_DELETE, *task_key(task))


async def due(session: Session, limit: int, now: datetime) -> tuple[Task, ...]:
    """Those whose time has come, of every tenant, the longest waiting first. The session is behind
    another wall afterwards."""
    first: list[Task] = []
    async for tenants in pages(session):
        asked = []
        for tenant in tenants:
            await enter(session, tenant)
            asked.append(await session.ask(_SELECT_DUE, tenant, to_ms(now), limit))
        for answer in asked:
            first += map(task_of, await answer.rows())
        first = sorted(first, key=_order)[:limit]
    return tuple(first)


async def tasks_of_contexts(session: Session, tenant: str, context_ids: list[str]) -> None:
    """Take out what was left to do for these contexts."""
    await session.run(_DELETE_OF_CONTEXTS, tenant, context_ids)


async def tasks_of_users(session: Session, tenant: str, rooms: Iterable[Room]) -> None:
    """Take out what was left to do for these user rows."""
    users, domains = (list(names) for names in zip(*rooms, strict=True))
    await session.run(_DELETE_OF_USERS, users, domains, tenant)


def _order(task: Task) -> tuple[datetime, str, str, str, str, str]:
    return (task.due_at, task.tenant, task.user_id, task.domain, task.kind, task.context_id)


def _require_tenant(scope: Scope, task: Task) -> None:
    if task.tenant != scope.tenant:
        raise LinealError.invalid("tasks", "A task belongs to the tenant of its write.")
