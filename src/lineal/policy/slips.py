"""Whether one word is another with a slip of the finger in it."""

from __future__ import annotations

import re

from lineal.policy.spelling import KNOWN

__all__ = ["LETTERS_MIN", "WIDE", "bare", "is_slip"]

LETTERS_MIN = 4
"""Letters of the shorter word from which there may be a slip: two letters swapped."""

DOUBLED_MIN = 5
"""Letters of the longer word from which one may be doubled."""

DOUBLED_VOWEL_MIN = 6
"""The same for vowels: `need` isn't `ned`."""

LOST_MIN = 6
"""Letters of the longer word from which one may be lost."""

ELSEWHERE_MIN = 6
LOST_ELSEWHERE_MIN = 10
"""LETTERS_MIN and LOST_MIN in other languages than English: fewer of their words are in `KNOWN`."""

SOUND_STEM_MIN = 6
WRONG_STEM_MIN = 7
"""Letters, endings aside, from which one may be wrong: one that sounds alike, or any."""

WIDE = "\u3040"
"""Where Japanese and Chinese begin, whose words are never mistyped by a letter."""

_DOUBLED = re.compile(r"(.)\1+")
_DOUBLED_CONSONANT = re.compile(r"([^aeiou])\1+")
_ENDING = re.compile(r"(?:ings?|ed|e?s)$")
_BARE = str.maketrans("áàâéèêëíìîïóòôúùûç", "aaaeeeeiiiiooouuuc")
_VOWELS = frozenset("aeiouy")
_TENSES = ("ei", "ie")
_SOUND_ALIKE = frozenset(map(frozenset, ("cs", "ck", "sz", "bp", "dt", "fv", "mn")))


def bare(word: str) -> str:
    """Without accents."""
    return word if word.isascii() else word.translate(_BARE)


def is_slip(one: str, other: str, *, english: bool) -> bool:
    """Whether two different words are one, mistyped: letters doubled or swapped, accents left out,
    and in a longer word one letter lost or, in English, wrong. The first letter is always right.

    Other languages tell tenses apart by one letter (`stellen`, `stellten`; `bleiben`, `blieben`),
    so there no letter is wrong, `ei` isn't swapped, and only a very long word loses a letter.
    """
    short, long = sorted((one, other), key=len)
    if len(short) < (LETTERS_MIN if english else ELSEWHERE_MIN) or not _may_slip(short, long):
        return False
    if bare(short) == bare(long):
        return short[-1] == long[-1]
    if _single(short) == _single(long):
        consonants = _DOUBLED_CONSONANT.sub(r"\1", short) == _DOUBLED_CONSONANT.sub(r"\1", long)
        return len(long) >= (DOUBLED_MIN if consonants else DOUBLED_VOWEL_MIN)
    if len(short) == len(long):
        return _is_swapped(short, long, english=english) or (english and _is_wrong(short, long))
    return _is_lost(short, long, english=english)


def _may_slip(one: str, other: str) -> bool:
    """Alphabetic, with the same first letter, and not both known."""
    return (
        one.isalpha()
        and other.isalpha()
        and bare(one[0]) == bare(other[0]) < WIDE
        and not (one in KNOWN and other in KNOWN)
    )


def _single(word: str) -> str:
    return _DOUBLED.sub(r"\1", word)


def _differing(one: str, other: str) -> int:
    """Where two words first differ; the shorter one's length if nowhere."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _is_swapped(one: str, other: str, *, english: bool) -> bool:
    """Two neighbouring letters stand in the other order."""
    at = _differing(one, other)
    pair = one[at : at + 2]
    if pair in _TENSES and not english:
        return False
    return len(pair) == 2 and one[:at] + pair[::-1] + one[at + 2 :] == other


def _is_wrong(one: str, other: str) -> bool:
    """One letter stands for another: a vowel for a vowel, one that sounds alike, or any other in a
    longer word, before the last two letters."""
    at = _differing(one, other)
    if at == len(one) - 1 or one[at + 1 :] != other[at + 1 :]:
        return False
    pair = frozenset((one[at], other[at]))
    if pair <= _VOWELS or pair in _SOUND_ALIKE:
        return _stem(one, other) >= SOUND_STEM_MIN
    return at <= len(one) - 3 and _stem(one, other) >= WRONG_STEM_MIN


def _is_lost(short: str, long: str, *, english: bool) -> bool:
    """One letter of the longer word is missing; before a last `s` only a vowel (`branchs`), since
    `writers` and `writes` are two words, and of the last ones only an `e` (`schedul`).

    In other languages only in very long words, and away from where they inflect.
    """
    at = _differing(short, long)
    if short[at:] != long[at + 1 :]:
        return False
    left = len(long) - 1 - at
    if not english:
        return len(long) >= LOST_ELSEWHERE_MIN and left >= 4
    if left == 0:
        return len(long) >= WRONG_STEM_MIN and long[-1] == "e"
    return len(long) >= LOST_MIN and (left > 1 or long[-1] != "s" or long[at] in _VOWELS)


def _stem(one: str, other: str) -> int:
    """Letters without endings; endings make a word long, not rare."""
    return min(len(_ENDING.sub("", one)), len(_ENDING.sub("", other)))
