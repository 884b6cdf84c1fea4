"""From a question's words to hits in order, within a budget."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic_core import to_json

from lineal.models.context import Context
from lineal.models.search import Candidate, Hit
from lineal.policy.limits import text_flags
from lineal.policy.provenance import brief

__all__ = ["fitting", "hit_of", "packed", "ranked", "terms_of"]

TERMS_MAX = 48
"""Distinct words of a query that are looked up; more cost time and add nothing."""

WORD_CHARS_MAX = 64
"""A longer word is cut: no stored word that matters is longer."""

CONTENT_CHARS_MIN = 120
"""A hit is cut to no less than this; a shorter rest of the budget stays unused."""

MISSING_MAX = 1_000_000
"""Room is kept for a number of missing characters this long."""

_WORD = re.compile(r"\w+")

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "she",
        "should",
        "so",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
"""English words that say nothing of a topic; kept only when a query has no others."""


def terms_of(query: str) -> tuple[str, ...]:
    """Distinct words of a query, case folded, in order, without stop words where others remain."""
    words = dict.fromkeys(w.casefold()[:WORD_CHARS_MAX] for w in _WORD.findall(query))
    telling = [word for word in words if word not in STOP_WORDS] or list(words)
    return tuple(telling[:TERMS_MAX])


def ranked(candidates: Sequence[Candidate]) -> list[tuple[Context, float]]:
    """(context, score in [0, 1]) best first; at the same score the later event first."""
    best = max((c.text_score for c in candidates), default=0.0)
    scored = [(c.context, c.text_score / best if best > 0 else 0.0) for c in candidates]
    if best <= 0:
        return scored
    return sorted(scored, key=lambda pair: (-pair[1], -pair[0].occurred_at.timestamp()))


def hit_of(context: Context, score: float, here: Sequence[str] = ()) -> Hit:
    """The context as a search shows it, whole; its project only where that isn't one of `here`."""
    return Hit(
        context_id=context.context_id,
        content=context.content,
        score=round(score, 4),
        title=context.title,
        tags=context.tags,
        memory_type=context.memory_type,
        domain=context.domain,
        occurred_at=context.occurred_at,
        created_at=context.created_at,
        expires_at=context.expires_at,
        source=context.source,
        speaker=context.speaker,
        project=None if context.project in here else context.project,
        revision=context.revision,
        lineage=brief(context.lineage),
        flags=text_flags(context.content),
    )


def packed(hits: Iterable[Hit], chars_max: int) -> list[Hit]:
    """The first hits that fit, whole; the first that doesn't is cut to the room left, if that
    still says something; of the best hit anything does. chars_max: characters of the JSON."""
    room, chosen = chars_max, []
    for hit in hits:
        size = _size(hit)
        if size <= room:
            room -= size
            chosen.append(hit)
            continue
        cut = _cut(hit, room, CONTENT_CHARS_MIN if chosen else 1)
        return [*chosen, cut] if cut else chosen
    return chosen


def _cut(hit: Hit, room: int, least: int) -> Hit | None:
    """The hit with as much of its content as fits; None when that would be less than `least`."""
    bare = hit.model_copy(update={"content": "", "missing_chars": MISSING_MAX})
    keep = fitting(hit.content, room - _size(bare))
    if keep < least:
        return None
    return bare.model_copy(
        update={"content": hit.content[:keep], "missing_chars": len(hit.content) - keep}
    )


def fitting(text: str, room: int) -> int:
    """How many characters of the text take at most `room` in JSON, where some take several."""
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _json_size(text[:middle]) <= room else (low, middle - 1)
    return low


def _json_size(text: str) -> int:
    return len(to_json(text).decode()) - 2


def _size(hit: Hit) -> int:
    return len(hit.model_dump_json()) + 1
