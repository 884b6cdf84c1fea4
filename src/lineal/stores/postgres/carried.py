"""Vectors that come with their contexts. What has none waits for one, as after a usual write."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Sequence

from lineal.models.archive import VectorRecord
from lineal.models.sheet import Pieces, Space
from lineal.stores.postgres.contexts import context_rows
from lineal.stores.postgres.embedding import is_known
from lineal.stores.postgres.filling import columns
from lineal.stores.postgres.incoming import Listed
from lineal.stores.postgres.pieces import keep_pieces
from lineal.stores.postgres.session import Session
from lineal.stores.postgres.vectors import space_of
from lineal.stores.rows import arriving

__all__ = ["await_rest", "keep_carried"]

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
    "SELECT entry.tenant_id, %s, entry_shelf, entry_seq, new_scale::real, new_numbers::halfvec "
    "FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS made (of_seq, new_scale, new_numbers) "
    "JOIN lineal.entry ON entry.tenant_id = %s AND entry_seq = of_seq "
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


async def keep_carried(session: Session, records: Sequence[VectorRecord]) -> int:
    """How many were kept. A vector is of one text: what has moved on is embedded anew."""
    for record in records:
        arriving.require_vector(record)
    rows = await context_rows(session, session.tenant, [r.context_id for r in records])
    spaces: dict[Space, dict[int, VectorRecord]] = defaultdict(dict)
    for record in records:
        row = rows.get(record.context_id)
        if row is not None and not row.held and row.revision == record.revision:
            spaces[Space(record.space, record.dim)].setdefault(row.seq, record)
    return sum([await _keep(session, space, found) for space, found in spaces.items()])


async def await_rest(session: Session, listed: Sequence[Listed]) -> None:
    """New entries wait for the vectors that didn't come with them, in each space that the tenant
    has."""
    if listed:
        await session.run(_WAIT, *columns(listed), session.tenant)


async def _keep(session: Session, space: Space, found: dict[int, VectorRecord]) -> int:
    """found: by the number of its entry, each one's vector of that space."""
    number = space_of(space)
    if not await is_known(session, space):
        await session.run(_MAKE, session.tenant, number, space.version, space.dim)
        await session.run(_FILL, number, session.tenant)
    made = columns((seq, *_unpacked(record.packed)) for seq, record in found.items())
    kept = [seq for (seq,) in await session.rows(_KEEP, number, *made, session.tenant)]
    pieces = [(seq, found[seq].pieces) for seq in kept]
    with_pieces = [(seq, Pieces(of.numbers, of.rows)) for seq, of in pieces if of is not None]
    if with_pieces:
        await keep_pieces(session, number, with_pieces)
    if kept:
        await session.run(_DONE, session.tenant, number, kept)
    return len(kept)


def _unpacked(packed: bytes) -> tuple[str, str]:
    """(scale, numbers) as the server reads them: the scale's digits tell its 32 bits."""
    (scale,) = struct.unpack_from("<f", packed)
    numbers = memoryview(packed)[arriving.SCALE_BYTES :].cast("b")
    return repr(scale), str(numbers.tolist())
