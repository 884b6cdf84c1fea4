"""Withholding memories and giving them back: hidden like what is forgotten, but kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Scope, Withholding
from lineal.stores.postgres import entries
from lineal.stores.postgres.alike import keep_keys
from lineal.stores.postgres.contexts import locked_rows, within
from lineal.stores.postgres.erase import unlist_contexts
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT, wall
from lineal.stores.rows.context_rows import WITHHELD, ContextRow, Marks
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.values import Row

__all__ = ["give_back", "withhold"]

_RETURNABLE = sql(
    "SELECT",
    CONTEXT,
    ", body, body_digest FROM lineal.context LEFT JOIN LATERAL (SELECT body, body_digest "
    "FROM lineal.context_revision WHERE context_revision.tenant_id = context.tenant_id "
    "AND context_seq = seq AND number = context.revision) AS present ON true "
    "WHERE context_id = ANY(%s::text[]) AND held_until > %s AND",
)
_LOCKED = "ORDER BY seq FOR UPDATE OF context"
_WITHHOLD = (
    "UPDATE lineal.context SET expires_at = %s, held_at = %s, held_until = %s, held_root = %s, "
    "context_digest = held_digest FROM unnest(%s::bigint[], %s::bytea[]) "
    "AS held (held_seq, held_digest) WHERE tenant_id = %s AND seq = held_seq"
)
_SHOW = (
    "UPDATE lineal.context SET expires_at = %s, held_at = NULL, held_until = NULL, "
    "held_root = NULL, context_digest = %s WHERE tenant_id = %s AND seq = %s"
)


async def withhold(session: Session, scope: Scope, asked: Withholding, now: datetime) -> None:
    """Hide those that are live within the scope; the others are left as they are."""
    at, until = to_ms(now), to_ms(asked.until)
    locked = await locked_rows(session, scope.tenant, asked.context_ids)
    rows = [r for r in locked.values() if r.live(at) and within(scope, r.user_id, r.domain)]
    if rows:
        await unlist_contexts(session, rows)
        hidden = [row.withheld(asked.root, at, until) for row in rows]
        seqs, digests = [row.seq for row in hidden], [row.context_digest for row in hidden]
        held = (WITHHELD, at, until, asked.root)
        await session.run(_WITHHOLD, *held, seqs, digests, session.tenant)


async def give_back(session: Session, scope: Scope, names: Iterable[str], now: datetime) -> None:
    """Show those that are withheld and not yet past their time; the others are left as they are."""
    inside, named = wall(scope), list(names)
    if named:
        statement = sql(_RETURNABLE, inside.condition, _LOCKED)
        for values in await session.rows(statement, named, to_ms(now), *inside.values):
            await _show(session, ContextRow.checked(values[:-2]), values[-2:])


async def _show(session: Session, held: ContextRow, present: Row) -> None:
    """As it was: all that a row holds beside its fingerprint is in its text."""
    if present[0] is None:
        raise damaged(f"The memory '{held.context_id}'", context_id=held.context_id)
    context = held.context(held.revision, *present)
    row = ContextRow.made(held.tenant, context, held.marks, held.seq)
    await session.run(_SHOW, row.expires_at, row.context_digest, session.tenant, row.seq)
    await entries.add(session, row.seq, context)
    await keep_keys(session, row, Marks())
