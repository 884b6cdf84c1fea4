"""A context: one stored memory, and the requests that make and change it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, StrictBool

from lineal.models.base import Instant, Model, Moment
from lineal.models.forwarded import Forwarded
from lineal.models.lineage import DeclaredLineage, Lineage
from lineal.models.redaction import Redacted

__all__ = [
    "SOURCES",
    "AppendAnswer",
    "AppendContext",
    "Context",
    "ContextAnswer",
    "EditedFile",
    "ForgetAnswer",
    "ForgetContext",
    "GetContext",
    "MemoryType",
    "Sighting",
    "UpdateContext",
]


class MemoryType(StrEnum):
    """What kind of memory it is, which decides its default life (policy/expiry.py)."""

    SCRATCHPAD = "scratchpad"
    EPISODIC = "episodic"
    FACT = "fact"
    PROCEDURAL = "procedural"


SOURCES = ("chat", "voice_transcript", "behavior", "upload", "connector", "manual")
"""Where a context may come from; a configuration may list more."""

Identifier = Annotated[str, Field(min_length=1, max_length=256)]


def _numbered(value: object) -> object:
    """Many clients number their sessions; the number is a name all the same."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ProjectName = Annotated[str, Field(max_length=256)]
SessionId = Annotated[Identifier, BeforeValidator(_numbered)]
Tags = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=64)
]
TtlSeconds = Annotated[int, Field(ge=0, le=3_155_760_000, strict=True)]
"""0 (expired at once) to a hundred years."""

IdempotencyKey = Annotated[str, Field(min_length=1, max_length=200)]
JsonObject = dict[str, JsonValue]


class EditedFile(Model):
    """A file the conversation changed; further keys are kept as they came."""

    model_config = ConfigDict(frozen=True, extra="allow")

    file_path: Annotated[str, Field(min_length=1, max_length=4096)]
    operation: Literal["created", "modified", "deleted"] | None = None
    lines_added: Annotated[int, Field(ge=0)] | None = None
    lines_removed: Annotated[int, Field(ge=0)] | None = None
    language: str | None = None


EditedFiles = Annotated[tuple[EditedFile, ...], Field(max_length=1_000)]


class NiaReferences(Model):
    """What was consulted: both public shapes are taken (lists of names, or richer objects)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    indexed_repositories: tuple[JsonValue, ...] | None = None
    indexed_documentation: tuple[JsonValue, ...] | None = None
    queried_repositories: tuple[JsonValue, ...] | None = None
    queried_documentation: tuple[JsonValue, ...] | None = None
    web_searches: tuple[JsonValue, ...] | None = None
    deep_research_queries: tuple[JsonValue, ...] | None = None


class AppendContext(Model):
    """One piece of context for a user who exists.

    project: what it belongs to; None: where the client works; "": no project, so that it is found
    from every one.
    """

    content: str
    user_id: Identifier | None = None
    domain: Identifier | None = None
    source: str | None = None
    occurred_at: Moment | None = None
    title: str | None = None
    summary: str | None = None
    tags: Tags = ()
    metadata: JsonObject | None = None
    nia_references: NiaReferences | None = None
    edited_files: EditedFiles | None = None
    session_id: SessionId | None = None
    speaker: Identifier | None = None
    project: ProjectName | None = None
    memory_type: MemoryType | None = None
    ttl_seconds: TtlSeconds | None = None
    lineage: DeclaredLineage | None = None
    idempotency_key: IdempotencyKey | None = None


class UpdateContext(Model):
    """Change only what is sent (`model_fields_set`); null is the same as not sent, save for
    ttl_seconds, where null sent means the type's default life from now."""

    context_id: Identifier
    title: str | None = None
    summary: str | None = None
    content: str | None = None
    tags: Tags | None = None
    metadata: JsonObject | None = None
    nia_references: NiaReferences | None = None
    edited_files: EditedFiles | None = None
    memory_type: MemoryType | None = None
    ttl_seconds: TtlSeconds | None = None
    lineage: DeclaredLineage | None = None
    expected_revision: Annotated[int, Field(ge=1, strict=True)] | None = None
    idempotency_key: IdempotencyKey | None = None


class GetContext(Model):
    """One memory as it is, as a past revision had it, or as it was known at a past time (by the
    recorded clock, never by occurred_at)."""

    context_id: Identifier
    revision: Annotated[int, Field(ge=1, strict=True)] | None = None
    as_of: Moment | None = None
    max_chars: Annotated[int, Field(ge=200, le=2_000_000, strict=True)] | None = None


