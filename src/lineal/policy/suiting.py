"""How well two values of a field meet, by the rule that its schema declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from lineal.models.schema import FieldSpec

__all__ = ["apart", "keys", "members", "met"]


def met(spec: FieldSpec, sought: Any, found: Any) -> float | None:
    """How well a candidate's value meets the sought one, in [0, 1]; None where the rule can't
    tell: one is unknown, or has no measure."""
    if found is None or sought is None or spec.match is None:
        return None
    return _RULES[spec.match.rule](spec, sought, found)


def _same(spec: FieldSpec, sought: Any, found: Any) -> float:
    return float(keys(sought) == keys(found))


def _overlap(spec: FieldSpec, sought: Any, found: Any) -> float | None:
    """Shared members among all (Jaccard)."""
    mine, theirs = keys(sought), keys(found)
    return len(mine & theirs) / len(mine | theirs) if mine and theirs else None


def _near(spec: FieldSpec, sought: Any, found: Any) -> float | None:
    far = apart(spec, sought, found)
    if far is None or spec.match is None or spec.match.scale is None:
        return None
    return max(0.0, 1 - abs(far) / spec.match.scale)


def _at_least(spec: FieldSpec, sought: Any, found: Any) -> float | None:
    far = apart(spec, sought, found)
    return None if far is None else float(far >= 0)


def _at_most(spec: FieldSpec, sought: Any, found: Any) -> float | None:
    far = apart(spec, sought, found)
    return None if far is None else float(far <= 0)


def _compatible(spec: FieldSpec, sought: Any, found: Any) -> float:
    """Of lists, any member may suit any other. A value without an entry suits only itself."""
    listed = spec.match.fits if spec.match else {}
    suits = {v for value in members(sought) for v in listed.get(str(value), (str(value),))}
    return float(any(str(value) in suits for value in members(found)))


_RULES: Mapping[str, Callable[[FieldSpec, Any, Any], float | None]] = {
    "same": _same,
    "overlap": _overlap,
    "near": _near,
    "at_least": _at_least,
    "at_most": _at_most,
    "compatible": _compatible,
}


def apart(spec: FieldSpec, sought: Any, found: Any) -> float | None:
    """found - sought in the field's unit: of dates days, of an enum places in its order."""
    mine, theirs = _measure(spec, sought), _measure(spec, found)
    return None if mine is None or theirs is None else theirs - mine


def _measure(spec: FieldSpec, value: Any) -> float | None:
    """None for what isn't of the field's type: a row may be older than its schema."""
    if isinstance(value, str):
        return _place(spec, value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _place(spec: FieldSpec, value: str) -> float | None:
    """Of a date its day, of an enum's name its place."""
    if spec.type == "enum":
        return list(spec.values).index(value) if value in spec.values else None
    try:
        return date.fromisoformat(value).toordinal() if spec.type == "date" else None
    except ValueError:
        return None


def members(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def keys(value: Any) -> set[Any]:
    """Members, whatever their case."""
    if isinstance(value, str):  # by far the most, of a whole domain
        return {value.casefold()}
    return {v.casefold() if isinstance(v, str) else v for v in members(value)}
