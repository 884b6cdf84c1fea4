"""Finding what was said: a question's words to hits within a budget."""

from __future__ import annotations

from lineal.models.changes import Stamp
from lineal.models.search import CHARS_PER_TOKEN, SearchAnswer, SearchContext, TextQuery
from lineal.policy.ranking import hit_of, packed, ranked, terms_of
from lineal.ports.store import Store

__all__ = ["search"]

CANDIDATES_PER_HIT = 2
"""Candidates taken from the store for each hit asked for, so that ranking has a choice."""

ENVELOPE_CHARS = 60
"""Characters of the answer around its hits."""


async def search(store: Store, stamp: Stamp, request: SearchContext) -> SearchAnswer:
    """Best first, at most `limit` hits and `max_tokens` in all; an empty query lists the newest."""
    terms = terms_of(request.query)
    if request.query.strip() and not terms:
        return SearchAnswer(hits=(), more=0)
    query = TextQuery(
        terms=terms,
        memory_types=request.memory_types,
        tags=request.tags,
        projects=stamp.projects,
        as_of=request.as_of,
        limit=request.limit * CANDIDATES_PER_HIT if terms else request.limit,
    )
    page = await store.find(stamp.scope, query)
    best = ranked(page.candidates)[: request.limit]
    room = request.max_tokens * CHARS_PER_TOKEN - ENVELOPE_CHARS
    here = stamp.projects or ()
    hits = packed((hit_of(context, score, here) for context, score in best), room)
    elsewhere = None
    if page.matched < request.limit:
        elsewhere = await _elsewhere(store, stamp, query, page.matched)
    return SearchAnswer(hits=tuple(hits), more=page.matched - len(hits), elsewhere=elsewhere)


async def _elsewhere(store: Store, stamp: Stamp, query: TextQuery, here: int) -> int | None:
    """How many more match in other projects; None where there are none or all were looked at."""
    if stamp.projects is None:
        return None
    wider = query.model_copy(update={"projects": None, "limit": 1})
    return ((await store.find(stamp.scope, wider)).matched - here) or None
