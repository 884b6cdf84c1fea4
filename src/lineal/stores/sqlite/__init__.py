"""The default store: one SQLite file that many processes share."""

from lineal.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
