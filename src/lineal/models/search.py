"""Questions to the memory and their answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from lineal.models.base import Instant, Model, Moment
from lineal.models.context import Context, Identifier, MemoryType, ProjectName, Tags

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

ALL_PROJECTS = "*"
"""As `project` of a search: look everywhere."""

Unsaid = Field(default=None, exclude_if=lambda value: value is None)


class SearchContext(Model):
    """A question in plain words; an empty query lists the newest.

    domain None: every domain of the user. tags: all of them must be there.
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
    project: ProjectName | None = None
    as_of: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=200, strict=True)] = 10
    max_tokens: Annotated[int, Field(ge=100, le=100_000, strict=True)] = 1_500


class TextQuery(Model):
    """What a store is asked for: words already split, filters, and a bound on candidates.

    terms: any of them may match; () asks for the newest. limit: most candidates returned.
    projects: only what belongs to one of these or to none; None: everywhere. as_of: each live
    context as the latest revision recorded by then had it; those of later are left out.
    """

    terms: tuple[str, ...] = ()
    memory_types: tuple[MemoryType, ...] = ()
    tags: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    as_of: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class Candidate(Model):
    """A live context that matches; text_score: higher is better, 0 where no words were asked."""

    context: Context
    text_score: float = 0.0


class CandidatePage(Model):
    """Candidates best first (newest first without terms). matched: how many match in all."""

    candidates: tuple[Candidate, ...]
    matched: int


class Hit(Model):
    """One found memory. content may be cut: then missing_chars says by how much, and get_context
    with the id has the rest. flags: signs in the text that can hide meaning from a reader."""

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
    flags: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)


class SearchAnswer(Model):
    """Best first; more: how many further matches were left out. elsewhere: how many matches lie in
    other projects, counted only when these are few."""

    hits: tuple[Hit, ...]
    more: int
    elsewhere: int | None = Unsaid
