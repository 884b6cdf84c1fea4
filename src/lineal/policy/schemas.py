"""What a schema takes as a field's value, and what it may not say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import PurePath
from typing import Any

from lineal.errors import LinealError
from lineal.models.parse import kind_of
from lineal.models.schema import FieldSpec, FieldType, Match, Schema
from lineal.policy.phrases import fault

__all__ = ["Faults", "faults", "rivals", "sorted_out", "taken"]

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
_WORDS: tuple[FieldType, ...] = ("string", "enum")
_MATCHES: dict[str, tuple[FieldType, ...]] = {
    "near": _NUMBERS,
    "at_least": _NUMBERS,
    "at_most": _NUMBERS,
    "overlap": ("list",),
    "compatible": ("enum",),
}
"""Match rule → the types it can compare; `same` compares any."""

_PLACES: dict[str, tuple[FieldType, ...]] = {
    **dict.fromkeys(("number", "duration", "money"), _NUMBERS),
    "date": ("date", *_NUMBERS),
    **dict.fromkeys(("place", "address", "name", "command"), _WORDS),
    **dict.fromkeys(("clause", "sentence", "lines"), _WORDS),
    **dict.fromkeys(("list", "word", "rest", "code"), (*_WORDS, *_NUMBERS, "boolean", "date")),
}
"""Place of a phrase → the types that can be read there; names that are known are of any type."""

_SLOT = re.compile(r"\{(\w*)\}")
_DOMAIN = re.compile(r"[a-z0-9_-]{1,64}")

Faults = Iterator[tuple[tuple[str | int, ...], str]]
"""(where, what is wrong). where: names and list places from the schema inwards, such as
("fields", "age", "says", 0)."""


def rivals(domains: Mapping[str, str]) -> dict[str, str]:
    """Path of a schema file → what is wrong, of those that share domain and directory.

    domains: path → domain. Which of them is meant, nobody could tell.
    """
    places: dict[tuple[PurePath, str], list[str]] = {}
    for path, domain in domains.items():
        places.setdefault((PurePath(path).parent, domain), []).append(path)
    told: dict[str, str] = {}
    for (_, domain), paths in places.items():
        if len(paths) > 1:
            named = " and ".join(f"'{path}'" for path in paths)
            told |= dict.fromkeys(paths, f"{named} are of one domain, '{domain}'; keep one of them")
    return told


def faults(schema: Schema) -> Faults:
    """Everything that the model alone lets through."""
    if not _DOMAIN.fullmatch(schema.domain):
        yield ("domain",), "a domain's name is up to 64 of a-z, 0-9, - and _"
    for at, phrase in enumerate(schema.not_about):
        if wrong := fault(phrase, needs_slot=False):
            yield ("not_about", at), wrong
    for name, spec in schema.fields.items():
        checks = (
            *(_bounds(spec), _merging(spec), _names(spec), _phrases(spec), _patterns(spec)),
            *(_rules(spec), _derived(schema, name, spec), _mentions(schema, spec)),
        )
        for found in checks:
            for where, wrong in found:
                yield ("fields", name, *where), wrong


def _kind(spec: FieldSpec) -> FieldType:
    """Of the value, or of a list's members."""
    return spec.items if spec.type == "list" else spec.type


def _bounds(spec: FieldSpec) -> Faults:
    for key, bound in (("minimum", spec.minimum), ("maximum", spec.maximum)):
        if bound is not None and _kind(spec) not in _NUMBERS:
            yield (key,), f"only numbers have a {key}, and this is of type {_kind(spec)}"
    if spec.minimum is not None and spec.maximum is not None and spec.minimum > spec.maximum:
        yield ("minimum",), f"the minimum {spec.minimum:g} is above the maximum {spec.maximum:g}"


def _merging(spec: FieldSpec) -> Faults:
    if spec.merge == "union" and spec.type != "list":
        yield ("merge",), "only a list is merged by union"
    if spec.merge == "max" and spec.type not in _NUMBERS:
        yield ("merge",), "only a number is merged by max"
    if spec.choose == "highest" and _kind(spec) not in (*_NUMBERS, "enum"):
        yield ("choose",), f"only numbers and enums have a highest, not type {_kind(spec)}"
    if spec.type == "list" and spec.items == "list":
        yield ("items",), "a list holds no lists"


