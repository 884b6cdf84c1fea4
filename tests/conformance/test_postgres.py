"""PostgreSQL through every suite that the other stores pass, and side by side with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from tests.postgres.cluster import Cluster
from tests.postgres.emptying import emptied
from tests.postgres.writers import opened

from lineal.clock import Clock, ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.sheet import Space
from lineal.ports.backend import Backend
from lineal.ports.store import Store
from lineal.schemas.book import SchemaBook
from lineal.stores.postgres import PostgresStore
from lineal.testing import BackendSuite, StoreSuite
from lineal.testing.samples import START, a_context, a_task, keep

from .test_backends import DATING
from .test_same_answers import InFile, InMemory, Place, SameAnswers

EXAMPLES = max(1, settings().max_examples // 10)
"""Of thirty steps each, for each of the other stores. One takes two or three seconds: the stores
are asked some twenty questions after every step."""


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[str]:
    """The address of one for all these tests, each of which empties it first."""
    dsn = cluster.new_database()
    yield dsn
    cluster.drop_database(dsn)


class OnPostgres:
    """A database that each example finds empty, and as old as on its first day."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        emptied(dsn)

    def store(self, clock: Clock) -> Store:
        return PostgresStore(self._dsn, clock=clock, pool_max=2)

    def clear(self) -> None:
        """The next example does."""


class TestPostgresStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def place(self, database: str) -> None:
        emptied(database)
        self.dsn = database

    def make_store(self, clock: Clock, directory: Path) -> Store:
        return PostgresStore(self.dsn, clock=clock)


class TestEmbeddedOnPostgres(BackendSuite):
    schema = DATING
    durable = True

    @pytest.fixture(autouse=True)
    def place(self, database: str) -> None:
        emptied(database)
        self.dsn = database

    def make_backend(self, clock: Clock, directory: Path) -> Backend:
        return EmbeddedBackend(
            PostgresStore(self.dsn, clock=clock),
            schemas=SchemaBook(),
            extractor=RulesExtractor(),
            embedder=HashingEmbedder(),
            ids=RandomIds(),
        )


async def test_a_tenant_whose_first_write_kept_nothing_is_visited_like_any_other(
    database: str,
) -> None:
    """By those who go from tenant to tenant: who sweeps, embeds and does what is due."""
    emptied(database)
    async with opened(database, clock=ManualClock(START)) as store:
        await keep(store)
        await keep(store, contexts=(a_context("ctx_1"),), tasks=(a_task(),))
        assert await store.unembedded(Space("axes.v1", 4)) == 1
        assert await store.due() == (a_task(),)


@pytest.mark.slow
@pytest.mark.parametrize("other", [InMemory, InFile])
def test_postgres_answers_as_the_others_do(database: str, other: Callable[[], Place]) -> None:
    class Machine(SameAnswers):
        holds_all = False

        def __init__(self) -> None:
            super().__init__(other, lambda: OnPostgres(database))

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=30)
    )
