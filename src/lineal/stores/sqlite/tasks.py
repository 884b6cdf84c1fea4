"""Tasks: what a write left to be done, by whichever process comes first."""

from __future__ import annotations

from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import Scope, Task
from lineal.stores.rows.small_rows import task_key, task_of, task_values
from lineal.stores.sqlite.statements import all_rows

__all__ = ["drop_task", "due", "keep_task", "tasks_of_context", "tasks_of_user"]

_REPLACE = "INSERT OR REPLACE INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = (
    "DELETE FROM task WHERE tenant = ? AND user_id = ? AND domain = ? AND kind = ? "
    "AND context_id = ?"
)
_DELETE_OF_CONTEXT = "DELETE FROM task WHERE +tenant = ? AND context_id = ?"
"""The plus: without it SQLite would walk through all tasks of the tenant."""

_DELETE_OF_USER = "DELETE FROM task WHERE tenant = ? AND user_id = ? AND domain = ?"
_SELECT_DUE = (
    "SELECT * FROM task WHERE due_at <= ? "
    "ORDER BY due_at, tenant, user_id, domain, kind, context_id LIMIT ?"
)


def keep_task(connection: apsw.Connection, scope: Scope, task: Task) -> None:
    """In the place of another of the same kind, user, domain and context."""
    _require_tenant(scope, task)
    connection.execute(_REPLACE, task_values(task))


def drop_task(connection: apsw.Connection, scope: Scope, task: Task) -> None:
    _require_tenant(scope, task)
    connection.execute(_DELETE, task_key(task))


def due(connection: apsw.Connection, limit: int, now: datetime) -> tuple[Task, ...]:
    """Those whose time has come, of every tenant, the longest waiting first."""
    return tuple(map(task_of, all_rows(connection, _SELECT_DUE, to_ms(now), limit)))


def tasks_of_context(connection: apsw.Connection, tenant: str, context_id: str) -> None:
    """Take out what was left to do for a context."""
    connection.execute(_DELETE_OF_CONTEXT, (tenant, context_id))


def tasks_of_user(connection: apsw.Connection, tenant: str, user_id: str, domain: str) -> None:
    """Take out what was left to do for a user row."""
    connection.execute(_DELETE_OF_USER, (tenant, user_id, domain))


def _require_tenant(scope: Scope, task: Task) -> None:
    if task.tenant != scope.tenant:
        raise LinealError.invalid("tasks", "A task belongs to the tenant of its write.")
