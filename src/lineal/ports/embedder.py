"""The embedder port: texts to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Embedder"]


class Embedder(Protocol):
    """Turns texts into unit vectors of one fixed dimension; vectors of different versions are
    never compared."""

    @property
    def version(self) -> str:
        """Model and version, as stored beside each vector."""
        ...

    @property
    def dim(self) -> int: ...

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """texts: (n,) → (n, dim), each of length 1, or all zeros for a text without words."""
        ...

    async def free_if_idle(self) -> bool:
        """Let go of memory that nobody has used for a while; whether anything was let go."""
        ...
