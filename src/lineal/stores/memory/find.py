"""Finding by words, filters and age."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery

__all__ = ["known", "passes", "ranked"]

_WORD = re.compile(r"[^\W_]+")


def passes(context: Context, query: TextQuery) -> bool:
    right_type = not query.memory_types or context.memory_type in query.memory_types
    everywhere = query.projects is None or context.project is None
    right_project = everywhere or context.project in (query.projects or ())
    return right_type and right_project and set(query.tags) <= set(context.tags)


def known(revisions: Sequence[Context], as_of: datetime | None) -> Context | None:
    """The latest of these, or the latest that was recorded by then, if any was."""
    recorded = (r for r in reversed(revisions) if as_of is None or r.updated_at <= as_of)
    return next(recorded, None)


def ranked(contexts: list[Context], query: TextQuery) -> CandidatePage:
    """contexts: newest first. A term weighs log(1 + n / those that hold it); a tie keeps order."""
    if not query.terms:
        page = tuple(Candidate(context=context) for context in contexts[: query.limit])
        return CandidatePage(candidates=page, matched=len(contexts))
    texts = [_folded(_searched(context)) for context in contexts]
    scores = [0.0] * len(contexts)
    for term in {folded for term in query.terms if (folded := _folded(term)).strip()}:
        holders = [place for place, text in enumerate(texts) if term in text]
        for place in holders:
            scores[place] += math.log1p(len(contexts) / len(holders))
    matching = [place for place in range(len(contexts)) if scores[place] > 0]
    best = sorted(matching, key=lambda place: -scores[place])[: query.limit]
    page = tuple(Candidate(context=contexts[place], text_score=scores[place]) for place in best)
    return CandidatePage(candidates=page, matched=len(matching))


def _searched(context: Context) -> str:
    parts = (context.title, context.summary, context.content, *context.tags, context.speaker)
    return "\n".join(part or "" for part in parts)


def _folded(text: str) -> str:
    """ " one word after another ": without case and accents, so that `in` matches whole words."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    words = _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))
    return f" {' '.join(words)} "
