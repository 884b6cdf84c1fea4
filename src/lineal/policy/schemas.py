"""What a schema takes as a field's value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from lineal.errors import LinealError
from lineal.models.parse import kind_of
from lineal.models.schema import FieldSpec, FieldType, Schema

__all__ = ["sorted_out", "taken"]


_KINDS: dict[FieldType, str] = {
    "integer": "an integer",
    "number": "a finite number",
    "string": "a string that isn't blank",
    "boolean": "true or false",
    "date": "a date such as 2026-05-17",
    "list": "no list within a list",
}

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def sorted_out(schema: Schema, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(values the schema knows, extras). A derived field can't be set: it goes to extras (U15).

    A null is not a value: it is left out. Raises invalid_request with details.field (U6).
    """
    known: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for name, value in fields.items():
        spec = schema.fields.get(name)
        if spec is None or spec.kind == "derived":
            extras[name] = value
        elif value is not None:
            known[name] = taken(name, spec, value)
    return known, extras


def taken(name: str, spec: FieldSpec, value: Any) -> Any:
    """The value as stored. Raises invalid_request naming the field, its kind and its bound."""
    if spec.type != "list":
        return _one(name, spec, spec.type, value)
    members = value if isinstance(value, list | tuple) else [value]
    return list(dict.fromkeys(_one(name, spec, spec.items, member) for member in members))


def _one(name: str, spec: FieldSpec, kind: FieldType, value: Any) -> Any:
    checks: dict[FieldType, Callable[[], bool]] = {
        "integer": lambda: type(value) is int and _measurable(value),
        "number": lambda: type(value) in (int, float) and _measurable(value),
        "string": lambda: isinstance(value, str) and bool(value.strip()),
        "enum": lambda: isinstance(value, str) and value in spec.values,
        "boolean": lambda: type(value) is bool,
        "date": lambda: isinstance(value, str) and _is_date(value),
        "list": lambda: False,
    }
    if not checks[kind]():
        wanted = f"one of {', '.join(spec.values)}" if kind == "enum" else _KINDS[kind]
        raise LinealError.invalid(
            name,
            f"Field '{name}' is the {kind_of(value)} {_shown(value)}; the schema takes {wanted}.",
            expected=kind,
            received=kind_of(value),
        )
    if kind in ("integer", "number"):
        _within(name, spec, value)
    return value


def _within(name: str, spec: FieldSpec, value: float) -> None:
    low = -math.inf if spec.minimum is None else spec.minimum
    high = math.inf if spec.maximum is None else spec.maximum
    if not low <= value <= high:
        raise LinealError.invalid(
            name,
            f"Field '{name}' is {value}; the schema takes {low:g} to {high:g}.",
            minimum=spec.minimum,
            maximum=spec.maximum,
        )


def _shown(value: Any) -> str:
    try:
        return repr(str(value)[:60])
    except ValueError:  # an integer with more digits than Python writes out
        return "beyond every measure"


def _measurable(value: float) -> bool:
    """Finite, and no larger than a float can say."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return _DATE.fullmatch(value) is not None
