"""Every store does what the port promises."""

from __future__ import annotations

from pathlib import Path

from lineal.clock import Clock
from lineal.ports.store import Store
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing import StoreSuite


class TestMemoryStore(StoreSuite):
    def make_store(self, clock: Clock, directory: Path) -> Store:
        return MemoryStore(clock=clock)


class TestSqliteStore(StoreSuite):
    def make_store(self, clock: Clock, directory: Path) -> Store:
        return SqliteStore(directory / "m.db", clock=clock)
