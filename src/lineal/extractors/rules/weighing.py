"""Which finds count: denied, wished, somebody else's, vouched for or not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from lineal.extractors.rules import english as en
from lineal.extractors.rules.compiled import Compiled
from lineal.extractors.rules.english import listed
from lineal.extractors.rules.finding import Find
from lineal.extractors.rules.scope import (
    ASKED,
    DENIED,
    HEDGE,
    LEFT,
    OTHER,
    PAST,
    QUOTED,
    WISH,
)
from lineal.extractors.rules.slots import VERBATIM
from lineal.extractors.rules.tokens import STOPS, Tokens

__all__ = ["NOW", "Claim", "claims", "is_verbatim"]

_DENIALS = DENIED | LEFT | PAST

_AFTER = 7
"""How many tokens after a find may still take it back: "Kafka was discussed and rejected"."""

_LIKING_TOKENS_MAX = 6
_LIKINGS = frozenset(listed("like likes love loves hate hates"))
_AT_HAND = (["it"], ["this"], ["that"], ["these"], ["those"])

_GONE = frozenset(
    listed(
        "rejected gone dropped removed deprecated discarded dead retired banned dealbreaker "
        "dealbreakers forbidden abandoned unacceptable"
    )
)
_IMAGINED = (["would", "be"], ["would", "have"], ["might", "be"], ["could", "be"])
_UNIMPORTANT = (["important"], ["necessary"], ["essential"], ["required"])
_BACK = frozenset({",", "is", "are", "was", "were", "got", "has"})
_NOT_WHAT = frozenset(
    listed(
        "for my an a our what something it used allowed in happening me the needed required wanted "
        "part mine hers his her here"
    )
)
_ASIDES = frozenset(listed("mostly mainly especially sometimes occasionally"))
"""Said of a member of a list: "Vue mostly, React"."""

_CLAUSE_STARTS = STOPS | frozenset({",", "(", ")", "but", "–", "—", "|", "·", "•"})
_NOW = frozenset(listed("now currently today nowadays presently then"))
SAID, NOW = 2, 3
"""Ranks of claims."""

_CONFIDENT, _WORD, _FRAGMENT, _CHAINED = 0.9, 0.8, 0.7, 0.65


@dataclass(slots=True)
class Claim:
    """A find and what its surroundings make of it. rank: 3 said of today, 2 said in so many
    words, 1 a fragment, 0 doubted; one less for what was so."""

    find: Find
    flags: int
    confidence: float
    rank: int
    vouched: bool

    @property
    def denied(self) -> bool:
        return bool(self.flags & (DENIED | LEFT))


def is_verbatim(find: Find) -> bool:
    """Whether the value is a stretch of the text, negations and all."""
    return find.slot is not None and find.slot.kind in VERBATIM


def claims(
    text: Tokens, made: Compiled, field: str, found: list[Find], flags: list[int]
) -> list[Claim]:
    """The finds of one field that count, in order of place."""
    spec, unless = made.fields[field], made.unless[field]
    every = [_claim(text, find, flags) for find in _outer(found)]
    for claim in every:
        if unless and unless & _around(text, claim.find):
            claim.flags |= OTHER
    _chain(text, every)
    cased = made.cased[field]
    if cased and text.text == text.text.lower():
        cased = frozenset()
    kept = []
    for claim in every:
        dropped = QUOTED | ASKED | OTHER | (0 if spec.wish else WISH)
        if is_verbatim(claim.find):
            dropped, claim.flags = ASKED | OTHER, claim.flags & (ASKED | OTHER)
        if not claim.vouched or claim.flags & dropped or _only_points(text, claim.find):
            continue
        if claim.flags & PAST and spec.past:
            claim.rank -= 1
        elif claim.flags & PAST:
            claim.flags |= LEFT
        elif claim.rank == SAID and spec.type != "list" and _is_now(text, claim.find):
            claim.rank = NOW
        if _says_where(text, claim):
            continue
        if cased and _lacks_capital(text, claim, cased):
            continue
        kept.append(claim)
    return kept


def _is_now(text: Tokens, find: Find) -> bool:
    """ "Now I'm a …", "then four years as a …"."""
    return not _NOW.isdisjoint(text.words[max(0, find.first - 3) : find.first + 2])


def _only_points(text: Tokens, find: Find) -> bool:
    """ "I love this library": a clause about what is at hand says nothing lasting."""
    if find.slot is None or find.slot.kind != "clause":
        return False
    said = text.words[find.first : min(find.first + _LIKING_TOKENS_MAX, find.slot.last)]
    likings = [at for at, word in enumerate(said) if word in _LIKINGS]
    if not likings or said[likings[0] + 1 : likings[0] + 2] not in _AT_HAND:
        return False
    return said[likings[0] + 2 : likings[0] + 3] not in (["when"], ["if"], ["to"])


def _says_where(text: Tokens, claim: Claim) -> bool:
    """ "never use globals in Python": what is denied is something else."""
    slot = claim.find.slot
    named = slot is not None and slot.kind == "known" and not claim.find.denies
    return named and bool(claim.flags & DENIED) and text.words[claim.find.first] in ("in", "on")


def _lacks_capital(text: Tokens, claim: Claim, cased: frozenset[str]) -> bool:
    find = claim.find
    first, last = (find.slot.first, find.slot.last) if find.slot else (find.first, find.end)
    start, end = text.span(first, max(last, first + 1))
    return text.text[start:end] in cased and claim.confidence > _CHAINED


def _outer(found: list[Find]) -> list[Find]:
    """Without those that lie within a longer one of the field."""
    found = sorted(found, key=lambda find: (find.first, -find.end, find.guarded))
    kept: list[Find] = []
    reach = -1
    for find in found:
        if find.end > reach or is_verbatim(find):
            kept.append(find)
            reach = max(reach, find.end)
    return kept


def _claim(text: Tokens, find: Find, flags: list[int]) -> Claim:
    colon = text.words[find.first] == ":"
    state = flags[find.slot.first if find.slot is not None and colon else find.first]
    if find.slot is not None and find.slot.kind == "known":
        state &= flags[find.slot.first] | ~_DENIALS
    if not is_verbatim(find):
        state |= _taken_back(text.words, _named_at(find)[1])
    if "?" in text.words[find.first : find.end]:  # the answer is part of it: "Smoker? No"
        state &= ~ASKED
    state |= LEFT if find.denies else 0
    confidence = _WORD if find.slot is None else _CONFIDENT * find.slot.certainty
    rank = SAID
    if find.weak:
        confidence, rank = min(confidence, _FRAGMENT), 1
    if state & HEDGE:
        confidence, rank = confidence * 0.6, 0
    return Claim(find, state, confidence, rank, not find.guarded)


def _taken_back(words: list[str], end: int) -> int:
    """ "… isn't my thing", "… was discussed and rejected", "… would be nice"."""
    if words[end : end + 2] in _IMAGINED:
        return WISH
    if words[end : end + 1] == ["not"] and words[end + 1 : end + 2] in _UNIMPORTANT:
        return DENIED
    if end >= len(words) or words[end] not in _BACK:
        return 0
    after: list[str] = []
    for word in words[end : end + _AFTER]:
        if word in STOPS or word in (",", "but", "because"):
            break
        after.append(word)
    if words[end : end + 2] == [",", "sorry"] or words[end : end + 3] == [",", "i", "mean"]:
        return LEFT
    if not after:
        return 0
    follower = [word for word in after[1:] if word not in en.FILLERS]
    if follower[:1] == ["not"] and (len(follower) == 1 or follower[1] in _NOT_WHAT):
        return DENIED
    if follower[:2] == ["a", "no"] or (_GONE & set(after[1:]) and "not" not in after):
        return LEFT
    return 0


def _chain(text: Tokens, every: list[Claim]) -> None:
    """Members of one list share what is said of the first, and vouch for each other."""
    taking = False
    for one, other in pairwise(every):
        between = _between(text, one.find, other.find)
        taking = between is not None and (taking or one.find.denies)
        if between is None:
            continue
        if one.vouched and not other.vouched:
            other.vouched, other.confidence = True, min(other.confidence, _CHAINED)
        shared = one.flags & (QUOTED | OTHER | WISH)
        if taking or between & en.LINKERS:
            shared |= one.flags & (DENIED | LEFT)
        other.flags |= shared
    for one, other in zip(reversed(every[:-1]), reversed(every[1:]), strict=True):
        between = _between(text, one.find, other.find)
        if other.vouched and not one.vouched and between and not between & en.LINKERS:
            one.vouched, one.confidence = True, min(one.confidence, _CHAINED)


def _between(text: Tokens, one: Find, other: Find) -> set[str] | None:
    """The words between two finds, None when they are more than a list's joints."""
    end, first = _named_at(one)[1], _named_at(other)[0]
    if not 0 <= first - end <= 3:
        return None
    between = text.words[end:first]
    joint = all(word in en.JOINERS or word in _ASIDES for word in between)
    return set(between) if joint else None


def _named_at(find: Find) -> tuple[int, int]:
    """Where the name itself stands, without the words that vouch for it."""
    slot = find.slot
    return (find.first, find.end) if slot is None else (slot.first, slot.last)


def _around(text: Tokens, find: Find) -> set[str]:
    """The words before a find in its clause, and the one after it."""
    words, first = text.words, find.first
    if find.slot is not None and words[first] in en.FILLERS:
        first = max(first, find.slot.first)
    index = first
    while first > max(0, index - 12) and words[first - 1] not in _CLAUSE_STARTS:
        if words[first - 1] == "and" and (first == index or words[first] in en.NEW_CLAUSE):
            break
        first -= 1
    named = find.slot is None or find.slot.kind in ("itself", "number", "duration")
    after = words[find.end : find.end + 1] if named else []
    return {*words[first:index], *after}
