"""Reading at one instant, and writing so that nobody comes between and nothing is believed early.

A write runs in a task of its own. A caller who gives up before it began has written nothing; one
who gives up later waits for its end. A deadline cuts the line and never cancels: while a commit
waits for its standby, PostgreSQL takes a cancel request for "done" (warning 01000). What became of
a write whose commit nobody confirmed is looked up, behind the same locks, before it is tried again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from lineal.clock import Clock, monotonic_s
from lineal.errors import LinealError
from lineal.policy.expiry import ClockMark
from lineal.stores.postgres import trouble
from lineal.stores.postgres.connecting import Connections, Deadline, cut_after, warnings_of
from lineal.stores.postgres.locks import Room, key_of, room_key
from lineal.stores.postgres.meta import Meta, ask_meta, read_meta, write_mark
from lineal.stores.postgres.recent import Recent
from lineal.stores.postgres.session import Again, Asked, Connection, Session, sql

__all__ = ["Held", "Reading", "Transactions", "Writing", "lock_tenant"]

Result = TypeVar("Result")

RETRY_FIRST_S, RETRY_MOST_S = 0.02, 1.0
"""Between tries: twice as long each time, and up to half as long again by chance."""

LOCK_SHARE = 0.9
"""Of the time there is, for waiting for locks: so the server says it, before the line is cut."""

WARNED = "01000"
"""The server confirmed a commit that isn't on its standby: somebody cancelled the wait."""

_SETTINGS = (
    "SELECT set_config('lineal.tenant', %s, true), set_config('lock_timeout', %s, true), "
    "set_config('synchronous_commit', CASE WHEN %s = 'off' THEN 'off' "
    "WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, true)"
)
# One after the other, from left to right.
_SHARED = sql(_SETTINGS, ", pg_advisory_xact_lock_shared(%s)")
_ROOM = sql(_SHARED, ", pg_advisory_xact_lock(%s)")
_WHOLE = sql(_SETTINGS, ", pg_advisory_xact_lock(%s)")
_WALL = "SELECT set_config('lineal.tenant', %s, true)"
_KNOWN = "INSERT INTO lineal.tenant (tenant_id) VALUES (%s) ON CONFLICT (tenant_id) DO NOTHING"
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_ROOMS_OF = (
    "SELECT DISTINCT user_id, domain FROM lineal.context "
    "WHERE tenant_id = %s AND context_id = ANY(%s::text[])"
)
_REPLICATED = "SELECT pg_logical_emit_message(true, 'lineal', '')"
"""A record in the log, so that a commit that changes nothing waits for the standby too."""


class _Unconfirmed(Exception):
    """The commit was sent, and nobody said how it ended."""


@dataclass(frozen=True)
class Held:
    """What a write locks. rooms: beside those of the named contexts; None: the whole tenant."""

    rooms: frozenset[Room] | None = None
    named: tuple[str, ...] = ()


@dataclass
class Writing:
    """A write transaction. rooms: those that are locked; None: all. confirm: even where nothing is
    kept, the answer waits for the standby. believed: a clock that an operator confirmed."""

    session: Session
    rooms: frozenset[Room] | None
    clock: Clock | None
    asked: Asked
    wrote: bool = False
    confirm: bool = False
    believed: ClockMark | None = None
    _meta: Meta | None = None

    async def meta(self) -> Meta:
        """Waited for at the first look, so that others' questions are on their way before."""
        if self._meta is None:
            self._meta = await read_meta(self.session, self.asked, self.clock)
        return self._meta

    async def now(self) -> datetime:
        """The store's present."""
        return (await self.meta()).now


Run = Callable[[Writing], Awaitable[Result]]
Look = Callable[[Session, datetime], Awaitable[Result]]


class Reading(Protocol):
    """Lets `look` see one tenant's rows ("": nobody's) at one instant."""

    async def __call__(self, tenant: str, look: Look[Result]) -> Result: ...


@dataclass
class _Attempts(Generic[Result]):
    """One write and its tries. landed: whether an earlier try is there after all; it may be asked
    once a try was sent to be committed, of which `answer` is what it would have answered."""

    tenant: str
    held: Held
    run: Run[Result]
    landed: Callable[[Session], Awaitable[bool]] | None
    deadline_s: float
    begun: bool = False
    committing: bool = False
    careful: bool = False
    unconfirmed: bool = False
    answer: Any = None
    cause: str = ""
    waits_s: float = field(default=RETRY_FIRST_S)

    def left_s(self, longer_s: float) -> float:
        """Until the deadline; longer where something may have been committed."""
        return self.deadline_s - monotonic_s() + (longer_s if self.unconfirmed else 0.0)


