"""What statements about tenants' rows have in common."""

from __future__ import annotations

from typing import NamedTuple

from lineal.models.changes import Scope
from lineal.stores.postgres.session import Bound
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS
from lineal.stores.rows.user_rows import USER_COLUMNS

__all__ = ["CONTEXT", "USER", "Wall", "wall"]

CONTEXT = CONTEXT_COLUMNS.replace("tenant,", "tenant_id,")
"""Columns of context in the order of a ContextRow."""

USER = USER_COLUMNS.replace("tenant,", "tenant_id,")
"""Columns of user_row in the order of a UserKept."""


class Wall(NamedTuple):
    """A scope as a condition and the values it binds."""

    condition: str
    values: tuple[Bound, ...]


def wall(scope: Scope) -> Wall:
    """The condition that every statement about rows of users starts with."""
    parts = (("user_id = %s", scope.user_id), ("domain = %s", scope.domain))
    kept = [(condition, value) for condition, value in parts if value is not None]
    conditions = ("tenant_id = %s", *(condition for condition, _ in kept))
    return Wall(" AND ".join(conditions), (scope.tenant, *(value for _, value in kept)))
