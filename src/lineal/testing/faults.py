"""Faults to inject: a store that fails at a chosen commit, gates, and signals for servers."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import anyio

from lineal.errors import LinealError
from lineal.models.archive import Loaded, Record
from lineal.models.changes import (
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
from lineal.ports.store import Progress, Store

__all__ = ["FailingStore", "Fault", "Gate", "kill_hard", "resume", "stop"]

Answer = TypeVar("Answer")


class Gate:
    """A place where a call waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = anyio.Event()
        self._opened = anyio.Event()

    async def reached(self) -> None:
        """Wait until a call stands at the gate."""
        await self._reached.wait()

    def open(self) -> None:
        """Let every call through, waiting and later ones."""
        self._opened.set()

    async def pass_through(self) -> None:
        """What the call does: stand at the gate until it is open."""
        self._reached.set()
        await self._opened.wait()


class Fault(NamedTuple):
    """Raise `error` around the commit-th commit, counted from 1.

    before: nothing was kept. after: everything was kept and the caller doesn't know it, as when a
    connection breaks between COMMIT and its reply.
    """

    commit: int
    when: Literal["before", "after"]
    error: LinealError


class FailingStore:
    """Any store, with faults planned around its commits. commits: how many were asked for."""

    def __init__(self, store: Store, *plan: Fault) -> None:
        self._store = store
        self._plan = {(fault.commit, fault.when): fault.error for fault in plan}
        self.commits = 0

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def commit(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        self.commits += 1
        number = self.commits
        self._fail(number, "before")
        answer = await self._store.commit(scope, reads, decide)
        self._fail(number, "after")
        return answer

    async def read(self, scope: Scope, reads: Reads) -> Snapshot:
        return await self._store.read(scope, reads)

    async def find(self, scope: Scope, query: TextQuery, rank: Rank = BY_DEFAULT) -> CandidatePage:
        return await self._store.find(scope, query, rank)

    async def speakers(self, scope: Scope, projects: tuple[str, ...] | None) -> tuple[str, ...]:
        return await self._store.speakers(scope, projects)

    async def unembedded(self, space: Space, *, most: int = 1_000) -> int:
        return await self._store.unembedded(space, most=most)

    async def claim(self, space: Space, owner: str, *, limit: int = 64) -> EmbedBatch | None:
        return await self._store.claim(space, owner, limit=limit)

    async def keep_vectors(
        self,
        batch: EmbedBatch,
        made: Sequence[Sequence[float]],
        pieces: Sequence[Pieces] = (),
    ) -> None:
        await self._store.keep_vectors(batch, made, pieces)

    async def drop_other_vectors(self, space: Space) -> None:
        await self._store.drop_other_vectors(space)

    async def rebuild_words(self, language: str) -> None:
        await self._store.rebuild_words(language)

    async def history(self, scope: Scope, context_id: str) -> tuple[Context, ...]:
        return await self._store.history(scope, context_id)

    async def edges(
        self, scope: Scope, context_ids: tuple[str, ...], direction: Direction
    ) -> tuple[Edge, ...]:
        return await self._store.edges(scope, context_ids, direction)

    async def tombstones(self, scope: Scope, context_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        return await self._store.tombstones(scope, context_ids)

    async def head(self, scope: Scope, name: str) -> Head | None:
        return await self._store.head(scope, name)

    async def user_history(self, scope: Scope) -> tuple[str, ...]:
        return await self._store.user_history(scope)

    async def peers(
        self, scope: Scope, name: str, *, after: int = 0, limit: int = 500
    ) -> tuple[Peer, ...]:
        return await self._store.peers(scope, name, after=after, limit=limit)

    async def outcomes(self, scope: Scope, *, after: int = 0, limit: int = 500) -> OutcomePage:
        return await self._store.outcomes(scope, after=after, limit=limit)

    async def due(self, *, limit: int = 100) -> tuple[Task, ...]:
        return await self._store.due(limit=limit)

    async def sweep(self, *, limit: int = 500, accept_clock: bool = False) -> SweepReport:
        return await self._store.sweep(limit=limit, accept_clock=accept_clock)

    async def stats(self, scope: Scope) -> StoreStats:
        return await self._store.stats(scope)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        return await self._store.verify(progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        return await self._store.backup(target, progress)

    def export(self, tenant: str | None = None, *, vectors: bool = True) -> AsyncIterator[Record]:
        return self._store.export(tenant, vectors=vectors)

    async def load(self, records: Sequence[Record]) -> Loaded:
        return await self._store.load(records)

    def _fail(self, commit: int, when: Literal["before", "after"]) -> None:
        error = self._plan.get((commit, when))
        if error is not None:
            raise error


def kill_hard(process: subprocess.Popen[bytes], timeout_s: float = 10.0) -> int:
    """End a process without a chance to tidy up (SIGKILL) and wait for it; returns its code."""
    process.kill()
    return process.wait(timeout_s)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Freeze a process where it stands, locks and all (SIGSTOP; POSIX only)."""
    process.send_signal(signal.SIGSTOP)


def resume(process: subprocess.Popen[bytes]) -> None:
    """Let a frozen process go on (SIGCONT)."""
    process.send_signal(signal.SIGCONT)
