"""Vectors of the pieces of texts, for a finer look at candidates (stores/rows/pieces.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineal.models.sheet import Pieces
from lineal.stores.postgres.session import Session
from lineal.stores.rows.pieces import matches, packed_numbers

__all__ = ["best_matches", "keep_pieces"]

_REPLACE = (
    "INSERT INTO lineal.pieces (tenant_id, pieces_seq, space_id, piece_numbers, piece_rows) "
    "SELECT entry.tenant_id, entry_seq, %s, new_numbers, new_rows "
    "FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[]) AS made (of_seq, new_numbers, new_rows) "
    "JOIN lineal.entry ON entry.tenant_id = %s AND entry_seq = of_seq "
    "ON CONFLICT (tenant_id, pieces_seq, space_id) DO UPDATE "
    "SET piece_numbers = excluded.piece_numbers, piece_rows = excluded.piece_rows"
)
_SELECT = (
    "SELECT pieces_seq, piece_numbers, piece_rows FROM lineal.pieces "
    "WHERE tenant_id = %s AND pieces_seq = ANY(%s::bigint[]) AND space_id = %s"
)


async def keep_pieces(session: Session, space: int, made: Sequence[tuple[int, Pieces]]) -> None:
    """made: (number of its entry, its pieces) of each."""
    seqs = [seq for seq, _ in made]
    numbers = [packed_numbers(pieces) for _, pieces in made]
    rows = [pieces.rows for _, pieces in made]
    await session.run(_REPLACE, space, seqs, numbers, rows, session.tenant)


async def best_matches(
    session: Session, space: int, seqs: Iterable[int], asked: Pieces
) -> dict[int, float]:
    """By seq of those that have pieces, how well they match the asked ones."""
    found = await session.rows(_SELECT, session.tenant, list(seqs), space)
    return matches(found, asked)