class Transactions:
    """Reads and writes of one store. durability: normal lets an answered write be lost with the
    server's power; full waits for the disk, and for the standby where there is one."""

    def __init__(
        self, connections: Connections, clock: Clock | None, durability: str, timeout_s: float
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._asynchronous = "off" if durability == "normal" else ""
        self._timeout_s = timeout_s
        self._tenants: set[str] = {""}
        self._running: set[asyncio.Future[Any]] = set()
        self._recent = Recent()

    async def read(self, tenant: str, look: Look[Result]) -> Result:
        """What `look` sees at one instant, the store's own."""
        until, waits_s = monotonic_s() + self._timeout_s, RETRY_FIRST_S
        while True:
            try:
                return await self._look(tenant, look, until - monotonic_s())
            except (psycopg.Error, PoolClosed) as error:
                if not trouble.is_passing(error) or monotonic_s() + waits_s > until:
                    raise await self._told(error) from error
            waits_s = await self._rest(waits_s)

    async def write(
        self,
        tenant: str,
        held: Held,
        run: Run[Result],
        landed: Callable[[Session], Awaitable[bool]] | None = None,
    ) -> Result:
        """What `run` answers, once it is durable. It may run more than once; it raises Again to."""
        await asyncio.sleep(0)  # a cancellation that came already takes effect
        until = monotonic_s() + self._timeout_s
        tries = _Attempts(tenant, held, run, landed, until)
        task = asyncio.ensure_future(self._until_done(tries))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            if not tries.begun:
                task.cancel()
            await _ended(task)
            raise
        return task.result()

    async def finish(self) -> None:
        """Wait for the writes that have begun."""
        if self._running:
            await asyncio.wait(tuple(self._running))

    async def _until_done(self, tries: _Attempts[Result]) -> Result:
        while True:
            try:
                return await self._try(tries)
            except Again as again:
                if monotonic_s() > tries.deadline_s:
                    raise trouble.busy(self._timeout_s) from again
                if again.wide:
                    tries.held = Held(None)
                continue
            except _Unconfirmed as unknown:
                tries.unconfirmed, tries.cause = True, str(unknown)
                if tries.landed is None or tries.left_s(self._timeout_s) < 0:
                    raise trouble.outcome_unknown(tries.cause) from unknown
            except (psycopg.Error, PoolClosed, UnicodeEncodeError) as error:
                if isinstance(error, psycopg.IntegrityError) and not tries.careful:
                    tries.careful = True
                    continue
                await self._give_up_or_not(tries, error)
            tries.waits_s = await self._rest(tries.waits_s)

    async def _give_up_or_not(self, tries: _Attempts[Result], error: Exception) -> None:
        """Raises, unless another try may succeed in time."""
        if trouble.is_passing(error) and tries.waits_s < tries.left_s(self._timeout_s):
            return
        if tries.unconfirmed:
            raise trouble.outcome_unknown(tries.cause) from error
        raise await self._told(error) from error

    async def _told(self, error: Exception) -> LinealError:
        """In the house's words. Whoever waited for a connection in vain may have waited for a
        server that isn't there."""
        if isinstance(error, PoolTimeout):
            try:
                async with self._connections.apart():
                    return trouble.busy(self._timeout_s)
            except psycopg.Error as cause:
                return trouble.translated(cause, self._timeout_s)
        return trouble.translated(error, self._timeout_s)

    async def _rest(self, waits_s: float) -> float:
        """Wait, and let the pool replace what is broken; how long to wait the next time."""
        await asyncio.sleep(waits_s * random.uniform(1, 1.5))  # noqa: S311 - spreads retries
        with suppress(psycopg.Error, PoolClosed):
            await self._connections.weed()
        return min(2 * waits_s, RETRY_MOST_S)

    @asynccontextmanager
    async def at_length(self) -> AsyncIterator[Reading]:
        """Reads on a connection of their own, each for as long as it takes."""
        try:
            async with self._connections.apart() as connection:

                async def read(tenant: str, look: Look[Result]) -> Result:
                    return await self._see(connection, tenant, look)

                yield read
        except psycopg.Error as error:
            raise await self._told(error) from error

    async def _look(self, tenant: str, look: Look[Result], wait_s: float) -> Result:
        async with self._connections.one(max(0.001, wait_s)) as connection:
            with cut_after(connection, self._timeout_s) as deadline:
                try:
                    return await self._see(connection, tenant, look, deadline)
                except psycopg.Error as error:
                    if deadline.over:
                        raise trouble.busy(self._timeout_s) from error
                    raise

    async def _see(
        self,
        connection: Connection,
        tenant: str,
        look: Look[Result],
        deadline: Deadline | None = None,
    ) -> Result:
        session = Session(connection, tenant, self._recent)
        if deadline is not None:
            session.extend = partial(deadline.extend, self._timeout_s)
        try:
            async with connection.pipeline():
                await session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                await session.run(_WALL, tenant)
                meta = await read_meta(session, await ask_meta(session), self._clock)
                found = await look(session, meta.now)
                await session.run("COMMIT")
                return found
        finally:
            await _leave(connection)

    async def _try(self, tries: _Attempts[Result]) -> Result:
        left_s = tries.left_s(self._timeout_s)
        async with self._connections.one(max(0.001, left_s)) as connection:
            tries.begun, tries.committing = True, False
            with cut_after(connection, left_s) as deadline:
                try:
                    answer = await self._make(connection, tries, deadline)
                except psycopg.Error as error:
                    if tries.committing and not trouble.is_refused(error):
                        raise _Unconfirmed(type(error).__name__) from error
                    if deadline.over and not tries.unconfirmed:
                        raise trouble.busy(self._timeout_s) from error
                    raise
                finally:
                    await _leave(connection)
            if tries.committing and WARNED in warnings_of(connection):
                raise _Unconfirmed("the wait for a standby was cancelled")
            if tries.committing:
                self._tenants.add(tries.tenant)
            return answer

    async def _make(
        self, connection: Connection, tries: _Attempts[Result], deadline: Deadline
    ) -> Result:
        """The whole transaction; the commit goes out with what it commits. While it goes on the
        deadline moves along: waiting for locks is bounded by the server (lock_timeout)."""
        async with connection.pipeline():
            writing = await self._begin(connection, tries)
            writing.session.extend = partial(deadline.extend, self._timeout_s)
            if tries.unconfirmed and tries.landed and await tries.landed(writing.session):
                writing.confirm = True
                answer: Result = tries.answer
            else:
                answer = tries.answer = await tries.run(writing)
            if writing.wrote:
                await write_mark(writing.session, await writing.meta(), writing.believed)
            if writing.confirm:
                await writing.session.run(_REPLICATED)
            if writing.wrote or writing.confirm:
                warnings_of(connection).clear()
                tries.committing = True
                await writing.session.run("COMMIT")
        return answer

    async def _begin(self, connection: Connection, tries: _Attempts[Result]) -> Writing:
        session = Session(connection, tries.tenant, self._recent)
        session.careful = tries.careful
        await session.run("BEGIN")
        rooms = await self._lock(session, tries.held)
        if tries.tenant not in self._tenants:
            await session.run(_KNOWN, tries.tenant)
        return Writing(session, rooms, self._clock, await ask_meta(session, to_write=True))

    async def _lock(self, session: Session, held: Held) -> frozenset[Room] | None:
        """Go behind the tenant's wall and lock what is asked. Whoever names contexts locks the
        rooms that they lie in: for good, so it may be asked before."""
        tenant, key = session.tenant, key_of("tenant", session.tenant)
        lock_ms = f"{max(1, int(LOCK_SHARE * 1000 * self._timeout_s))}"
        settings = (tenant, lock_ms, self._asynchronous, key)
        if held.rooms is None:
            await session.run(_WHOLE, *settings)
            return None
        if len(held.rooms) == 1:
            await session.run(_ROOM, *settings, room_key(tenant, *held.rooms))
            return held.rooms
        await session.run(_SHARED, *settings)
        rooms = held.rooms
        if held.named and not rooms:
            found = await session.rows(_ROOMS_OF, tenant, list(held.named))
            rooms = frozenset((user_id, domain) for user_id, domain in found)
        for room in sorted(room_key(tenant, room) for room in rooms):
            await session.run(_LOCK, room)
        return rooms


async def lock_tenant(session: Session, tenant: str) -> None:
    """Wait until nobody writes behind this wall, and keep them out until the end."""
    await session.run(_LOCK, key_of("tenant", tenant))


async def _leave(connection: Connection) -> None:
    """End what isn't committed; a connection that can't even do that goes to the pool broken."""
    if not connection.closed and connection.info.transaction_status != _IDLE:
        with suppress(psycopg.Error):
            await connection.rollback()


_IDLE = psycopg.pq.TransactionStatus.IDLE


async def _ended(task: asyncio.Future[Any]) -> None:
    """Wait for it, whatever happens; nobody asks any more what it came to."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()
