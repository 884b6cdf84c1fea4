"""Numbers and lengths of time, in digits and in words."""

from __future__ import annotations

from typing import NamedTuple

from lineal.extractors.rules.english import listed
from lineal.extractors.rules.tokens import Tokens

__all__ = ["DAYS", "NUMERIC", "Read", "duration_at", "is_at", "is_numeric", "number_at"]


class Read(NamedTuple):
    """end: the token after it. certainty: 1, or less for a range or an "about"."""

    end: int
    value: float
    certainty: float = 1.0


_ONES = listed(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = listed("twenty thirty forty fifty sixty seventy eighty ninety")
_SMALL = {word: n for n, word in enumerate(_ONES)}
_LARGE = {word: (n + 2) * 10 for n, word in enumerate(_TENS)}
_VAGUE = {"a": 1.0, "an": 1.0, "couple": 2.0, "dozen": 12.0, "half": 0.5}
_SCALE = {"k": 1e3, "thousand": 1e3, "grand": 1e3, "m": 1e6, "million": 1e6, "lakh": 1e5}
_SCALE |= {"lakhs": 1e5, "hundred": 1e2, "lpa": 1e5, "lac": 1e5, "l": 1e5}
_ABOUT = frozenset(listed("about around roughly approximately approx. ~ nearly almost circa"))

NUMERIC = frozenset([*_SMALL, *_LARGE, *_VAGUE])
DAYS = {"day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}
_UNITS = {
    **{name: unit for unit in DAYS for name in (unit, unit + "s")},
    **dict.fromkeys(("yr", "yrs", "y"), "year"),
    **dict.fromkeys(("wk", "wks", "w"), "week"),
    **dict.fromkeys(("mo", "mos", "mths", "mth"), "month"),
    "d": "day",
}
_AFTER_A = frozenset([*_UNITS, *_VAGUE, *_SCALE, "quarter", "decade", "full", "whole", "good"])


def is_numeric(words: list[str], index: int) -> bool:
    """Whether a number may begin with this word; "a" begins one only in "a week", "a dozen"."""
    word = words[index]
    if word == "a" or word == "an":
        return index + 1 < len(words) and words[index + 1] in _AFTER_A
    return word[0].isdigit() or word in NUMERIC or word in _ABOUT


def number_at(text: Tokens, index: int) -> Read | None:
    """A number, or a range's lower bound: "32", "thirty-two", "1,5k", "5+", "70-80k"."""
    if index not in text.numbers:
        text.numbers[index] = _number_at(text, index)
    found = text.numbers[index]
    return found if isinstance(found, Read) else None


def _number_at(text: Tokens, index: int) -> Read | None:
    first = _single(text, index)
    if first is None:
        return None
    words, end = text.words, first.end
    if words[end : end + 3] == ["and", "a", "half"]:
        return Read(end + 3, first.value + 0.5, first.certainty)
    joints = ("-", "–", "—", "to", "or") + (("and",) if is_at(words, index - 1, "between") else ())
    if is_at(words, end, *joints) or _glued(text, end):
        after = end + (words[end] in joints)
        upper = _single(text, after)
        if upper and _scaled(first, upper) is not None:
            return _scaled(first, upper)
    if end < len(words) and words[end] == "+":
        return Read(end + 1, first.value, 0.9)
    return first


def _glued(text: Tokens, end: int) -> bool:
    """The dropped hyphen of "70-80k"."""
    if end >= len(text.words) or not text.words[end][0].isdigit():
        return False
    return text.text[text.ends[end - 1] : text.starts[end]] in ("-", "‐", "‑")


def _scaled(low: Read, high: Read) -> Read | None:
    """The range's lower bound, in thousands if only the upper one says so."""
    value = low.value
    for scale in (1.0, 1e3, 1e5, 1e6):
        if value * scale < high.value <= value * scale * 3:
            return Read(high.end, value * scale, 0.7)
    return None


def _single(text: Tokens, index: int) -> Read | None:
    words = text.words
    if index >= len(words):
        return None
    if words[index] in _ABOUT:
        inner = _single_exact(text, index + 1)
        return inner._replace(certainty=0.85) if inner else None
    return _single_exact(text, index)


def _single_exact(text: Tokens, index: int) -> Read | None:
    words = text.words
    if index >= len(words):
        return None
    word = words[index]
    if word[0].isdigit():
        return _digits(text, index)
    value: float | None = _SMALL.get(word)
    if word in _LARGE:
        value = float(_LARGE[word])
        if index + 1 < len(words) and 0 < _SMALL.get(words[index + 1], 0) < 10:
            return _times(text, index + 2, value + _SMALL[words[index + 1]])
    if word == "a" and is_at(words, index + 1, "couple", "dozen", "half"):
        index, word = index + 1, words[index + 1]
    if word == "half" and is_at(words, index + 1, "a", "an"):
        return Read(index + 2, 0.5)
    if word == "couple" and is_at(words, index + 1, "of"):
        return Read(index + 2, 2.0, 0.8)
    if value is None:
        value = _VAGUE.get(word)
    return None if value is None else _times(text, index + 1, float(value))


def is_at(words: list[str], index: int, *wanted: str) -> bool:
    """Whether one of these words stands at the index."""
    return index < len(words) and words[index] in wanted


def _digits(text: Tokens, index: int) -> Read | None:
    word, words = text.words[index], text.words
    if len(word) > 15 or not word.replace(",", "").replace(".", "").isdecimal():
        return None
    parts = word.replace(",", ".").split(".")
    whole = len(parts) > 1 and all(len(part) == 3 for part in parts[1:])
    value = float("".join(parts)) if whole else float(word.replace(",", "."))
    end = index + 1
    while _is_group(text, end) and value < 1e7 and value == int(value):
        value, end = value * 1000 + int(words[end]), end + 1
    return _times(text, end, value)


def _is_group(text: Tokens, index: int) -> bool:
    """The "000" of "12 000"."""
    words = text.words
    if index >= len(words) or len(words[index]) != 3 or not words[index].isdecimal():
        return False
    gap = text.text[text.ends[index - 1] : text.starts[index]]
    return gap in (" ", " ", " ", "'") and words[index - 1].isdecimal()


def _times(text: Tokens, end: int, value: float) -> Read:
    words = text.words
    scale = _SCALE.get(words[end]) if end < len(words) else None
    if scale is None or (words[end] in ("m", "l") and value < 1.0):
        return Read(end, value)
    if words[end] in ("m", "l"):
        return Read(end, value)
    return Read(end + 1, value * scale)


def duration_at(text: Tokens, index: int) -> Read | None:
    """A length of time, in days: "two weeks", "5+ yrs", "a year and a half"."""
    words = text.words
    if is_at(words, index, "a", "one") and is_at(words, index + 1, "quarter") and is_at(
        words, index + 2, "of"
    ) and is_at(words, index + 4, "century"):  # fmt: skip
        return Read(index + 5, 25 * DAYS["year"])
    if is_at(words, index, "a", "one", "two", "three") and is_at(
        words, index + 1, "decade", "decades"
    ):
        return Read(index + 2, 10 * DAYS["year"] * max(1, _SMALL.get(words[index], 1)))
    number = number_at(text, index)
    if number is None or number.end >= len(words):
        return None
    value, end = number.value, number.end
    end += is_at(words, end, "full", "whole", "good", "calendar", "solid", "long")
    unit = _UNITS.get(words[end]) if end < len(words) else None
    if unit is None:
        return None
    end += 1
    if words[end : end + 3] == ["and", "a", "half"]:
        value, end = value + 0.5, end + 3
    return Read(end, value * DAYS[unit], number.certainty)
