"""Vectors of contexts: 8-bit numbers of each, and for large shelves their signs in blocks.

A shelf of up to EXACT_MAX vectors is looked at whole. Of a larger one the signs are compared first,
384 bits instead of 384 numbers, and only the nearest by these are measured by their numbers: that
finds the same (Charikar 2002: the share of equal signs estimates the angle). Blocks are written in
place and only ever grow at the end of a shelf, so nothing is rebuilt, and every process reads them
out of the same file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import apsw

from lineal.models.sheet import Space
from lineal.stores.rows.vectors import in_bytes
from lineal.stores.sqlite.pieces import drop_pieces
from lineal.stores.sqlite.statements import all_rows, one_row, one_value

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "EXACT_MAX",
    "SCALE_BYTES",
    "again",
    "drop",
    "has_vector",
    "keep_packed",
    "keep_vector",
    "likenesses",
    "made_space",
    "nearest",
    "space_id",
]

EXACT_MAX = 1_000
"""Vectors of a shelf that are measured one by one: some 2 ms."""

BLOCK = 1_024
"""Codes of a block: 48 kB for 384 numbers."""

MEASURED = 400
"""How many of the nearest by their signs are measured by their numbers."""

NO_PLACE = -1
_NUMBER = struct.Struct("<q")
_SCALE = struct.Struct("<f")
SCALE_BYTES = _SCALE.size
"""Of a packed vector, before its numbers."""

_SELECT_SPACE = "SELECT space_id FROM space WHERE space_version = ? AND space_dim = ?"
_INSERT_SPACE = "INSERT INTO space VALUES (NULL, ?, ?, 0, 0, '')"
_SPACES = "SELECT space_id, space_dim FROM space"
_SELECT = "SELECT place FROM vector WHERE vector_space = ? AND vector_shelf = ? AND vector_seq = ?"
_REPLACE = "INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM vector WHERE vector_space = ? AND vector_shelf = ? AND vector_seq = ?"
_AGAIN = "INSERT OR IGNORE INTO embed_again SELECT space_id, ? FROM space"
_OF_SHELF = "SELECT vector_seq, packed FROM vector WHERE vector_space = ? AND vector_shelf = ?"
_PLACELESS = (
    "SELECT vector_seq, packed FROM vector WHERE vector_space = ? AND vector_shelf = ? "
    "AND place < 0"
)
_SET_PLACE = (
    "UPDATE vector SET place = ? WHERE vector_space = ? AND vector_shelf = ? AND vector_seq = ?"
)
_COUNT = (
    "SELECT count(*) FROM (SELECT 1 FROM vector WHERE vector_space = ? AND vector_shelf = ? "
    "LIMIT ?)"
)
_HAS_CODES = "SELECT 1 FROM code WHERE code_space = ? AND code_shelf = ? LIMIT 1"
_LAST_BLOCK = (
    "SELECT code_id, block, filled FROM code WHERE code_space = ? AND code_shelf = ? "
    "ORDER BY block DESC LIMIT 1"
)
_INSERT_BLOCK = "INSERT INTO code VALUES (NULL, ?, ?, ?, 0, 0, zeroblob(?), zeroblob(?))"
_FILL = "UPDATE code SET filled = filled + 1, in_use = in_use + 1 WHERE code_id = ?"
_EMPTY = "UPDATE code SET in_use = in_use - 1 WHERE code_id = ?"
_DROP_BLOCK = "DELETE FROM code WHERE code_id = ? AND in_use = 0 AND filled = ?"
_BLOCKS = (
    "SELECT filled, numbers, signs FROM code WHERE code_space = ? AND code_shelf = ? ORDER BY block"
)
_THESE = (
    "SELECT vector_seq, packed FROM json_each(?) CROSS JOIN vector ON vector_space = ? "
    "AND vector_shelf = ? AND vector_seq = value"
)


def space_id(connection: apsw.Connection, space: Space) -> int | None:
    found: int | None = one_value(connection, _SELECT_SPACE, space.version, space.dim)
    return found


def made_space(connection: apsw.Connection, space: Space) -> int:
    """The space's number; made if it isn't there."""
    known = space_id(connection, space)
    if known is not None:
        return known
    connection.execute(_INSERT_SPACE, (space.version, space.dim))
    return connection.last_insert_rowid()


def keep_vector(
    connection: apsw.Connection, space: int, shelf: int, seq: int, vector: Sequence[float]
) -> None:
    """Keep a context's vector in place of an earlier one."""
    keep_packed(connection, space, shelf, seq, _packed(vector))


