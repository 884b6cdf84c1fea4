"""What the contracts' answers hold, where that isn't the service's own answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lineal.models.base import Model
from lineal.models.context import ContextAnswer
from lineal.models.matching import MatchAnswer, MatchCandidate, OutcomeAnswer
from lineal.models.schema import FieldKind, FieldOutline, FieldType, SchemaOutline

__all__ = [
    "ContextPage",
    "Deleted",
    "DomainSchema",
    "FeedbackAnswer",
    "Found",
    "FoundContext",
    "MatchMetadata",
    "Matched",
    "Matches",
    "Pagination",
    "SchemaField",
    "SearchMetadata",
    "SemanticAnswer",
    "Suggestions",
]

Priority = Literal["high", "medium", "low"]

AtLeast = Field(default=False, exclude_if=lambda value: not value)

HIGH, MEDIUM = 8, 4
"""From which of a schema's priorities on a field counts as such."""


class SchemaField(Model):
    """One field of a domain. choices: all that an enum takes."""

    name: str
    kind: FieldKind
    type: FieldType
    required: bool
    priority: Priority
    description: str
    choices: tuple[str, ...] = ()
    items: FieldType | None = None

    @classmethod
    def of(cls, name: str, field: FieldOutline) -> SchemaField:
        kept = ("kind", "type", "required", "description", "choices", "items")
        values = {key: getattr(field, key) for key in kept}
        return cls(name=name, priority=_priority(field.priority), **values)


class DomainSchema(Model):
    """A domain's schema; without fields for a domain that has none: everything is extras there."""

    domain: str
    version: str
    description: str
    fields: tuple[SchemaField, ...]

    @classmethod
    def of(cls, outline: SchemaOutline) -> DomainSchema:
        return cls(
            domain=outline.domain,
            version=outline.schema_version,
            description=outline.description,
            fields=tuple(SchemaField.of(name, field) for name, field in outline.fields.items()),
        )


class Matched(Model):
    """One who suits. score, stage_scores: in [0, 1], higher is better; head: the likeness of their
    vectors, fields: by the schema's rules. reasons: the weightiest first."""

    user_id: str
    score: float
    stage_scores: dict[str, float]
    reasons: tuple[str, ...]
    fields: dict[str, Any]

    @classmethod
    def of(cls, found: MatchCandidate, *, explain: bool) -> Matched:
        return cls(
            user_id=found.user_id,
            score=found.score,
            stage_scores=found.stages,
            reasons=found.reasons if explain else (),
            fields=found.fields,
        )


class PipelineStats(Model):
    """How many users of the domain were looked at, were left out by filters, and were ranked; of
    these, how many had no vector. stages_not_run: asked for, and no stage of lineal's."""

    considered: int
    filtered: int
    ranked: int
    returned: int
    headless: int
    head: Literal["ready", "absent", "off", "unavailable"]
    stages_not_run: tuple[str, ...] = ()

    @classmethod
    def of(cls, answer: MatchAnswer, not_run: tuple[str, ...]) -> PipelineStats:
        returned = len(answer.candidates)
        return cls(
            considered=answer.considered,
            filtered=answer.filtered,
            ranked=returned + answer.more,
            returned=returned,
            headless=answer.headless,
            head=answer.head,
            stages_not_run=not_run,
        )


class Matches(Model):
    """Best first. models_used: what made the vectors, and what read a description, by their
    versions; only what is known to have been used."""

    user_id: str | None
    domain: str
    matches: tuple[Matched, ...]
    pipeline_stats: PipelineStats
    models_used: dict[str, str]
    understood: dict[str, Any] | None = None


class FeedbackAnswer(Model):
    """How many outcomes were kept. lineal keeps them for learning and trains nothing, so there are
    no triplets."""

    accepted: int
    triplets_generated: int = 0
    triplets_pending_train: int = 0
    outcomes: tuple[OutcomeAnswer, ...]


class Pagination(Model):
    """Where in the whole this page lies."""

    total: int
    limit: int
    offset: int
    has_more: bool


class ContextPage(Model):
    """A page, the newest first; contexts and items are the same. at_least: there are more than
    total, too many to count."""

    contexts: tuple[ContextAnswer, ...]
    items: tuple[ContextAnswer, ...]
    total: int
    pagination: Pagination
    at_least: bool = AtLeast


class Found(Model):
    """Best first. total_results: how many match."""

    contexts: tuple[ContextAnswer, ...]
    search_query: str
    total_results: int
    at_least: bool = AtLeast
    note: str | None = Field(default=None, exclude_if=lambda value: value is None)


class MatchMetadata(Model):
    """vector_score: what the likeness of meaning added to the score, null where nothing was
    compared. rank: from 1."""

    search_type: Literal["hybrid", "text", "vector"]
    vector_score: float | None
    rank: int


class FoundContext(ContextAnswer):
    """A context as a search found it. relevance_score in [0, 1], higher is better; it orders one
    answer. match_highlights: sentences that hold the question's words, without markup."""

    relevance_score: float
    match_metadata: MatchMetadata
    match_highlights: tuple[str, ...] = ()
    files_edited: tuple[str, ...] = ()
    workspace_name: str | None = None


class SearchMetadata(Model):
    """vector_matches, mongodb_matches: how many of these results were found by their meaning, and
    by their words. total_results: how many match in all."""

    search_type: Literal["hybrid"] = "hybrid"
    total_results: int
    vector_matches: int
    mongodb_matches: int
    at_least: bool = AtLeast


class Suggestions(Model):
    """What the results have in common, and what the search couldn't go by."""

    related_tags: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    tips: tuple[str, ...] = ()


class SemanticAnswer(Model):
    """Best first."""

    results: tuple[FoundContext, ...]
    search_query: str
    search_metadata: SearchMetadata
    suggestions: Suggestions


class Deleted(Model):
    """The context is gone. forgotten: its id."""

    success: bool
    message: str
    forgotten: tuple[str, ...]


def _priority(number: int) -> Priority:
    return "high" if number >= HIGH else "medium" if number >= MEDIUM else "low"
