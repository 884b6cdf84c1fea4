"""Callers who append with a key and retry until they are answered, and what they were told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Reads, Scope, Snapshot
from lineal.ports.store import Store
from lineal.stores.postgres import PostgresStore
from lineal.testing.samples import a_context, a_receipt

__all__ = ["Crowd", "append", "kept", "opened", "refused", "user_of"]

PAGE = 500
AGAIN_S = 0.02
"""Before a refused write is tried again."""

WAIT_S = 120.0
"""Longest that a test waits for what must come."""


@asynccontextmanager
async def opened(dsn: str, **options: Any) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(dsn, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def user_of(writer: int) -> Scope:
    """Each writer writes for a user of its own."""
    return Scope(tenant="acme", user_id=f"user{writer}", domain="coding")


async def append(store: Store, scope: Scope, key: str, name: str) -> str:
    """Keep a context `name` under that key, unless the key has one; the kept one's id."""

    def decide(seen: Snapshot) -> Plan[str]:
        if seen.receipt is not None:
            return Plan(Changes(), str(json.loads(seen.receipt.answer)["id"]))
        times = {"created_at": seen.now, "updated_at": seen.now}
        context = a_context(name, user_id=scope.user_id, content=f"By {key}.", **times)
        receipt = a_receipt(key, json.dumps({"id": name}), seen.now)
        return Plan(Changes(contexts=(context,), receipt=receipt), name)

    return await store.commit(scope, Reads(receipt=key), decide)


async def kept(store: Store, scope: Scope, names: tuple[str, ...]) -> set[str]:
    """Those of these contexts that are there."""
    found: set[str] = set()
    for start in range(0, len(names), PAGE):
        seen = await store.read(scope, Reads(context_ids=names[start : start + PAGE]))
        found |= seen.contexts.keys()
    return found


async def refused(call: Awaitable[object]) -> LinealError:
    """What the call was refused with, which it must be."""
    try:
        answer = await call
    except LinealError as error:
        return error
    raise AssertionError(f"It was acknowledged: {answer!r}")


class Crowd:
    """Writers on one store. acked: the answer by writer and key. refusals: how often, by outcome.

    Each tries under fresh ids, as a server would, so that a write that is done twice shows.
    """

    def __init__(self, store: Store, writers: int) -> None:
        self._store = store
        self._writers = range(writers)
        self._ended = anyio.Event()
        self._told = anyio.Condition()
        self.acked: dict[tuple[int, str], str] = {}
        self.refusals: Counter[str] = Counter()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """They write meanwhile; in the end each finishes what it has begun."""
        with anyio.fail_after(WAIT_S):
            async with anyio.create_task_group() as tasks:
                for writer in self._writers:
                    tasks.start_soon(self._write, writer)
                yield
                self._ended.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Looks anew at every acknowledgement."""
        async with self._told:
            while not true():
                await self._told.wait()

    async def further(self, writes: int) -> None:
        """Until so many more have been acknowledged."""
        wanted = len(self.acked) + writes
        await self.until(lambda: len(self.acked) >= wanted)

    async def judged(self, store: Store) -> tuple[int, int]:
        """(acknowledged writes that a store doesn't show, writes that were done more than once);
        every one of them must have been acknowledged."""
        lost = 0
        for writer in self._writers:
            names = tuple(name for (by, _), name in self.acked.items() if by == writer)
            lost += len(set(names) - await kept(store, user_of(writer), names))
        stats = await store.stats(Scope(tenant="acme"))
        return lost, stats.contexts - (len(self.acked) - lost)

    async def _write(self, writer: int) -> None:
        for number in count():
            if self._ended.is_set():
                return
            await self._acknowledged(writer, f"{writer}-{number}")

    async def _acknowledged(self, writer: int, key: str) -> None:
        for attempt in count():
            try:
                name = f"ctx_{key}_{attempt}"
                answer = await append(self._store, user_of(writer), key, name)
            except LinealError as error:
                if error.code is not ErrorCode.UNAVAILABLE:
                    raise
                self.refusals[str(error.details.get("outcome", "not kept"))] += 1
                await anyio.sleep(AGAIN_S)
            else:
                self.acked[writer, key] = answer
                async with self._told:
                    self._told.notify_all()
                return