class ForgetContext(Model):
    """Take a memory out; with cascade also everything declared as derived from it.

    used: with cascade, also what had only read it, or names it as a source. erase: a cascade for
    good at once; otherwise it can be undone until the grace period ends. undo: give back what a
    cascade from this id took out. context_id may be a source outside this memory with cascade.
    """

    context_id: Identifier
    cascade: StrictBool = False
    used: StrictBool = False
    erase: StrictBool = False
    undo: StrictBool = False
    dry_run: StrictBool = False
    idempotency_key: IdempotencyKey | None = None


class Context(Model):
    """One revision of one stored memory. Live while now < expires_at (None: for good).

    revision counts from 1; updated_at is when this revision was recorded, created_at the first's.
    """

    context_id: str
    user_id: str
    domain: str
    organization_id: str | None = None
    revision: Annotated[int, Field(ge=1)]
    title: str | None = None
    summary: str | None = None
    content: str
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    nia_references: dict[str, Any] | None = None
    edited_files: tuple[dict[str, Any], ...] = ()
    source: str | None = None
    occurred_at: Instant
    session_id: str | None = None
    speaker: str | None = None
    project: str | None = None
    agent_source: str | None = None
    memory_type: MemoryType
    expires_at: Instant | None = None
    created_at: Instant
    updated_at: Instant
    lineage: Lineage


class Sighting(Model):
    """The same content, met again: when, from where, and by whom it was sent this time."""

    context_id: str
    source: str | None = None
    session_id: str | None = None
    speaker: str | None = None
    occurred_at: Instant
    recorded_at: Instant
    lineage: Lineage


class AppendAnswer(Model):
    """What an append did.

    duplicate_of: the id whose content this repeats, if it does. extractor: what read the text.
    redacted: the secrets that were taken out before anything was stored. forwarded: at a backend
    that forwards, how this came about.
    """

    user_id: str
    domain: str
    context_id: str
    fields_updated: tuple[str, ...] = ()
    embeddings_refreshed: bool = False
    memory_type: MemoryType
    expires_at: Instant | None = None
    lineage: Lineage
    duplicate_of: str | None = Field(default=None, exclude_if=lambda value: value is None)
    extractor: str | None = Field(default=None, exclude_if=lambda value: value is None)
    redacted: tuple[Redacted, ...] = Field(default=(), exclude_if=lambda value: not value)
    forwarded: Forwarded | None = Field(default=None, exclude_if=lambda value: value is None)


class ContextAnswer(Model):
    """The whole context as update_context and get_context show it.

    cut: {"missing_chars", "context_id"} when the content was cut to the answer's budget.
    sightings: the latest times that the same content was sent again.
    """

    id: str
    user_id: str
    domain: str
    organization_id: str | None = None
    revision: int
    title: str | None = None
    summary: str | None = None
    content: str
    tags: tuple[str, ...] = ()
    agent_source: str | None = None
    source: str | None = None
    created_at: Instant
    updated_at: Instant
    occurred_at: Instant
    session_id: str | None = None
    speaker: str | None = None
    project: str | None = Field(default=None, exclude_if=lambda value: value is None)
    metadata: dict[str, Any] = Field(default_factory=dict)
    nia_references: dict[str, Any] | None = None
    edited_files: tuple[dict[str, Any], ...] = ()
    memory_type: MemoryType
    expires_at: Instant | None = None
    lineage: Lineage
    sightings: tuple[Sighting, ...] = Field(default=(), exclude_if=lambda value: not value)
    redacted: tuple[Redacted, ...] = Field(default=(), exclude_if=lambda value: not value)
    forwarded: Forwarded | None = Field(default=None, exclude_if=lambda value: value is None)

    @classmethod
    def of(cls, context: Context) -> ContextAnswer:
        """The same values under the names of the contract (`context_id` is `id` there)."""
        own = cls.model_fields.keys() - {"id", "sightings", "redacted", "forwarded"}
        values = {name: getattr(context, name) for name in own}
        return cls.model_construct(id=context.context_id, **values)


class ForgetAnswer(Model):
    """What was forgotten, or with dry_run what would be. forgotten: root first.

    restored: with undo, what is there again; count is of these then. undo_until: until when it can
    be undone, None if it can't. more: a cascade reaches further than one call takes; ask again.
    """

    context_id: str
    dry_run: bool
    forgotten: tuple[str, ...]
    count: int
    restored: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    undo_until: Instant | None = Field(default=None, exclude_if=lambda value: value is None)
    more: bool = Field(default=False, exclude_if=lambda value: not value)
    forwarded: Forwarded | None = Field(default=None, exclude_if=lambda value: value is None)
