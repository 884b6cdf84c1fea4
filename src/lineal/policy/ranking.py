"""The order of candidates: words in six fields, likeness of meaning, and what a question is after.
Pure; what was measured, and what was tried beside it, is in docs/recall.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from lineal.analysis.asking import wanted
from lineal.models.base import Model
from lineal.models.sheet import Entry, Rank, Scored, Sheet, Trait
from lineal.policy.naming import words_of

__all__ = [
    "BY_DEFAULT",
    "LIKENESS_MIN",
    "NEAR_MAX",
    "PARTS",
    "SLIP_TERMS_MAX",
    "Weights",
    "named",
    "ranked",
    "ranking",
]

Share = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class Weights(Model):
    """How much each thing counts. 0 leaves it out.

    own … after_next: the fields of BM25F: a text, what stands over it (title, tags, speaker, date),
    and its neighbours in its session; answering: of the text before, where that one asks something.
    saturation, length: k1 and b of BM25F (Robertson and Zaragoza 2009, 3.6). weak: share of a
    word's rarity where it only frames a question. covered: share of the question's rarity that
    the best text must hold for words to count in full.
    words, meaning, around: of the arms, each 1 for the best candidate: its words, its likeness, and
    its likeness with its neighbours'. finer: of the last two, and of its pieces', where there are
    vectors of pieces.
    around_before, around_after: of a neighbour's likeness beside its own. long_text: for a text's
    likeness, by the logarithm of its words.
    speaker, when, where, number: where a text could tell what the question is after. question:
    taken from a text that ends in a question. session: of the best score in the same session.
    """

    own: Share = 1.0
    head: Share = 1.0
    previous: Share = 0.2
    answering: Share = 0.8
    next: Share = 0.2
    before_previous: Share = 0.15
    after_next: Share = 0.1
    saturation: Share = 0.5
    length: Annotated[float, Field(ge=0, le=1)] = 0.3
    weak: Share = 0.5
    covered: Share = 0.7
    words: Share = 0.5
    meaning: Share = 0.25
    around: Share = 0.25
    finer: tuple[Share, Share, Share] = (0.15, 0.20, 0.15)
    around_before: Share = 0.7
    around_after: Share = 0.5
    long_text: Share = 0.05
    speaker: Share = 0.15
    when: Share = 0.10
    where: Share = 0.08
    number: Share = 0.05
    question: Share = 0.05
    session: Share = 0.25


LIKENESS_MIN = 0.2
"""Cosine below which a text that holds none of the words isn't about the question."""

NEAR_MAX = 3
"""Words one slip away that an unknown one may stand for."""

PARTS = ("words", "meaning", "around", "pieces", "speaker", "tells", "session")
"""What a score is the sum of, in the order of `Scored.parts`."""

ASKS = int(Trait.ASKS)
ALL = sum(trait.value for trait in Trait)

SLIP_TERMS_MAX = 16
"""Of a question with more words none is taken for another."""

LONG_WORDS_MAX = 40
"""A longer text is no likelier to say what is asked."""


def ranking(weights: Weights) -> Rank:
    """A rank by these weights."""
    return partial(ranked, weights=weights)


def ranked(sheet: Sheet, weights: Weights) -> list[Scored]:
    """Candidates best first, without those that hold no word of the question, nor does a neighbour,
    and aren't like it. At the same score the later event first, then the later received."""
    chosen = [sheet.entries[number] for number in sheet.candidates]
    rarity = _rarity(sheet, weights)
    found = _by_words(sheet, chosen, rarity, weights)
    parts = _arms(sheet, chosen, found, sum(rarity), weights)
    scored = _boosted(sheet, chosen, parts, weights)
    order = [
        (-one.score, -entry.happened_at, -entry.number, one)
        for entry, one, words in zip(chosen, scored, found, strict=True)
        if words > 0 or (entry.likeness or 0.0) >= LIKENESS_MIN
    ]
    return [one for _, _, _, one in sorted(order)]


def named(parts: Sequence[float]) -> dict[str, float]:
    """The summands of a score by their names, without those that are 0."""
    return {name: part for name, part in zip(PARTS, parts, strict=True) if part}


def _rarity(sheet: Sheet, weights: Weights) -> list[float]:
    """Of each term, by how few hold it."""
    return [
        math.log1p((max(sheet.size, holders) - holders + 0.5) / (holders + 0.5))
        * (weights.weak if place in sheet.weak else 1.0)
        for place, holders in enumerate(sheet.holders)
    ]


def _by_words(
    sheet: Sheet, chosen: Sequence[Entry], rarity: Sequence[float], weights: Weights
) -> list[float]:
    """BM25F of each: a term's counts are summed over the fields, each by its weight and evened by
    its length, then saturate once."""
    sums: Sums = {entry.number: {} for entry in chosen}
    for entry in sheet.entries.values():
        if entry.own:
            _give(sheet, entry, sums, weights)
        if entry.head and (own := sums.get(entry.number)) is not None:
            evened = _evened(entry.head_words, sheet.head_mean, weights)
            _add(own, entry.head, weights.head / evened)
    k1 = weights.saturation
    return [
        sum([rarity[at] * x * (k1 + 1) / (x + k1) for at, x in sums[entry.number].items()])
        for entry in chosen
    ]


Sums = dict[int, dict[int, float]]
"""By number of an entry and place of a term."""


