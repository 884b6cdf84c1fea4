"""Questions to the memory and their answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from lineal.models.base import Instant, Model
from lineal.models.context import Context, Identifier, MemoryType, Tags

__all__ = [
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

Unsaid = Field(default=None, exclude_if=lambda value: value is None)


class SearchContext(Model):
    """A question in plain words; an empty query lists the newest.

    domain None: every domain of the user. tags: all of them must be there.
    max_tokens: size of the whole answer, four characters a token.
    """

    query: Annotated[str, Field(max_length=100_000)] = ""
    user_id: Identifier | None = None
    domain: Identifier | None = None
    memory_types: Annotated[tuple[MemoryType, ...], Field(max_length=8)] = ()
    tags: Tags = ()
    limit: Annotated[int, Field(ge=1, le=200, strict=True)] = 10
    max_tokens: Annotated[int, Field(ge=100, le=100_000, strict=True)] = 1_500


class TextQuery(Model):
    """What a store is asked for: words already split, filters, and a bound on candidates.

    terms: any of them may match; () asks for the newest. limit: most candidates returned.
    """

    terms: tuple[str, ...] = ()
    memory_types: tuple[MemoryType, ...] = ()
    tags: tuple[str, ...] = ()
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
    revision: int
    lineage: dict[str, Any]
    missing_chars: int | None = Unsaid
    flags: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)


class SearchAnswer(Model):
    """Best first; more: how many further matches were left out."""

    hits: tuple[Hit, ...]
    more: int
