"""The conformance suite of the Backend port, for every backend, ours and yours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from lineal.clock import Clock, ManualClock
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.appending import BackendAppends
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.backend_cases.cascading import BackendCascades
from lineal.testing.backend_cases.life import BackendLife
from lineal.testing.backend_cases.lineage import BackendLineage
from lineal.testing.backend_cases.past import BackendPast
from lineal.testing.backend_cases.projects import BackendProjects
from lineal.testing.backend_cases.refusals import BackendRefusals
from lineal.testing.backend_cases.undoing import BackendUndoing
from lineal.testing.backend_cases.updating import BackendUpdates
from lineal.testing.backend_cases.users import BackendUsers, Typed
from lineal.testing.samples import START

__all__ = ["BackendSuite", "Typed"]


@pytest.mark.anyio
class BackendSuite(
    BackendAppends,
    BackendUsers,
    BackendUpdates,
    BackendLife,
    BackendLineage,
    BackendCascades,
    BackendUndoing,
    BackendProjects,
    BackendPast,
    BackendRefusals,
):
    """Subclass it as `TestMyBackend`, say how a backend is made, and run pytest.

    Tests carry the numbers of lineal's docs/behaviours.md. What the backend refuses in
    `capabilities` is skipped, and held to be refused by name. What the service does for every
    backend (defaults, limits, sources) is not asked here.

    durable: a second backend made in the same directory finds what the first one stored.
    schema: a domain the backend has a schema for; None skips what needs one.
    """

    durable: ClassVar[bool] = False
    schema: ClassVar[Typed | None] = None

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        """A new, unopened backend on `directory` that takes its time from `clock`."""
        raise NotImplementedError

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    async def backend(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Backend]:
        backend = self.make_backend(clock, tmp_path)
        await backend.open()
        yield backend
        await backend.close()

    @pytest.fixture
    def reopened(self, clock: ManualClock, tmp_path: Path) -> Backend | None:
        """What a restart finds; not open yet."""
        return self.make_backend(clock, tmp_path) if self.durable else None

    @pytest.fixture
    def ada(self, backend: Backend) -> Caller:
        return Caller(backend)

    @pytest.fixture
    def typed(self) -> Typed:
        if self.schema is None:
            pytest.skip("no schema named for this backend")
        return self.schema
