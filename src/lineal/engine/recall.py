"""Finding what was said: a question to hits within a budget."""

from __future__ import annotations

from lineal.engine.embedding import Asked, Embedding
from lineal.models.changes import Stamp
from lineal.models.search import (
    CHARS_PER_TOKEN,
    Candidate,
    CandidatePage,
    Hit,
    SearchAnswer,
    SearchContext,
    TextQuery,
)
from lineal.models.sheet import Rank
from lineal.policy.naming import without_names
from lineal.policy.packing import folded, hit_of, packed
from lineal.ports.store import Store

__all__ = ["Recall"]

ENVELOPE_CHARS = 100
"""Characters of the answer around its hits."""

EMBEDDED_CHARS_MAX = 400
"""Characters of a question whose meaning is looked for: a longer one means many things at once,
and takes a model long."""

FOLDED_MORE = 4
"""Candidates beyond those asked for, to take the place of what is folded into others."""


class Recall:
    """Asks the store by words and by meaning, and packs what it finds."""

    def __init__(self, store: Store, embedding: Embedding, rank: Rank) -> None:
        self._store = store
        self._embedding = embedding
        self._rank = rank

    async def search(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        """Best first, at most `limit` hits and `max_tokens` in all; an empty query lists the
        newest."""
        asked = await self._asked(stamp, request)
        query = TextQuery.of(request, stamp.projects).model_copy(
            update={"meaning": asked.meaning, "limit": request.limit + FOLDED_MORE}
        )
        page = await self._store.find(stamp.scope, query, self._rank)
        folds = folded(page.candidates)[: request.limit]
        here = stamp.projects or ()
        hits = [_hit(found, also, here, request) for found, also in folds]
        envelope = ENVELOPE_CHARS + len(asked.note or "") + len(str(page.corrected))
        room = request.max_tokens * CHARS_PER_TOKEN - envelope
        shown = packed(hits, room, page.now)
        told = sum(1 + len(hit.also) for hit in shown)
        return SearchAnswer(
            hits=tuple(shown),
            more=max(0, page.matched - told),
            at_least=page.at_least,
            elsewhere=await self._elsewhere(stamp, request, query, page),
            corrected=page.corrected,
            note=asked.note,
            now=page.now,
        )

    async def _asked(self, stamp: Stamp, request: SearchContext) -> Asked:
        """The question as a vector, with the names of who speaks in it and without."""
        if not request.question or request.as_of is not None or self._embedding.off:
            return Asked()
        names = await self._store.speakers(stamp.scope, stamp.projects)
        bare = without_names(request.question, names)
        texts = (text[:EMBEDDED_CHARS_MAX] for text in (request.question, bare))
        return await self._embedding.ask(tuple(dict.fromkeys(texts)), read_only=stamp.read_only)

    async def _elsewhere(
        self, stamp: Stamp, request: SearchContext, query: TextQuery, page: CandidatePage
    ) -> int | None:
        """How many more match in other projects; None where there are none or all were looked
        at. By words alone: everything is somewhat alike."""
        if stamp.projects is None or page.matched >= request.limit:
            return None
        wider = query.model_copy(update={"projects": None, "limit": 1, "meaning": None})
        here = wider.model_copy(update={"projects": query.projects})
        inside = (await self._store.find(stamp.scope, here, self._rank)).matched
        return ((await self._store.find(stamp.scope, wider, self._rank)).matched - inside) or None


def _hit(
    found: Candidate, also: tuple[str, ...], here: tuple[str, ...], request: SearchContext
) -> Hit:
    hit = hit_of(found.context, found.score, here).model_copy(update={"also": also})
    if not request.explain:
        return hit
    return hit.model_copy(update={"explain": {n: round(p, 4) for n, p in found.parts.items()}})
