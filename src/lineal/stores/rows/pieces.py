"""Vectors of the pieces of texts, for a finer look at candidates: the best match of each piece of
the question among a text's (ColBERT, Khattab and Zaharia 2020)."""

from __future__ import annotations

from collections.abc import Iterable

from lineal.models.sheet import Pieces
from lineal.stores.rows.values import Row

__all__ = ["matches", "packed_numbers"]

UNIT = 127.0
"""A vector of length 1 is kept as bytes of this length."""


def packed_numbers(pieces: Pieces) -> bytes:
    """Two bytes of each piece's number."""
    import numpy as np

    return np.asarray(pieces.numbers, "<u2").tobytes()


def matches(found: Iterable[Row], asked: Pieces) -> dict[int, float]:
    """found: (seq, packed numbers, rows). By seq of those that have pieces: the mean, by rarity
    among these, of each asked piece's highest cosine with one of the text's; in [-1, 1]."""
    rows = [row for row in found if row[1]]
    if not rows or not asked.numbers:
        return {}
    return dict(zip((row[0] for row in rows), _matches(rows, asked), strict=True))


def _matches(rows: list[Row], asked: Pieces) -> list[float]:
    import numpy as np

    dim = len(asked.rows) // len(asked.numbers)
    question = np.frombuffer(asked.rows, np.int8).reshape(-1, dim).astype(np.float32)
    every = np.frombuffer(b"".join(row[2] for row in rows), np.int8).reshape(-1, dim)
    cosines = every.astype(np.float32) @ question.T / UNIT**2
    lengths = [len(row[1]) // 2 for row in rows]
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    highest = np.maximum.reduceat(cosines, starts, axis=0)
    held = [set(np.frombuffer(row[1], "<u2").tolist()) for row in rows]
    holders = np.asarray([sum(n in each for each in held) for n in asked.numbers], np.float32)
    rarity = np.log1p((len(rows) - holders + 0.5) / (holders + 0.5))
    found: list[float] = (highest @ rarity / rarity.sum()).tolist()
    return found
