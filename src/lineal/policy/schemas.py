"""What a schema takes as a field's value, and what it may not say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from lineal.errors import LinealError
from lineal.models.parse import kind_of
from lineal.models.schema import FieldSpec, FieldType, Match, Schema
from lineal.policy.phrases import fault

__all__ = ["faults", "sorted_out", "taken"]


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
    if not _CHECKS[kind](spec, value):
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


_CHECKS: dict[FieldType, Callable[[FieldSpec, Any], bool]] = {
    "integer": lambda _, value: type(value) is int and _measurable(value),
    "number": lambda _, value: type(value) in (int, float) and _measurable(value),
    "string": lambda _, value: isinstance(value, str) and bool(value.strip()),
    "enum": lambda spec, value: isinstance(value, str) and value in spec.values,
    "boolean": lambda _, value: type(value) is bool,
    "date": lambda _, value: isinstance(value, str) and _is_date(value),
    "list": lambda _, __: False,
}


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


_NUMBERS: tuple[FieldType, ...] = ("integer", "number")
_MATCHES: dict[str, tuple[FieldType, ...]] = {
    "near": _NUMBERS,
    "at_least": _NUMBERS,
    "at_most": _NUMBERS,
    "overlap": ("list",),
    "compatible": ("enum",),
}
"""Match rule → the types it can compare; `same` compares any."""


def faults(schema: Schema) -> Iterator[tuple[tuple[str, ...], str]]:
    """(where, what is wrong) of everything that the model alone lets through.

    where: names from the schema inwards, such as ("fields", "age", "merge").
    """
    for phrase in schema.not_about:
        wrong = fault(phrase, needs_slot=False)
        if wrong:
            yield ("not_about", phrase), wrong
    for name, spec in schema.fields.items():
        checks = (_bounds(spec), _vocabulary(spec), _rules(spec), _mentions(schema, spec))
        for found in checks:
            for where, wrong in found:
                yield ("fields", name, *where), wrong


Faults = Iterator[tuple[tuple[str, ...], str]]


def _bounds(spec: FieldSpec) -> Faults:
    if spec.minimum is not None and spec.maximum is not None and spec.minimum > spec.maximum:
        yield ("minimum",), f"the minimum {spec.minimum:g} is above the maximum {spec.maximum:g}"
    if spec.merge == "union" and spec.type != "list":
        yield ("merge",), "only a list is merged by union"
    if spec.merge == "max" and spec.type not in _NUMBERS:
        yield ("merge",), "only a number is merged by max"


def _vocabulary(spec: FieldSpec) -> Faults:
    kind = spec.items if spec.type == "list" else spec.type
    if kind == "enum" and not spec.values:
        yield ("values",), "an enum names its values"
    if kind != "string" and "*" in spec.values:
        yield ("values", "*"), "only a string can hold words that mean themselves"
    for name, phrases in spec.values.items():
        for phrase in phrases:
            if wrong := fault(phrase, needs_slot=False):
                yield ("values", name, phrase), wrong
    for key, phrases in (("says", spec.says), ("denies", spec.denies)):
        for phrase in phrases:
            if wrong := fault(phrase, needs_slot=True):
                yield (key, phrase), wrong
    for pattern in spec.patterns:
        try:
            if re.compile(pattern).groups < 1:
                yield ("patterns", pattern), f"pattern '{pattern}' has no group for the value"
        except re.error as error:
            yield ("patterns", pattern), f"pattern '{pattern}' doesn't compile: {error}"


def _rules(spec: FieldSpec) -> Faults:
    if (spec.derive is not None) and spec.kind != "derived":
        yield ("derive",), "only a derived field is derived"
    if spec.match is not None:
        yield from _match(spec, spec.match)


def _match(spec: FieldSpec, match: Match) -> Faults:
    types = _MATCHES.get(match.rule)
    if types is not None and spec.type not in types:
        yield ("match", "rule"), f"'{match.rule}' compares {' or '.join(types)}, not {spec.type}"
    if match.rule == "near" and match.scale is None:
        yield ("match",), "'near' needs a scale"
    for value in (*match.fits, *(fit for fits in match.fits.values() for fit in fits)):
        if value not in spec.values:
            yield ("match", "fits"), f"'{value}' is none of the field's values"


def _mentions(schema: Schema, spec: FieldSpec) -> Faults:
    """Other fields, and values of its own, that the field names."""
    named: list[tuple[tuple[str, ...], str]] = [(("yields_to",), other) for other in spec.yields_to]
    named += [(("currency_of",), spec.currency_of)] if spec.currency_of else []
    if spec.derive is not None:
        named += [(("derive", "union"), other) for other in spec.derive.union]
        named += [(("derive", "cases"), other) for case in spec.derive.cases for other in case.when]
        for case in spec.derive.cases:
            if spec.type == "enum" and case.value not in spec.values:
                yield ("derive", "cases"), f"'{case.value}' is none of the field's values"
    for where, other in named:
        if other not in schema.fields:
            yield where, f"'{other}' is no field of the schema"
    for value in (*spec.opposite, *spec.opposite.values()):
        if value not in spec.values:
            yield ("opposite",), f"'{value}' is none of the field's values"
