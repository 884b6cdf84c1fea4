"""What a search asks beside its words: as marks in the index, and as conditions on rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.context import MemoryType
from lineal.models.search import TextQuery
from lineal.policy.indexing import agent_mark, source_mark, tag_mark, type_mark
from lineal.stores.rows.context_rows import WITHHELD, tag_line
from lineal.stores.rows.words import hashed
from lineal.stores.sqlite.statements import Value, all_rows, sql, wall

__all__ = [
    "Filter",
    "content_filter",
    "ended",
    "live_filter",
    "mark_groups",
    "passing",
    "row_filter",
]

_LIVE = "(expires_at IS NULL OR expires_at > ?)"
_ENDED = "expires_at > ? AND expires_at <= ?"
_SELECT = "SELECT seq FROM context INDEXED BY context_ending WHERE"
_AMONG = "SELECT seq FROM json_each(?) CROSS JOIN context ON seq = value WHERE"
_OF_NONE = "project IS NULL"
_OF_THESE = "project IN (?, ?, ?, ?, ?, ?, ?, ?)"
PROJECTS_PLACES = 8
"""Projects are looked for so many at a time, so that one prepared statement serves them all."""

_BODY = "EXISTS (SELECT 1 FROM context_revision WHERE context_seq = seq AND number = revision AND"
_SOURCE = sql(_BODY, "json_extract(body, '$.source') IN (SELECT value FROM json_each(?)))")
_AGENT = sql(
    _BODY,
    "(json_extract(body, '$.agent_source') IN (SELECT value FROM json_each(?)) "
    "OR substr(json_extract(body, '$.agent_source'), 1, "
    "instr(json_extract(body, '$.agent_source') || '/', '/') - 1) "
    "IN (SELECT value FROM json_each(?))))",
)
_MODEL = sql(_BODY, "json_extract(body, '$.lineage.model_version') = ?)")
_DERIVED = (
    "EXISTS (SELECT 1 FROM edge WHERE edge.tenant = context.tenant AND child_id = context_id "
    "AND parent_id = ? AND relation = 'was_derived_from')"
)


class Filter(NamedTuple):
    """A condition on rows of context, and the values it binds."""

    condition: str
    values: tuple[Value, ...]

    def also(self, condition: str, *values: Value) -> Filter:
        return Filter(sql(self.condition, "AND", condition), (*self.values, *values))


def live_filter(scope: Scope, now: datetime) -> Filter:
    """What is live within the scope."""
    condition, values = wall(scope)
    return Filter(condition, values).also(_LIVE, to_ms(now))


def content_filter(scope: Scope, query: TextQuery, now: datetime) -> Filter:
    """What is live within the scope and passes all that the query asks beside its words."""
    passing = _unmarked(live_filter(scope, now), query)
    if query.memory_types:
        passing = passing.also("memory_type IN (?, ?, ?, ?)", *_padded(query.memory_types))
    for tag in query.tags:
        passing = passing.also("instr(tag_lines, ?) > 0", tag_line(tag))
    if query.sources:
        passing = passing.also(_SOURCE, json.dumps(query.sources))
    if query.agents:
        names = json.dumps(query.agents)
        passing = passing.also(_AGENT, names, names)
    if query.projects is not None:
        passing = passing.also(_of_projects(len(query.projects)), *_names(query.projects))
    return passing


def row_filter(scope: Scope, query: TextQuery, now: datetime) -> Filter | None:
    """What the index has no mark for; None where nothing of it is asked."""
    live = live_filter(scope, now)
    asked = _unmarked(live, query)
    return None if asked is live else asked


def mark_groups(query: TextQuery) -> tuple[tuple[int, ...], ...]:
    """Groups of marks: an entry must have one of each."""
    groups = [[tag_mark(tag)] for tag in query.tags]
    groups += [[type_mark(kind.value) for kind in query.memory_types]]
    groups += [[source_mark(source) for source in query.sources]]
    groups += [[agent_mark(agent) for agent in query.agents]]
    return tuple(tuple(map(hashed, group)) for group in groups if group)


def ended(connection: apsw.Connection, scope: Scope, now: datetime) -> frozenset[int]:
    """What has expired in the scope and isn't swept yet."""
    condition, values = wall(scope)
    statement = sql(_SELECT, condition, "AND", _ENDED)
    rows = all_rows(connection, statement, *values, WITHHELD, to_ms(now))
    return frozenset(seq for (seq,) in rows)


def passing(connection: apsw.Connection, seqs: Iterable[int], asked: Filter) -> list[int]:
    """Those that pass, in their order."""
    listed = list(seqs)
    among = "[" + ",".join(map(str, listed)) + "]"
    rows = all_rows(connection, sql(_AMONG, asked.condition), among, *asked.values)
    kept = {seq for (seq,) in rows}
    return [seq for seq in listed if seq in kept]


def _unmarked(passing: Filter, query: TextQuery) -> Filter:
    ranges = (("occurred_at", query.occurred), ("created_at", query.recorded))
    for column, (first, end) in ranges:
        if first is not None:
            passing = passing.also(sql(column, ">= ?"), to_ms(first))
        if end is not None:
            passing = passing.also(sql(column, "< ?"), to_ms(end))
    if query.model_version is not None:
        passing = passing.also(_MODEL, query.model_version)
    if query.derived_from is not None:
        passing = passing.also(_DERIVED, query.derived_from)
    if query.as_of is not None:
        passing = passing.also("updated_at <= ?", to_ms(query.as_of))
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
