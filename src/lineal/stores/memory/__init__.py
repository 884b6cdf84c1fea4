"""A store in plain dicts: for tests, for trying things out, and as the oracle of the others."""

from lineal.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
