"""What the index keeps of a context, and what of it is embedded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from lineal.analysis.analyzer import Analyzer
from lineal.analysis.asking import WEAK_WORDS, traits_of
from lineal.analysis.speech import date_words, spoken
from lineal.analysis.timewords import MONTHS
from lineal.models.context import Context
from lineal.models.sheet import Trait

__all__ = [
    "Indexed",
    "agent_mark",
    "embedded",
    "indexed",
    "source_mark",
    "tag_mark",
    "type_mark",
    "weak_places",
]

COUNT_MAX = 255
"""Occurrences of one term that are told apart."""


class Indexed(NamedTuple):
    """terms: each with how often it occurs in the text, and over it. marks: what filters go by.
    session: a number for the session's name, in [0, 2**63)."""

    terms: dict[str, tuple[int, int]]
    marks: frozenset[str]
    own_words: int
    head_words: int
    session: int | None
    speaker: str
    traits: Trait


def indexed(analyzer: Analyzer, context: Context) -> Indexed:
    """A text's own words apart from those over it: title, tags, who said it and when."""
    speaker, body = _said(context)
    own = analyzer.terms(body)
    head = analyzer.terms(_over(context, speaker))
    in_own, in_head = _counted(own), _counted(head)
    return Indexed(
        terms={term: (in_own.get(term, 0), in_head.get(term, 0)) for term in {**in_own, **in_head}},
        marks=_marks(context),
        own_words=len(own),
        head_words=len(head),
        session=_session(context.session_id),
        speaker=speaker.casefold(),
        traits=traits_of(body),
    )


def _counted(terms: Iterable[str]) -> dict[str, int]:
    """Counter's own set-up costs more than a short text's words."""
    counts: dict[str, int] = {}
    for term in terms:
        counts[term] = min(counts.get(term, 0) + 1, COUNT_MAX)
    return counts


def embedded(context: Context) -> str:
    """The text of which a context's vector is made: who said it and when, then what."""
    speaker, body = _said(context)
    if speaker:
        return f"{speaker} ({_day(context)}): {body}"
    return f"{context.title}. {body}" if context.title else body


def weak_places(analyzer: Analyzer, terms: Sequence[str]) -> frozenset[int]:
    """Places of those terms that only frame a question."""
    weak = _weak(analyzer)
    return frozenset(place for place, term in enumerate(terms) if term in weak)


@lru_cache(maxsize=8)
def _weak(analyzer: Analyzer) -> frozenset[str]:
    return frozenset(analyzer.terms(WEAK_WORDS))


def tag_mark(tag: str) -> str:
    return f"tag\0{tag}"


def type_mark(memory_type: str) -> str:
    return f"type\0{memory_type}"


def source_mark(source: str) -> str:
    return f"source\0{source}"


def agent_mark(agent: str) -> str:
    return f"agent\0{agent}"


def _said(context: Context) -> tuple[str, str]:
    """(speaker or "", what was said): the head of a line names its speaker."""
    named, rest = spoken(context.content)
    body = context.content[rest:]
    if context.summary:
        body = f"{body}\n{context.summary}"
    return context.speaker or named or "", body


def _over(context: Context, speaker: str) -> str:
    parts = (context.title or "", *context.tags, speaker, date_words(context.occurred_at))
    return "\n".join(parts)


def _marks(context: Context) -> frozenset[str]:
    marks = [type_mark(context.memory_type.value), *map(tag_mark, context.tags)]
    marks += [source_mark(context.source)] if context.source else []
    if context.agent_source:
        name, _, _ = context.agent_source.partition("/")
        marks += [agent_mark(context.agent_source), agent_mark(name)]
    return frozenset(marks)


def _session(name: str | None) -> int | None:
    if name is None:
        return None
    digest = blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _day(context: Context) -> str:
    at = context.occurred_at
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"
