"""The resolver port: what a pointer to an outside memory names."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Resolver"]


class Resolver(Protocol):
    """Registered under the entry-point group `lineal.resolvers` for the scheme of a memory_ref."""

    async def resolve(self, memory_ref: str) -> str | None:
        """What is known there of the user, as plain text; None for nothing. Raises LinealError,
        TimeoutError or OSError when it can't be had. It is read as the upsert's context would be.
        """
        ...