def _give(sheet: Sheet, entry: Entry, sums: Sums, weights: Weights) -> None:
    """Add a text's words to itself and to those around it."""
    share = 1 / _evened(entry.own_words, sheet.own_mean, weights)
    _add(sums.get(entry.number), entry.own, share * weights.own)
    if entry.next is not None:
        asks = entry.traits & ASKS
        near = weights.answering if asks else weights.previous
        _add(sums.get(entry.next), entry.own, share * near)
        if (after := sheet.entries.get(entry.next)) is not None and after.next is not None:
            _add(sums.get(after.next), entry.own, share * weights.before_previous)
    if entry.previous is not None:
        _add(sums.get(entry.previous), entry.own, share * weights.next)
        before = sheet.entries.get(entry.previous)
        if before is not None and before.previous is not None:
            _add(sums.get(before.previous), entry.own, share * weights.after_next)


def _evened(words: int, mean: float, weights: Weights) -> float:
    return 1 - weights.length + weights.length * words / mean


def _add(sums: dict[int, float] | None, counts: dict[int, int], share: float) -> None:
    if sums is not None:
        for place, count in counts.items():
            sums[place] = sums.get(place, 0.0) + share * count


def _arms(
    sheet: Sheet, chosen: Sequence[Entry], found: Sequence[float], rarity: float, weights: Weights
) -> list[tuple[float, ...]]:
    """What words, meaning and surroundings give a candidate. Each arm is over its best, and nothing
    is taken off, so that further candidates change nothing.

    Where no text holds the question's words, words count less and meaning more; where the embedder
    can't read the question, the reverse. Dividing by the root of what is left keeps the boosts in
    proportion. A text without a vector goes by its words alone."""
    trust = _trust(found, weights.covered * rarity)
    known = any(entry.likeness is not None for entry in chosen)
    read = sheet.read if known else 0.0
    finer = any(entry.pieces is not None for entry in chosen)
    meaning, around, pieces = weights.finer if finer else (weights.meaning, weights.around, 0.0)
    shares = (weights.words * trust**2, meaning * read, around * read, pieces * read)
    root = math.sqrt(sum(shares)) or 1.0
    arms = [_over_best(found)]
    if known:
        arms.append(_over_best([_long(entry, weights) for entry in chosen]))
        arms.append(_over_best([_around(sheet, entry, weights) for entry in chosen]))
        arms.append(_over_best([entry.pieces or 0.0 for entry in chosen]))
    else:
        arms += [[0.0] * len(chosen)] * 3
    every = sum(shares) / root
    return [
        (words * every, 0.0, 0.0, 0.0)
        if known and entry.likeness is None
        else (
            words * shares[0] / root,
            *(value * share / root for value, share in zip(others, shares[1:], strict=True)),
        )
        for entry, words, *others in zip(chosen, *arms, strict=True)
    ]


def _trust(found: Sequence[float], least: float) -> float:
    """How much of the question the best text covers by its words, in [0, 1]."""
    return min(1.0, max(found, default=0.0) / least) if least > 0 else 0.0


def _long(entry: Entry, weights: Weights) -> float:
    if entry.likeness is None:
        return 0.0
    return entry.likeness + weights.long_text * math.log1p(min(entry.own_words, LONG_WORDS_MAX))


def _around(sheet: Sheet, entry: Entry, weights: Weights) -> float:
    """A weighted mean of the likenesses that there are: the entry's and its neighbours'."""
    if entry.likeness is None:
        return 0.0
    total, shares = entry.likeness, 1.0
    for number, share in (
        (entry.previous, weights.around_before),
        (entry.next, weights.around_after),
    ):
        near = sheet.at(number)
        if near is not None and near.likeness is not None:
            total += share * near.likeness
            shares += share
    return total / shares


def _over_best(values: Sequence[float]) -> list[float]:
    best = max(values, default=0.0)
    return [value / best if best > 0 else 0.0 for value in values]


def _boosted(
    sheet: Sheet,
    chosen: Sequence[Entry],
    arms: Sequence[tuple[float, ...]],
    weights: Weights,
) -> list[Scored]:
    """With what the question is after, and with what the best of a session lends to the others."""
    speaker, gains = _named(sheet), _gains(sheet, weights)
    parts = [
        (*arm, weights.speaker if entry.speaker == speaker else 0.0, gains[entry.traits])
        for entry, arm in zip(chosen, arms, strict=True)
    ]
    scores = [sum(part) for part in parts]
    best: dict[int | None, float] = {}
    for entry, score in zip(chosen, scores, strict=True):
        if entry.session is not None and score > best.get(entry.session, 0.0):
            best[entry.session] = score
    lent = [
        weights.session * best.get(entry.session, score)
        for entry, score in zip(chosen, scores, strict=True)
    ]
    return [
        Scored(entry.number, score + more, (*part, more))
        for entry, score, part, more in zip(chosen, scores, parts, lent, strict=True)
    ]


def _gains(sheet: Sheet, weights: Weights) -> list[float]:
    """By traits as a number, what they are worth to the question."""
    after = wanted(sheet.question)
    asked = (
        (Trait.TELLS_WHEN & after, weights.when),
        (Trait.TELLS_WHERE & after, weights.where),
        (Trait.TELLS_NUMBER & after, weights.number),
        (Trait.ENDS_ASKING, -weights.question),
    )
    shares = [(int(trait), share) for trait, share in asked]
    return [sum(share for trait, share in shares if traits & trait) for traits in range(ALL + 1)]


def _named(sheet: Sheet) -> str | None:
    """The one speaker that the question names; None where it names none or several."""
    asked = set(words_of(sheet.question))
    speakers = {entry.speaker for entry in sheet.entries.values()} - {""}
    named = {speaker for speaker in speakers if asked & set(words_of(speaker))}
    return named.pop() if len(named) == 1 else None


BY_DEFAULT: Rank = ranking(Weights())
"""As a store ranks when nobody tells it how."""
