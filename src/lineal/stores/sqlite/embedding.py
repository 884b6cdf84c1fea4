"""Which contexts have no vector yet, and who is making it.

Contexts are gone through by their number, so a space remembers only how far it has come, and what
was changed behind that mark: a write leaves nothing to tidy up, a crash loses nothing, and a new
model begins at the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.sheet import EmbedBatch, Pieces, Space, Unembedded
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.sqlite import vectors
from lineal.stores.sqlite.pieces import keep_pieces
from lineal.stores.sqlite.statements import all_rows, one_row, one_value, sql

__all__ = ["claim", "claimable", "drop_others", "keep", "left", "looked_at"]

LEASE_MS = 60_000
"""How long a batch belongs to one process: far longer than embedding it takes."""


_STATE = "SELECT done_seq, leased_until, leased_by FROM space WHERE space_id = ?"
_LEASE = "UPDATE space SET leased_until = ?, leased_by = ? WHERE space_id = ?"
_RETURN = "UPDATE space SET leased_until = 0 WHERE space_id = ? AND leased_by = ?"
_DONE = "UPDATE space SET done_seq = max(done_seq, ?) WHERE space_id = ?"
_FRESH = "SELECT entry_seq FROM entry WHERE entry_seq > ? ORDER BY entry_seq LIMIT ?"
_CHANGED = (
    "SELECT again_seq FROM embed_again WHERE again_space = ? AND again_seq <= ? "
    "ORDER BY again_seq LIMIT ?"
)
_DROP_CHANGED = "DELETE FROM embed_again WHERE again_space = ? AND again_seq = ?"
_ADD_CHANGED = "INSERT OR IGNORE INTO embed_again VALUES (?, ?)"
_DONE_SEQ = "SELECT done_seq FROM space WHERE space_id = ?"
_ADD_BETWEEN = (
    "INSERT OR IGNORE INTO embed_again SELECT ?, entry_seq FROM entry "
    "WHERE entry_seq > ? AND entry_seq < ?"
)
_COUNT_FRESH = "SELECT count(*) FROM (SELECT 1 FROM entry WHERE entry_seq > ? LIMIT ?)"
_COUNT_CHANGED = (
    "SELECT count(*) FROM (SELECT 1 FROM embed_again WHERE again_space = ? AND again_seq <= ? "
    "LIMIT ?)"
)
_WHOLE = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", body, body_digest FROM context JOIN context_revision "
    "ON context_seq = seq AND number = revision WHERE seq = ?",
)
_ENTRY = (
    "SELECT entry_shelf, context_id, revision FROM entry JOIN context ON seq = entry_seq "
    "WHERE entry_seq = ?"
)
_OTHERS = "SELECT space_id FROM space WHERE space_id <> ?"
_DROP_OF = (
    "DELETE FROM vector WHERE vector_space = ?",
    "DELETE FROM code WHERE code_space = ?",
    "DELETE FROM embed_again WHERE again_space = ?",
    "DELETE FROM pieces WHERE pieces_space = ?",
    "DELETE FROM space WHERE space_id = ?",
)


def left(connection: apsw.Connection, space: Space, most: int) -> int:
    """How many contexts wait for a vector, counted up to `most`."""
    known = vectors.space_id(connection, space)
    done = 0 if known is None else one_row(connection, _STATE, known)[0]  # type: ignore[index]
    changed = 0 if known is None else one_value(connection, _COUNT_CHANGED, known, done, most)
    fresh: int = one_value(connection, _COUNT_FRESH, done, most)
    return min(most, fresh + changed)


def claimable(connection: apsw.Connection, space: Space, owner: str, now: datetime) -> bool:
    """Whether there is something to embed that nobody else is at."""
    known = vectors.space_id(connection, space)
    taken = known is not None and _taken(connection, known, owner, to_ms(now))
    return not taken and left(connection, space, 1) > 0


def claim(
    connection: apsw.Connection, space: Space, owner: str, limit: int, now: datetime
) -> EmbedBatch | None:
    """The next contexts to embed; None where there are none, or somebody else is at it."""
    known, now_ms = vectors.made_space(connection, space), to_ms(now)
    if _taken(connection, known, owner, now_ms):
        return None
    done, _, _ = one_row(connection, _STATE, known) or (0, 0, "")
    changed = [seq for (seq,) in all_rows(connection, _CHANGED, known, done, limit)]
    fresh = [seq for (seq,) in all_rows(connection, _FRESH, done, limit - len(changed))]
    if not changed and not fresh:
        return None
    connection.execute(_LEASE, (now_ms + LEASE_MS, owner, known))
    items = {seq: _unembedded(connection, seq) for seq in (*changed, *fresh)}
    waiting = tuple(item for item in items.values() if item is not None)
    for seq in (seq for seq in changed if items[seq] is None):
        connection.execute(_DROP_CHANGED, (known, seq))
    return EmbedBatch(space, owner, waiting, fresh[-1] if fresh else done)


def keep(
    connection: apsw.Connection,
    batch: EmbedBatch,
    made: Sequence[Sequence[float]],
    pieces: Sequence[Pieces] = (),
) -> None:
    """Keep the vectors of those that are as they were; the others are to be embedded again."""
    known = vectors.made_space(connection, batch.space)
    for place, (item, vector) in enumerate(zip(batch.items, made, strict=True)):
        entry = one_row(connection, _ENTRY, item.number)
        connection.execute(_DROP_CHANGED, (known, item.number))
        if entry is None:  # it has ended
            continue
        if entry[1:] != (item.context.context_id, item.context.revision):
            connection.execute(_ADD_CHANGED, (known, item.number))
        elif any(vector):
            vectors.keep_vector(connection, known, entry[0], item.number, vector)
            if pieces:
                keep_pieces(connection, known, item.number, pieces[place])
    connection.execute(_DONE, (batch.upto, known))
    connection.execute(_RETURN, (known, batch.owner))


def looked_at(connection: apsw.Connection, space: int, seq: int) -> None:
    """A context has its vector from elsewhere. Those before it that nobody has looked at wait as
    before, by name: the mark of what was looked at has gone past them."""
    done: int = one_value(connection, _DONE_SEQ, space)
    if seq > done:
        connection.execute(_ADD_BETWEEN, (space, done, seq))
        connection.execute(_DONE, (seq, space))
    else:
        connection.execute(_DROP_CHANGED, (space, seq))


def drop_others(connection: apsw.Connection, space: Space) -> None:
    """Take out every vector of another space."""
    known = vectors.made_space(connection, space)
    for (other,) in all_rows(connection, _OTHERS, known):
        for statement in _DROP_OF:
            connection.execute(statement, (other,))


def _taken(connection: apsw.Connection, known: int, owner: str, now_ms: int) -> bool:
    _, leased_until, leased_by = one_row(connection, _STATE, known) or (0, 0, owner)
    # A lease that reaches further than any does was made by a clock that was ahead.
    return bool(leased_by != owner and now_ms < leased_until <= now_ms + LEASE_MS)


def _unembedded(connection: apsw.Connection, seq: int) -> Unembedded | None:
    """None for what has no row, or a damaged one: that is found by its id, and by verify."""
    values = one_row(connection, _WHOLE, seq)
    if values is None:
        return None
    with suppress(LinealError):
        row = ContextRow.checked(values[:-2])
        return Unembedded(seq, row.context(row.revision, *values[-2:]))
    return None
