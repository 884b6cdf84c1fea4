"""How well two users suit each other: filters, the schema's rules, vectors, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import mul
from typing import Any, NamedTuple

from lineal.errors import LinealError
from lineal.models.matching import Filters, MatchCandidate
from lineal.models.schema import FieldSpec, Schema
from lineal.models.user import UserRow
from lineal.policy.schemas import taken
from lineal.policy.suiting import apart, keys, members, met

__all__ = [
    "HEAD_WEIGHT",
    "Scored",
    "Sought",
    "candidate",
    "cosine",
    "fits",
    "scored",
    "sought",
    "values_of",
]

HEAD_WEIGHT = 2.0
"""What two users' own words count for in the mean: as much as two fields of the usual weight."""

REASONS_MAX = 8
ALLOWED_MAX = 256
"""Allowed values of one filter."""

NAMED_MAX = 6
"""Members that one reason names."""

Vector = tuple[float, ...]


class Rule(NamedTuple):
    """A field's rule with the value that is sought."""

    name: str
    spec: FieldSpec
    value: Any


class Wanted(NamedTuple):
    """A caller's filter. any_of: None where bounds are given; both bounds are inclusive."""

    name: str
    any_of: frozenset[Any] | None
    low: Any = None
    high: Any = None


class Sought(NamedTuple):
    """What is sought: rules of the fields that are known, the caller's filters, and a vector."""

    schema: Schema
    rules: tuple[Rule, ...]
    wanted: tuple[Wanted, ...]
    values: Mapping[str, Any]
    head: Vector | None


class Scored(NamedTuple):
    """A candidate who passed the filters. head, fields: each alone, None if not compared."""

    user_id: str
    values: Mapping[str, Any]
    score: float
    head: float | None
    fields: float | None

    @property
    def place(self) -> tuple[float, str]:
        """Ascending: best first, equal scores by user_id."""
        return (-self.score, self.user_id)


def values_of(schema: Schema, row: UserRow) -> dict[str, Any]:
    """What stands of a row's fields that the schema knows. Extras never count."""
    every = (*row.fields.items(), *row.derived.items())
    return {n: f.value for n, f in every if f.value is not None and n in schema.fields}


def sought(
    schema: Schema, values: Mapping[str, Any], head: Vector | None, filters: Filters
) -> Sought:
    """Raises invalid_request for a filter on an unknown field or of a wrong type, naming it."""
    rules = tuple(
        Rule(name, spec, values[name])
        for name, spec in schema.fields.items()
        if spec.match is not None
        and (spec.match.weight or spec.match.filter)
        and values.get(name) is not None
    )
    wanted = tuple(_wanted(schema, name, value) for name, value in filters.items())
    return Sought(schema, rules, wanted, values, head if head and any(head) else None)


def fits(what: Sought, values: Mapping[str, Any]) -> bool:
    """Whether no filter leaves a candidate out.

    A value that isn't known is no reason for the schema's filters, but doesn't pass a caller's: who
    asks for Paris doesn't mean somebody of whom nothing is known.
    """
    if not all(_allows(wanted, values.get(wanted.name)) for wanted in what.wanted):
        return False
    strict = (rule for rule in what.rules if rule.spec.match and rule.spec.match.filter)
    return all(met(r.spec, r.value, values.get(r.name)) != 0.0 for r in strict)


def scored(what: Sought, user_id: str, values: Mapping[str, Any], head: Vector | None) -> Scored:
    """The weighted mean of what is known on both sides, in [0, 1], four decimals; 0 if nothing is.

    The head's cosine c counts as (1 + c) / 2, HEAD_WEIGHT times.
    """
    total = weights = 0.0
    for rule in what.rules:
        part, match = met(rule.spec, rule.value, values.get(rule.name)), rule.spec.match
        if part is not None and match is not None:
            total += match.weight * part
            weights += match.weight
    fields = total / weights if weights else None
    alike = None
    if what.head is not None and head is not None and any(head):
        alike = (1 + cosine(what.head, head)) / 2
        total += HEAD_WEIGHT * alike
        weights += HEAD_WEIGHT
    score = round(total / weights, 4) if weights else 0.0
    return Scored(user_id, values, score, alike, fields)


def cosine(one: Vector, other: Vector) -> float:
    """Of two vectors of length 1 and equal dimension; in [-1, 1]."""
    return max(-1.0, min(1.0, float(sum(map(mul, one, other)))))


def candidate(what: Sought, found: Scored) -> MatchCandidate:
    """A candidate as it is shown, with why."""
    stages = {"head": found.head, "fields": found.fields}
    shown = [rule.name for rule in what.rules] + [wanted.name for wanted in what.wanted]
    return MatchCandidate(
        user_id=found.user_id,
        score=found.score,
        stages={name: round(part, 4) for name, part in stages.items() if part is not None},
        reasons=tuple(_reasons(what, found.values))[:REASONS_MAX],
        fields={
            name: found.values[name]
            for name in dict.fromkeys(shown)
            if name in found.values and what.schema.fields[name].kind != "soft"
        },
    )


