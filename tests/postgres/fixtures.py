"""Fixtures for every room that keeps something in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.postgres.cluster import Cluster
from tests.postgres.engine import require

__all__ = ["cluster", "pair", "postgres_dsn"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One server for the whole run (of each worker); tests that kill a server make their own."""
    require()
    with Cluster() as running:
        yield running


@pytest.fixture
def postgres_dsn(cluster: Cluster) -> Iterator[str]:
    """The address of an empty database, which is gone after the test."""
    dsn = cluster.new_database()
    yield dsn
    cluster.drop_database(dsn)


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """A server on loopback and one that follows it, for which nobody waits yet."""
    require()
    with Cluster(durable=True, loopback=True) as first, first.standby() as second:
        yield first, second