def _names(spec: FieldSpec) -> Faults:
    kind = _kind(spec)
    if kind == "enum" and not spec.values:
        yield ("values",), "an enum names its values"
    if kind != "string" and "*" in spec.values:
        yield ("values", "*"), "only a string can hold words that mean themselves"
    for name in spec.values:
        if name != "*" and not _is_name(kind, name):
            yield ("values", name), f"a name here must be {_KINDS.get(kind, _KINDS['string'])}"


def _is_name(kind: FieldType, name: str) -> bool:
    if kind == "boolean":
        return name.lower() in ("true", "false", "yes", "no")
    if kind not in _NUMBERS:
        return _is_date(name) if kind == "date" else bool(name.strip())
    try:
        return math.isfinite(float(name)) and (kind == "number" or float(name).is_integer())
    except ValueError:
        return False


def _phrases(spec: FieldSpec) -> Faults:
    for name, phrases in spec.values.items():
        for at, phrase in enumerate(phrases):
            if wrong := fault(phrase, needs_slot=False):
                yield ("values", name, at), wrong
    fit = {place for place, kinds in _PLACES.items() if _kind(spec) in kinds}
    fit |= {"known", "place"} if spec.values else set()
    for key, phrases in (("says", spec.says), ("denies", spec.denies)):
        for at, phrase in enumerate(phrases):
            if wrong := fault(phrase, needs_slot=True) or _misplaced(spec, fit, phrase):
                yield (key, at), wrong


def _misplaced(spec: FieldSpec, fit: set[str], phrase: str) -> str | None:
    """What is wrong with a phrase none of whose places is fit for a value of the field."""
    if fit.intersection(_SLOT.findall(phrase)):
        return None
    if "{known}" in phrase:
        return f"phrase '{phrase}' takes a known name, and the field has no values"
    places = ", ".join(f"{{{place}}}" for place in sorted(fit))
    return f"phrase '{phrase}' has no place for type {_kind(spec)}; it takes one of {places}"


def _patterns(spec: FieldSpec) -> Faults:
    for at, pattern in enumerate(spec.patterns):
        try:
            if re.compile(pattern).groups < 1:
                yield ("patterns", at), f"pattern '{pattern}' has no group for the value"
        except re.error as error:
            yield ("patterns", at), f"pattern '{pattern}' doesn't compile: {error}"


def _rules(spec: FieldSpec) -> Faults:
    if spec.match is not None:
        yield from _match(spec, spec.match)
    for value in sorted({*spec.opposite, *spec.opposite.values()} - spec.values.keys()):
        yield ("opposite",), f"'{value}' is none of the field's values"


def _match(spec: FieldSpec, match: Match) -> Faults:
    types = _MATCHES.get(match.rule)
    if types is not None and spec.type not in types:
        yield ("match", "rule"), f"'{match.rule}' compares {' or '.join(types)}, not {spec.type}"
    if match.rule == "near" and match.scale is None:
        yield ("match",), "'near' needs a scale"
    fits = {fit for fits in match.fits.values() for fit in fits}
    for value in sorted((match.fits.keys() | fits) - spec.values.keys()):
        yield ("match", "fits"), f"'{value}' is none of the field's values"


def _derived(schema: Schema, name: str, spec: FieldSpec) -> Faults:
    if spec.derive is None:
        return
    if spec.kind != "derived":
        yield ("derive",), "only a derived field is derived"
    if spec.derive.union and spec.type != "list":
        yield ("derive", "union"), "only a list is derived by union"
    for at, case in enumerate(spec.derive.cases):
        try:
            taken(name, spec, case.value)
        except LinealError as wrong:
            yield ("derive", "cases", at, "value"), wrong.message.rstrip(".")
        for other, condition in case.when.items():
            bounded = condition.minimum is not None or condition.maximum is not None
            if bounded and other in schema.fields and schema.fields[other].type not in _NUMBERS:
                yield ("derive", "cases", at, "when", other), f"'{other}' is no number"


def _mentions(schema: Schema, spec: FieldSpec) -> Faults:
    """Other fields that the field names."""
    named: list[tuple[tuple[str, ...], str]] = [(("yields_to",), other) for other in spec.yields_to]
    named += [(("currency_of",), spec.currency_of)] if spec.currency_of else []
    if spec.derive is not None:
        named += [(("derive", "union"), other) for other in spec.derive.union]
        named += [(("derive", "cases"), other) for case in spec.derive.cases for other in case.when]
    for where, other in named:
        if other not in schema.fields:
            yield where, f"'{other}' is no field of the schema"
