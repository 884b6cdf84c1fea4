"""What a search asks beside its words: as marks in the index, and as conditions on rows.

A body is looked into as JSON text, whose strings are compared as they are written: so an escaped
NUL, which no text of PostgreSQL can hold, is in nobody's way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pydantic_core import to_json

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.search import TextQuery
from lineal.policy.indexing import agent_mark, source_mark, tag_mark, type_mark
from lineal.stores.postgres.session import Asked, Bound, Session, sql
from lineal.stores.postgres.statements import wall
from lineal.stores.rows.context_rows import WITHHELD, tag_line
from lineal.stores.rows.words import hashed

__all__ = [
    "Filter",
    "ask_ended",
    "content_filter",
    "live_filter",
    "mark_groups",
    "passing",
    "row_filter",
]

_LIVE = "(expires_at IS NULL OR expires_at > %s)"
_ENDED = "expires_at > %s AND expires_at <= %s"
_SELECT = "SELECT seq FROM lineal.context WHERE"
_AMONG = "SELECT seq FROM lineal.context WHERE seq = ANY(%s::bigint[]) AND"
_PROJECTS = "(project IS NULL OR project = ANY(%s::text[]))"

_BODY = (
    "EXISTS (SELECT 1 FROM lineal.context_revision WHERE context_revision.tenant_id = %s "
    "AND context_seq = seq AND number = revision AND"
)
_SOURCE = sql(_BODY, "(body::json -> 'source')::text = ANY(%s::text[]))")
_AGENT = sql(
    _BODY,
    "((body::json -> 'agent_source')::text = ANY(%s::text[]) "
    "OR split_part((body::json -> 'agent_source')::text, '/', 1) = ANY(%s::text[])))",
)
_MODEL = sql(_BODY, "(body::json -> 'lineage' -> 'model_version')::text = %s)")
_DERIVED = (
    "EXISTS (SELECT 1 FROM lineal.edge WHERE edge.tenant_id = %s AND child_id = context_id "
    "AND parent_id = %s AND relation = 'was_derived_from')"
)


class Filter(NamedTuple):
    """A condition on rows of context, and the values it binds."""

    condition: str
    values: tuple[Bound, ...]

    def also(self, condition: str, *values: Bound) -> Filter:
        return Filter(sql(self.condition, "AND", condition), (*self.values, *values))


def live_filter(scope: Scope, now: datetime) -> Filter:
    """What is live within the scope."""
    condition, values = wall(scope)
    return Filter(condition, values).also(_LIVE, to_ms(now))


def content_filter(scope: Scope, query: TextQuery, now: datetime) -> Filter:
    """What is live within the scope and passes all that the query asks beside its words."""
    passing = _unmarked(live_filter(scope, now), scope.tenant, query)
    if query.memory_types:
        kinds = [kind.value for kind in query.memory_types]
        passing = passing.also("memory_type = ANY(%s::text[])", kinds)
    for tag in query.tags:
        passing = passing.also("strpos(tag_lines, %s) > 0", tag_line(tag))
    if query.sources:
        passing = passing.also(_SOURCE, scope.tenant, _as_json(query.sources))
    if query.agents:
        names = _as_json(query.agents)
        begun = [name[:-1] for name in names]  # as they stand before a version
        passing = passing.also(_AGENT, scope.tenant, names, begun)
    if query.projects is not None:
        passing = passing.also(_PROJECTS, list(query.projects))
    return passing


def row_filter(scope: Scope, query: TextQuery, now: datetime) -> Filter | None:
    """What the index has no mark for; None where nothing of it is asked."""
    live = live_filter(scope, now)
    asked = _unmarked(live, scope.tenant, query)
    return None if asked is live else asked


def mark_groups(query: TextQuery) -> tuple[tuple[int, ...], ...]:
    """Groups of marks: an entry must have one of each."""
    groups = [[tag_mark(tag)] for tag in query.tags]
    groups += [[type_mark(kind.value) for kind in query.memory_types]]
    groups += [[source_mark(source) for source in query.sources]]
    groups += [[agent_mark(agent) for agent in query.agents]]
    return tuple(tuple(map(hashed, group)) for group in groups if group)


async def ask_ended(session: Session, scope: Scope, now: datetime) -> Asked:
    """Numbers of what has expired in the scope and isn't swept yet."""
    condition, values = wall(scope)
    return await session.ask(sql(_SELECT, condition, "AND", _ENDED), *values, WITHHELD, to_ms(now))


async def passing(session: Session, seqs: Iterable[int], asked: Filter) -> list[int]:
    """Those that pass, in their order."""
    listed = list(seqs)
    if not listed:
        return []
    rows = await session.rows(sql(_AMONG, asked.condition), listed, *asked.values)
    kept = {seq for (seq,) in rows}
    return [seq for seq in listed if seq in kept]


def _unmarked(passing: Filter, tenant: str, query: TextQuery) -> Filter:
    ranges = (("occurred_at", query.occurred), ("created_at", query.recorded))
    for column, (first, end) in ranges:
        if first is not None:
            passing = passing.also(sql(column, ">= %s"), to_ms(first))
        if end is not None:
            passing = passing.also(sql(column, "< %s"), to_ms(end))
    if query.model_version is not None:
        passing = passing.also(_MODEL, tenant, *_as_json((query.model_version,)))
    if query.derived_from is not None:
        passing = passing.also(_DERIVED, tenant, query.derived_from)
    if query.as_of is not None:
        passing = passing.also("updated_at <= %s", to_ms(query.as_of))
    return passing


def _as_json(names: Iterable[str]) -> list[str]:
    """As they stand in a body."""
    return [to_json(name).decode() for name in names]
