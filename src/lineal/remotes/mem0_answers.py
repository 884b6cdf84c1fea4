"""What Mem0 is told of a memory, and what it answers; the platform and a server of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lineal.errors import Capability
from lineal.models.context import Context, MemoryType
from lineal.models.letters import RemoteRecord, UpdateLetter
from lineal.ports.backend import Support
from lineal.remotes.names import Person, name_of, person_of
from lineal.remotes.reading import Finite, Lenient, Mark, Maybe, Time, mark_of, marked

__all__ = ["CAPABILITIES", "Listed", "Memory", "added", "changed"]

CAPABILITIES: Mapping[Capability, Support] = {
    **dict.fromkeys(Capability, "emulated"),
    Capability.SEARCH: "native",
    Capability.GET: "native",
    Capability.UPDATE: "native",
    Capability.FORGET: "native",
}

ONE_DAY = timedelta(days=1)

DESCRIBED = frozenset({"title", "summary", "tags", "metadata", "memory_type"})
"""What stands in a memory's metadata; of the rest Mem0 isn't told."""

ENDING = frozenset({"ttl_seconds", "memory_type"})
"""What may move a memory's end."""


def added(tenant: str, context: Context, home_tenant: str) -> dict[str, Any]:
    """A new memory, to be stored as it is. The day after its last is the first on which it may be
    gone there: Mem0 knows days, the ledger the second."""
    sent: dict[str, Any] = {
        "messages": [{"role": "user", "content": context.content}],
        "infer": False,
        "user_id": name_of(Person(tenant, context.user_id), home_tenant),
        "metadata": _metadata(tenant, context),
        "timestamp": int(context.occurred_at.timestamp()),
    }
    end = _end(context.expires_at)
    return sent if end is None else {**sent, "expiration_date": end}


def changed(tenant: str, body: UpdateLetter) -> dict[str, Any]:
    """What an update changes there, {} where that is nothing. An end of null is none."""
    request, context = body.request, body.context
    named = {name for name in request.model_fields_set if getattr(request, name) is not None}
    sent: dict[str, Any] = {}
    if "content" in named:
        sent["text"] = context.content
    if named & DESCRIBED:
        sent["metadata"] = _metadata(tenant, context)
    if named & ENDING or "ttl_seconds" in request.model_fields_set:
        sent["expiration_date"] = _end(context.expires_at)
    return sent


def _metadata(tenant: str, context: Context) -> dict[str, Any]:
    """The caller's own under a key of its own, so that it comes back as it was."""
    known = {
        "title": context.title,
        "summary": context.summary,
        "tags": list(context.tags),
        "metadata": context.metadata,
        "agent_source": context.agent_source,
        "memory_type": context.memory_type.value,
    }
    return {**{name: v for name, v in known.items() if v}, **marked(tenant, context)}


def _end(expires_at: datetime | None) -> str | None:
    """YYYY-MM-DD. A time in the last day of year 9999 is as good as never."""
    try:
        return None if expires_at is None else (expires_at + ONE_DAY).date().isoformat()
    except OverflowError:
        return None


def _over(day: date | None) -> datetime | None:
    """When a day has ended, UTC."""
    try:
        return None if day is None else datetime.combine(day, time(), UTC) + ONE_DAY
    except OverflowError:
        return None


class _Kept(Lenient):
    """Metadata as `_metadata` makes it."""

    title: Maybe[str] = None
    summary: Maybe[str] = None
    tags: Maybe[tuple[str, ...]] = None
    metadata: Maybe[dict[str, Any]] = None
    agent_source: Maybe[str] = None
    memory_type: Maybe[MemoryType] = None


class Memory(Lenient):
    """A memory as it is listed, found or got. memory: its text."""

    id: Annotated[str, Field(min_length=1)]
    memory: Maybe[str] = None
    user_id: Maybe[str] = None
    metadata: Maybe[dict[str, Any]] = None
    expiration_date: Maybe[date] = None
    created_at: Maybe[Time] = None
    updated_at: Maybe[Time] = None
    score: Maybe[Finite] = None

    def is_of(self, tenant: str, context_id: str) -> bool:
        mark = mark_of(self.metadata)
        return mark is not None and (mark.tenant, mark.id) == (tenant, context_id)

    def told(self, home_tenant: str) -> RemoteRecord:
        """Whose it is says the mark, else the user's name there. The end of what lineal stored is
        the ledger's; others' is gone once its last day is over."""
        mark = mark_of(self.metadata)
        kept = _Kept.model_validate(self.metadata or {}) if mark else _Kept()
        owner = _owner(mark, self.user_id, home_tenant)
        return RemoteRecord(
            remote_id=self.id,
            local_id=mark.id if mark else None,
            tenant=owner.tenant if owner else None,
            user_id=owner.user_id if owner else None,
            domain=mark.domain if mark else None,
            title=kept.title,
            summary=kept.summary,
            content=self.memory or "",
            tags=kept.tags or (),
            metadata=(kept.metadata or {}) if mark else (self.metadata or {}),
            agent_source=kept.agent_source,
            memory_type=kept.memory_type,
            created_at=self.created_at,
            updated_at=self.updated_at,
            expires_at=None if mark else _over(self.expiration_date),
            score=self.score,
        )


def _owner(mark: Mark | None, name: str | None, home_tenant: str) -> Person | None:
    if mark is not None:
        return Person(mark.tenant, mark.user_id)
    return person_of(name, home_tenant) if name else None


class Listed(Lenient):
    """{"results": [...], "next"?}. next: where the next page is, None for none."""

    results: tuple[Maybe[Memory], ...]
    next: Maybe[str] = None

    @model_validator(mode="before")
    @classmethod
    def _wrapped(cls, value: object) -> object:
        """An older server answers with the bare list."""
        if not isinstance(value, dict | list):
            raise PydanticCustomError("listed", "a list of memories")
        return {"results": value} if isinstance(value, list) else value

    @property
    def found(self) -> tuple[Memory, ...]:
        return tuple(memory for memory in self.results if memory is not None)

    def told(self, home_tenant: str) -> tuple[RemoteRecord, ...]:
        return tuple(memory.told(home_tenant) for memory in self.found)
