"""Foreign JSON, read leniently: what isn't as expected is as if it weren't there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, ValidationError, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from lineal.models.base import Model, Moment, rfc3339
from lineal.models.context import Context
from lineal.models.lineage import DeclaredLineage

__all__ = [
    "Declared",
    "Finite",
    "Lenient",
    "Mark",
    "Maybe",
    "Time",
    "mark_of",
    "marked",
    "unmarked",
]

MARK = "lineal"
"""The key of metadata under which lineal writes whose a memory is."""

T = TypeVar("T")


class Lenient(Model):
    """Part of an answer; services add keys of their own, and number what others name."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


def _or_none(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    try:
        return handler(value)
    except ValidationError:
        return None


Maybe = Annotated[T | None, WrapValidator(_or_none)]
"""A value, or None where there is none of that kind."""


def _utc(value: object) -> object:
    """Many services write UTC without saying so."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value
    return at.replace(tzinfo=UTC) if isinstance(at, datetime) and at.tzinfo is None else at


Time = Annotated[Moment, BeforeValidator(_utc)]


def _finite(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    number = handler(value)
    return number if isinstance(number, float) and abs(number) != float("inf") else None


Finite = Annotated[float | None, WrapValidator(_finite)]


def _of_lineage(value: object) -> object:
    """The keys that lineal knows, where they say something."""
    if not isinstance(value, dict):
        return value
    return {name: value[name] for name in DeclaredLineage.model_fields if value.get(name)}


Declared = Annotated[DeclaredLineage, BeforeValidator(_of_lineage)]


class Mark(Lenient):
    """What lineal wrote beside a memory. occurred_at: as it was written, RFC 3339."""

    id: str
    tenant: str
    user_id: str
    domain: str
    occurred_at: str


class _Metadata(Lenient):
    lineal: Maybe[Mark] = None


def marked(tenant: str, context: Context) -> dict[str, Any]:
    """{"lineal": {"id", "tenant", "user_id", "domain", "project", "occurred_at"}}."""
    mark = {
        "id": context.context_id,
        "tenant": tenant,
        "user_id": context.user_id,
        "domain": context.domain,
        "project": context.project,
        "occurred_at": rfc3339(context.occurred_at),
    }
    return {MARK: mark}


def mark_of(metadata: Mapping[str, Any] | None) -> Mark | None:
    """None for what others stored, or what they made of it."""
    return _Metadata.model_validate(metadata or {}).lineal


def unmarked(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (metadata or {}).items() if name != MARK}
