"""Finding by words: full text, filters, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.context import MemoryType
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.context_rows import CONTEXT_COLUMNS, ContextRow, tag_line
from lineal.stores.sqlite.statements import (
    Row,
    Value,
    all_rows,
    one_row,
    one_value,
    sql,
    wall,
)

__all__ = [
    "WEIGHTS",
    "Filter",
    "Listed",
    "content_filter",
    "find",
    "listed",
    "live_filter",
    "match_words",
]

TERMS_MAX = 256
"""Most words of one question; each costs a walk through the index."""

WEIGHTS = "1.0, 2.0, 1.5, 2.0, 1.0"
"""A word in the title or among the tags says more than one in the text."""

_LIVE = "(expires_at IS NULL OR expires_at > ?)"
_MATCHING = (
    "FROM context_text JOIN context ON seq = context_text.rowid WHERE context_text MATCH ? AND"
)
_BEST = sql("SELECT seq, bm25(context_text,", WEIGHTS, ") AS badness", _MATCHING)
_BEST_ORDER = "ORDER BY badness, seq DESC LIMIT ?"
_COUNT_MATCHING = sql("SELECT count(*)", _MATCHING)
_NEWEST = "SELECT seq, 0.0 FROM context WHERE"
_NEWEST_ORDER = "ORDER BY seq DESC LIMIT ?"
_COUNT_ALL = "SELECT count(*) FROM context WHERE"
_WHOLE = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", body, body_digest FROM context JOIN context_revision "
    "ON context_seq = seq AND number = revision WHERE seq = ?",
)


_OF_NONE = "project IS NULL"
_OF_THESE = "project IN (?, ?, ?, ?, ?, ?, ?, ?)"
PROJECTS_PLACES = 8
"""Projects are looked for so many at a time, so that one prepared statement serves them all."""


class Filter(NamedTuple):
    """A condition on rows of context, and the values it binds."""

    condition: str
    values: tuple[Value, ...]

    def also(self, condition: str, *values: Value) -> Filter:
        return Filter(sql(self.condition, "AND", condition), (*self.values, *values))


class Listed(NamedTuple):
    """found: by the number of its row and in order, each candidate. matched: how many in all."""

    found: dict[int, Candidate]
    matched: int


def find(
    connection: apsw.Connection, scope: Scope, query: TextQuery, now: datetime
) -> CandidatePage:
    """Live contexts that match any of the words, best first; newest first without words."""
    found, matched = listed(connection, query, content_filter(scope, query, now))
    return CandidatePage(candidates=tuple(found.values()), matched=matched)


def listed(connection: apsw.Connection, query: TextQuery, passing: Filter) -> Listed:
    """As `find`, of the rows that pass."""
    if query.terms:
        words = match_words(query.terms)
        found = _rows(connection, _BEST, _BEST_ORDER, passing, (words,), query.limit)
        matched = _count(connection, _COUNT_MATCHING, passing, (words,), len(found), query.limit)
    else:
        found = _rows(connection, _NEWEST, _NEWEST_ORDER, passing, (), query.limit)
        matched = _count(connection, _COUNT_ALL, passing, (), len(found), query.limit)
    return Listed({seq: _candidate(connection, seq, badness) for seq, badness in found}, matched)


def match_words(terms: tuple[str, ...]) -> str:
    """An FTS5 expression in which every term is plain text: any of them may match."""
    distinct = list(dict.fromkeys(terms))[:TERMS_MAX]
    return " OR ".join('"' + term.replace("\0", " ").replace('"', '""') + '"' for term in distinct)


def live_filter(scope: Scope, now: datetime) -> Filter:
    """What is live within the scope."""
    condition, values = wall(scope)
    return Filter(condition, values).also(_LIVE, to_ms(now))


def content_filter(scope: Scope, query: TextQuery, now: datetime) -> Filter:
    """What is live within the scope and passes all that the query asks beside its words."""
    passing = live_filter(scope, now)
    if query.memory_types:
        passing = passing.also("memory_type IN (?, ?, ?, ?)", *_padded(query.memory_types))
    for tag in query.tags:
        passing = passing.also("instr(tag_lines, ?) > 0", tag_line(tag))
    if query.projects is not None:
        passing = passing.also(_of_projects(len(query.projects)), *_names(query.projects))
    return passing


def _of_projects(number: int) -> str:
    """Of none, or of one of so many; more places than that, up to a handful."""
    return "(" + " OR ".join((_OF_NONE, *[_OF_THESE] * -(-number // PROJECTS_PLACES))) + ")"


def _names(projects: tuple[str, ...]) -> tuple[Value, ...]:
    """All places filled, with NULL, which nothing equals."""
    return (*projects, *[None] * (-len(projects) % PROJECTS_PLACES))


def _padded(memory_types: tuple[MemoryType, ...]) -> tuple[Value, ...]:
    """All four places filled, so that one prepared statement serves any choice of types."""
    if not memory_types:
        return ()
    distinct = list(dict.fromkeys(kind.value for kind in memory_types))
    return tuple(distinct + distinct[:1] * (len(MemoryType) - len(distinct)))


def _rows(
    connection: apsw.Connection,
    select: str,
    order: str,
    passing: Filter,
    words: tuple[str, ...],
    limit: int,
) -> list[Row]:
    """(seq, badness) of the first `limit`."""
    statement = sql(select, passing.condition, order)
    return all_rows(connection, statement, *words, *passing.values, limit)


def _count(
    connection: apsw.Connection,
    select: str,
    passing: Filter,
    words: tuple[str, ...],
    found: int,
    limit: int,
) -> int:
    """How many match in all; nothing to count when the page isn't full."""
    if found < limit:
        return found
    statement = sql(select, passing.condition)
    count: int = one_value(connection, statement, *words, *passing.values)
    return count


def _candidate(connection: apsw.Connection, seq: int, badness: float) -> Candidate:
    values = one_row(connection, _WHOLE, seq)
    if values is None:
        raise trouble.damaged("The full-text index")
    row = ContextRow.checked(values[:-2])
    context = row.context(row.revision, *values[-2:])
    return Candidate(context=context, text_score=-badness if badness else 0.0)
