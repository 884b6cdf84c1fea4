"""The conformance suite of the Store port, for every store, ours and yours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lineal.clock import Clock, ManualClock
from lineal.ports.store import Store
from lineal.testing.samples import START
from lineal.testing.store_cases.alike import StoreAlike
from lineal.testing.store_cases.as_of import StoreAsOf
from lineal.testing.store_cases.completing import StoreCompleting
from lineal.testing.store_cases.embedding import StoreEmbedding
from lineal.testing.store_cases.filtering import StoreFiltering
from lineal.testing.store_cases.finding import StoreFinding
from lineal.testing.store_cases.graph import StoreGraph
from lineal.testing.store_cases.life import StoreLife
from lineal.testing.store_cases.neighbours import StoreNeighbours
from lineal.testing.store_cases.outcomes import StoreOutcomes
from lineal.testing.store_cases.peers import StorePeers
from lineal.testing.store_cases.projects import StoreProjects
from lineal.testing.store_cases.races import StoreRaces
from lineal.testing.store_cases.sightings import StoreSightings
from lineal.testing.store_cases.tasks import StoreTasks
from lineal.testing.store_cases.wall import StoreWall
from lineal.testing.store_cases.withholding import StoreWithholding
from lineal.testing.store_cases.writes import StoreWrites

__all__ = ["StoreSuite"]


@pytest.mark.anyio
class StoreSuite(
    StoreWrites,
    StoreLife,
    StoreWall,
    StoreFinding,
    StoreGraph,
    StoreRaces,
    StoreAlike,
    StoreSightings,
    StoreTasks,
    StoreOutcomes,
    StorePeers,
    StoreProjects,
    StoreWithholding,
    StoreCompleting,
    StoreAsOf,
    StoreNeighbours,
    StoreFiltering,
    StoreEmbedding,
):
    """Subclass it as `TestMyStore`, say how a store is made, and run pytest.

    For messages that show both sides of a failed comparison, call
    `pytest.register_assert_rewrite("lineal.testing.store_cases")` in your conftest first.
    """

    def make_store(self, clock: Clock, directory: Path) -> Store:
        """A new, empty, unopened store that takes its time from `clock`."""
        raise NotImplementedError

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    async def store(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
        store = self.make_store(clock, tmp_path)
        await store.open()
        yield store
        await store.close()