def keep_packed(
    connection: apsw.Connection, space: int, shelf: int, seq: int, packed: bytes
) -> None:
    """The same of a vector that is packed already."""
    _drop_of(connection, space, len(packed) - SCALE_BYTES, shelf, seq)
    connection.execute(_REPLACE, (space, shelf, seq, NO_PLACE, packed))
    if _has_codes(connection, space, shelf):
        _place(connection, space, shelf, seq, packed)
    elif one_value(connection, _COUNT, space, shelf, EXACT_MAX + 1) > EXACT_MAX:
        for other, numbers in all_rows(connection, _PLACELESS, space, shelf):
            _place(connection, space, shelf, other, numbers)


def has_vector(connection: apsw.Connection, space: int, shelf: int, seq: int) -> bool:
    return one_value(connection, _SELECT, space, shelf, seq) is not None


def drop(connection: apsw.Connection, shelf: int, seq: int) -> None:
    """Take out a context's vectors of every space."""
    for space, dim in all_rows(connection, _SPACES):
        _drop_of(connection, space, dim, shelf, seq)
    drop_pieces(connection, seq)


def again(connection: apsw.Connection, seq: int) -> None:
    """A context that was looked at is to be embedded again, in every space."""
    connection.execute(_AGAIN, (seq,))


def nearest(
    connection: apsw.Connection,
    space: Space,
    shelves: Iterable[int],
    question: Sequence[float],
    most: int,
) -> dict[int, float]:
    """By seq, the cosine of at most `most` nearest, and of more where a shelf is small; {} where
    the space isn't known."""
    import numpy as np

    known = space_id(connection, space)
    if known is None:
        return {}
    asked = np.asarray(question, np.float32)
    found: dict[int, float] = {}
    for shelf in shelves:
        if _has_codes(connection, known, shelf):
            rows = _by_signs(connection, known, shelf, asked, max(most, MEASURED))
        else:
            rows = all_rows(connection, _OF_SHELF, known, shelf)
        found.update(_measured(rows, asked))
    if len(found) <= most:
        return found
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:most])


def likenesses(
    connection: apsw.Connection,
    space: Space,
    question: Sequence[float],
    wanted: dict[int, list[int]],
) -> dict[int, float]:
    """By seq, the cosine of those that have a vector. wanted: seqs by their shelf."""
    import numpy as np

    known = space_id(connection, space)
    if known is None:
        return {}
    asked = np.asarray(question, np.float32)
    found: dict[int, float] = {}
    for shelf, seqs in wanted.items():
        found.update(_measured(_these(connection, known, shelf, seqs), asked))
    return found


def _packed(vector: Sequence[float]) -> bytes:
    """Four bytes of scale, then a byte for each number: within 1/254 of the largest."""
    scale, numbers = in_bytes(vector)
    return _SCALE.pack(scale) + numbers.tobytes()


def _measured(rows: list[tuple[Any, ...]], asked: np.ndarray[Any, Any]) -> dict[int, float]:
    """rows: (seq, packed). Each one's cosine, as far as 8 bits tell."""
    import numpy as np

    if not rows:
        return {}
    shape = np.dtype([("scale", "<f4"), ("numbers", "i1", (len(asked),))])
    vectors = np.frombuffer(b"".join(packed for _, packed in rows), shape)
    cosines = (vectors["numbers"].astype(np.float32) @ asked) * vectors["scale"]
    return dict(zip((seq for seq, _ in rows), cosines.tolist(), strict=True))


def _signs(packed: bytes) -> bytes:
    """A bit for each number: whether it is above 0."""
    import numpy as np

    numbers = np.frombuffer(packed, np.int8, offset=_SCALE.size)
    signs: bytes = np.packbits(numbers > 0).tobytes()
    return signs


def _has_codes(connection: apsw.Connection, space: int, shelf: int) -> bool:
    return one_row(connection, _HAS_CODES, space, shelf) is not None


