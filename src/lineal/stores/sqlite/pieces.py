"""Vectors of the pieces of texts, for a finer look at candidates: the best match of each piece of
the question among a text's (ColBERT, Khattab and Zaharia 2020)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from lineal.models.sheet import Pieces
from lineal.stores.sqlite.statements import all_rows

__all__ = ["best_matches", "drop_pieces", "keep_pieces"]

UNIT = 127.0
"""A vector of length 1 is kept as bytes of this length."""

_REPLACE = "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM pieces WHERE pieces_seq = ?"
_SELECT = (
    "SELECT pieces_seq, piece_numbers, piece_rows FROM json_each(?) CROSS JOIN pieces "
    "ON pieces_seq = value AND pieces_space = ?"
)


def keep_pieces(connection: apsw.Connection, space: int, seq: int, pieces: Pieces) -> None:
    import numpy as np

    numbers = np.asarray(pieces.numbers, "<u2").tobytes()
    connection.execute(_REPLACE, (seq, space, numbers, pieces.rows))


def drop_pieces(connection: apsw.Connection, seq: int) -> None:
    """Of every space."""
    connection.execute(_DELETE, (seq,))


def best_matches(
    connection: apsw.Connection, space: int, seqs: Iterable[int], asked: Pieces
) -> dict[int, float]:
    """By seq of those that have pieces: the mean, by rarity among these, of each asked piece's
    highest cosine with one of the text's; in [-1, 1]."""
    listed = "[" + ",".join(map(str, seqs)) + "]"
    rows = [row for row in all_rows(connection, _SELECT, listed, space) if row[1]]
    if not rows or not asked.numbers:
        return {}
    return dict(zip((row[0] for row in rows), _matches(rows, asked), strict=True))


def _matches(rows: list[tuple[Any, ...]], asked: Pieces) -> list[float]:
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
