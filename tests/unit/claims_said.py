"""Claims to test with, and a schema with a field of every merge rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from lineal.models.claim import Claim, FieldValue, ValueSource
from lineal.models.schema import Case, Condition, Derive, FieldSpec, Schema
from lineal.policy.merging import appended
from lineal.testing.samples import START

__all__ = ["SCHEMA", "at", "denied", "fields_of", "read", "stated", "value_after"]

SCHEMA = Schema(
    domain="coding",
    version=1,
    fields={
        "editor": FieldSpec(kind="hard", type="string"),
        "tools": FieldSpec(kind="hard", type="list", merge="union"),
        "years": FieldSpec(kind="hard", type="number", merge="max", minimum=0),
        "birthplace": FieldSpec(kind="hard", type="string", merge="first"),
        "ranking": FieldSpec(kind="hard", type="list"),
        "preferences": FieldSpec(kind="soft", type="list", merge="union"),
        "values_text": FieldSpec(kind="soft", type="string"),
        "stack": FieldSpec(
            kind="derived", type="list", derive=Derive(union=("tools", "preferences"))
        ),
        "level": FieldSpec(
            kind="derived",
            type="string",
            derive=Derive(
                cases=(
                    Case(value="senior", when={"years": Condition(minimum=8)}, confidence=0.8),
                    Case(value="junior", when={"years": Condition(maximum=2)}, confidence=0.8),
                )
            ),
        ),
    },
)


def at(hours: float) -> Any:
    """So many hours after the tests begin."""
    return START + timedelta(hours=hours)


def read(value: Any, hours: float = 0, context_id: str | None = "ctx_1", **other: Any) -> Claim:
    """Read from an append whose event was so many hours after the tests begin."""
    base: dict[str, Any] = {
        "source": ValueSource.EXTRACTED,
        "origin": "append",
        "occurred_at": at(hours),
        "recorded_at": START,
        "context_id": context_id,
        "confidence": 0.9,
    }
    return Claim(value=value, **{**base, **other})


def denied(value: Any, hours: float = 0, context_id: str = "ctx_1", **other: Any) -> Claim:
    return read(value, hours, context_id, denied=True, **other)


def stated(value: Any, hours: float = 0, origin: Literal["upsert", "append"] = "upsert") -> Claim:
    source = ValueSource.STATED
    return read(value, hours, source=source, origin=origin, context_id=None, confidence=None)


def fields_of(**said: tuple[Claim, ...]) -> dict[str, FieldValue]:
    """A row's fields after all this was said."""
    return appended(SCHEMA, {}, said, "ctx_none")


def value_after(name: str, *claims: Claim) -> Any:
    """The field's value after one append for each of these, each of a context of its own."""
    fields: dict[str, FieldValue] = {}
    for place, claim in enumerate(claims):
        claim = claim._replace(context_id=f"ctx_{place}")
        fields = appended(SCHEMA, fields, {name: (claim,)}, f"ctx_{place}")
    return fields[name].value
