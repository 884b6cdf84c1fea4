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

__all__ = ["BY_DEFAULT", "LIKENESS_MIN", "NEAR_MAX", "Weights", "ranked", "ranking"]

Share = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class Weights(Model):
    """How much each thing counts. 0 leaves it out.

    own … after_next: the fields of BM25F: a text, what stands over it (title, tags, speaker, date),
    and its neighbours in its session; answering: of the text before, where that one asks something.
    saturation, length: k1 and b of BM25F (Robertson and Zaragoza 2009, 3.6). weak: share of a
    word's rarity where it only frames a question. covered: share of the question's rarity that a
    text must hold to have all that words can give.
    words, meaning, around, pieces: of the arms, each at most 1 for the best candidate: its words,
    its likeness, its likeness with its neighbours', and its pieces' (0 without token vectors).
    around_before, around_after: of a neighbour's likeness beside its own. long_text: for a text's
    likeness, by the logarithm of its words.
    speaker, when, where, number: where a text could tell what the question is after. question: taken
    from a text that ends in a question. session: of the best score in the same session.
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
    found = [_bm25f(sheet, entry, rarity, weights) for entry in chosen]
    parts = _arms(sheet, chosen, found, sum(rarity), weights)
    _boost(sheet, chosen, parts, weights)
    scored = [
        (sum(part.values()), entry, part)
        for entry, part, words in zip(chosen, parts, found, strict=True)
        if words > 0 or (entry.likeness or 0.0) >= LIKENESS_MIN
    ]
    scored.sort(key=lambda one: (-one[0], -one[1].happened_at, -one[1].number))
    return [Scored(entry.number, total, part) for total, entry, part in scored]


def _rarity(sheet: Sheet, weights: Weights) -> list[float]:
    """Of each term, by how few hold it."""
    return [
        math.log1p((max(sheet.size, holders) - holders + 0.5) / (holders + 0.5))
        * (weights.weak if place in sheet.weak else 1.0)
        for place, holders in enumerate(sheet.holders)
    ]


def _bm25f(sheet: Sheet, entry: Entry, rarity: Sequence[float], weights: Weights) -> float:
    """A term's counts are summed over the fields, each by its weight and evened by its length, then
    saturate once."""
    totals: dict[int, float] = {}
    for field, share in _fields(sheet, entry, weights):
        _add(totals, field.own, share / _evened(field.own_words, sheet.own_mean, weights))
    _add(totals, entry.head, weights.head / _evened(entry.head_words, sheet.head_mean, weights))
    k1 = weights.saturation
    return sum(rarity[at] * total * (k1 + 1) / (total + k1) for at, total in totals.items())


def _fields(sheet: Sheet, entry: Entry, weights: Weights) -> list[tuple[Entry, float]]:
    """The entry and those around it, each with its weight."""
    fields = [(entry, weights.own)]
    before, after = sheet.at(entry.previous), sheet.at(entry.next)
    if before is not None:
        asks = before.traits & Trait.ASKS
        fields.append((before, weights.answering if asks else weights.previous))
        if (second := sheet.at(before.previous)) is not None:
            fields.append((second, weights.before_previous))
    if after is not None:
        fields.append((after, weights.next))
        if (second := sheet.at(after.next)) is not None:
            fields.append((second, weights.after_next))
    return fields


def _evened(words: int, mean: float, weights: Weights) -> float:
    return 1 - weights.length + weights.length * words / mean


def _add(totals: dict[int, float], counts: dict[int, int], share: float) -> None:
    for place, count in counts.items():
        totals[place] = totals.get(place, 0.0) + share * count


def _arms(
    sheet: Sheet, chosen: Sequence[Entry], found: Sequence[float], rarity: float, weights: Weights
) -> list[dict[str, float]]:
    """What each arm gives a candidate. Each is over its best, and nothing is taken off, so that
    further candidates change nothing. A text without a vector goes by its words alone."""
    words = _over_best(found, weights.covered * rarity)
    by_meaning = {
        "meaning": (weights.meaning, _over_best([_long(e, weights) for e in chosen])),
        "around": (weights.around, _over_best([_around(sheet, e, weights) for e in chosen])),
    }
    if not any(entry.likeness is not None for entry in chosen):
        by_meaning = {}
    all_arms = weights.words + sum(share for share, _ in by_meaning.values())
    parts: list[dict[str, float]] = []
    for place, entry in enumerate(chosen):
        if entry.likeness is None:
            parts.append({"words": words[place] * all_arms})
            continue
        part = {"words": words[place] * weights.words}
        part.update({name: share * arm[place] for name, (share, arm) in by_meaning.items()})
        parts.append(part)
    return parts


def _long(entry: Entry, weights: Weights) -> float:
    if entry.likeness is None:
        return 0.0
    return entry.likeness + weights.long_text * math.log1p(min(entry.own_words, LONG_WORDS_MAX))


def _around(sheet: Sheet, entry: Entry, weights: Weights) -> float:
    """A weighted mean of the likenesses that there are: the entry's and its neighbours'."""
    parts = (
        (1.0, entry),
        (weights.around_before, sheet.at(entry.previous)),
        (weights.around_after, sheet.at(entry.next)),
    )
    known = [(w, e.likeness) for w, e in parts if e is not None and e.likeness is not None]
    shares = sum(share for share, _ in known)
    return sum(share * likeness for share, likeness in known) / shares if shares else 0.0


def _over_best(values: Sequence[float], least: float = 0.0) -> list[float]:
    """Each over the best, or over `least` where the best is less."""
    best = max(max(values, default=0.0), least)
    return [value / best if best > 0 else 0.0 for value in values]


def _boost(
    sheet: Sheet, chosen: Sequence[Entry], parts: Sequence[dict[str, float]], weights: Weights
) -> None:
    """Add what the question is after, then what the best of a session lends to the others."""
    named, after = _named(sheet), wanted(sheet.question)
    asked = (
        ("when", Trait.TELLS_WHEN & after, weights.when),
        ("where", Trait.TELLS_WHERE & after, weights.where),
        ("number", Trait.TELLS_NUMBER & after, weights.number),
        ("question", Trait.ENDS_ASKING, -weights.question),
    )
    best: dict[int, float] = {}
    for entry, part in zip(chosen, parts, strict=True):
        if named is not None and entry.speaker == named:
            part["speaker"] = weights.speaker
        part.update({name: share for name, trait, share in asked if entry.traits & trait})
        if entry.session is not None:
            best[entry.session] = max(sum(part.values()), best.get(entry.session, 0.0))
    for entry, part in zip(chosen, parts, strict=True):
        of_session = sum(part.values()) if entry.session is None else best[entry.session]
        part["session"] = weights.session * of_session


def _named(sheet: Sheet) -> str | None:
    """The one speaker that the question names; None where it names none or several."""
    asked = set(words_of(sheet.question))
    speakers = {entry.speaker for entry in sheet.entries.values() if entry.speaker}
    named = {speaker for speaker in speakers if asked & set(words_of(speaker))}
    return named.pop() if len(named) == 1 else None


BY_DEFAULT: Rank = ranking(Weights())
"""As a store ranks when nobody tells it how."""
