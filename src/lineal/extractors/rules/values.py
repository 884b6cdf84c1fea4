"""What a find's words are as a value of its field."""

from __future__ import annotations

import re
from datetime import date

from lineal.extractors.rules.compiled import ITSELF, Compiled
from lineal.extractors.rules.dates import Day, date_at
from lineal.extractors.rules.finding import Find, known_at
from lineal.extractors.rules.money import Money
from lineal.extractors.rules.numbers import DAYS, number_at
from lineal.extractors.rules.slots import Found
from lineal.extractors.rules.tokens import Tokens, tokens
from lineal.models.schema import FieldSpec

__all__ = ["Value", "value_of", "written"]

Value = str | int | float | bool

_YES = {"true": True, "yes": True, "false": False, "no": False}
_SPACE = re.compile(r"\s+")
_OWNED = ("'s", "’s")
_EDGES = " \t\n-–—*•,;:·"


def value_of(
    text: Tokens, made: Compiled, spec: FieldSpec, find: Find, now: date
) -> tuple[Value, tuple[int, int]] | None:
    """(value, its place in the text); None when the words are no such value."""
    slot = find.slot
    if slot is None or (find.value is not None and slot.kind != "known"):
        return _named(spec, find.value or ""), text.span(find.first, find.end)
    if slot.last <= slot.first:
        return None
    start, end = text.span(slot.first, slot.last)
    if find.value is not None:
        return _named(spec, find.value), (start, end)
    kind = spec.items if spec.type == "list" else spec.type
    if isinstance(slot.raw, float | Day | Money):
        value = _measured(spec, kind, slot, now)
        return None if value is None else (value, (start, end))
    start, end = _trimmed(text.text, start, end)
    said = text.text[start:end]
    if slot.kind == "itself" and said[-2:] in _OWNED and "'" not in text.words[slot.last - 1]:
        said, end = said[:-2], end - 2
    if not said:
        return None
    value = _worded(made, find.field, spec, kind, said, now)
    return None if value is None else (value, (start, end))


def _named(spec: FieldSpec, name: str) -> Value:
    kind = spec.items if spec.type == "list" else spec.type
    if kind == "boolean":
        return _YES.get(name.lower(), False)
    if kind in ("integer", "number"):
        return _plain(float(name), kind)
    return name


def _plain(value: float, kind: str) -> Value:
    """A whole number without its point."""
    value = round(value, 2)
    return int(value) if value == int(value) or kind == "integer" else value


def _measured(spec: FieldSpec, kind: str, slot: Found, now: date) -> Value | None:
    raw = slot.raw
    if isinstance(raw, Day):
        if kind == "date":
            return raw.day.isoformat() if raw.exact else None
        return _elapsed(spec, kind, raw.day, now)
    if kind not in ("integer", "number"):
        return None
    if isinstance(raw, Money):
        a_year = raw.a_year if "year" in (spec.unit or "") else 1.0
        return _plain(raw.value * a_year, kind)
    if not isinstance(raw, float):
        return None
    if slot.kind == "duration":
        return _plain(round(raw / _unit_days(spec), 1), kind)
    return _plain(raw, kind)


def _unit_days(spec: FieldSpec) -> float:
    words = (spec.unit or "days").split()
    return DAYS.get(words[0].removesuffix("s"), 1.0)


def _elapsed(spec: FieldSpec, kind: str, day: date, now: date) -> Value | None:
    """Units of the field since a day: whole ones of an age, the nearest of anything else."""
    units = (now - day).days / (365.2425 if _unit_days(spec) == DAYS["year"] else _unit_days(spec))
    if units < 0 or kind not in ("integer", "number"):
        return None
    return int(units) if kind == "integer" else round(units)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in _EDGES + "`":
        start += 1
    while start < end and text[end - 1] in _EDGES + (
        "`" if text.count("`", start, end) % 2 else ""
    ):
        end -= 1
    return start, end


def _worded(
    made: Compiled, field: str, spec: FieldSpec, kind: str, said: str, now: date
) -> Value | None:
    if kind == "string":
        lowered = (spec.type == "list" and spec.kind == "hard") or (
            spec.type == "list" and spec.values
        )
        return _SPACE.sub(" ", said.lower() if lowered else said)
    return written(made, field, spec, said, now)


def written(made: Compiled, field: str, spec: FieldSpec, said: str, now: date) -> Value | None:
    """A stretch of text as a value of the field's type, None if it is none."""
    kind = spec.items if spec.type == "list" else spec.type
    if kind == "string":
        return said
    found = tokens(said)
    if not found.words:
        return None
    if kind == "date":
        day = date_at(found, 0, now)
        return day.day.isoformat() if day and day.exact and day.end == len(found.words) else None
    if kind in ("integer", "number"):
        number = number_at(found, 0)
        whole = number is not None and number.end == len(found.words)
        return _plain(number.value, kind) if number and whole else None
    if kind == "boolean":
        return _YES.get(said.lower())
    names = [name for end, name in known_at(made, field, found.words, 0) if name != ITSELF]
    names += [said.lower()] if said.lower() in spec.values else []
    return names[-1] if names else None
