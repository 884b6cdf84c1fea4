"""Vectors of the pieces of texts, for a finer look at candidates (stores/rows/pieces.py)."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from lineal.models.sheet import Pieces
from lineal.stores.rows.pieces import matches, packed_numbers
from lineal.stores.sqlite.statements import all_rows

__all__ = ["best_matches", "drop_pieces", "keep_pieces"]

_REPLACE = "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM pieces WHERE pieces_seq = ?"
_SELECT = (
    "SELECT pieces_seq, piece_numbers, piece_rows FROM json_each(?) CROSS JOIN pieces "
    "ON pieces_seq = value AND pieces_space = ?"
)


def keep_pieces(connection: apsw.Connection, space: int, seq: int, pieces: Pieces) -> None:
    connection.execute(_REPLACE, (seq, space, packed_numbers(pieces), pieces.rows))


def drop_pieces(connection: apsw.Connection, seq: int) -> None:
    """Of every space."""
    connection.execute(_DELETE, (seq,))


def best_matches(
    connection: apsw.Connection, space: int, seqs: Iterable[int], asked: Pieces
) -> dict[int, float]:
    """By seq of those that have pieces, how well they match the asked ones."""
    listed = "[" + ",".join(map(str, seqs)) + "]"
    return matches(all_rows(connection, _SELECT, listed, space), asked)
