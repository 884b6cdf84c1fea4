"""Whether a context passes what a search asks beside its words."""

from __future__ import annotations

from datetime import datetime

from lineal.models.context import Context
from lineal.models.search import TextQuery

__all__ = ["marked", "passes"]


def passes(context: Context, query: TextQuery) -> bool:
    """All but liveness, as_of, and derived_from, which a context alone doesn't tell."""
    return (
        marked(context, query)
        and _in_projects(context, query)
        and _between(context.occurred_at, query.occurred)
        and _between(context.created_at, query.recorded)
        and query.model_version in (None, context.lineage.model_version)
    )


def marked(context: Context, query: TextQuery) -> bool:
    """Whether it is of the asked types, tags, sources and agents."""
    agent = context.agent_source or ""
    return (
        (not query.memory_types or context.memory_type in query.memory_types)
        and set(query.tags) <= set(context.tags)
        and (not query.sources or context.source in query.sources)
        and (not query.agents or bool({agent, agent.partition("/")[0]} & set(query.agents)))
    )


def _in_projects(context: Context, query: TextQuery) -> bool:
    everywhere = query.projects is None or context.project is None
    return everywhere or context.project in (query.projects or ())


def _between(at: datetime, bounds: tuple[datetime | None, datetime | None]) -> bool:
    first, end = bounds
    return (first is None or at >= first) and (end is None or at < end)
