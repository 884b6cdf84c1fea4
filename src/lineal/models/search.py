"""Questions to the memory and their answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, SkipValidation, StrictBool

from lineal.models.base import Instant, Model, Moment
from lineal.models.context import Context, Identifier, MemoryType, ProjectName, Tags
from lineal.models.forwarded import Forwarded
from lineal.models.sheet import Meaning

__all__ = [
    "ALL_PROJECTS",
    "CHARS_PER_TOKEN",
    "Candidate",
    "CandidatePage",
    "Hit",
    "SearchAnswer",
    "SearchContext",
    "TextQuery",
]


CHARS_PER_TOKEN = 4
"""How tokens are counted: four characters each, a common measure for English."""

QUESTION_CHARS_MAX = 4_000
"""Characters of a query that are read: far more than anybody asks, and no work for a server."""

ALL_PROJECTS = "*"
"""As `project` of a search: look everywhere."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Unsaid = Field(default=None, exclude_if=lambda value: value is None)


class SearchContext(Model):
    """A question in plain words; an empty query lists the newest.

    domain None: every domain of the user. tags: all of them must be there. sources, agents: one of
    them; an agent by its name, with its version or without. occurred_from, occurred_to: when it was
    true; recorded_from, recorded_to: when it was stored; from the first on, before the second.
    derived_from: what was derived from that id. model_version: written by that model. explain: each
    hit says what made its score.
    max_tokens: size of the whole answer, four characters a token. project: None: where the client
    works, and what belongs to no project; ALL_PROJECTS: everywhere; "": only what belongs to none;
    else that project, and what belongs to none. as_of: what was known at a past time, by the
    recorded clock.
    """

    query: Annotated[str, Field(max_length=100_000)] = ""
    user_id: Identifier | None = None
    domain: Identifier | None = None
    memory_types: Annotated[tuple[MemoryType, ...], Field(max_length=8)] = ()
    tags: Tags = ()
    sources: Annotated[tuple[Identifier, ...], Field(max_length=16)] = ()
    agents: Annotated[tuple[Identifier, ...], Field(max_length=16)] = ()
    occurred_from: Moment | None = None
    occurred_to: Moment | None = None
    recorded_from: Moment | None = None
    recorded_to: Moment | None = None
    derived_from: Identifier | None = None
    model_version: Identifier | None = None
    project: ProjectName | None = None
    as_of: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=200, strict=True)] = 10
    max_tokens: Annotated[int, Field(ge=100, le=100_000, strict=True)] = 1_500
    explain: StrictBool = False

    @property
    def question(self) -> str:
        """What is looked for: the beginning of a longer query."""
        return self.query.strip()[:QUESTION_CHARS_MAX]


class TextQuery(Model):
    """What a store is asked for: a question, filters, and a bound on candidates.

    terms: texts, any of whose words may match; () asks for the newest. meaning: the question as a
    vector, beside its words. limit: most candidates returned.
    projects: only what belongs to one of these or to none; None: everywhere. sources, agents: one
    of them (an agent by its name, with its version or without). occurred, recorded: from the first
    instant on, before the second. model_version: of the lineage as it stands in front.
    derived_from: what names this id as what it was derived from. as_of: each live
    context as the latest revision recorded by then had it; those of later are left out.
    """

    terms: tuple[str, ...] = ()
    meaning: Annotated[Meaning | None, SkipValidation] = None
    memory_types: tuple[MemoryType, ...] = ()
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    occurred: tuple[Instant | None, Instant | None] = (None, None)
    recorded: tuple[Instant | None, Instant | None] = (None, None)
    model_version: str | None = None
    derived_from: str | None = None
    as_of: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100

    @classmethod
    def of(cls, request: SearchContext, projects: tuple[str, ...] | None) -> TextQuery:
        """What a request asks of a store, by its words."""
        return cls(
            terms=(request.question,) if request.question else (),
            memory_types=request.memory_types,
            tags=request.tags,
            sources=request.sources,
            agents=request.agents,
            projects=projects,
            occurred=(request.occurred_from, request.occurred_to),
            recorded=(request.recorded_from, request.recorded_to),
            model_version=request.model_version,
            derived_from=request.derived_from,
            as_of=request.as_of,
            limit=request.limit,
        )


class Candidate(Model):
    """A live context that matches; score: higher is better, 0 where no words were asked. parts:
    what made the score."""

    context: Context
    score: float = 0.0
    parts: dict[str, float] = Field(default_factory=dict)


class CandidatePage(Model):
    """Candidates best first (newest first without terms). matched: how many hold one of the words
    or were found by meaning; at_least: there may be more. corrected: words nobody knows, each with
    those it was taken for. now: the store's own time."""

    candidates: tuple[Candidate, ...]
    matched: int
    at_least: bool = False
    corrected: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    now: Instant = EPOCH


class Hit(Model):
    """One found memory. content may be cut: then missing_chars says by how much, and get_context
    with the id has the rest. also: ids of others that say the same. explain: what made the score.
    flags: signs in the text that can hide meaning from a reader."""

    context_id: str
    content: str
    score: float
    title: str | None = Unsaid
    tags: tuple[str, ...] = ()
    memory_type: MemoryType
    domain: str
    occurred_at: Instant
    created_at: Instant
    expires_at: Instant | None = None
    source: str | None = Unsaid
    speaker: str | None = Unsaid
    project: str | None = Unsaid
    revision: int
    lineage: dict[str, Any]
    missing_chars: int | None = Unsaid
    also: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    explain: dict[str, float] | None = Unsaid
    flags: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)


class SearchAnswer(Model):
    """Best first; more: how many further matches were left out, at least, where there were too many
    to count. elsewhere: how many matches lie in other projects, counted only when these are few.
    corrected: words that nobody wrote, each with those it was taken for. note: what this answer
    couldn't go by. now: when it was asked, by the store's time."""

    hits: tuple[Hit, ...]
    more: int
    at_least: bool = Field(default=False, exclude_if=lambda value: not value)
    elsewhere: int | None = Unsaid
    corrected: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )
    note: str | None = Unsaid
    forwarded: Forwarded | None = Unsaid
    now: Instant = Field(default=EPOCH, exclude=True)
