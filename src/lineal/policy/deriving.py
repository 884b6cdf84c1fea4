"""Values that follow from others by a schema's declared rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from lineal.models.claim import Claim, Claims, FieldValue, ValueSource
from lineal.models.schema import Condition, Derive, Schema

__all__ = ["derived"]

Fields = Mapping[str, FieldValue]


class _Found(NamedTuple):
    """A derived value, the fields that it rests on, and how sure the rule itself is."""

    value: Any
    rests_on: tuple[str, ...]
    confidence: float


def derived(schema: Schema, fields: Fields, old: Fields, now: datetime) -> dict[str, FieldValue]:
    """Every derived field that follows from these (U15); what doesn't move keeps its times."""
    values: dict[str, FieldValue] = {}
    for name, spec in schema.fields.items():
        if spec.derive is None:
            continue
        found = _found(spec.derive, fields)
        if found is not None:
            values[name] = _kept(old.get(name), _value(found, fields, now))
    return values


def _found(rule: Derive, fields: Fields) -> _Found | None:
    if rule.union:
        return _union(rule.union, fields)
    for case in rule.cases:
        if all(_holds(condition, _said(fields, name)) for name, condition in case.when.items()):
            return _Found(case.value, tuple(case.when), case.confidence)
    return None


def _union(names: Iterable[str], fields: Fields) -> _Found | None:
    given = [name for name in names if _said(fields, name) is not None]
    members = dict.fromkeys(member for name in given for member in _members(_said(fields, name)))
    return _Found(list(members), tuple(given), 1.0) if members else None


def _said(fields: Fields, name: str) -> Any:
    return fields[name].value if name in fields else None


def _members(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _holds(condition: Condition, value: Any) -> bool:
    if value is None:
        return False
    members = _members(value)
    if condition.any_of and not any(member in condition.any_of for member in members):
        return False
    if not _within(condition, value):
        return False
    text = "\n".join(map(str, members))
    return not condition.words or _words(condition.words).search(text) is not None


def _within(condition: Condition, value: Any) -> bool:
    """No bound, or a number within them."""
    low, high = condition.minimum, condition.maximum
    if low is None and high is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (low is None or low <= value) and (high is None or value <= high)


@lru_cache(maxsize=512)
def _words(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.I)


def _value(found: _Found, fields: Fields, now: datetime) -> FieldValue:
    """One claim: as old as the newest thing it rests on, no surer than the least sure."""
    rests_on = [
        fields[name].claims[place] for name in found.rests_on for place in fields[name].standing
    ]
    contexts = {claim.context_id for claim in rests_on}
    sure = min((1.0 if c.confidence is None else c.confidence for c in rests_on), default=1.0)
    claim = Claim(
        value=found.value,
        source=ValueSource.DERIVED,
        origin="append",
        occurred_at=max((claim.occurred_at for claim in rests_on), default=now),
        recorded_at=now,
        context_id=contexts.pop() if len(contexts) == 1 else None,
        confidence=round(sure * found.confidence, 3),
    )
    return FieldValue(value=found.value, claims=Claims((claim,)), standing=(0,))


def _kept(old: FieldValue | None, new: FieldValue) -> FieldValue:
    """The old one, if it says the same of the same."""
    if old is None or not old.claims:
        return new
    return old if _untimed(old.claims[0]) == _untimed(new.claims[0]) else new


def _untimed(claim: Claim) -> tuple[object, ...]:
    """Without when it was learned."""
    return (*claim[:4], *claim[5:])
