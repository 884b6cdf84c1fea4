"""A context's revisions, made of requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lineal.engine.rows import LATE_FIRST, Reading, owner_of
from lineal.models.base import Model
from lineal.models.changes import Life, Snapshot, Stamp, Task
from lineal.models.context import AppendContext, Context, MemoryType, Sighting, UpdateContext
from lineal.models.lineage import DeclaredLineage, Edge, Lineage, ObservedLineage
from lineal.policy import expiry, provenance

__all__ = [
    "Revision",
    "awaiting",
    "longer",
    "new_context",
    "next_context",
    "read_by",
    "sighted",
]

Revision = tuple[Context, tuple[Edge, ...]]
"""A context's revision with its lineage, and the edges of it."""


def new_context(
    stamp: Stamp, request: AppendContext, life: Life, reading: Reading, now: datetime
) -> Revision:
    """The first revision."""
    user_id, domain = owner_of(stamp.scope)
    seen = provenance.observed(stamp.evidence)
    context = Context(
        context_id=reading.context_id,
        user_id=user_id,
        domain=domain,
        revision=1,
        title=request.title,
        summary=request.summary,
        content=request.content,
        tags=request.tags,
        metadata=request.metadata or {},
        nia_references=_stored(request.nia_references),
        edited_files=_stored(request.edited_files) or (),
        source=request.source,
        occurred_at=request.occurred_at or now,
        session_id=request.session_id or stamp.evidence.session_id,
        speaker=request.speaker,
        project=stamp.project,
        agent_source=provenance.agent_source(stamp.evidence),
        memory_type=request.memory_type or MemoryType.FACT,
        expires_at=expiry.ends_at(life, now),
        created_at=now,
        updated_at=now,
        lineage=read_by(_joined(stamp, request.lineage, seen, now), reading),
    )
    return context, provenance.edges_of(reading.context_id, 1, request.lineage, seen)


def next_context(
    old: Context,
    snapshot: Snapshot,
    stamp: Stamp,
    request: UpdateContext,
    life: Life,
    reading: Reading | None,
) -> Revision:
    """The next revision with what was sent changed; reading: of a content that was sent."""
    seen = provenance.observed(stamp.evidence, of=old.context_id)
    declared = request.lineage or provenance.inherited(old.lineage.declared)
    lineage = _joined(stamp, declared, seen, old.lineage.created_at)
    changes = _changes(old, request, life, snapshot.now)
    reread = changes.get("content", old.content) != old.content
    lineage = read_by(lineage, reading) if reread else _still_read_by(lineage, old)
    update = {
        **changes,
        "revision": old.revision + 1,
        "updated_at": max(snapshot.now, old.updated_at),
        "lineage": lineage,
    }
    new = old.model_copy(update=update)
    return new, provenance.edges_of(new.context_id, new.revision, request.lineage, seen)


def sighted(stamp: Stamp, request: AppendContext, original: Context, now: datetime) -> Sighting:
    """The same content, met again."""
    seen = provenance.observed(stamp.evidence, of=original.context_id)
    return Sighting(
        context_id=original.context_id,
        source=request.source,
        session_id=request.session_id or stamp.evidence.session_id,
        speaker=request.speaker,
        occurred_at=request.occurred_at or now,
        recorded_at=now,
        lineage=_joined(stamp, request.lineage, seen, now),
    )


def longer(
    original: Context, stamp: Stamp, request: AppendContext, life: Life, now: datetime
) -> Revision | None:
    """The next revision of a content that was sent again and so lives longer; None where the
    repetition alone would end no later than the original does."""
    ends_at = expiry.ends_at(life, now)
    if not _outlives(ends_at, original.expires_at):
        return None
    seen = provenance.observed(stamp.evidence, of=original.context_id)
    declared = request.lineage or provenance.inherited(original.lineage.declared)
    lineage = _joined(stamp, declared, seen, original.lineage.created_at)
    update = {
        "revision": original.revision + 1,
        "memory_type": request.memory_type or MemoryType.FACT,
        "expires_at": ends_at,
        "updated_at": max(now, original.updated_at),
        "lineage": _still_read_by(lineage, original),
    }
    new = original.model_copy(update=update)
    return new, provenance.edges_of(new.context_id, new.revision, request.lineage, seen)


def awaiting(
    stamp: Stamp, context: Context, now: datetime, *, awaits: bool | None = None
) -> tuple[Task, ...]:
    """The task of completing what a call wrote of a context, if there is anything to await; of
    this call, unless `awaits` says so of an earlier one."""
    if not (stamp.evidence.awaits if awaits is None else awaits):
        return ()
    task = Task(
        kind="lineage",
        tenant=stamp.scope.tenant,
        user_id=context.user_id,
        domain=context.domain,
        context_id=context.context_id,
        due_at=now + LATE_FIRST,
    )
    return (task,)


def _joined(
    stamp: Stamp, declared: DeclaredLineage | None, seen: ObservedLineage, created_at: datetime
) -> Lineage:
    return provenance.joined(declared, seen, created_at, awaits=stamp.evidence.awaits)


def read_by(lineage: Lineage, reading: Reading | None) -> Lineage:
    """The lineage with what read values out of the text, if anything did."""
    if reading is None or not reading.finds:
        return lineage
    return lineage.model_copy(update={"extractor": reading.extractor})


def _still_read_by(lineage: Lineage, old: Context) -> Lineage:
    """The lineage of a revision whose text is as it was, and was read as it was."""
    return lineage.model_copy(update={"extractor": old.lineage.extractor})


def _outlives(ends_at: datetime | None, other: datetime | None) -> bool:
    """Whether one end is later than another; None is never."""
    return other is not None and (ends_at is None or ends_at > other)


def _changes(old: Context, request: UpdateContext, life: Life, now: datetime) -> dict[str, Any]:
    sent = request.model_fields_set & Context.model_fields.keys() - {"context_id", "lineage"}
    values = {name: getattr(request, name) for name in sent}
    changes = {name: _stored(value) for name, value in values.items() if value is not None}
    kind = request.memory_type or old.memory_type
    changes["expires_at"] = expiry.ends_at(life, now, old.expires_at, kind)
    return changes


def _stored(value: Any) -> Any:
    """A request's nested models as plain JSON values, as they came."""
    if isinstance(value, Model):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, tuple):
        return tuple(_stored(part) for part in value)
    return value
