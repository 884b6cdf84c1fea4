"""Statements out of constant parts, and how their rows are fetched."""

from __future__ import annotations

from typing import Any, NamedTuple

import apsw

from lineal.models.changes import Scope
from lineal.stores.rows.values import Row, Value

__all__ = ["Row", "Value", "Wall", "all_rows", "one_row", "one_value", "sql", "wall"]


def sql(*parts: str) -> str:
    """One statement out of constant parts; values are always bound."""
    return " ".join(parts)


def all_rows(connection: apsw.Connection, statement: str, *bound: Value) -> list[Row]:
    return connection.execute(statement, bound).fetchall()


def one_row(connection: apsw.Connection, statement: str, *bound: Value) -> Row | None:
    return connection.execute(statement, bound).fetchone()


def one_value(connection: apsw.Connection, statement: str, *bound: Value) -> Any:
    """The first column of the first row, None without any."""
    return connection.execute(statement, bound).get


class Wall(NamedTuple):
    """A scope as a condition and the values it binds."""

    condition: str
    values: tuple[str, ...]


def wall(scope: Scope) -> Wall:
    """The condition that every statement about rows of users starts with."""
    parts = (
        ("tenant = ?", scope.tenant),
        ("user_id = ?", scope.user_id),
        ("domain = ?", scope.domain),
    )
    kept = [(condition, value) for condition, value in parts if value is not None]
    return Wall(" AND ".join(c for c, _ in kept), tuple(v for _, v in kept))
