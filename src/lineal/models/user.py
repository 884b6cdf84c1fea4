"""A user row: the typed representation of one (user_id, domain), each value with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, JsonValue, StrictBool

from lineal.models.base import Instant, Model
from lineal.models.claim import FieldValue, Provenance
from lineal.models.context import IdempotencyKey, Identifier, MemoryType, TtlSeconds
from lineal.models.forwarded import Forwarded
from lineal.models.lineage import DeclaredLineage, Lineage
from lineal.models.redaction import Redacted

__all__ = [
    "GetUser",
    "Head",
    "HeadInfo",
    "UpsertUser",
    "UserAnswer",
    "UserRow",
]

NotSaid = Field(default=None, exclude_if=lambda value: value is None)


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


class HeadInfo(Model):
    """What is said of a head: its dimension, which model's version made it, and whether the soft
    fields have moved since."""

    dim: int
    version: str
    stale: bool = Field(default=False, exclude_if=lambda value: not value)


class Head(Model):
    """A domain's vector of a user. vector: unit length, dim floats."""

    name: str
    version: str
    vector: tuple[float, ...]

    @property
    def info(self) -> HeadInfo:
        return HeadInfo(dim=len(self.vector), version=self.version)


class UserRow(Model):
    """One revision of a user row. Live while now < expires_at (None: for good).

    refreshed_at: when its head was made, the latest times only (policy/refreshing.py).
    """

    user_id: str
    domain: str
    revision: Annotated[int, Field(ge=1)]
    schema_version: str
    fields: dict[str, FieldValue] = Field(default_factory=dict)
    derived: dict[str, FieldValue] = Field(default_factory=dict)
    extras: dict[str, Any] = Field(default_factory=dict)
    memory_ref: str | None = None
    heads: dict[str, HeadInfo] = Field(default_factory=dict)
    refreshed_at: tuple[Instant, ...] = Field(default=(), exclude_if=lambda value: not value)
    memory_type: MemoryType
    expires_at: Instant | None = None
    created_at: Instant
    updated_at: Instant
    last_enriched_at: Instant
    lineage: Lineage


class UserAnswer(Model):
    """A user row as upsert_user and get_user show it; extras only when there are any.

    extractor: what read the text, after an upsert that had one. redacted: the secrets that were
    taken out before anything was stored.
    """

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
    extras: dict[str, Any] | None = NotSaid
    provenance: dict[str, Provenance] | None = NotSaid
    extractor: str | None = NotSaid
    redacted: tuple[Redacted, ...] = Field(default=(), exclude_if=lambda value: not value)
    forwarded: Forwarded | None = Field(default=None, exclude_if=lambda value: value is None)

    @classmethod
    def of(cls, row: UserRow, *, provenance: bool = False) -> UserAnswer:
        """The row without its pointers; provenance per field on request."""
        every = {**row.fields, **row.derived}
        return cls(
            user_id=row.user_id,
            domain=row.domain,
            schema_version=row.schema_version,
            fields=_standing(row.fields),
            derived=_standing(row.derived),
            embeddings=row.heads,
            last_enriched_at=row.last_enriched_at,
            memory_type=row.memory_type,
            expires_at=row.expires_at,
            lineage=row.lineage,
            extras=row.extras or None,
            provenance={n: Provenance.of(f) for n, f in every.items()} if provenance else None,
        )


def _standing(fields: Mapping[str, FieldValue]) -> dict[str, Any]:
    return {name: field.value for name, field in fields.items() if field.value is not None}
