"""The store port: where the embedded backend keeps things. It knows rows, not meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

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

__all__ = ["Progress", "Store"]

Answer = TypeVar("Answer")
Progress = Callable[[int, int], None]
"""Told (done, total) now and then during long work; called from any thread."""


class Store(Protocol):
    """Keeps contexts, user rows, lineage and history.

    Every verb takes its scope first and shows nothing outside it. Every read decides liveness by
    the store's own time: live while now < expires_at. All verbs raise LinealError: `unavailable`
    (retryable when waiting may help) for a busy, full, read-only, damaged or newer store.
    """

    @property
    def read_only(self) -> bool:
        """Writes are refused."""
        ...

    async def open(self) -> None:
        """Make or migrate the store and be ready; harmless when called again."""
        ...

    async def close(self) -> None:
        """Finish running writes, then let go of everything."""
        ...

    async def commit(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        """Show `decide` the named rows, keep what it plans, and return its answer once durable.

        Reading, deciding and keeping are one transaction that no other write comes between.
        `decide` must be pure and quick: it runs while the store is locked, perhaps more than once.
        When it raises, nothing is kept and its error is raised. Raises conflict for a revision that
        doesn't follow, for a sighting of what isn't live in the scope, and for completed lineage
        of a revision that isn't kept or whose other content differs; invalid for a task of another
        tenant.
        What is withheld shows on every path as what was forgotten then: it isn't found, weighs
        nothing in what is found, takes no revision and no sighting, and its tasks and the answers
        that show it are gone. Giving it back undoes all but the last; what has reached its own end
        meanwhile is given back as expired. After `until` it can't be given back, swept or not.
        Giving back comes first, then completing, so that one write can go on with what it gave
        back; withholding and forgetting come last. An id that isn't live, or isn't withheld, in
        the scope is passed over.
        Completing changes nothing but the lineage and the observed `used` edges: no revision, no
        time, no answer. What has ended, a user's row that has moved on or begun anew, and a
        sighting that isn't among those shown are passed over.
        A caller cancelled before the transaction began has written nothing; one cancelled later
        has written all.
        """
        ...

    async def read(self, scope: Scope, reads: Reads) -> Snapshot:
        """The named rows at one instant."""
        ...

    async def find(self, scope: Scope, query: TextQuery, rank: Rank = BY_DEFAULT) -> CandidatePage:
        """Live contexts that hold any of the words or are near in meaning, in the order of `rank`.

        The store chooses candidates (all that hold a word, where these are few) and shows them to
        `rank`, which must be pure, with their neighbours: reading, ranking and showing are one
        instant. A word that nobody holds stands for those one slip away from it.

        With as_of those that are live now, each as the latest revision recorded by then had it,
        and that revision decides on words and filters. A store may bound how many that have
        changed since it looks at, to no fewer than the 5,000 latest changed."""
        ...

    async def speakers(self, scope: Scope, projects: tuple[str, ...] | None) -> tuple[str, ...]:
        """Who speaks in the scope's contexts of these projects and of none, folded; at most
        1,000, in order of their names."""
        ...

    async def unembedded(self, space: Space, *, most: int = 1_000) -> int:
        """How many contexts, behind all walls, have no vector in this space yet; counted up to
        `most`."""
        ...

    async def claim(self, space: Space, owner: str, *, limit: int = 64) -> EmbedBatch | None:
        """The next contexts to embed, the changed ones first, then in order of receipt; for
        `owner` alone during the next minute. None where there are none, or another is at it. A
        store may hand out one tenant's at a time."""
        ...

    async def keep_vectors(
        self,
        batch: EmbedBatch,
        made: Sequence[Sequence[float]],
        pieces: Sequence[Pieces] = (),
    ) -> None:
        """Keep a vector of each of a batch's contexts, in its order; zeros: it has none; and of its
        pieces, where they are given: a store may leave these out. What has changed since is left
        to be embedded again; what has ended is passed over."""
        ...

    async def drop_other_vectors(self, space: Space) -> None:
        """Take out the vectors of every other space."""
        ...

    async def rebuild_words(self, language: str) -> None:
        """Make the index of words anew, in this language."""
        ...

    async def history(self, scope: Scope, context_id: str) -> tuple[Context, ...]:
        """Every revision of a live context, first to last; () if it isn't live."""
        ...

    async def edges(
        self, scope: Scope, context_ids: tuple[str, ...], direction: Direction
    ) -> tuple[Edge, ...]:
        """Edges of every revision whose child (up) or parent (down) is one of these ids.

        At most 10,000, in order of child, revision, parent."""
        ...

    async def tombstones(self, scope: Scope, context_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        """The marks of those among these that have ended, swept or not."""
        ...

    async def head(self, scope: Scope, name: str) -> Head | None:
        """The live user's head of that name."""
        ...

    async def user_history(self, scope: Scope) -> tuple[str, ...]:
        """JSON of every revision of the scope's live user row, first to last."""
        ...

    async def peers(
        self, scope: Scope, name: str, *, after: int = 0, limit: int = 500
    ) -> tuple[Peer, ...]:
        """Live users of the scope's domain in order of first receipt, each with its head of that
        name; the next page begins after the last one's `after`.

        At most `limit`; fewer only at the end. () for a scope without a domain; its user_id is not
        looked at. `after` is a store's own number."""
        ...

    async def outcomes(self, scope: Scope, *, after: int = 0, limit: int = 500) -> OutcomePage:
        """Outcomes of the scope in order of receipt; the next page begins after `after`.

        A scope's user_id is met as user or as candidate. They outlive forgetting and sweeping.
        `after` is a store's own number, and stays as it was at the end."""
        ...

    async def due(self, *, limit: int = 100) -> tuple[Task, ...]:
        """Tasks of every tenant whose time has come, the longest waiting first. Reading takes none:
        whoever does one says so with `done`."""
        ...

    async def sweep(self, *, limit: int = 500, accept_clock: bool = False) -> SweepReport:
        """Take out physically what has expired and what can't be given back any more, at most
        `limit` rows of a kind.

        Refuses after an implausible jump of the clock unless accept_clock says that it is right.
        """
        ...

    async def stats(self, scope: Scope) -> StoreStats:
        """Counts behind the scope's wall; sizes are the whole store's."""
        ...

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Check the engine's own integrity and every row's content hash."""
        ...

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        """Write a consistent copy to `target` (which must not exist); returns its bytes."""
        ...

    def export(self, tenant: str | None = None, *, vectors: bool = True) -> AsyncIterator[Record]:
        """All that is kept, of this tenant or of all, at one instant: a header, then records in
        the order that `Record` tells, without an end. Equal stores give equal records behind the
        header.

        What can't be read comes as a DamagedRecord in its place, and what hangs on it (sightings,
        vectors, edges from it) is left out; `unavailable` for a store that can't be read through.
        What was ended and not yet swept is in it; what a remote backend is still to be told isn't.
        """
        ...

    async def load(self, records: Sequence[Record]) -> Loaded:
        """Keep records of an export in one transaction, all or nothing, in the order in which they
        came out: same ids, revisions, texts, times and hashes, received in this order, and indexed
        as if they had been written here. They are of one tenant, perhaps with the header before
        them; DamagedRecords and an end say nothing here.

        What is there already and equal is passed over, so that repeating does no harm and an
        interrupted import goes on; so is what hangs on a context or user that has ended here since
        or moved on. Of what is only derived (vectors, heads, fingerprints), and of tasks, what is
        there stays. Raises conflict, naming the id, where something else is there under the same
        id, or is gone for another reason than there.
        With a header: the store's time is never before the origin's from now on (conflict where
        that is more than a day ahead of this store's); an empty store takes its language over."""
        ...
