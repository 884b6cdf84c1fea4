"""The embedder port: texts to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

__all__ = ["OFF", "Embedder", "TokenEmbedder", "TokenVectors"]


OFF = "none"
"""The version of an embedder that makes no vectors."""


class Embedder(Protocol):
    """Turns texts into unit vectors of one fixed dimension; vectors of different versions are
    never compared."""

    @property
    def version(self) -> str:
        """Model and version, as stored beside each vector."""
        ...

    @property
    def dim(self) -> int:
        """Numbers of a vector. 0: it makes none, or it doesn't know yet; `warm_up` finds out."""
        ...

    @property
    def ready(self) -> bool:
        """Whether `dim` is known and a text takes what it always takes, with no load first."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """texts: (n,) → (n, dim), each of length 1, or all zeros for a text without words.

        Raises unavailable when the model can't be used, every time.
        """
        ...

    async def warm_up(self) -> None:
        """Make the next `embed` quick. Raises what that would raise."""
        ...

    def reads(self, text: str) -> float:
        """How much of a text the model was made for, in [0, 1]: its script, at least."""
        ...

    async def free_if_idle(self) -> bool:
        """Let go of memory that nobody has used for a while; whether anything was let go."""
        ...

    async def close(self) -> None:
        """Let go of memory and connections now. A later use would take them up again."""
        ...


class TokenVectors(NamedTuple):
    """A text as one vector and as a vector of each of its pieces, in the order of the text.

    vector: as `embed` gives it. pieces: (n,), the pieces' numbers in the model's vocabulary, n = 0
    for a text without words. tokens: (n, token_dim) signed bytes, row after row; each row is a
    vector of length 1 times 127, so that the dot product of two rows over 127² is their cosine.
    """

    vector: tuple[float, ...]
    pieces: tuple[int, ...]
    tokens: bytes


class TokenEmbedder(Embedder, Protocol):
    """An embedder that also tells the pieces of a text apart, for late interaction (ColBERT,
    Khattab & Zaharia 2020): the best match of each piece of a question among those of a text."""

    @property
    def token_version(self) -> str:
        """As stored beside tokens; those of different versions are never compared."""
        ...

    @property
    def token_dim(self) -> int: ...

    async def embed_with_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """One for each text, from the same run of the model as `embed`, which raises the same."""
        ...

    def stop_pieces(self) -> frozenset[int]:
        """Pieces that say nothing of a topic: stop words and marks. Needs no model."""
        ...
