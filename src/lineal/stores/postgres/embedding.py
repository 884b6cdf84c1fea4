"""Which contexts of a tenant have no vector yet, and who is making it.

A tenant's space is made at its first claim, with all that waits; from then on a write adds to it
what it changes, in its own transaction. So nothing is missed, and a crash loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.sheet import EmbedBatch, Pieces, Space, Unembedded
from lineal.stores.postgres.pieces import keep_pieces
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.postgres.vectors import keep_vectors, space_of
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.values import Row

__all__ = ["LEASE_MS", "claim", "drop_others", "is_known", "keep", "left"]

LEASE_MS = 60_000
"""How long a batch belongs to one process: far longer than embedding it takes."""

_KNOWN = "SELECT 1 FROM lineal.space WHERE tenant_id = %s AND space_id = %s"
_COUNT_WAITING = (
    "SELECT count(*) FROM (SELECT 1 FROM lineal.unembedded "
    "WHERE tenant_id = %s AND space_id = %s LIMIT %s) AS counted"
)
_COUNT_ALL = (
    "SELECT count(*) FROM (SELECT 1 FROM lineal.entry WHERE tenant_id = %s LIMIT %s) AS counted"
)
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
# A lease that reaches further than any does was made by a clock that was ahead.
_LEASE = (
    "UPDATE lineal.space SET leased_until = %s, leased_by = %s "
    "WHERE tenant_id = %s AND space_id = %s "
    "AND (leased_by = %s OR leased_until <= %s OR leased_until > %s) "
    "AND EXISTS (SELECT 1 FROM lineal.unembedded WHERE unembedded.tenant_id = %s "
    "AND unembedded.space_id = %s) RETURNING 1"
)
_RETURN = (
    "UPDATE lineal.space SET leased_until = 0 "
    "WHERE tenant_id = %s AND space_id = %s AND leased_by = %s"
)
_NEXT = (
    "(SELECT waiting_seq, 0 AS turn FROM lineal.unembedded WHERE tenant_id = %s "
    "AND space_id = %s AND changed ORDER BY waiting_seq LIMIT %s) UNION ALL "
    "(SELECT waiting_seq, 1 FROM lineal.unembedded WHERE tenant_id = %s "
    "AND space_id = %s AND NOT changed ORDER BY waiting_seq LIMIT %s) "
    "ORDER BY turn, waiting_seq LIMIT %s"
)
_WHOLE = sql(
    "SELECT",
    CONTEXT,
    ", body, body_digest FROM lineal.context JOIN lineal.context_revision USING (tenant_id) "
    "WHERE tenant_id = %s AND seq = ANY(%s::bigint[]) AND context_seq = seq AND number = revision",
)
_DONE = (
    "DELETE FROM lineal.unembedded "
    "WHERE tenant_id = %s AND space_id = %s AND waiting_seq = ANY(%s::bigint[])"
)
_SPACE = "SELECT 1 FROM lineal.space WHERE tenant_id = %s AND space_id = %s FOR SHARE"
# Whoever changes a context changes its row before its entry: it comes before this, or waits.
_ROWS = (
    "SELECT seq, context_id, revision FROM lineal.context "
    "WHERE tenant_id = %s AND seq = ANY(%s::bigint[]) ORDER BY seq FOR SHARE"
)
_ENTRIES = (
    "SELECT entry_seq FROM lineal.entry WHERE tenant_id = %s AND entry_seq = ANY(%s::bigint[])"
)
_AGAIN = (
    "INSERT INTO lineal.unembedded (tenant_id, space_id, waiting_seq, changed) "
    "SELECT %s, %s, again_seq, true FROM unnest(%s::bigint[]) AS again (again_seq) "
    "ON CONFLICT (tenant_id, space_id, waiting_seq) DO UPDATE SET changed = true"
)
_DROP_OTHERS = (
    "DELETE FROM lineal.space WHERE tenant_id = %s AND space_id <> %s",
    "DELETE FROM lineal.unembedded WHERE tenant_id = %s AND space_id <> %s",
    "DELETE FROM lineal.embedding WHERE tenant_id = %s AND space_id <> %s",
    "DELETE FROM lineal.pieces WHERE tenant_id = %s AND space_id <> %s",
)


async def is_known(session: Session, space: Space) -> bool:
    """Whether the session's tenant has this space already."""
    return await session.row(_KNOWN, session.tenant, space_of(space)) is not None


