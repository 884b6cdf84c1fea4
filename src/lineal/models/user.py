"""A user row: the typed representation of one (user_id, domain), each value with its provenance."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StrictBool

from lineal.models.base import Instant, Model
from lineal.models.context import IdempotencyKey, Identifier, MemoryType, TtlSeconds
from lineal.models.lineage import DeclaredLineage, Lineage

__all__ = ["FieldValue", "GetUser", "Head", "HeadInfo", "UpsertUser", "UserAnswer", "UserRow"]


class UpsertUser(Model):
    """Create or replace a user's row in a domain; one of context, fields, memory_ref is needed."""

    user_id: Identifier | None = None
    domain: Identifier | None = None
    context: str | None = None
    fields: dict[str, JsonValue] | None = None
    memory_ref: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    replace_all: StrictBool = False
    memory_type: MemoryType | None = None
    ttl_seconds: TtlSeconds | None = None
    lineage: DeclaredLineage | None = None
    idempotency_key: IdempotencyKey | None = None


class GetUser(Model):
    """A user's row in a domain; provenance adds where each value came from."""

    user_id: Identifier | None = None
    domain: Identifier | None = None
    provenance: StrictBool = False


class ValueSource(StrEnum):
    """Who gave a field its value."""

    STATED = "stated"
    EXTRACTED = "extracted"
    DERIVED = "derived"


class FieldValue(Model):
    """A field's value and where it came from.

    origin: the verb that set it, which decides what a replacing upsert drops.
    span: [start, end) in code points of the context it was read from.
    said_by: for a list that several added to, the contexts that named each member; "" stands for
    a client that stated it.
    """

    value: Any
    source: ValueSource
    origin: Literal["upsert", "append"]
    occurred_at: Instant
    recorded_at: Instant
    context_id: str | None = None
    span: tuple[int, int] | None = None
    confidence: float | None = None
    model_version: str | None = None
    said_by: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )


class HeadInfo(Model):
    """What is said of a head: its dimension and which model's version made it."""

    dim: int
    version: str


class Head(Model):
    """A domain's vector of a user. vector: unit length, dim floats."""

    name: str
    version: str
    vector: tuple[float, ...]

    @property
    def info(self) -> HeadInfo:
        return HeadInfo(dim=len(self.vector), version=self.version)


class UserRow(Model):
    """One revision of a user row. Live while now < expires_at (None: for good)."""

    user_id: str
    domain: str
    revision: Annotated[int, Field(ge=1)]
    schema_version: str
    fields: dict[str, FieldValue] = Field(default_factory=dict)
    derived: dict[str, FieldValue] = Field(default_factory=dict)
    extras: dict[str, Any] = Field(default_factory=dict)
    memory_ref: str | None = None
    heads: dict[str, HeadInfo] = Field(default_factory=dict)
    memory_type: MemoryType
    expires_at: Instant | None = None
    created_at: Instant
    updated_at: Instant
    last_enriched_at: Instant
    lineage: Lineage


class UserAnswer(Model):
    """A user row as upsert_user and get_user show it; extras only when there are any."""

    user_id: str
    domain: str
    schema_version: str
    fields: dict[str, Any]
    derived: dict[str, Any]
    embeddings: dict[str, HeadInfo]
    last_enriched_at: Instant
    memory_type: MemoryType
    expires_at: Instant | None = None
    lineage: Lineage
    extras: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    provenance: dict[str, FieldValue] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )

    @classmethod
    def of(cls, row: UserRow, *, provenance: bool = False) -> UserAnswer:
        """The row without its pointers; provenance per field on request."""
        return cls(
            user_id=row.user_id,
            domain=row.domain,
            schema_version=row.schema_version,
            fields={name: field.value for name, field in row.fields.items()},
            derived={name: field.value for name, field in row.derived.items()},
            embeddings=row.heads,
            last_enriched_at=row.last_enriched_at,
            memory_type=row.memory_type,
            expires_at=row.expires_at,
            lineage=row.lineage,
            extras=row.extras or None,
            provenance={**row.fields, **row.derived} if provenance else None,
        )
