"""A few threads that read, each with its own connection and each read at one instant."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

import apsw

from lineal.clock import Clock
from lineal.stores.sqlite.meta import present_of
from lineal.stores.sqlite.promise import Promise, attempted
from lineal.stores.sqlite.trouble import mapped

__all__ = ["Readers", "View", "at_one_instant", "hold_instant"]

Result = TypeVar("Result")

THREADS = 4
"""More don't help: the interpreter lets one run at a time, and disks are read seldom."""


class View(NamedTuple):
    """A store at one instant. now: its own time."""

    connection: apsw.Connection
    now: datetime


class _Read(NamedTuple):
    read: Callable[[View], Any]
    promise: Promise[Any]


class Readers:
    """Threads start when they are first needed; connections are made by `connect` in them."""

    def __init__(self, connect: Callable[[], apsw.Connection], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._reads: queue.SimpleQueue[_Read | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    async def run(self, read: Callable[[View], Result]) -> Result:
        """The result of `read` inside one read transaction; a cancelled caller doesn't get it."""
        promise: Promise[Result] = Promise()
        if not self._idle.acquire(blocking=False) and len(self._threads) < THREADS:
            self._start()
        self._reads.put(_Read(read, promise))
        await promise.wait()
        return promise.result()

    def stop(self, timeout_s: float) -> None:
        """Finish running reads and close the connections; blocks for at most timeout_s a thread."""
        for _ in self._threads:
            self._reads.put(None)
        for thread in self._threads:
            thread.join(timeout_s)
        self._threads.clear()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="lineal-reader", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        held: list[apsw.Connection] = []
        while (item := self._reads.get()) is not None:
            result, error = attempted(partial(self._look, held, item.read))
            self._idle.release()
            if error is None:
                item.promise.keep(result)
            else:
                item.promise.fail(error)
        for connection in held:
            connection.close()

    @mapped()
    def _look(self, held: list[apsw.Connection], read: Callable[[View], Result]) -> Result:
        """held: this thread's connection, made at its first read."""
        if not held:
            held.append(self._connect())
        return at_one_instant(held[0], self._clock, read)


def at_one_instant(
    connection: apsw.Connection, clock: Clock, read: Callable[[View], Result]
) -> Result:
    """Run `read` in a read transaction, so that all it sees belongs together."""
    hold_instant(connection)
    try:
        return read(View(connection, present_of(connection, clock)))
    finally:
        with contextlib.suppress(apsw.Error):
            connection.execute("ROLLBACK")


def hold_instant(connection: apsw.Connection) -> None:
    """Whatever is read from now on is of one instant, until the connection is rolled back or
    closed."""
    connection.execute("BEGIN")