def _place(connection: apsw.Connection, space: int, shelf: int, seq: int, packed: bytes) -> None:
    """Put a vector's signs at the end of its shelf's blocks."""
    signs = _signs(packed)
    code_id, slot = _free(connection, space, shelf, len(signs))
    _write(connection, "numbers", code_id, slot * _NUMBER.size, _NUMBER.pack(seq))
    _write(connection, "signs", code_id, slot * len(signs), signs)
    connection.execute(_FILL, (code_id,))
    connection.execute(_SET_PLACE, (code_id * BLOCK + slot, space, shelf, seq))


def _free(connection: apsw.Connection, space: int, shelf: int, size: int) -> tuple[int, int]:
    """(block's number, place within it) of the next vector. size: bytes of its signs."""
    last = one_row(connection, _LAST_BLOCK, space, shelf)
    if last is not None and last[2] < BLOCK:
        return last[0], last[2]
    number = 0 if last is None else last[1] + 1
    room = (space, shelf, number, BLOCK * _NUMBER.size, BLOCK * size)
    connection.execute(_INSERT_BLOCK, room)
    return connection.last_insert_rowid(), 0


def _drop_of(connection: apsw.Connection, space: int, dim: int, shelf: int, seq: int) -> None:
    place = one_value(connection, _SELECT, space, shelf, seq)
    if place is None:
        return
    connection.execute(_DELETE, (space, shelf, seq))
    if place != NO_PLACE:
        code_id, slot = divmod(place, BLOCK)
        size = -(-dim // 8)
        _write(connection, "numbers", code_id, slot * _NUMBER.size, bytes(_NUMBER.size))
        _write(connection, "signs", code_id, slot * size, bytes(size))
        connection.execute(_EMPTY, (code_id,))
        connection.execute(_DROP_BLOCK, (code_id, BLOCK))


def _write(
    connection: apsw.Connection, column: str, code_id: int, offset: int, data: bytes
) -> None:
    """In place: only the pages that hold it are written."""
    with connection.blob_open("main", "code", column, code_id, True) as blob:
        blob.seek(offset)
        blob.write(data)


def _by_signs(
    connection: apsw.Connection, space: int, shelf: int, asked: np.ndarray[Any, Any], most: int
) -> list[tuple[Any, ...]]:
    """(seq, packed) of those whose signs differ least from the question's."""
    import numpy as np

    size = -(-len(asked) // 8)
    bits = np.frombuffer(np.packbits(asked > 0).tobytes(), np.uint8)
    numbers, distances = [], []
    for filled, block_numbers, signs in connection.execute(_BLOCKS, (space, shelf)):
        codes = np.frombuffer(signs, np.uint8, filled * size).reshape(filled, size)
        numbers.append(np.frombuffer(block_numbers, np.int64, filled))
        distances.append(_differing(codes, bits))
    every, distance = np.concatenate(numbers), np.concatenate(distances)
    distance[every == 0] = len(asked) + 1
    close = _least(distance, most)
    return _these(connection, space, shelf, [seq for seq in every[close].tolist() if seq])


def _differing(codes: np.ndarray[Any, Any], bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """codes: (n, bytes), bits: (bytes,) → (n,) how many bits differ."""
    import numpy as np

    if codes.shape[1] % 8 == 0:  # eight bytes at a time
        codes, bits = codes.view(np.uint64), bits.view(np.uint64)
    counts = np.bitwise_count(codes ^ bits)
    total: np.ndarray[Any, Any] = counts[:, 0].astype(np.uint16)
    for column in range(1, counts.shape[1]):
        total += counts[:, column]
    return total


def _least(distance: np.ndarray[Any, Any], most: int) -> np.ndarray[Any, Any]:
    import numpy as np

    if len(distance) <= most:
        return np.arange(len(distance))
    return np.asarray(np.argpartition(distance, most)[:most], np.intp)


def _these(
    connection: apsw.Connection, space: int, shelf: int, seqs: Iterable[int]
) -> list[tuple[Any, ...]]:
    listed = "[" + ",".join(map(str, seqs)) + "]"
    return all_rows(connection, _THESE, listed, space, shelf)
