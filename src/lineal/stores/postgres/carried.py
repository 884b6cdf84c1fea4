"""Vectors that come with their contexts. What has none waits for one, as after a usual write."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lineal.models.archive import VectorRecord
from lineal.models.sheet import Pieces, Space
from lineal.stores.postgres.contexts import context_rows
from lineal.stores.postgres.entries import shelf_of
from lineal.stores.postgres.filling import columns
from lineal.stores.postgres.incoming import Fresh
from lineal.stores.postgres.pieces import keep_pieces
from lineal.stores.postgres.session import Asked, Session
from lineal.stores.postgres.vectors import space_of
from lineal.stores.rows import arriving
from lineal.stores.rows.context_rows import ContextRow

__all__ = ["Carried", "send_vectors", "settle_vectors"]

_DIGITS = tuple(str((byte + 128) % 256 - 128) for byte in range(256))
"""Of each byte, as a signed number."""

_KNOWN = "SELECT 1 FROM lineal.space WHERE tenant_id = %s AND space_id = %s"
_MAKE = (
    "INSERT INTO lineal.space "
    "(tenant_id, space_id, space_version, space_dim, leased_until, leased_by) "
    "VALUES (%s, %s, %s, %s, 0, '') ON CONFLICT (tenant_id, space_id) DO NOTHING"
)
_FILL = (
    "INSERT INTO lineal.unembedded (tenant_id, space_id, waiting_seq, changed) "
    "SELECT tenant_id, %s, entry_seq, false FROM lineal.entry WHERE tenant_id = %s "
    "ON CONFLICT (tenant_id, space_id, waiting_seq) DO NOTHING"
)
_KEEP = (
    "INSERT INTO lineal.embedding "
    "(tenant_id, space_id, vector_shelf, vector_seq, vector_scale, numbers) "
    "SELECT %s, %s, of_shelf, of_seq, new_scale::real, new_numbers::halfvec "
    "FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) "
    "AS made (of_shelf, of_seq, new_scale, new_numbers) "
    "ON CONFLICT (tenant_id, space_id, vector_shelf, vector_seq) DO NOTHING RETURNING vector_seq"
)
_DONE = (
    "DELETE FROM lineal.unembedded "
    "WHERE tenant_id = %s AND space_id = %s AND waiting_seq = ANY(%s::bigint[])"
)
_WAIT = (
    "INSERT INTO lineal.unembedded (tenant_id, space_id, waiting_seq, changed) "
    "SELECT space.tenant_id, space.space_id, new_seq, false FROM lineal.space "
    "CROSS JOIN unnest(%s::bigint[], %s::bigint[]) AS listed (new_seq, new_shelf) "
    "WHERE space.tenant_id = %s AND NOT EXISTS (SELECT 1 FROM lineal.embedding "
    "WHERE embedding.tenant_id = space.tenant_id AND embedding.space_id = space.space_id "
    "AND vector_shelf = new_shelf AND vector_seq = new_seq) "
    "ON CONFLICT (tenant_id, space_id, waiting_seq) DO NOTHING"
)


class Carried(NamedTuple):
    """Vectors on their way to the server, by the numbers of their contexts. asked: which of them
    are kept."""

    space: Space
    records: dict[int, VectorRecord]
    asked: Asked


async def send_vectors(
    session: Session, records: Sequence[VectorRecord], fresh: Fresh
) -> list[Carried]:
    """A vector is of one text: what has moved on is embedded anew. fresh: contexts that aren't in
    the index of words yet."""
    for record in records:
        arriving.require_vector(record)
    rows = {row.context_id: row for row, _ in fresh.values()}
    others = [record.context_id for record in records if record.context_id not in rows]
    if others:
        rows |= await context_rows(session, session.tenant, others)
    spaces: dict[Space, list[tuple[ContextRow, VectorRecord]]] = defaultdict(list)
    for record in records:
        row = rows.get(record.context_id)
        if row is not None and not row.held and row.revision == record.revision:
            spaces[Space(record.space, record.dim)].append((row, record))
    return [await _send(session, space, found) for space, found in spaces.items()]


async def settle_vectors(session: Session, carried: Iterable[Carried], fresh: Fresh) -> int:
    """How many were kept, once their contexts are in the index of words. What is fresh waits for
    those that didn't come with it, in each space that the tenant has."""
    kept = sum([await _settle(session, each) for each in carried])
    listed = columns((row.seq, _shelf(row)) for row, _ in fresh.values())
    if listed:
        await session.run(_WAIT, *listed, session.tenant)
    return kept


async def _send(
    session: Session, space: Space, found: Sequence[tuple[ContextRow, VectorRecord]]
) -> Carried:
    by_seq = {row.seq: record for row, record in reversed(found)}
    values = columns((_shelf(row), row.seq, *_unpacked(record.packed)) for row, record in found)
    asked = await session.ask(_KEEP, session.tenant, space_of(space), *values)
    return Carried(space, by_seq, asked)


async def _settle(session: Session, carried: Carried) -> int:
    number = space_of(carried.space)
    known = await session.ask(_KNOWN, session.tenant, number)
    kept = [seq for (seq,) in await carried.asked.rows()]
    if await known.row() is None:
        await session.run(_MAKE, session.tenant, number, *carried.space)
        await session.run(_FILL, number, session.tenant)
    pieces = [(seq, carried.records[seq].pieces) for seq in kept]
    with_pieces = [(seq, Pieces(of.numbers, of.rows)) for seq, of in pieces if of is not None]
    if with_pieces:
        await keep_pieces(session, number, with_pieces)
    if kept:
        await session.run(_DONE, session.tenant, number, kept)
    return len(kept)


def _shelf(row: ContextRow) -> int:
    return shelf_of(row.tenant, row.user_id, row.domain, row.project or "")


def _unpacked(packed: bytes) -> tuple[str, str]:
    """(scale, numbers) as the server reads them: the scale's digits tell its 32 bits."""
    (scale,) = struct.unpack_from("<f", packed)
    numbers = [_DIGITS[byte] for byte in packed[arriving.SCALE_BYTES :]]
    return repr(scale), "[" + ",".join(numbers) + "]"
