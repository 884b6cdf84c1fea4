"""Finding in what was known at a past time: what is live now, as it was recorded by then."""

from __future__ import annotations

from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.sheet import Rank
from lineal.policy.filtering import passes
from lineal.stores.postgres import search
from lineal.stores.postgres.filters import content_filter, live_filter
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.rows.context_rows import ContextRow

__all__ = ["CHANGED_MAX", "find"]

CHANGED_MAX = 5_000
"""Most contexts whose earlier text is read for one question, the latest changed first: each costs
about 0.1 ms."""

# What was never changed isn't in the index this uses.
_CHANGED = sql(
    "SELECT",
    CONTEXT,
    ", number, body, body_digest FROM lineal.context CROSS JOIN LATERAL "
    "(SELECT number, body, body_digest FROM lineal.context_revision "
    "WHERE context_revision.tenant_id = %s AND context_seq = seq AND recorded_at <= %s "
    "ORDER BY number DESC LIMIT 1) AS earlier WHERE revision > 1 AND",
)
_LATEST_CHANGED = "ORDER BY updated_at DESC LIMIT %s"
_CHILDREN = (
    "SELECT child_id FROM lineal.edge WHERE tenant_id = %s AND parent_id = %s "
    "AND relation = 'was_derived_from'"
)


async def find(
    session: Session, scope: Scope, query: TextQuery, rank: Rank, now: datetime
) -> CandidatePage:
    """As `search.find`, each as the latest revision recorded by query.as_of had it.

    Which of it has changed since is found by reading, of the CHANGED_MAX latest changed."""
    as_of_ms = 0 if query.as_of is None else to_ms(query.as_of)
    changed = await _changed(session, scope, query, now, as_of_ms)
    if query.terms:
        return await search.find(session, scope, query, rank, now, changed)
    unchanged = await search.listed(session, scope, query, content_filter(scope, query, now))
    return _newest(query, unchanged, changed, now)


async def _changed(
    session: Session, scope: Scope, query: TextQuery, now: datetime, as_of_ms: int
) -> dict[int, Context]:
    """By the number of its row, what was recorded by then of each that has changed since."""
    condition, values = live_filter(scope, now).also("updated_at > %s", as_of_ms)
    statement = sql(_CHANGED, condition, _LATEST_CHANGED)
    asked = await session.ask(statement, scope.tenant, as_of_ms, *values, CHANGED_MAX)
    children = await _children(session, scope, query)
    found: dict[int, Context] = {}
    for row, context in await _read(asked):
        if passes(context, query) and (children is None or context.context_id in children):
            found[row.seq] = context
    return found


async def _children(session: Session, scope: Scope, query: TextQuery) -> frozenset[str] | None:
    if query.derived_from is None:
        return None
    rows = await session.rows(_CHILDREN, scope.tenant, query.derived_from)
    return frozenset(child for (child,) in rows)


async def _read(asked: Asked) -> list[tuple[ContextRow, Context]]:
    rows = [(ContextRow.checked(values[:-3]), values[-3:]) for values in await asked.rows()]
    return [(row, row.context(*then)) for row, then in rows]


def _newest(
    query: TextQuery, unchanged: search.Listed, changed: dict[int, Context], now: datetime
) -> CandidatePage:
    """Both by receipt, the latest first."""
    every = {**{seq: Candidate(context=c) for seq, c in changed.items()}, **unchanged.found}
    newest = sorted(every, reverse=True)[: query.limit]
    matched = unchanged.matched + len(changed)
    return CandidatePage(candidates=tuple(every[seq] for seq in newest), matched=matched, now=now)
