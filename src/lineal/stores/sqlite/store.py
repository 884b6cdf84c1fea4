"""SqliteStore: the Store port over one file that many processes share."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import apsw

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.models.archive import Loaded, Record
from lineal.models.changes import (
    Amend,
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
from lineal.stores.rows.sweeping import added
from lineal.stores.sqlite import (
    backup,
    contexts,
    embedding,
    entries,
    exporting,
    graph,
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
    verify,
)
from lineal.stores.sqlite.connection import Durability
from lineal.stores.sqlite.files import MOUNTS, StoreFiles
from lineal.stores.sqlite.keep import keep
from lineal.stores.sqlite.opening import Opened, Opening
from lineal.stores.sqlite.promise import refuse_cancelled, require_same_process
from lineal.stores.sqlite.readers import View
from lineal.stores.sqlite.writer import Transaction

__all__ = ["SqliteStore"]

Answer = TypeVar("Answer")
Result = TypeVar("Result")


class SqliteStore:
    """Keeps everything in one SQLite file, shared fairly and safely with other processes.

    busy_timeout_s: how long a write waits for its turn before `unavailable`. mounts: the table that
    tells network file systems. language: of the words of a new store; one that is there has its
    own (`rebuild_words`). amend: what becomes of each decision before it goes to the writer. Runs
    inside asyncio loops; nothing it does blocks them.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        durability: Durability = "full",
        busy_timeout_s: float = 10.0,
        allow_network_fs: bool = False,
        read_only: bool = False,
        mounts: Path = MOUNTS,
        language: str = "english",
        amend: Amend | None = None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._durability = durability
        self._busy_timeout_s = busy_timeout_s
        self._allow_network_fs = allow_network_fs
        self._asked_read_only = read_only
        self._mounts = mounts
        self._language = language
        self._amend = amend
        self._pid = os.getpid()
        self._opening: Opening | None = None
        self._opened: Opened | None = None

    @property
    def read_only(self) -> bool:
        """Asked for, or all that the file's permissions allow."""
        return self._asked_read_only or (self._opened is not None and self._opened.writer is None)

    async def open(self) -> None:
        """Make, migrate or just open the file; raises LinealError for one that it must not touch.

        unavailable: newer, foreign, damaged, on a network file system, or busy for too long.
        """
        require_same_process(self._pid)
        if self._opened is None:
            self._opening = self._opening or self._begin()
            try:
                self._opened = await self._opening.outcome(self._busy_timeout_s)
            except LinealError as error:
                raise trouble.of_file(error, str(self.path)) from error
            finally:
                self._opening = None if self._opening.over else self._opening

    async def close(self) -> None:
        """Finish running writes, then let go of everything."""
        require_same_process(self._pid)
        opened, self._opened = self._opened, None
        if self._opening is not None:
            self._opening.abandon()
            self._opening = None
        if opened is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(opened.close, self._busy_timeout_s)

    async def commit(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        decided = decide if self._amend is None else self._amend(scope, decide)

        def run(transaction: Transaction) -> Answer:
            now = transaction.now()
            shown = look.snapshot(transaction.connection, scope, reads, now)
            changes, answer = decided(shown)
            if not changes.empty:
                keep(transaction.connection, scope, changes, now)
                transaction.wrote = True
                transaction.erased = transaction.erased or bool(changes.forget or changes.rewritten)
            return answer

        return await self.write(run)

    async def read(self, scope: Scope, reads: Reads) -> Snapshot:
        return await self.look(lambda view: look.snapshot(view.connection, scope, reads, view.now))

    async def find(self, scope: Scope, query: TextQuery, rank: Rank = BY_DEFAULT) -> CandidatePage:
        look_for = search.find if query.as_of is None else past.find
        return await self.look(lambda view: look_for(view.connection, scope, query, rank, view.now))

    async def speakers(self, scope: Scope, projects: tuple[str, ...] | None) -> tuple[str, ...]:
        return await self.look(lambda view: shelves.speakers(view.connection, scope, projects))

    async def unembedded(self, space: Space, *, most: int = 1_000) -> int:
        return await self.look(lambda view: embedding.left(view.connection, space, most))

    async def claim(self, space: Space, owner: str, *, limit: int = 64) -> EmbedBatch | None:
        def run(transaction: Transaction) -> EmbedBatch | None:
            transaction.wrote = True
            now = transaction.now()
            return embedding.claim(transaction.connection, space, owner, limit, now)

        work = await self.look(
            lambda view: embedding.claimable(view.connection, space, owner, view.now)
        )
        return await self.write(run) if work else None

    async def keep_vectors(
        self,
        batch: EmbedBatch,
        made: Sequence[Sequence[float]],
        pieces: Sequence[Pieces] = (),
    ) -> None:
        def run(transaction: Transaction) -> None:
            transaction.wrote = True
            embedding.keep(transaction.connection, batch, made, pieces)

        await self.write(run)

    async def drop_other_vectors(self, space: Space) -> None:
        def run(transaction: Transaction) -> None:
            transaction.wrote = True
            embedding.drop_others(transaction.connection, space)

        await self.write(run)

    async def rebuild_words(self, language: str) -> None:
        def run(transaction: Transaction) -> None:
            transaction.wrote = True
            entries.rebuild(transaction.connection, language)

        await self.write(run)

    async def history(self, scope: Scope, context_id: str) -> tuple[Context, ...]:
        return await self.look(
            lambda view: contexts.history(view.connection, scope, context_id, view.now)
        )

    async def edges(
        self, scope: Scope, context_ids: tuple[str, ...], direction: Direction
    ) -> tuple[Edge, ...]:
        return await self.look(
            lambda view: graph.edges(view.connection, scope, context_ids, direction)
        )

    async def tombstones(self, scope: Scope, context_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        return await self.look(
            lambda view: contexts.tombstones(view.connection, scope, context_ids, view.now)
        )

    async def head(self, scope: Scope, name: str) -> Head | None:
        return await self.look(lambda view: users.head(view.connection, scope, name, view.now))

    async def user_history(self, scope: Scope) -> tuple[str, ...]:
        return await self.look(lambda view: users.user_history(view.connection, scope, view.now))

    async def peers(
        self, scope: Scope, name: str, *, after: int = 0, limit: int = 500
    ) -> tuple[Peer, ...]:
        return await self.look(
            lambda view: peers.peers(view.connection, scope, name, after, limit, view.now)
        )

    async def outcomes(self, scope: Scope, *, after: int = 0, limit: int = 500) -> OutcomePage:
        return await self.look(lambda view: outcomes.outcomes(view.connection, scope, after, limit))

    async def due(self, *, limit: int = 100) -> tuple[Task, ...]:
        return await self.look(lambda view: tasks.due(view.connection, limit, view.now))

    async def sweep(self, *, limit: int = 500, accept_clock: bool = False) -> SweepReport:
        """In several short transactions, so that writers in between don't wait long."""
        total = SweepReport()
        while limit > 0:
            bite = min(limit, sweep.BITE_MAX)
            run = partial(sweep.sweep, limit=bite, accept_clock=accept_clock)
            report = await self.write(run)
            total, limit, accept_clock = added(total, report), limit - bite, False
            if max(report.contexts, report.users, report.receipts) < bite:
                break
        return total

    async def stats(self, scope: Scope) -> StoreStats:
        wal_bytes = self._ready().files.wal_bytes()
        return await self.look(lambda view: stats.stats(view, scope, wal_bytes))

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        return await self._at_length(
            lambda connection, stop: verify.verify(connection, progress, stop)
        )

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        return await self._at_length(
            lambda connection, stop: backup.backup(connection, target, progress, stop)
        )

    async def export(
        self, tenant: str | None = None, *, vectors: bool = True
    ) -> AsyncIterator[Record]:
        connect = self._ready().connect
        found = exporting.export(connect, self._clock, tenant, vectors=vectors)
        async with aclosing(found):
            async for record in found:
                yield record

    async def load(self, records: Sequence[Record]) -> Loaded:
        return await self.write(partial(loading.load, records=records))

    async def look(self, read: Callable[[View], Result]) -> Result:
        """What `read` sees at one instant: the door for what is kept here beside the port's rows,
        such as the outbox."""
        return await self._ready().readers.run(read)

    async def write(self, run: Callable[[Transaction], Result]) -> Result:
        """What `run` does in a transaction that is kept if it says so (`wrote`)."""
        writer = self._ready().writer
        if writer is None:
            raise trouble.read_only()
        late = partial(trouble.busy, self._busy_timeout_s)
        await refuse_cancelled()
        return await writer.submit(run).outcome(self._busy_timeout_s, late)

    def _begin(self) -> Opening:
        """Start opening in a thread, which goes on should this call give up waiting."""
        files = StoreFiles(self.path)
        options = (self._asked_read_only, self._durability, self._busy_timeout_s)
        place = partial(files.prepare, allow_network_fs=self._allow_network_fs, mounts=self._mounts)
        return Opening(files, self._clock, *options, place, self._language)

    def _ready(self) -> Opened:
        require_same_process(self._pid)
        if self._opened is None:
            raise trouble.closed()
        return self._opened

    async def _at_length(
        self, work: Callable[[apsw.Connection, threading.Event], Result]
    ) -> Result:
        """Long work on a connection of its own; a cancelled caller stops it at its next step."""
        connect, stop = self._ready().connect, threading.Event()

        def run() -> Result:
            with trouble.mapped():
                connection = connect()
                try:
                    return work(connection, stop)
                finally:
                    connection.close()

        try:
            return await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
        except asyncio.CancelledError:
            stop.set()
            raise
