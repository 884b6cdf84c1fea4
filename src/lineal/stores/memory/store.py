"""The store itself: one lock, and a room for each tenant."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from anyio.lowlevel import checkpoint

from lineal.analysis.analyzer import Analyzer
from lineal.clock import Clock
from lineal.errors import Capability, Unsupported
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
from lineal.policy.expiry import ClockMark, advance, present
from lineal.policy.filtering import passes
from lineal.policy.indexing import indexed
from lineal.policy.ranking import BY_DEFAULT
from lineal.ports.store import Progress
from lineal.stores.memory import embedding, find, keep, listing, look, sweep
from lineal.stores.memory.tenant import Tenant, user_key

__all__ = ["MemoryStore"]

Answer = TypeVar("Answer")

SPEAKERS_MAX = 1_000
EDGES_MAX = 10_000
"""Most edges in one answer, as the port promises."""


class MemoryStore:
    """The Store port in memory. Nothing outlives the process; one lock makes every verb whole."""

    def __init__(self, *, clock: Clock, language: str = "english") -> None:
        self._clock = clock
        self._analyzer = Analyzer(language)
        self._leases: dict[Space, tuple[str, datetime]] = {}
        self._lock = threading.Lock()
        self._mark = ClockMark(high=clock.now())
        self._tenants: dict[str, Tenant] = {}

    @property
    def read_only(self) -> bool:
        return False

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to let go of; the contents stay until the object goes."""

    async def commit(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        await checkpoint()
        with self._lock:
            now, tenant = self._now(), self._tenant(scope)
            changes, answer = decide(look.snapshot(tenant, scope, reads, now))
            if not changes.empty:
                keep.check(tenant, scope, changes, now)
                keep.keep(self._tenants.setdefault(scope.tenant, tenant), scope, changes, now)
                self._wrote()
            return answer

    async def read(self, scope: Scope, reads: Reads) -> Snapshot:
        with self._lock:
            return look.snapshot(self._tenant(scope), scope, reads, self._now())

    async def find(self, scope: Scope, query: TextQuery, rank: Rank = BY_DEFAULT) -> CandidatePage:
        with self._lock:
            tenant = self._tenant(scope)
            live = look.live_contexts(tenant, scope, self._now())
            then = (find.known(tenant.contexts[c.context_id], query.as_of) for c in live)
            known = [context for context in then if context is not None]
            fitting = [context for context in known if self._passes(tenant, context, query)]
            if not query.terms:
                return find.newest(fitting, query).model_copy(update={"now": self._now()})
            every = find.shelved(tenant, scope, query.projects)
            page = find.found(tenant, self._analyzer, every, known, fitting, query, rank)
            return page.model_copy(update={"now": self._now()})

    async def speakers(self, scope: Scope, projects: tuple[str, ...] | None) -> tuple[str, ...]:
        with self._lock:
            live = look.live_contexts(self._tenant(scope), scope, self._now())
            said = [c for c in live if projects is None or c.project in (None, *projects)]
            names = {indexed(self._analyzer, context).speaker for context in said}
        return tuple(sorted(names - {""})[:SPEAKERS_MAX])

    async def unembedded(self, space: Space, *, most: int = 1_000) -> int:
        with self._lock:
            return len(list(islice(embedding.waiting(self._tenants.values(), space), most)))

    async def claim(self, space: Space, owner: str, *, limit: int = 64) -> EmbedBatch | None:
        with self._lock:
            now = self._now()
            holder, until = self._leases.get(space, (owner, now))
            items = tuple(islice(embedding.waiting(self._tenants.values(), space), limit))
            if not items or (holder != owner and now < until <= now + embedding.LEASE):
                return None
            self._leases[space] = owner, now + embedding.LEASE
            self._wrote()
            return EmbedBatch(space, owner, items, 0)

    async def keep_vectors(
        self,
        batch: EmbedBatch,
        made: Sequence[Sequence[float]],
        pieces: Sequence[Pieces] = (),
    ) -> None:
        with self._lock:
            self._wrote()
            self._leases.pop(batch.space, None)
            for item, vector in zip(batch.items, made, strict=True):
                embedding.keep(self._tenants.values(), batch.space, item.context, vector)

    async def drop_other_vectors(self, space: Space) -> None:
        with self._lock:
            for tenant in self._tenants.values():
                tenant.vectors = {k: v for k, v in tenant.vectors.items() if k == space}

    async def rebuild_words(self, language: str) -> None:
        with self._lock:
            self._analyzer = Analyzer(language)

    async def history(self, scope: Scope, context_id: str) -> tuple[Context, ...]:
        with self._lock:
            tenant = self._tenant(scope)
            if look.live_context(tenant, scope, context_id, self._now()) is None:
                return ()
            return tuple(tenant.contexts[context_id])

    async def edges(
        self, scope: Scope, context_ids: tuple[str, ...], direction: Direction
    ) -> tuple[Edge, ...]:
        with self._lock:
            found = set(look.edges_at(self._tenant(scope), context_ids, direction))
        ordered = sorted(found, key=lambda e: (e.child_id, e.revision, e.parent_id, e.relation))
        return tuple(ordered[:EDGES_MAX])

    async def tombstones(self, scope: Scope, context_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        with self._lock:
            return look.tombstones(self._tenant(scope), scope, context_ids, self._now())

    async def head(self, scope: Scope, name: str) -> Head | None:
        with self._lock:
            tenant = self._tenant(scope)
            if look.live_user(tenant, scope, self._now()) is None:
                return None
            return tenant.heads.get(user_key(scope), {}).get(name)

    async def user_history(self, scope: Scope) -> tuple[str, ...]:
        with self._lock:
            tenant = self._tenant(scope)
            if look.live_user(tenant, scope, self._now()) is None:
                return ()
            return tuple(row.model_dump_json() for row in tenant.users[user_key(scope)])

    async def peers(
        self, scope: Scope, name: str, *, after: int = 0, limit: int = 500
    ) -> tuple[Peer, ...]:
        with self._lock:
            return listing.peers(self._tenant(scope), scope, name, after, limit, self._now())

    async def outcomes(self, scope: Scope, *, after: int = 0, limit: int = 500) -> OutcomePage:
        with self._lock:
            return listing.outcomes(self._tenant(scope), scope, after, limit)

    async def due(self, *, limit: int = 100) -> tuple[Task, ...]:
        with self._lock:
            return listing.due(self._tenants.values(), limit, self._now())

    async def sweep(self, *, limit: int = 500, accept_clock: bool = False) -> SweepReport:
        with self._lock:
            wall = self._clock.now()
            self._mark = ClockMark(high=wall) if accept_clock else advance(self._mark, wall)
            if not self._mark.trusts(wall):
                return SweepReport(refused=sweep.refusal(self._mark, wall))
            return sweep.sweep(self._tenants.values(), self._now(), limit)

    async def stats(self, scope: Scope) -> StoreStats:
        with self._lock:
            size = sum(map(sweep.size_bytes, self._tenants.values()))
            return sweep.stats(self._tenant(scope), scope, self._now(), size)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Counts the rows; there is no disk that could have damaged them."""
        with self._lock:
            checked = sum(map(sweep.row_count, self._tenants.values()))
        if progress is not None:
            progress(checked, checked)
        return VerifyReport(checked=checked)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        raise Unsupported(Capability.MAINTENANCE, "memory")

    def export(self, tenant: str | None = None, *, vectors: bool = True) -> AsyncIterator[Record]:
        raise Unsupported(Capability.MAINTENANCE, "memory")

    async def load(self, records: Sequence[Record]) -> Loaded:
        raise Unsupported(Capability.MAINTENANCE, "memory")

    def _passes(self, tenant: Tenant, context: Context, query: TextQuery) -> bool:
        return passes(context, query) and look.is_derived(tenant, context, query.derived_from)

    def _wrote(self) -> None:
        """Any write is a sign of the time."""
        self._mark = advance(self._mark, self._clock.now())

    def _now(self) -> datetime:
        return present(self._mark, self._clock.now())

    def _tenant(self, scope: Scope) -> Tenant:
        """The tenant's rows; an empty room, not kept, for one who has written nothing."""
        return self._tenants.get(scope.tenant) or Tenant()
