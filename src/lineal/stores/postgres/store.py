"""PostgresStore: the Store port over a PostgreSQL database that many processes share."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import anyio
import psycopg

from lineal.clock import Clock
from lineal.errors import Capability, Unsupported
from lineal.models.archive import Loaded, Record
from lineal.models.changes import (
    Changes,
    Decide,
    OutcomePage,
    Peer,
    Reads,
    Scope,
    Snapshot,
    StoreStats,
    SweepReport,
    Task,
    Tombstone,
    VerifyReport,
)
from lineal.models.context import Context
from lineal.models.lineage import Direction, Edge
from lineal.models.search import CandidatePage, TextQuery
from lineal.models.sheet import EmbedBatch, Pieces, Rank, Space
from lineal.models.user import Head
from lineal.policy.ranking import BY_DEFAULT
from lineal.ports.store import Progress
from lineal.stores.postgres import (
    contexts,
    embedding,
    exporting,
    graph,
    lexicon,
    loading,
    look,
    outcomes,
    past,
    peers,
    search,
    shelves,
    stats,
    sweep,
    tasks,
    trouble,
    users,
    vectors,
    verify,
)
from lineal.stores.postgres.address import conninfo_of
from lineal.stores.postgres.checks import warnings
from lineal.stores.postgres.connecting import Connections
from lineal.stores.postgres.keep import keep, landed
from lineal.stores.postgres.locks import foreseen, touches_only
from lineal.stores.postgres.meta import write_language
from lineal.stores.postgres.migrate import migrate
from lineal.stores.postgres.session import Again, Session
from lineal.stores.postgres.tenants import enter, pages
from lineal.stores.postgres.transactions import Held, Transactions, Writing, lock_tenant
from lineal.stores.rows.sweeping import added

__all__ = ["PostgresStore"]

Answer = TypeVar("Answer")
Result = TypeVar("Result")

_log = logging.getLogger("lineal.postgres")


class PostgresStore:
    """Keeps everything in one database, shared by any number of processes and machines.

    dsn: postgres://… or key=value pairs; may name several hosts with target_session_attrs. clock:
    whose time it is; None: the database's own, which is what many machines should go by.
    busy_timeout_s: how long a call waits for connections, locks and answers before `unavailable`,
    and as long again for the end of a commit. pool_max: connections at once. language: of the words
    of a new store. Runs inside asyncio loops; nothing it does blocks them.
    """

    def __init__(
        self,
        dsn: str,
        *,
        clock: Clock | None = None,
        durability: Literal["full", "normal"] = "full",
        busy_timeout_s: float = 10.0,
        pool_max: int = 8,
        read_only: bool = False,
        language: str = "english",
    ) -> None:
        self._conninfo = conninfo_of(dsn)
        self._clock = clock
        self._durability: Literal["full", "normal"] = durability
        self._timeout_s = busy_timeout_s
        self._pool_max = pool_max
        self._read_only = read_only
        self._language = language
        self._pid = os.getpid()
        self._connections: Connections | None = None
        self._transactions: Transactions | None = None

    @property
    def read_only(self) -> bool:
        return self._read_only

    async def open(self) -> None:
        """Make or migrate the schema, then connect; raises LinealError for a database that can't be
        reached, or that it must not touch."""
        self._require_same_process()
        if self._transactions is not None:
            return
        connections = Connections(self._conninfo, most=self._pool_max, wait_s=self._timeout_s)
        try:
            async with connections.apart() as connection:
                await migrate(connection, self._clock, self._language, read_only=self._read_only)
                for warning in await warnings(connection, self._durability):
                    _log.warning("%s", warning)
            await connections.open()
        except psycopg.Error as error:
            await connections.close()
            raise trouble.translated(error, self._timeout_s) from error
        self._connections = connections
        self._transactions = Transactions(
            connections, self._clock, self._durability, self._timeout_s
        )

    async def close(self) -> None:
        """Finish running writes, then let go of everything."""
        self._require_same_process()
        transactions, self._transactions = self._transactions, None
        connections, self._connections = self._connections, None
        with anyio.CancelScope(shield=True):
            if transactions is not None:
                await transactions.finish()
            if connections is not None:
                await connections.close()

    async def commit(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        sent: list[Changes] = []

        async def run(writing: Writing) -> Answer:
            shown = await look.snapshot(writing.session, scope, reads, writing.now)
            now = shown.now
            changes, answer = decide(shown)
            sent[:] = [changes]
            if not changes.empty:
                _require_locked(writing, changes, shown)
                await keep(writing.session, scope, changes, now)
                writing.wrote = True
            # A repetition is answered once what it repeats is on the standby.
            writing.confirm = changes.empty and shown.receipt is not None
            return answer

        async def is_there(session: Session) -> bool:
            found = await landed(session, scope, sent[0]) if sent else False
            if found is None:
                raise trouble.outcome_unknown("the connection was lost")
            return found

        held = Held(foreseen(scope, reads), reads.context_ids)
        return await self._write(scope.tenant, held, run, is_there)

    async def read(self, scope: Scope, reads: Reads) -> Snapshot:
        async def take(session: Session, now: datetime) -> Snapshot:
            async def present_at() -> datetime:
                return now

            return await look.snapshot(session, scope, reads, present_at)

        return await self._look(scope, take)

    async def find(self, scope: Scope, query: TextQuery, rank: Rank = BY_DEFAULT) -> CandidatePage:
        find = search.find if query.as_of is None else past.find

        async def look_for(session: Session, now: datetime) -> CandidatePage:
            return await find(session, scope, query, rank, now)

        return await self._look(scope, look_for)

    async def speakers(self, scope: Scope, projects: tuple[str, ...] | None) -> tuple[str, ...]:
        return await self._look(scope, lambda s, now: shelves.speakers(s, scope, projects))

    async def unembedded(self, space: Space, *, most: int = 1_000) -> int:
        async def count(session: Session, now: datetime) -> int:
            left = 0
            async for tenants in pages(session):
                for tenant in tenants:
                    await enter(session, tenant)
                    left += await embedding.left(session, space, most - left)
                    if left >= most:
                        return most
            return left

        return await self._ready().read("", count)

    async def claim(self, space: Space, owner: str, *, limit: int = 64) -> EmbedBatch | None:
        # A tenant's first claim has it to itself: embedding.claim.
        for tenant, known in await self._ready().read("", partial(_waiting, space=space)):
            held = Held(frozenset() if known else None)
            batch = await self._write(tenant, held, partial(_claim, space, owner, limit))
            if batch is not None:
                return batch
        return None

    async def keep_vectors(
        self,
        batch: EmbedBatch,
        made: Sequence[Sequence[float]],
        pieces: Sequence[Pieces] = (),
    ) -> None:
        async def run(writing: Writing) -> None:
            await embedding.keep(writing.session, batch, made, pieces)
            writing.wrote = True

        await self._write(batch.tenant, Held(frozenset()), run)
        await self._index_near(batch.tenant, batch.space)

    async def drop_other_vectors(self, space: Space) -> None:
        async def run(writing: Writing) -> None:
            await embedding.drop_others(writing.session, space)
            writing.wrote = True

        for tenant in await self._ready().read("", _every_tenant):
            await self._write(tenant, Held(None), run)

    async def rebuild_words(self, language: str) -> None:
        """In one transaction, tenant after tenant; writes wait for it."""

        async def run(writing: Writing) -> None:
            session = writing.session
            async for tenants in pages(session):
                for tenant in tenants:
                    await enter(session, tenant)
                    await lock_tenant(session, tenant)
                    await lexicon.rebuild_tenant(session, language)
            await write_language(session, language)
            writing.wrote = True

        await self._write("", Held(frozenset()), run)

    async def history(self, scope: Scope, context_id: str) -> tuple[Context, ...]:
        return await self._look(scope, lambda s, now: contexts.history(s, scope, context_id, now))

    async def edges(
        self, scope: Scope, context_ids: tuple[str, ...], direction: Direction
    ) -> tuple[Edge, ...]:
        return await self._look(scope, lambda s, now: graph.edges(s, scope, context_ids, direction))

    async def tombstones(self, scope: Scope, context_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        return await self._look(
            scope, lambda s, now: contexts.tombstones(s, scope, context_ids, now)
        )

    async def head(self, scope: Scope, name: str) -> Head | None:
        return await self._look(scope, lambda s, now: users.head(s, scope, name, now))

    async def user_history(self, scope: Scope) -> tuple[str, ...]:
        return await self._look(scope, lambda s, now: users.user_history(s, scope, now))

    async def peers(
        self, scope: Scope, name: str, *, after: int = 0, limit: int = 500
    ) -> tuple[Peer, ...]:
        return await self._look(
            scope, lambda s, now: peers.peers(s, scope, name, after, limit, now)
        )

    async def outcomes(self, scope: Scope, *, after: int = 0, limit: int = 500) -> OutcomePage:
        return await self._look(scope, lambda s, now: outcomes.outcomes(s, scope, after, limit))

    async def due(self, *, limit: int = 100) -> tuple[Task, ...]:
        return await self._ready().read("", lambda s, now: tasks.due(s, limit, now))

    async def sweep(self, *, limit: int = 500, accept_clock: bool = False) -> SweepReport:
        """One tenant after the other, in short transactions; any number of sweepers at once."""
        self._require_writable()
        first = partial(sweep.believe, accept_clock=accept_clock)
        total = await self._write("", Held(frozenset()), first)
        if total.refused is None:
            for tenant in await self._ready().read("", sweep.ripe):
                taken = max(total.contexts, total.users, total.receipts)
                total = added(total, await self._sweep(tenant, limit - taken))
        return total

    async def stats(self, scope: Scope) -> StoreStats:
        return await self._look(scope, lambda s, now: stats.stats(s, scope, now))

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        async with self._ready().at_length() as read:
            return await verify.verify(read, progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        raise Unsupported(
            Capability.MAINTENANCE,
            "postgres",
            "Its copies are made by its own tools: pg_dump, pg_basebackup or pgBackRest. "
            "`lineal export` writes everything as JSON lines.",
        )

    async def export(
        self, tenant: str | None = None, *, vectors: bool = True
    ) -> AsyncIterator[Record]:
        self._require_same_process()
        connections = self._connections
        if connections is None:
            raise trouble.closed()
        found = exporting.export(connections, self._clock, self._timeout_s, tenant, vectors=vectors)
        async with aclosing(found):
            async for record in found:
                yield record

    async def load(self, records: Sequence[Record]) -> Loaded:
        tenant = loading.tenant_among(records)
        held = Held(None if tenant else frozenset())
        return await self._write(tenant, held, partial(loading.load, records=records), _repeated)

    async def _sweep(self, tenant: str, limit: int) -> SweepReport:
        """At most so many rows of a kind, in bites, so that writers in between don't wait long."""
        swept = SweepReport()
        while limit > 0:
            bite = min(limit, sweep.BITE_MAX)
            report = await self._write(tenant, Held(frozenset()), partial(_sweep, limit=bite))
            swept, limit = added(swept, report), limit - bite
            if report.refused or (report.contexts, report.users, report.receipts) == (0, 0, 0):
                break
        return swept

    async def _index_near(self, tenant: str, space: Space) -> None:
        """Once a shelf has grown so large that measuring all of it takes too long."""
        wanted = await self._ready().read(
            tenant, lambda session, now: vectors.wants_near_index(session, space)
        )
        if wanted and self._connections is not None:
            async with self._connections.apart() as connection:
                await vectors.ensure_near_index(connection, space)

    async def _look(
        self, scope: Scope, look_at: Callable[[Session, datetime], Awaitable[Result]]
    ) -> Result:
        return await self._ready().read(scope.tenant, look_at)

    async def _write(
        self,
        tenant: str,
        held: Held,
        run: Callable[[Writing], Awaitable[Result]],
        is_there: Callable[[Session], Awaitable[bool]] | None = None,
    ) -> Result:
        transactions = self._ready()
        self._require_writable()
        return await transactions.write(tenant, held, run, is_there)

    def _ready(self) -> Transactions:
        self._require_same_process()
        if self._transactions is None:
            raise trouble.closed()
        return self._transactions

    def _require_writable(self) -> None:
        if self._read_only:
            raise trouble.read_only()

    def _require_same_process(self) -> None:
        if os.getpid() != self._pid:
            raise trouble.forked()


