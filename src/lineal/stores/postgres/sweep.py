"""Taking out what has expired, in bites; any number of sweepers work side by side."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import SweepReport
from lineal.policy.expiry import ClockMark, advance
from lineal.stores.postgres import receipts
from lineal.stores.postgres.erase import erase_contexts, erase_users
from lineal.stores.postgres.locks import Room, room_key
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.postgres.statements import CONTEXT, USER
from lineal.stores.postgres.tenants import enter, pages
from lineal.stores.postgres.transactions import Writing
from lineal.stores.rows.context_rows import WITHHELD, ContextRow
from lineal.stores.rows.sweeping import refusal
from lineal.stores.rows.user_rows import UserKept

__all__ = ["BITE_MAX", "believe", "ripe", "sweep_tenant"]

BITE_MAX = 500
"""Most rows of a kind in one transaction, so that nobody waits long for a room, and the server has
room for the locks (it has 64 for each connection)."""

# Whoever else is at a row, another sweeper or a write, keeps it.
_EXPIRED = sql(
    "SELECT",
    CONTEXT,
    "FROM lineal.context WHERE tenant_id = %s AND expires_at > %s AND expires_at <= %s "
    "ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED",
)
_WITHHELD = sql(
    "SELECT",
    CONTEXT,
    "FROM lineal.context WHERE tenant_id = %s AND held_until <= %s "
    "ORDER BY held_until LIMIT %s FOR UPDATE SKIP LOCKED",
)
_USERS = sql(
    "SELECT",
    USER,
    "FROM lineal.user_row WHERE tenant_id = %s AND expires_at <= %s "
    "ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED",
)
_TRY = (
    "SELECT wanted FROM unnest(%s::bigint[]) AS room (wanted) "
    "WHERE pg_try_advisory_xact_lock(wanted)"
)
_RIPE = (
    "SELECT EXISTS (SELECT 1 FROM lineal.context WHERE tenant_id = %s AND expires_at > %s "
    "AND expires_at <= %s) OR EXISTS (SELECT 1 FROM lineal.context WHERE tenant_id = %s "
    "AND held_until <= %s) OR EXISTS (SELECT 1 FROM lineal.user_row WHERE tenant_id = %s "
    "AND expires_at <= %s) OR EXISTS (SELECT 1 FROM lineal.receipt WHERE tenant_id = %s "
    "AND answered_at < %s)"
)


async def believe(writing: Writing, *, accept_clock: bool = False) -> SweepReport:
    """An empty report, or a refusal while the clock can't be believed. accept_clock: it is right.
    The record of time is written in any case."""
    meta = await writing.meta()
    writing.wrote, wall = True, meta.wall
    if accept_clock:
        writing.believed = ClockMark(high=wall)
    mark = advance(writing.believed or meta.mark, wall)
    return SweepReport() if mark.trusts(wall) else SweepReport(refused=refusal(mark, wall))


async def ripe(session: Session, now: datetime) -> list[str]:
    """Tenants of which something is to be taken out. The session is behind another wall
    afterwards."""
    found: list[str] = []
    async for tenants in pages(session):
        asked = [await _ask_ripe(session, tenant, now) for tenant in tenants]
        pairs = zip(tenants, asked, strict=True)
        found += [tenant for tenant, answer in pairs if await answer.value()]
    return found


async def sweep_tenant(session: Session, limit: int, now: datetime) -> SweepReport:
    """Take out at most `limit` rows of a kind of the session's tenant: contexts that have expired,
    then those that can't be given back any more. Rows that somebody is at, and rooms in which
    somebody writes, are left for the next time."""
    tenant, now_ms = session.tenant, to_ms(now)
    expired = await session.ask(_EXPIRED, tenant, WITHHELD, now_ms, limit)
    withheld = await session.ask(_WITHHELD, tenant, now_ms, limit)
    ended = await session.ask(_USERS, tenant, now_ms, limit)
    rows = [*await expired.rows(), *await withheld.rows()][:limit]
    found = [ContextRow.checked(values) for values in rows]
    users = [UserKept.checked(values) for values in await ended.rows()]
    rooms = {(row.user_id, row.domain) for row in found}
    free = await _locked(session, rooms | {(row.user_id, row.domain) for row in users})
    contexts = [row for row in found if (row.user_id, row.domain) in free]
    users = [row for row in users if (row.user_id, row.domain) in free]
    await erase_contexts(session, contexts, [row.tombstone() for row in contexts])
    await erase_users(session, users)
    before_ms = to_ms(now - receipts.RECEIPT_LIFE)
    dropped = await receipts.drop_older(session, before_ms, limit)
    return SweepReport(contexts=len(contexts), users=len(users), receipts=dropped)


async def _ask_ripe(session: Session, tenant: str, now: datetime) -> Asked:
    now_ms, before_ms = to_ms(now), to_ms(now - receipts.RECEIPT_LIFE)
    await enter(session, tenant)
    contexts = (tenant, WITHHELD, now_ms, tenant, now_ms)
    return await session.ask(_RIPE, *contexts, tenant, now_ms, tenant, before_ms)


async def _locked(session: Session, rooms: Iterable[Room]) -> frozenset[Room]:
    """Those of the rooms in which nobody writes; nobody does until the end of the transaction."""
    keys = {room_key(session.tenant, room): room for room in rooms}
    if not keys:
        return frozenset()
    return frozenset(keys[key] for (key,) in await session.rows(_TRY, sorted(keys)))