async def left(session: Session, space: Space, most: int) -> int:
    """How many contexts of the session's tenant wait for a vector, counted up to `most`."""
    tenant, number = session.tenant, space_of(space)
    known = await session.ask(_KNOWN, tenant, number)
    waiting = await session.ask(_COUNT_WAITING, tenant, number, most)
    if await known.row() is not None:
        return int(await waiting.value())
    return int(await session.value(_COUNT_ALL, tenant, most))


async def claim(
    session: Session, space: Space, owner: str, limit: int, now: datetime
) -> EmbedBatch | None:
    """The next contexts of the session's tenant to embed; None where there are none, or somebody
    else is at it.

    Before the tenant's first claim (see is_known) the whole tenant must be locked: an append that
    is under way would not know of the space, nor the space of it."""
    tenant, number, now_ms = session.tenant, space_of(space), to_ms(now)
    if not await is_known(session, space):
        await session.run(_MAKE, tenant, number, space.version, space.dim)
        await session.run(_FILL, number, tenant)
    lease = (now_ms + LEASE_MS, owner, tenant, number, owner, now_ms, now_ms + LEASE_MS)
    if await session.row(_LEASE, *lease, tenant, number) is None:
        return None
    of = (tenant, number, limit)
    seqs = [seq for seq, _ in await session.rows(_NEXT, *of, *of, limit)]
    items = _unembedded(await session.rows(_WHOLE, tenant, seqs))
    await session.run(_DONE, tenant, number, [seq for seq in seqs if seq not in items])
    waiting = tuple(items[seq] for seq in seqs if seq in items)
    return EmbedBatch(space, owner, waiting, upto=0, tenant=tenant)


async def keep(
    session: Session,
    batch: EmbedBatch,
    made: Sequence[Sequence[float]],
    pieces: Sequence[Pieces] = (),
) -> None:
    """Keep the vectors of those that are as they were; the others are to be embedded again. The
    session's tenant must be the batch's; nothing is kept in a space that was dropped meanwhile."""
    tenant, number = session.tenant, space_of(batch.space)
    seqs = [item.number for item in batch.items]
    locked = await session.ask(_ROWS, tenant, seqs)
    shared = await session.ask(_SPACE, tenant, number)
    kept = await session.ask(_ENTRIES, tenant, seqs)
    rows = {seq: (name, revision) for seq, name, revision in await locked.rows()}
    if await shared.row() is None:
        return
    present = {seq for (seq,) in await kept.rows()}
    same = {
        item.number: place
        for place, item in enumerate(batch.items)
        if rows.get(item.number) == (item.context.context_id, item.context.revision)
    }
    true = {seq: place for seq, place in same.items() if seq in present and any(made[place])}
    await session.run(_DONE, tenant, number, seqs)
    await session.run(_AGAIN, tenant, number, [s for s in seqs if s in present and s not in same])
    await keep_vectors(session, number, [(seq, made[place]) for seq, place in true.items()])
    if pieces:
        await keep_pieces(session, number, [(seq, pieces[at]) for seq, at in true.items()])
    await session.run(_RETURN, tenant, number, batch.owner)


async def drop_others(session: Session, space: Space) -> None:
    """Take out every vector of another space of the session's tenant."""
    for statement in _DROP_OTHERS:
        await session.run(statement, session.tenant, space_of(space))


def _unembedded(found: Iterable[Row]) -> dict[int, Unembedded]:
    """By number, without damaged ones: these are found by their id, and by verify."""
    items: dict[int, Unembedded] = {}
    for values in found:
        with suppress(LinealError):
            row = ContextRow.checked(values[:-2])
            items[row.seq] = Unembedded(row.seq, row.context(row.revision, *values[-2:]))
    return items
