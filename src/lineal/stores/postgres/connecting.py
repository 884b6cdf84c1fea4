"""Connections: made by a pool, cut by a deadline, and never cancelled while they commit."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from weakref import WeakKeyDictionary

import psycopg
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg_pool import AsyncConnectionPool

from lineal.stores.postgres.session import Connection

__all__ = ["Connections", "Deadline", "cut_after", "sever", "warnings_of"]

PREPARED_MAX = 400
"""More than all statements of the store, so that none is prepared twice."""

LIVES_S = 1_800.0
"""A connection is made anew after so long, so that a pool finds its way back to balance."""


class Connections:
    """A pool of connections to one database, perhaps on several machines of which one takes writes.

    most: connections at once; who finds none waits for at most wait_s.
    """

    def __init__(self, conninfo: str, *, most: int, wait_s: float) -> None:
        self._conninfo = conninfo
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=most,
            timeout=wait_s,
            max_lifetime=LIVES_S,
            reconnect_timeout=LIVES_S,
            configure=_configured,
            kwargs={"autocommit": True},
            open=False,
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def one(self, wait_s: float | None = None) -> AsyncIterator[Connection]:
        """A connection of the pool, given back at the end. Raises PoolTimeout."""
        async with self._pool.connection(wait_s) as connection:
            yield connection

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Connection]:
        """A connection of its own, for what takes long. Raises psycopg.OperationalError."""
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        try:
            await _configured(connection)
            yield connection
        finally:
            await connection.close()

    async def weed(self) -> None:
        """Replace those that are broken: after a failover most are."""
        await self._pool.check()


_WARNINGS: WeakKeyDictionary[Connection, list[str]] = WeakKeyDictionary()


def warnings_of(connection: Connection) -> list[str]:
    """SQLSTATEs of what the server warned of since the list was last cleared."""
    return _WARNINGS.setdefault(connection, [])


def sever(connection: Connection) -> None:
    """Cut the line, so that whoever waits for an answer has an error at once. The server isn't told
    anything: a cancel request during a commit would make it say that the commit is done."""
    with suppress(OSError, psycopg.OperationalError):
        line = socket.socket(fileno=os.dup(connection.fileno()))
        try:
            line.shutdown(socket.SHUT_RDWR)
        finally:
            line.close()


class Deadline:
    """Severs a connection whose answer is long in coming. over: it has."""

    def __init__(self, connection: Connection, wait_s: float) -> None:
        self.over = False
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self.extend(wait_s)
        self._timer = self._loop.call_at(self._until, self._look)

    def extend(self, wait_s: float) -> None:
        """So long from now on; cheap, for it is done at every statement."""
        self._until = self._loop.time() + max(0.001, wait_s)

    def cancel(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._look)
            return
        self.over = True
        sever(self._connection)


@contextmanager
def cut_after(connection: Connection, wait_s: float) -> Iterator[Deadline]:
    """Sever the connection when this takes longer, unless it is extended."""
    deadline = Deadline(connection, wait_s)
    try:
        yield deadline
    finally:
        deadline.cancel()


async def _configured(connection: Connection) -> None:
    """Whole numbers are sent as 64 bits, whatever their size, so that a statement is prepared
    once."""
    connection.prepared_max = PREPARED_MAX
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    said = warnings_of(connection)

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        said.append(diagnostic.sqlstate or "")

    connection.add_notice_handler(note)
