"""A backend that forwards to our own REST face is a backend like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from lineal.backends import forwarding
from lineal.clock import Clock, ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.changes import Scope
from lineal.policy.limits import Limits
from lineal.ports.backend import Backend
from lineal.ports.store import Store
from lineal.remotes.known import remote_of
from lineal.schemas.book import SchemaBook
from lineal.service import Defaults, Service
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing import BackendSuite
from lineal.testing.backend_suite import Typed

from .serving import serving_rest

SAID: dict[str, Any] = {
    "field": "age",
    "value": 34,
    "wrong": "thirty-four",
    "soft": {"interests": ["climbing"]},
    "derived": "attachment_style",
}


class OverRest(BackendSuite):
    """The remote is a real server over a socket, with a memory of its own."""

    scheme: ClassVar[str]
    path: ClassVar[str]
    durable = True

    @pytest.fixture(autouse=True)
    def place(self, clock: ManualClock) -> Iterator[None]:
        """The remote's server; it goes by the test's clock."""
        backend = embedded(MemoryStore(clock=clock), clock, SchemaBook())
        with serving_rest(Service(backend, limits=Limits(), defaults=Defaults())) as address:
            self.url = f"{address}{self.path}"
            yield

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        remote = remote_of(
            self.scheme, self.url, SecretStr("key"), home_tenant="acme", timeout_s=10.0
        )
        schemas = SchemaBook([]) if self.scheme == "jean" else SchemaBook()
        return forwarding(
            remote,
            lambda amend: SqliteStore(directory / "ledger.db", clock=clock, amend=amend),
            lambda store: embedded(store, clock, schemas),
            clock=clock,
            home=Scope(tenant="acme"),
            timeout_s=10.0,
        )


class TestJeanOverRest(OverRest):
    scheme = "jean"
    path = "/v1"
    schema = Typed("dating", **SAID, text="I am 34 years old.")


class TestNiaOverRest(OverRest):
    scheme = "nia"
    path = "/v2"
    schema = Typed("dating", **SAID, text="I am 34 years old.")


def embedded(store: Store, clock: Clock, schemas: SchemaBook) -> EmbeddedBackend:
    return EmbeddedBackend(
        store,
        schemas=schemas,
        extractor=RulesExtractor(),
        embedder=HashingEmbedder(),
        ids=RandomIds(),
        clock=clock,
    )
