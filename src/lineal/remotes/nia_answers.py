"""What Nia answers, in both of its public shapes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lineal.models.context import MemoryType
from lineal.models.forwarding import Letter
from lineal.models.letters import RemoteRecord
from lineal.remotes.padding import own_line, without
from lineal.remotes.reading import Declared, Finite, Lenient, Mark, Maybe, Time, mark_of, unmarked

__all__ = ["Page", "Record"]


class Record(Lenient):
    """A context, with a score where it was searched for."""

    id: Annotated[str, Field(min_length=1)]
    title: Maybe[str] = None
    summary: Maybe[str] = None
    content: Maybe[str] = None
    tags: Maybe[tuple[str, ...]] = None
    agent_source: Maybe[str] = None
    created_at: Maybe[Time] = None
    updated_at: Maybe[Time] = None
    metadata: Maybe[dict[str, Any]] = None
    nia_references: Maybe[dict[str, Any]] = None
    edited_files: Maybe[tuple[dict[str, Any], ...]] = None
    memory_type: Maybe[MemoryType] = None
    expires_at: Maybe[Time] = None
    lineage: Maybe[Declared] = None
    relevance_score: Maybe[Finite] = None

    def is_of(self, letter: Letter) -> bool:
        mark = mark_of(self.metadata)
        return mark is not None and (mark.tenant, mark.id) == (letter.tenant, letter.context_id)

    def told(self) -> RemoteRecord:
        mark = mark_of(self.metadata)
        return RemoteRecord(
            remote_id=self.id,
            local_id=mark.id if mark else None,
            tenant=mark.tenant if mark else None,
            user_id=mark.user_id if mark else None,
            domain=mark.domain if mark else None,
            title=self.title,
            summary=self.summary,
            content=_own(self.content or "", mark),
            tags=self.tags or (),
            metadata=unmarked(self.metadata),
            nia_references=self.nia_references,
            edited_files=self.edited_files or (),
            agent_source=self.agent_source,
            memory_type=self.memory_type,
            lineage=self.lineage,
            created_at=self.created_at,
            updated_at=self.updated_at,
            expires_at=self.expires_at,
            score=self.relevance_score,
        )


class Page(Lenient):
    """A list of contexts, or what a search found. Raises ValidationError where there is neither:
    an empty list and something else are not the same."""

    items: Maybe[tuple[Maybe[Record], ...]] = None
    contexts: Maybe[tuple[Maybe[Record], ...]] = None
    results: Maybe[tuple[Maybe[Record], ...]] = None

    @model_validator(mode="after")
    def _is_a_list(self) -> Page:
        if self.items is None and self.contexts is None and self.results is None:
            raise PydanticCustomError("page", "a list of contexts")
        return self

    @property
    def listed(self) -> tuple[Record | None, ...]:
        """With None for what can't be read."""
        lists = (self.items, self.contexts, self.results)
        return next((one for one in lists if one is not None), ())

    @property
    def found(self) -> tuple[Record, ...]:
        return tuple(record for record in self.listed if record is not None)

    def told(self) -> tuple[RemoteRecord, ...]:
        return tuple(record.told() for record in self.found)


def _own(content: str, mark: Mark | None) -> str:
    """Without the paragraph that was put behind a short text."""
    if mark is None:
        return content
    return without(content, own_line(mark.user_id, mark.domain, mark.occurred_at))
