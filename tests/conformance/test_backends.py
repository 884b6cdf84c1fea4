"""Every backend does what the port promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lineal.clock import Clock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.errors import Capability
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.ports.backend import Backend
from lineal.ports.store import Store
from lineal.schemas.book import SchemaBook
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing import BackendSuite, FakeBackend
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.backend_cases.refusals import BackendRefusals
from lineal.testing.backend_suite import Typed

SAID: dict[str, Any] = {
    "field": "age",
    "value": 34,
    "wrong": "thirty-four",
    "soft": {"interests": ["climbing"]},
    "derived": "attachment_style",
}
DATING = Typed("dating", **SAID, text="I am 34 years old.")


class TestFakeBackend(BackendSuite):
    schema = Typed("dating", **SAID)

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        return FakeBackend(clock=clock, schemas=SchemaBook())


class TestEmbeddedInMemory(BackendSuite):
    schema = DATING

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        return _embedded(MemoryStore(clock=clock))


class TestEmbeddedOnSqlite(BackendSuite):
    schema = DATING
    durable = True

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        return _embedded(SqliteStore(directory / "m.db", clock=clock))


class TestFakeThatRefuses(BackendRefusals):
    """The fake refuses what it is told to, by name."""

    @pytest.fixture
    def backend(self) -> Backend:
        return FakeBackend(refused=Capability)

    @pytest.fixture
    def ada(self, backend: Backend) -> Caller:
        return Caller(backend)


def _embedded(store: Store) -> Backend:
    return EmbeddedBackend(
        store,
        schemas=SchemaBook(),
        extractor=RulesExtractor(),
        embedder=HashingEmbedder(),
        ids=RandomIds(),
    )
