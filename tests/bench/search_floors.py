"""What a search can't be quicker than: its parts alone, in this process, over the same memories."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import apsw
import numpy as np
from numpy.typing import NDArray

from lineal.clock import monotonic_s
from lineal.embedders.minilm import MiniLmEmbedder

__all__ = ["DIM", "Embedding", "SignScan", "WordsIndex"]

DIM = 384
"""Numbers of a vector."""

RESCORED = 200
"""Vectors that are measured by their numbers, of all whose signs are compared."""

BEST = 20
"""Memories that the words' floor answers with."""

_MAKE = """
CREATE VIRTUAL TABLE said USING fts5 (
    text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
)
"""
_INSERT = "INSERT INTO said (rowid, text) VALUES (?, ?)"
_FIND = "SELECT rowid FROM said WHERE said MATCH ? ORDER BY rank LIMIT ?"


class WordsIndex:
    """FTS5 over the texts alone, asked for two or three words together, best by bm25."""

    def __init__(self, path: Path, texts: Iterable[str]) -> None:
        """Made anew unless it is there."""
        made = path.exists()
        self._connection = apsw.Connection(str(path))
        if not made:
            self._make(texts)

    def find(self, words: Iterable[str]) -> list[int]:
        match = " AND ".join(f'"{word}"' for word in words)
        return [row for (row,) in self._connection.execute(_FIND, (match, BEST))]

    def close(self) -> None:
        self._connection.close()

    def _make(self, texts: Iterable[str]) -> None:
        with self._connection:
            self._connection.execute(_MAKE)
            self._connection.executemany(_INSERT, enumerate(texts, 1))
            self._connection.execute("INSERT INTO said (said) VALUES ('optimize')")


class SignScan:
    """One bit for each number of `size` vectors at random, all compared, the nearest measured."""

    def __init__(self, size: int, seed: int) -> None:
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._numbers = self._rng.integers(-127, 128, (size, DIM), np.int8)
        self._codes = np.ascontiguousarray(_signs(self._numbers).T)

    def find(self) -> NDArray[Any]:
        """The RESCORED nearest to another vector at random, with their measures."""
        asked = self._rng.standard_normal(DIM, np.float32)
        bits = _signs(asked[None])[0]
        distance = np.zeros(self._codes.shape[1], np.uint16)
        for codes, own in zip(self._codes, bits, strict=True):
            distance += np.bitwise_count(codes ^ own)
        most = min(RESCORED, len(distance) - 1)
        nearest = np.argpartition(distance, most)[:most]
        return self._numbers[nearest].astype(np.float32) @ asked


class Embedding:
    """A question's vector, twice over, on one thread, in a loop that stands."""

    PASSES = 2

    def __init__(self) -> None:
        self._embedder = MiniLmEmbedder(tick=monotonic_s)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def of(self, text: str) -> None:
        for _ in range(self.PASSES):
            self._runner.run(self._embedder.embed([text]))


def _signs(vectors: NDArray[Any]) -> NDArray[np.uint64]:
    """vectors: (n, DIM) → (n, DIM / 64), a bit for each number."""
    return np.packbits(vectors > 0, axis=1).view(np.uint64)
