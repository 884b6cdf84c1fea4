"""Whether a passage says a value: what isn't said there was made up."""

from __future__ import annotations

import re
from datetime import date, datetime

from lineal.extractors.llm.numbers import names_number
from lineal.extractors.llm.quotes import folded
from lineal.models.schema import ITSELF, FieldSpec
from lineal.policy.limits import text_flags

__all__ = ["grounded"]

DAYS_AWAY_MAX = 366
"""How far a date may be from the text's own when the passage says "last Friday"."""

_WORD = re.compile(r"[\w+#]+")
_MONTHS = "january february march april may june july august september october november december"
_RELATIVE = re.compile(
    r"\b(today|tonight|yesterday|tomorrow|ago|last|next|this|since|"
    r"(mon|tues|wednes|thurs|fri|satur|sun)day)\b"
)


def grounded(
    spec: FieldSpec, value: str | int | float | bool, quote: str, occurred_at: datetime
) -> bool:
    """Whether the quote, of the text already, bears this value of the field (or of its members).

    string: each of its words stands in the quote, or it is a known name of the field. integer,
    number: the quote names it, perhaps in another unit. date: the quote names day and month, or
    counts from the text's own day. enum, boolean: the quote is the model's reason, that is all.
    """
    kind = spec.items if spec.type == "list" else spec.type
    passage = folded(quote)
    if kind in ("integer", "number") and isinstance(value, int | float):
        return names_number(value, passage, spec.unit)
    if kind == "string" and isinstance(value, str):
        return (value in spec.values and value != ITSELF) or _worded(value, quote, passage)
    if kind == "date" and isinstance(value, str):
        return _dated(date.fromisoformat(value), passage, occurred_at.date())
    return True


def _worded(value: str, quote: str, passage: str) -> bool:
    """Nothing in it but the quote's words; nothing hidden that the quote doesn't hold."""
    if value in quote:
        return True
    words = set(_WORD.findall(folded(value)))
    short = len(value) <= len(quote)
    return short and bool(words) and words <= {*_WORD.findall(passage)} and not text_flags(value)


def _dated(day: date, passage: str, said_on: date) -> bool:
    if day.isoformat() in passage:
        return True
    if _RELATIVE.search(passage) and abs((day - said_on).days) <= DAYS_AWAY_MAX:
        return True
    numbers = {int(number) for number in re.findall(r"(?<!\d)\d{1,4}(?!\d)", passage)}
    month = _MONTHS.split()[day.month - 1]
    named = bool(re.search(rf"\b({month}|{month[:3]})\b", passage)) or day.month in numbers
    near = day.year in numbers or abs(day.year - said_on.year) <= 1
    return named and near and day.day in numbers