def _wanted(schema: Schema, name: str, value: Any) -> Wanted:
    spec, field = schema.fields.get(name), f"filters.{name}"
    if spec is None:
        known = ", ".join(schema.fields)
        raise LinealError.invalid(
            field, f"Domain '{schema.domain}' has no field '{name[:60]}'. Known: {known}."
        )
    if isinstance(value, dict):
        return _bounded(name, field, spec, value)
    allowed = value if isinstance(value, list) else [value]
    if not 0 < len(allowed) <= ALLOWED_MAX:
        raise LinealError.invalid(
            field, f"Field '{field}' must name 1 to {ALLOWED_MAX} allowed values."
        )
    named = [part for one in allowed for part in members(taken(field, spec, one))]
    return Wanted(name, frozenset(keys(named)))


def _bounded(name: str, field: str, spec: FieldSpec, bounds: Mapping[str, Any]) -> Wanted:
    numeric = spec.type in ("integer", "number")
    if not bounds or bounds.keys() - {"minimum", "maximum"} or not (numeric or spec.type == "date"):
        raise LinealError.invalid(
            field,
            f"Field '{field}' must be a value, a list of allowed values, or for a number or a date "
            '{"minimum": …, "maximum": …}.',
        )
    # Outside the schema's own range a bound says little, but nothing wrong.
    free = spec.model_copy(
        update={"minimum": None, "maximum": None, "type": "number" if numeric else "date"}
    )
    low, high = (
        None if bounds.get(end) is None else taken(f"{field}.{end}", free, bounds[end])
        for end in ("minimum", "maximum")
    )
    return Wanted(name, None, low, high)


def _allows(wanted: Wanted, value: Any) -> bool:
    if value is None:
        return False
    if wanted.any_of is not None:
        return not wanted.any_of.isdisjoint(keys(value))
    # Dates compare as they are written; a row of an older schema may hold another type.
    if any(isinstance(value, str) != isinstance(b, str) for b in wanted[2:] if b is not None):
        return False
    low, high = wanted.low, wanted.high
    return (low is None or low <= value) and (high is None or value <= high)


def _reasons(what: Sought, values: Mapping[str, Any]) -> Iterator[str]:
    """What speaks for a candidate, the weightiest first; then what doesn't."""
    known = [(met(rule.spec, rule.value, values.get(rule.name)), rule) for rule in what.rules]
    told = [(part, rule) for part, rule in known if part is not None and rule.spec.match]
    told.sort(key=lambda pair: -pair[0] * (pair[1].spec.match.weight if pair[1].spec.match else 0))
    yield from (_reason(rule, values[rule.name]) for part, rule in told if part > 0)
    yield from _also(what, values)
    yield from (_against(rule, values[rule.name]) for part, rule in told if part == 0)


def _also(what: Sought, values: Mapping[str, Any]) -> Iterator[str]:
    """Shared members of lists that no rule compares: the vectors did."""
    for name, spec in what.schema.fields.items():
        if spec.match is None and spec.type == "list" and name in values and name in what.values:
            both = _shared(what.values[name], values[name])
            if both:
                yield f"both: {both}"


def _reason(rule: Rule, found: Any) -> str:
    name, kind = rule.name.replace("_", " "), rule.spec.match.rule if rule.spec.match else "same"
    if kind == "overlap":
        return f"both: {_shared(rule.value, found)}"
    if kind == "near":
        return f"{name} {found}, {_distance(rule, found)}"
    if kind in ("at_least", "at_most"):
        return f"{name} {found}, {kind.replace('_', ' ')} {rule.value}"
    if kind == "compatible" and keys(found) != keys(rule.value):
        return f"{_listed(found)} suits {_listed(rule.value)}"
    return f"same {name}: {_listed(found)}"


def _against(rule: Rule, found: Any) -> str:
    if rule.spec.match and rule.spec.match.rule == "overlap":
        return f"no {rule.name.replace('_', ' ')} in common"
    return f"{rule.name.replace('_', ' ')} differs: {_listed(found)}, not {_listed(rule.value)}"


def _distance(rule: Rule, found: Any) -> str:
    far = abs(apart(rule.spec, rule.value, found) or 0)
    if not far:
        return "the same"
    units = {"date": "days", "enum": "steps"}
    unit = rule.spec.unit or units.get(rule.spec.type, "")
    one = unit[:-1] if far == 1 and unit.endswith("s") else unit
    return " ".join(filter(None, [f"{far:g}", one, "apart"]))


def _shared(mine: Any, theirs: Any) -> str:
    common = keys(mine) & keys(theirs)
    return _listed([v for v in members(theirs) if keys(v) <= common])


def _listed(value: Any) -> str:
    names = [_word(member) for member in members(value)]
    more = [f"{len(names) - NAMED_MAX} more"] if len(names) > NAMED_MAX else []
    return ", ".join([*names[:NAMED_MAX], *more])


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
