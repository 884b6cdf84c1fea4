"""Dates as people say them, counted from when the text was true."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from lineal.extractors.rules.english import listed
from lineal.extractors.rules.numbers import duration_at
from lineal.extractors.rules.tokens import Tokens

__all__ = ["Day", "date_at"]


class Day(NamedTuple):
    """end: the token after it. day: the date, or the middle of the month or year that is said.
    exact: the very day is said."""

    end: int
    day: date
    exact: bool = True


_NAMES = listed(
    "january february march april may june july august september october november december"
)
_MONTHS = {name: n for n, name in enumerate(_NAMES, 1)}
_MONTHS |= {name[:3]: n for name, n in _MONTHS.items()} | {"sept": 9}
_NEAR = {"today": 0, "yesterday": -1, "tomorrow": 1}
_SEASONS = {"spring": 4, "summer": 7, "autumn": 10, "fall": 10, "winter": 1}
_BACK = {"week": 7, "month": 30, "year": 365}


def date_at(text: Tokens, index: int, now: date) -> Day | None:
    """A day, month or year at this token: "May 3, 2020", "3 May 2020", "03/2020", "'96",
    "last spring", "two years ago"."""
    words = text.words
    if index >= len(words):
        return None
    word = words[index]
    if word in _NEAR:
        return _far(index + 1, now, _NEAR[word])
    if word in ("the", "early", "late", "mid", "around", "about"):
        return date_at(text, index + 1, now)
    if word in ("last", "this"):
        return _last(words, index, now)
    if word in _MONTHS:
        return _month_first(words, index, now)
    ago = duration_at(text, index)
    if ago and ago.end < len(words) and words[ago.end] in ("ago", "back"):
        return _far(ago.end + 1, now, -round(ago.value))
    return _digits(words, index)


def _far(end: int, now: date, days: int, *, exact: bool = True) -> Day | None:
    try:
        return Day(end, now + timedelta(days=days), exact)
    except OverflowError:
        return None


def _last(words: list[str], index: int, now: date) -> Day | None:
    after = words[index + 1] if index + 1 < len(words) else ""
    back = 0 if words[index] == "this" else 1
    if after in _BACK:
        return _far(index + 2, now, -_BACK[after] * back, exact=False)
    month = _SEASONS.get(after) or _MONTHS.get(after)
    if month is None:
        return None
    year = now.year - (back if month >= now.month else 0)
    return _day(index + 2, year, month, None)


def _month_first(words: list[str], index: int, now: date) -> Day | None:
    month, at = _MONTHS[words[index]], index + 1
    day = _number(words, at, 1, 31)
    if day is not None:
        at += 1 + (words[at + 1 : at + 2] in (["th"], ["st"], ["nd"], ["rd"]))
    after = at + (words[at : at + 1] in ([","], ["of"]))
    year = _number(words, after, 1900, 2100)
    if year is not None:
        return _day(after + 1, year, month, day)
    return _day(at, now.year - (month > now.month), month, day)


def _digits(words: list[str], index: int) -> Day | None:
    year = _number(words, index, 1900, 2100)
    if year is not None:
        month, day = _number(words, index + 1, 1, 12), _number(words, index + 2, 1, 31)
        if month and day and len(words[index + 1]) == 2:
            return _day(index + 3, year, month, day)
        return _day(index + 1, year, None, None)
    if words[index] == "'" and (short := _number(words, index + 1, 0, 99)) is not None:
        return _day(index + 2, short + (1900 if short > 30 else 2000), None, None)
    return _day_first(words, index)


def _day_first(words: list[str], index: int) -> Day | None:
    day = _number(words, index, 1, 31)
    if day is None:
        return None
    at = index + 1 + (words[index + 1 : index + 2] in (["th"], ["st"], ["nd"], ["rd"], ["."]))
    at += words[at : at + 1] == ["of"]
    if at < len(words) and words[at] in _MONTHS:
        after = at + 1 + (words[at + 1 : at + 2] == [","])
        year = _number(words, after, 1900, 2100)
        return None if year is None else _day(after + 1, year, _MONTHS[words[at]], day)
    if words[index + 1 : index + 2] == ["/"] and (year := _number(words, index + 2, 1900, 2100)):
        return _day(index + 3, year, day, None) if day <= 12 else None
    return None


def _number(words: list[str], index: int, low: int, high: int) -> int | None:
    if index >= len(words) or not words[index].isdecimal() or len(words[index]) > 4:
        return None
    value = int(words[index])
    return value if low <= value <= high else None


def _day(end: int, year: int, month: int | None, day: int | None) -> Day | None:
    try:
        return Day(end, date(year, month or 7, day or (15 if month else 1)), day is not None)
    except ValueError:
        return None
