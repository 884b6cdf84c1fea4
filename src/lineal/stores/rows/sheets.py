"""Entries as ranking sees them: how often a question's words stand in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineal.analysis.analyzer import Analyzer
from lineal.clock import to_ms
from lineal.models.context import Context
from lineal.models.sheet import Entry
from lineal.policy.indexing import indexed
from lineal.stores.rows.words import HEAD_AT, OWN_AT, WORD_BYTES, hashed, needle

__all__ = ["Hashes", "Needles", "counts_in", "needles_of", "past_entry"]

Hashes = Sequence[tuple[int, ...]]
"""Of each term, the hashes that stand for it."""

Needles = Sequence[tuple[bytes, int]]
"""How an entry's packed words begin that are a term's, and the term's place."""

_NONE: dict[int, int] = {}
"""Most entries hold none of a question's words: one that nobody may change."""


def needles_of(hashes: Hashes) -> Needles:
    return [(needle(word), place) for place, group in enumerate(hashes) for word in group]


def counts_in(words: bytes, needles: Needles) -> tuple[dict[int, int], dict[int, int]]:
    """(by place, how often in the text; over it). By searching the bytes: most entries hold few of
    the words, and there are hundreds."""
    own, head = _NONE, _NONE
    for sought, place in needles:
        at = words.find(sought)
        while at > 0 and at % WORD_BYTES:
            at = words.find(sought, at + 1)
        if at >= 0:
            in_own, in_head = words[at + OWN_AT], words[at + HEAD_AT]
            own = _added(own, place, in_own)
            head = _added(head, place, in_head)
    return own, head


def past_entry(analyzer: Analyzer, seq: int, context: Context, hashes: Hashes) -> Entry:
    """An earlier text of a context, without neighbours: those of now say what came later."""
    kept = indexed(analyzer, context)
    times = {hashed(term): counts for term, counts in kept.terms.items()}
    held = [
        (place, *times[word])
        for place, group in enumerate(hashes)
        for word in group
        if word in times
    ]
    return Entry(
        number=seq,
        own=_summed((at, own) for at, own, _ in held),
        head=_summed((at, head) for at, _, head in held),
        own_words=kept.own_words,
        head_words=kept.head_words,
        speaker=kept.speaker,
        traits=kept.traits,
        happened_at=to_ms(context.occurred_at),
    )


def _summed(counts: Iterable[tuple[int, int]]) -> dict[int, int]:
    """By place, how often in all; without those that don't occur."""
    sums = _NONE
    for place, count in counts:
        sums = _added(sums, place, count)
    return sums


def _added(sums: dict[int, int], place: int, count: int) -> dict[int, int]:
    return {**sums, place: sums.get(place, 0) + count} if count else sums
