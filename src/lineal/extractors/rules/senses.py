"""Words that mean something else where they stand: a car's age, a dog called Chess."""

from __future__ import annotations

from lineal.extractors.rules import english as en
from lineal.extractors.rules.english import listed
from lineal.extractors.rules.numbers import is_numeric
from lineal.extractors.rules.state import OTHER, Reader
from lineal.extractors.rules.tokens import STOPS

__all__ = ["SENSES"]

SUBJECT_TOKENS_MAX = 5
IDIOM_TOKENS_MAX = 4


def _years(reader: Reader, index: int) -> None:
    """ "my phone is 30 years old", "a 20 year old car", "I am 20 years sober": no one's age."""
    first = index
    while first > reader.since and is_numeric(reader.words, first - 1):
        first -= 1
    if first == index:
        return
    follower = reader.word(index + 1)
    if follower in _COUNTED_FROM and reader.word(first - 1) in ("am", "is", *en.FILLERS):
        reader.mark(first - 2, index, OTHER)
    elif follower in ("old", "young") and (_of_thing(reader, first) or _has(reader, first, index)):
        reader.mark(first - 1, index, OTHER)


_COUNTED_FROM = frozenset(listed("sober clean married older younger away late apart widowed"))


def _of_thing(reader: Reader, first: int) -> bool:
    """Whether the number is said of "my phone", "the house", "it"."""
    words = reader.words
    if reader.word(first - 1) not in _COPULAS:
        return False
    if reader.word(first - 2) in _PERSONS:
        return False
    for at in range(first - 2, max(reader.since, first - 2 - SUBJECT_TOKENS_MAX) - 1, -1):
        word = words[at]
        if word in ("it", "this", "that", "which") or word in en.OWNERS:
            return True
        if word in en.FIRST or word in (",", "and", "but") or word in en.THIRD:
            return False
    return False


def _has(reader: Reader, first: int, index: int) -> bool:
    """ "I drive a 20 year old Volvo", "a 30 year old car"."""
    owner, before = reader.word(first - 1), reader.word(first - 2)
    if owner not in en.OWNERS:
        return False
    return owner in _OWNING or before in _HAVING or (
        reader.word(index + 2) in _THINGS
    )  # fmt: skip


_COPULAS = frozenset(listed("is are was were turned"))
_PERSONS = frozenset(
    listed("user candidate client applicant author age man woman guy girl lady person member")
)
_HAVING = frozenset(
    listed(
        "in with drive drives driving own owns have has had got bought restored restoring ride "
        "rides wear wore sail sails play plays fly adopted raising drink drank near on from to for"
    )
)
_THINGS = frozenset(
    listed(
        "car house home flat apartment building cottage bike motorbike motorcycle boat guitar van "
        "truck company business startup codebase app whisky wine tree marriage phone laptop camper"
    )
)


def _between(reader: Reader, index: int) -> None:
    """ "I am between 30 and 40": neither of the two."""
    numbered = index + 1 < len(reader.words) and is_numeric(reader.words, index + 1)
    if numbered and reader.word(index - 1) == "am":
        reader.mark(index - 2, index, OTHER)


def _called(reader: Reader, index: int) -> None:
    """ "my dog, Chess", "a cat called Poker": a name, and nothing that the user does."""
    words, at = reader.words, index + 1
    called = words[at : at + 1] in (["called"], ["named"]) or words[at : at + 2] == ["name", "is"]
    if called:
        at += 1 + (words[at] == "name")
    elif words[at : at + 1] == [","] and not _LOVING.isdisjoint(words[reader.since : index]):
        at += 1
        called = _is_aside(reader, at + 1)
        if not called:
            return
    owned = not _OWNING.isdisjoint(words[max(0, index - 2) : index])
    name = reader.is_capital(at) and reader.word(at) not in en.FIRST
    if name and (called or owned):
        reader.mark(at, at + 1, OTHER)


def _is_aside(reader: Reader, after: int) -> bool:
    """Whether the sentence ends here or the first person goes on: no list of likings."""
    word = reader.word(after)
    return not word or word in STOPS or reader.word(after + 1) in en.FIRST


_LOVING = frozenset(listed("love loves adore adores miss meet walk walking"))
_OWNING = frozenset(listed("my our his her their"))
_PETS = frozenset(listed("dog cat puppy pup kitten horse pony rabbit hamster parrot dogs cats"))


def _idiom(reader: Reader, index: int) -> None:
    """ "I love running late": what the verb means here is nothing one does for its own sake."""
    if tuple(reader.words[index + 1 : index + 2]) in _IDIOMS[reader.words[index]] or (
        tuple(reader.words[index + 1 : index + 3]) in _IDIOMS[reader.words[index]]
    ):
        reader.mark(_verb_phrase(reader, index), index + 1, OTHER)


def _verb_phrase(reader: Reader, index: int) -> int:
    """Where the words that vouch for the verb begin: "I love" of "I love running late"."""
    first = index
    while first > max(reader.since, index - IDIOM_TOKENS_MAX) and (
        reader.words[first - 1] not in (",", "and", "or", "but", "&", "(", ":")
    ):
        first -= 1
    return first


def _sayings(*lines: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(line.split()) for line in lines)


_IDIOMS = {
    "running": _sayings(
        "late", "early", "behind", "low", "out of", "errands", "away", "my own", "a business",
        "my business", "a company", "my company", "the show", "a shop", "my shop", "a team",
        "the house", "a household", "a cafe", "a restaurant", "for office", "on empty", "on coffee",
        "on caffeine", "jokes", "meetings", "tests", "gags",
    ),
    "reading": _sayings("the room", "between", "minds", "people", "into"),
    "climbing": _sayings("the ladder", "the corporate", "the career", "the walls", "into bed"),
    "fishing": _sayings("for compliments", "for attention"),
    "cooking": _sayings("the books", "up"),
    "swimming": _sayings("in debt", "in money", "in work", "against"),
    "dancing": _sayings("around", "on thin"),
    "juggling": _sayings("work", "two", "three", "kids", "jobs", "a"),
    "walking": _sayings("away", "on eggshells", "disaster"),
    "sailing": _sayings("through", "close"),
    "surfing": _sayings("the web", "the net", "channels"),
    "hunting": _sayings("for bargains", "for a", "bargains"),
}  # fmt: skip
"""Verb → what follows it where it is no pastime."""

SENSES = {
    **dict.fromkeys(("years", "year", "yrs", "yr"), _years),
    "between": _between,
    **dict.fromkeys(en.KIN | _PETS, _called),
    **dict.fromkeys(_IDIOMS, _idiom),
}
"""Word → what it says of the words around it."""
