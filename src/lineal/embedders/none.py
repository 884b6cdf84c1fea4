"""No embedder: for whoever wants no vectors at all."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["NoEmbedder"]


class NoEmbedder:
    """Vectors of no dimension. dim == 0 says that there is nothing to keep or to compare."""

    version = "none"
    dim = 0
    ready = True

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """texts: (n,) → (n, 0)."""
        return [()] * len(texts)

    async def warm_up(self) -> None:
        """There is nothing to load."""

    def reads(self, text: str) -> float:
        """It reads nothing."""
        return 0.0

    async def free_if_idle(self) -> bool:
        """It holds nothing."""
        return False

    async def close(self) -> None:
        """It holds nothing."""