def _require_locked(writing: Writing, changes: Changes, shown: Snapshot) -> None:
    """Raises Again, to lock all, for a write that touches more than was foreseen."""
    alike = (context.context_id for context in shown.alike)
    named = frozenset((*shown.contexts, *shown.tombstones, *alike))
    if writing.rooms is not None and not touches_only(changes, writing.rooms, named):
        raise Again(wide=True)


async def _repeated(session: Session) -> bool:
    """What was perhaps kept is done again: it is harmless."""
    return False


async def _every_tenant(session: Session, now: datetime) -> list[str]:
    return [tenant async for tenants in pages(session) for tenant in tenants]


async def _waiting(session: Session, now: datetime, space: Space) -> list[tuple[str, bool]]:
    """Tenants with something to embed, and whether they have the space already."""
    found: list[tuple[str, bool]] = []
    async for tenants in pages(session):
        for tenant in tenants:
            await enter(session, tenant)
            if await embedding.left(session, space, 1):
                found.append((tenant, await embedding.is_known(session, space)))
    return found


async def _claim(space: Space, owner: str, limit: int, writing: Writing) -> EmbedBatch | None:
    batch = await embedding.claim(writing.session, space, owner, limit, await writing.now())
    writing.wrote = batch is not None
    return batch


async def _sweep(writing: Writing, limit: int) -> SweepReport:
    refused = await sweep.believe(writing)  # the clock may have jumped since the last bite
    if refused.refused:
        return refused
    report = await sweep.sweep_tenant(writing.session, limit, await writing.now())
    return report
