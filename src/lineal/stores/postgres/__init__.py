"""A store in PostgreSQL, for many machines."""

from lineal.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
