"""One transaction: statements go out without waiting for each other's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from lineal.stores.postgres.recent import Recent
from lineal.stores.rows.values import Row, Value

__all__ = ["Again", "Asked", "Bound", "Connection", "Session", "sql"]

Connection = psycopg.AsyncConnection[Row]

Bound = Value | bool | list[int] | list[str] | list[bytes]
"""What a statement binds."""


def sql(*parts: str) -> str:
    """One statement out of constant parts; values are always bound."""
    return " ".join(parts)


NUMBERS_MORE = 16
"""Drawn when those drawn at the beginning aren't enough."""

_NUMBERS = "SELECT nextval('lineal.receipt_order') FROM generate_series(1, %s)"


class Again(Exception):
    """The transaction must be made anew. wide: with the whole tenant locked."""

    def __init__(self, *, wide: bool = False) -> None:
        super().__init__()
        self.wide = wide


class Asked:
    """A statement that is on its way; its answer is waited for when it is looked at, and once."""

    def __init__(self, cursor: psycopg.AsyncCursor[Row]) -> None:
        self._cursor = cursor

    async def rows(self) -> list[Row]:
        return await self._cursor.fetchall()

    async def row(self) -> Row | None:
        return await self._cursor.fetchone()

    async def value(self) -> Any:
        """The first column of the first row, None without any."""
        found = await self._cursor.fetchone()
        return None if found is None else found[0]


class Session:
    """A transaction behind one wall (`tenant`), in a pipeline.

    What `run` and `ask` send is carried out in order; an error of one shows at the next answer that
    is waited for, and ends the transaction. In a write each statement sees what was committed
    before it began; in a read all see one instant.
    """

    def __init__(self, connection: Connection, tenant: str, recent: Recent | None = None) -> None:
        self.connection = connection
        self.tenant = tenant
        self.recent = recent or Recent()
        self.extend: Callable[[], None] | None = None
        """Told at each statement: the transaction goes on."""
        self.careful = False
        """A try failed by what is there already: look before writing, to say what it is."""
        self.numbers: list[int] = []
        """Of the order of receipt, drawn for this transaction while it had its rooms to itself."""
        self.language = ""
        """Of the store's words; known once the store's own row was read (meta.py)."""

    async def ask(self, statement: str, *values: Bound) -> Asked:
        if self.extend is not None:
            self.extend()
        cursor = self.connection.cursor(binary=True)
        await cursor.execute(statement, values, prepare=True)
        return Asked(cursor)

    async def rows(self, statement: str, *values: Bound) -> list[Row]:
        return await (await self.ask(statement, *values)).rows()

    async def row(self, statement: str, *values: Bound) -> Row | None:
        return await (await self.ask(statement, *values)).row()

    async def value(self, statement: str, *values: Bound) -> Any:
        return await (await self.ask(statement, *values)).value()

    async def run(self, statement: str, *values: Bound) -> None:
        """Send a statement whose answer nobody needs."""
        await self.ask(statement, *values)

    async def ask_numbers(self, count: int) -> Asked:
        """Further numbers of the order of receipt."""
        return await self.ask(_NUMBERS, count)

    async def number(self) -> int:
        """The next number of the order of receipt."""
        if not self.numbers:
            self.numbers = [drawn for (drawn,) in await self.rows(_NUMBERS, NUMBERS_MORE)]
        return self.numbers.pop(0)
