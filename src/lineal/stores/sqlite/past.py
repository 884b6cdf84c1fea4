"""Finding in what was known at a past time: what is live now, as it was recorded by then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.sheet import Rank
from lineal.policy.filtering import passes
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.sqlite import search
from lineal.stores.sqlite.filters import content_filter, live_filter
from lineal.stores.sqlite.statements import Value, all_rows, sql

__all__ = ["CHANGED_MAX", "find"]

CHANGED_MAX = 5_000
"""Most contexts whose earlier text is read for one question, the latest changed first: each costs
about 0.1 ms."""

# What was never changed isn't in the index this uses.
_CHANGED = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", number, body, body_digest FROM context JOIN context_revision ON context_seq = seq "
    "AND number = (SELECT max(number) FROM context_revision "
    "WHERE context_seq = seq AND recorded_at <= ?) WHERE revision > 1 AND",
)
_LATEST_CHANGED = "ORDER BY updated_at DESC LIMIT ?"
_CHILDREN = (
    "SELECT child_id, child_revision FROM edge WHERE tenant = ? AND parent_id = ? "
    "AND relation = 'was_derived_from'"
)


def find(
    connection: apsw.Connection, scope: Scope, query: TextQuery, rank: Rank, now: datetime
) -> CandidatePage:
    """As `search.find`, each as the latest revision recorded by query.as_of had it.

    Which of it has changed since is found by reading, of the CHANGED_MAX latest changed."""
    as_of_ms = 0 if query.as_of is None else to_ms(query.as_of)
    changed = _changed(connection, scope, query, now, as_of_ms)
    if query.terms:
        return search.find(connection, scope, query, rank, now, changed)
    unchanged = search.listed(connection, query, content_filter(scope, query, now))
    return _newest(query, unchanged, changed, now)


def _changed(
    connection: apsw.Connection, scope: Scope, query: TextQuery, now: datetime, as_of_ms: int
) -> dict[int, Context]:
    """By the number of its row, what was recorded by then of each that has changed since."""
    passing = live_filter(scope, now).also("updated_at > ?", as_of_ms)
    statement = sql(_CHANGED, passing.condition, _LATEST_CHANGED)
    children = _children(connection, scope, query)
    return {
        row.seq: context
        for row, context in _read(connection, statement, as_of_ms, *passing.values, CHANGED_MAX)
        if passes(context, query) and (children is None or context.context_id in children)
    }


def _children(connection: apsw.Connection, scope: Scope, query: TextQuery) -> frozenset[str] | None:
    if query.derived_from is None:
        return None
    rows = all_rows(connection, _CHILDREN, scope.tenant, query.derived_from)
    return frozenset(child for child, _ in rows)


def _read(
    connection: apsw.Connection, statement: str, *bound: Value
) -> Iterator[tuple[ContextRow, Context]]:
    for values in all_rows(connection, statement, *bound):
        row = ContextRow.checked(values[:-3])
        yield row, row.context(*values[-3:])


def _newest(
    query: TextQuery, unchanged: search.Listed, changed: dict[int, Context], now: datetime
) -> CandidatePage:
    """Both by receipt, the latest first."""
    every = {**{seq: Candidate(context=c) for seq, c in changed.items()}, **unchanged.found}
    newest = sorted(every, reverse=True)[: query.limit]
    matched = unchanged.matched + len(changed)
    return CandidatePage(candidates=tuple(every[seq] for seq in newest), matched=matched, now=now)
