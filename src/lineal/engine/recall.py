"""Finding what was said: a question's words to hits within a budget."""

from __future__ import annotations

from lineal.models.changes import Scope
from lineal.models.search import CHARS_PER_TOKEN, SearchAnswer, SearchContext, TextQuery
from lineal.policy.ranking import hit_of, packed, ranked, terms_of
from lineal.ports.store import Store

__all__ = ["search"]

CANDIDATES_PER_HIT = 2
"""Candidates taken from the store for each hit asked for, so that ranking has a choice."""

ENVELOPE_CHARS = 40
"""Characters of the answer around its hits."""


async def search(store: Store, scope: Scope, request: SearchContext) -> SearchAnswer:
    """Best first, at most `limit` hits and `max_tokens` in all; an empty query lists the newest."""
    terms = terms_of(request.query)
    if request.query.strip() and not terms:
        return SearchAnswer(hits=(), more=0)
    query = TextQuery(
        terms=terms,
        memory_types=request.memory_types,
        tags=request.tags,
        limit=request.limit * CANDIDATES_PER_HIT if terms else request.limit,
    )
    page = await store.find(scope, query)
    best = ranked(page.candidates)[: request.limit]
    room = request.max_tokens * CHARS_PER_TOKEN - ENVELOPE_CHARS
    hits = packed((hit_of(context, score) for context, score in best), room)
    return SearchAnswer(hits=tuple(hits), more=page.matched - len(hits))
