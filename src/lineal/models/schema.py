"""A domain's schema: what is known of a user there, and of which kind each thing is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lineal.models.base import Model

__all__ = ["FieldKind", "FieldSpec", "FieldType", "Schema"]

FieldKind = Literal["hard", "soft", "derived"]
FieldType = Literal["integer", "number", "string", "enum", "boolean", "date", "list"]


class FieldSpec(Model):
    """One field of a schema.

    hard: a filter; soft: goes into the domain's vector; derived: computed from `derive`.
    values: allowed values of an enum (of the items, for a list), each with the words that mean it
    in a text; a value without words is only ever stated.
    patterns: regular expressions whose first group is the value.
    items: the type of a list's members.
    """

    kind: FieldKind
    type: FieldType
    description: str = ""
    items: FieldType = "string"
    required: bool = False
    priority: int = 0
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None
    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    patterns: tuple[str, ...] = ()
    merge: Literal["newest", "union", "max", "first"] = "newest"
    derive: dict[str, Any] | None = None


class Schema(Model):
    """domain "dating", version 3 → schema_version "dating.v3". No fields: everything is extras."""

    domain: Annotated[str, Field(min_length=1)]
    version: Annotated[int, Field(ge=0)]
    description: str = ""
    fields: dict[str, FieldSpec] = Field(default_factory=dict)

    @property
    def schema_version(self) -> str:
        return f"{self.domain}.v{self.version}"
