"""What requests hold: the contracts' own keys, and lineal's beside them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from lineal.models.base import Model, Moment
from lineal.models.context import (
    AppendContext,
    EditedFile,
    Identifier,
    JsonObject,
    MemoryType,
    NiaReferences,
    ProjectName,
    SessionId,
    Tags,
    TtlSeconds,
    UpdateContext,
)
from lineal.models.lineage import DeclaredLineage
from lineal.models.matching import Filters, OutcomeKind
from lineal.models.user import UpsertUser

__all__ = [
    "LIMIT_MAX",
    "OFFSET_MAX",
    "AppendBody",
    "CreateBody",
    "FeedbackBody",
    "FeedbackItem",
    "ListQuery",
    "MatchBody",
    "SchemaQuery",
    "SearchQuery",
    "SemanticQuery",
    "UpdateBody",
    "UpsertBody",
    "UserQuery",
]

LIMIT_MAX = 100
OFFSET_MAX = 10_000
"""Further back a search with a time is what one wants."""

ITEMS_MAX = 100
"""Outcomes in one request: each is a write of its own."""

Key = Annotated[str, Field(min_length=1, max_length=190)]
"""Of an idempotent write; ten characters less than the service takes, which name an item."""

COUNT_MAX = 2**31 - 1
"""Lines of a file, and revisions of a context: more than there will be."""

Count = Annotated[int, Field(ge=0, le=COUNT_MAX, strict=True)]


def _number(value: object) -> object:
    """Digits of a query to a number; another type says itself that it is wrong."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value) else value


def _truth(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _tags(value: object) -> object:
    """Comma-separated; white space around a tag isn't part of it."""
    if not isinstance(value, str):
        return value
    tags = [tag.strip() for tag in value.split(",")]
    if not all(tags):
        raise PydanticCustomError("tags", "tags separated by commas, none of them empty")
    return tags


Digits = BeforeValidator(_number)
Truth = BeforeValidator(_truth)
TagList = Annotated[Tags, BeforeValidator(_tags, json_schema_input_type=str)]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX, strict=True), Digits]
Offset = Annotated[int, Field(ge=0, le=OFFSET_MAX, strict=True), Digits]
Flag = Annotated[StrictBool, Truth]


class EditedFileBody(EditedFile):
    """A file the conversation changed, its numbers as numbers."""

    lines_added: Count | None = None
    lines_removed: Count | None = None


Edited = Annotated[tuple[EditedFileBody, ...], Field(max_length=1_000)]


class AppendBody(AppendContext):
    """One piece of context for a user who exists."""

    edited_files: Edited | None = None
    idempotency_key: Key | None = None


class UpsertBody(UpsertUser):
    """A user's row in a domain; one of context, fields, memory_ref is needed."""

    idempotency_key: Key | None = None


class UpdateBody(UpdateContext):
    """What to change of a context; only what is sent changes."""

    edited_files: Edited | None = None
    expected_revision: Annotated[int, Field(ge=1, le=COUNT_MAX, strict=True)] | None = None
    idempotency_key: Key | None = None


class CreateBody(Model):
    """A conversation to keep. Without user_id and domain: the configured ones, else the user
    'default' in the domain 'contexts'. workspace_override: another name of project."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    summary: Annotated[str, Field(min_length=10, max_length=1_000)]
    content: Annotated[str, Field(min_length=50)]
    agent_source: Annotated[str, Field(min_length=1, max_length=200)]
    tags: Tags = ()
    metadata: JsonObject | None = None
    nia_references: NiaReferences | None = None
    edited_files: Edited | None = None
    memory_type: MemoryType = MemoryType.EPISODIC
    ttl_seconds: TtlSeconds | None = None
    lineage: DeclaredLineage | None = None
    workspace_override: Annotated[str, Field(max_length=256)] | None = None
    user_id: Identifier | None = None
    domain: Identifier | None = None
    source: str | None = None
    occurred_at: Moment | None = None
    session_id: SessionId | None = None
    speaker: Identifier | None = None
    project: ProjectName | None = None
    idempotency_key: Key | None = None

    def append(self) -> AppendContext:
        """What the service is asked."""
        sent = self.model_fields_set - {"agent_source", "workspace_override"} | {"memory_type"}
        values: dict[str, Any] = {name: getattr(self, name) for name in sent}
        if self.project is None and self.workspace_override is not None:
            values["project"] = self.workspace_override
        return AppendContext.model_construct(_fields_set=set(values), **values)


class MatchBody(Model):
    """For whom candidates are sought: a user, or a description of one. stages: those of other
    engines are taken and not run; the answer's pipeline_stats names them. explain: with reasons."""

    user_id: Identifier | None = None
    description: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    domain: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX, strict=True)] = 10
    filters: Filters = Field(default_factory=dict)
    stages: Annotated[
        dict[Annotated[str, Field(max_length=60)], StrictBool | JsonObject], Field(max_length=16)
    ] = Field(default_factory=dict)
    explain: StrictBool = True


class FeedbackItem(Model):
    """What became of a seeker and a candidate. score: what the match gave them then."""

    seeker_id: Identifier
    candidate_id: Identifier
    outcome: OutcomeKind
    weight: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False, strict=True)] = 1.0
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] | None = None
    lineage: DeclaredLineage | None = None


class FeedbackBody(Model):
    """Outcomes of one domain; each is kept, in order."""

    domain: Identifier | None = None
    items: Annotated[tuple[FeedbackItem, ...], Field(min_length=1, max_length=ITEMS_MAX)]
    idempotency_key: Key | None = None


class UserQuery(Model):
    """Which of a user's rows. domain: the configured one where it isn't named."""

    domain: Identifier | None = None
    provenance: Flag = False


class SchemaQuery(Model):
    """Which domain's schema."""

    domain: Identifier


class Whose(Model):
    """Whose contexts, and of which project: every one unless it is named. A named project's
    contexts come with those of none."""

    user_id: Identifier | None = None
    domain: Identifier | None = None
    project: ProjectName | None = None


class ListQuery(Whose):
    """A page of contexts, the newest first. tags: separated by commas, all of them."""

    limit: Limit = 20
    offset: Offset = 0
    tags: TagList = ()
    agent_source: Identifier | None = None
    memory_type: MemoryType | None = None


class SearchQuery(Whose):
    """A question in plain words."""

    q: Annotated[str, Field(min_length=1, max_length=8_000)]
    limit: Limit = 20
    tags: TagList = ()
    agent_source: Identifier | None = None
    memory_type: MemoryType | None = None


class SemanticQuery(Whose):
    """A question in plain words. workspace_filter: another name of project."""

    q: Annotated[str, Field(min_length=1, max_length=8_000)]
    limit: Limit = 20
    include_highlights: Flag = True
    workspace_filter: ProjectName | None = None
