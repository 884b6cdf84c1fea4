"""Which numbers a passage names: in digits, in English words, and in other units."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

__all__ = ["names_number"]

_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: float(number) for number, word in enumerate(_SMALL_WORDS.split())}
_TENS = {word: 10.0 * number for number, word in enumerate(_TENS_WORDS.split(), start=2)}
_SCALES = {
    "dozen": 12.0,
    "hundred": 100.0,
    "thousand": 1e3,
    "k": 1e3,
    "grand": 1e3,
    "lakh": 1e5,
    "million": 1e6,
    "mn": 1e6,
    "crore": 1e7,
    "billion": 1e9,
    "bn": 1e9,
}
_UNITS = {
    word: (dimension, factor)
    for dimension, factor, words in (
        ("length", 0.001, "mm millimetre millimetres millimeter millimeters"),
        ("length", 0.01, "cm centimetre centimetres centimeter centimeters"),
        ("length", 1.0, "m metre metres meter meters"),
        ("length", 1_000.0, "km kilometre kilometres kilometer kilometers"),
        ("length", 0.0254, "in inch inches"),
        ("length", 0.3048, "ft foot feet"),
        ("length", 0.9144, "yd yard yards"),
        ("length", 1_609.344, "mi mile miles"),
        ("mass", 0.001, "g gram grams"),
        ("mass", 1.0, "kg kgs kilo kilos kilogram kilograms"),
        ("mass", 0.45359237, "lb lbs pound pounds"),
        ("mass", 0.028349523125, "oz ounce ounces"),
        ("mass", 6.35029318, "stone"),
        ("time", 1 / 8_766, "h hour hours hr hrs"),
        ("time", 1 / 365.25, "day days"),
        ("time", 7 / 365.25, "week weeks wk wks"),
        ("time", 1 / 12, "month months mo mos"),
        ("time", 1.0, "year years yr yrs yo"),
        ("time", 10.0, "decade decades"),
    )
    for word in words.split()
}
"""Word → (dimension, its size in metres, kilograms, years)."""

_AMBIGUOUS = frozenset({"m", "in", "g", "h", "mo"})
"""Words that are units only sometimes: "31 in June", "31M"."""

_RATES = {"month": 12.0, "monthly": 12.0, "week": 52.0, "weekly": 52.0}
"""How often in a year, for what is counted by the year."""

MEASURES_MAX = 40
"""Numbers looked at in one passage; a list of more says nothing of anybody."""

CONVERSION_TOLERANCE = 0.01
"""Of a converted number, relatively: people round."""

_TOKEN = re.compile(
    r"(?P<sign>(?<![\w.])-)?(?P<digits>\d{1,3}(?: \d{3})+(?!\d)|\d+(?:[.,']\d+)*)|[^\W\d_]+"
)
_THOUSANDS = (
    (re.compile(r"\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?"), re.compile(r"[,' ]"), "."),
    (re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?"), re.compile(r"\."), ","),
)


@dataclass(frozen=True)
class _Measure:
    """A number as a passage names it. values: each way to read it; unit: the word after it."""

    values: tuple[float, ...]
    unit: str | None


def names_number(value: float, passage: str, unit: str | None) -> bool:
    """Whether a folded passage names this number, in the unit or in another of its dimension.

    A number in a unit of another dimension isn't meant: "31 km" says no age.
    """
    wanted = _wanted(unit)
    measures = list(islice(_measures(_feet(passage)), MEASURES_MAX))
    if any(_says(value, measure, wanted) for measure in [*measures, *_sums(measures)]):
        return True
    rates = _rates(passage) if unit and unit.startswith(("a year", "per year")) else ()
    numbers = [number for measure in measures for number in measure.values]
    return any(_near(value, number * rate) for rate in rates for number in numbers)


def _says(value: float, measure: _Measure, wanted: str | None) -> bool:
    unit = measure.unit
    exact = any(math.isclose(value, number, rel_tol=1e-9) for number in measure.values)
    if unit is None or wanted is None:
        return exact
    (dimension, size), (asked, size_asked) = _UNITS[unit], _UNITS[wanted]
    if dimension != asked or size == size_asked:
        return exact and (dimension == asked or unit in _AMBIGUOUS)
    return (exact and unit in _AMBIGUOUS) or any(
        _near(value, number * size / size_asked) for number in measure.values
    )


def _near(value: float, converted: float) -> bool:
    """A converted number may be rounded, to a whole one too."""
    whole = value == int(value) and abs(converted) >= 1
    close = math.isclose(value, converted, rel_tol=CONVERSION_TOLERANCE)
    return close or (whole and abs(value - converted) < 1)


def _wanted(unit: str | None) -> str | None:
    """The word of a field's unit that can be converted; "a year" is a rate, not a length of
    time."""
    first = (unit or "").casefold().split()[:1]
    return first[0] if first and first[0] in _UNITS else None


def _rates(passage: str) -> Iterator[float]:
    for word in re.findall(r"[a-z]+", passage):
        if word in _RATES:
            yield _RATES[word]


def _feet(passage: str) -> str:
    """5'11" as 5 ft 11 in; 85'000 stays."""
    passage = re.sub(r"(\d)'(?!\d{3})", r"\1 ft ", passage)
    return re.sub(r'(\d) ?"', r"\1 in ", passage)


def _sums(measures: list[_Measure]) -> Iterator[_Measure]:
    """5 ft 11 in, 5 ft 11, 2 years and 6 months: one number in two parts."""
    for large, small in pairwise(measures):
        unit = small.unit or ("in" if large.unit in ("ft", "foot", "feet") else None)
        if large.unit and unit and _UNITS[large.unit][0] == _UNITS[unit][0]:
            factor = _UNITS[unit][1] / _UNITS[large.unit][1]
            if factor < 1:
                sums = tuple(a + b * factor for a in large.values for b in small.values)
                yield _Measure(sums, large.unit)


def _measures(passage: str) -> Iterator[_Measure]:
    tokens = list(_TOKEN.finditer(passage))
    at = 0
    while at < len(tokens):
        values, after = _number(tokens, at)
        if values:
            word = tokens[after].group() if after < len(tokens) else ""
            if word != "s":  # "in his 30s" names no number
                yield _Measure(values, word if word in _UNITS else None)
        at = max(after, at + 1)


def _number(tokens: list[re.Match[str]], at: int) -> tuple[tuple[float, ...], int]:
    """(each way to read the number that begins here, where it ends); none: ()."""
    if tokens[at]["digits"]:
        return _in_digits(tokens, at)
    words = [token.group() for token in tokens[at : at + 16]]
    value, length = _in_words(words)
    if length and words[0] != "minus" and at and tokens[at - 1].group() == "minus":
        value = -value
    return ((value,), at + length) if length else ((), at + 1)


def _in_digits(tokens: list[re.Match[str]], at: int) -> tuple[tuple[float, ...], int]:
    sign = -1.0 if tokens[at]["sign"] or (at and tokens[at - 1].group() == "minus") else 1.0
    values = tuple(sign * reading for reading in _readings(tokens[at]["digits"]))
    at += 1
    while at < len(tokens) and tokens[at].group() in _SCALES:
        values = tuple(value * _SCALES[tokens[at].group()] for value in values)
        at += 1
    if [token.group() for token in tokens[at : at + 3]] == ["and", "a", "half"]:
        return tuple(value + sign * 0.5 for value in values), at + 3
    return values, at


def _readings(digits: str) -> Iterator[float]:
    """1,000 is a thousand; 85.000 may be either; 3.5.2024 is three numbers."""
    found = False
    for shape, separator, point in _THOUSANDS:
        if shape.fullmatch(digits):
            found = True
            yield float(separator.sub("", digits).replace(point, "."))
    if re.fullmatch(r"\d+(?:[.,]\d+)?", digits):
        found = True
        yield float(digits.replace(",", "."))
    if not found:
        yield from map(float, re.findall(r"\d+", digits))


def _in_words(words: list[str]) -> tuple[float, int]:
    """(the number that these words begin with, how many words it takes); none: (0, 0)."""
    total, group, at, open_to = 0.0, 0.0, 0, 1_000.0
    if words[0] in ("a", "an") and words[1:2] and words[1] in _SCALES and words[1] != "k":
        group, at = 1.0, 1
    if words[0] == "half" and words[1:2] == ["a"] and words[2:3] and words[2] in _SCALES:
        return 0.5 * _SCALES[words[2]], 3
    while at < len(words):
        word = words[at]
        number = _SMALL.get(word, _TENS.get(word))
        if number is not None and number < open_to:
            group += number
            open_to = 10.0 if word in _TENS else 0.0
        elif word == "hundred" and at:
            group, open_to = group * 100, 100.0
        elif word in _SCALES and at and word != "hundred":
            total, group, open_to = total + group * _SCALES[word], 0.0, 1_000.0
        elif word == "and" and at and _goes_on(words[at + 1 : at + 3], open_to):
            if words[at + 1] == "a":
                return total + group + 0.5, at + 3
        else:
            break
        at += 1
    return total + group, at


def _goes_on(words: list[str], open_to: float) -> bool:
    """Whether what follows an "and" is still of the same number: a hundred and five."""
    first = _SMALL.get(words[0], _TENS.get(words[0])) if words else None
    return words == ["a", "half"] or (first is not None and open_to >= 100 and first < open_to)
