"""What the fake backend decides: pure, and plainer than the engine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lineal.errors import LinealError
from lineal.models.changes import Life, Snapshot, Stamp
from lineal.models.claim import Claim, Claims, FieldValue, ValueSource
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    GetContext,
    MemoryType,
    UpdateContext,
)
from lineal.models.lineage import DeclaredLineage, Edge, TraceNode
from lineal.models.schema import Schema
from lineal.models.user import HeadInfo, UpsertUser, UserRow
from lineal.policy.expiry import ends_at
from lineal.policy.provenance import (
    agent_source,
    basis_of,
    edges_of,
    inherited,
    joined,
    observed,
)
from lineal.policy.schemas import sorted_out

__all__ = [
    "append_answer",
    "edges",
    "found",
    "missing",
    "new_context",
    "node",
    "past",
    "provisioned",
    "updated",
    "upserted",
]

LABEL_CHARS = 60
"""How much of a memory a trace shows."""

HEAD = HeadInfo(dim=1, version="fake.v1")
"""Every row's one head, so that an answer has its shape; there is no vector behind it."""


def missing(context_id: str) -> LinealError:
    return LinealError.not_found(
        f"There is no context '{context_id}' here, or it has ended.", context_id=context_id
    )


def found(seen: Snapshot, context_id: str) -> Context:
    context = seen.contexts.get(context_id)
    if context is None:
        raise missing(context_id)
    return context


def new_context(
    context_id: str, stamp: Stamp, request: AppendContext, life: Life, now: datetime
) -> Context:
    kept = ("content", "source", "title", "summary", "tags", "session_id", "speaker")
    return Context(
        context_id=context_id,
        user_id=stamp.scope.user_id or "",
        domain=stamp.scope.domain or "",
        revision=1,
        **{name: getattr(request, name) for name in kept},
        **_plain(request),
        occurred_at=request.occurred_at or now,
        project=stamp.project,
        agent_source=agent_source(stamp.evidence),
        memory_type=request.memory_type or MemoryType.FACT,
        expires_at=ends_at(life, now),
        created_at=now,
        updated_at=now,
        lineage=joined(request.lineage, observed(stamp.evidence), now),
    )


def _plain(request: AppendContext | UpdateContext) -> dict[str, Any]:
    """The parts a context keeps as plain JSON, where they were sent, as they came."""
    names = ("metadata", "nia_references", "edited_files")
    sent = {name for name in names if getattr(request, name) is not None}
    return request.model_dump(mode="json", include=sent, exclude_unset=True)


def append_answer(context: Context) -> AppendAnswer:
    kept = ("user_id", "domain", "context_id", "memory_type", "expires_at", "lineage")
    return AppendAnswer(**{name: getattr(context, name) for name in kept})


def updated(
    context: Context, stamp: Stamp, request: UpdateContext, life: Life, now: datetime
) -> Context:
    """The next revision. Raises conflict when it isn't the expected one that it would follow."""
    if request.expected_revision not in (None, context.revision):
        raise LinealError.conflict(
            f"Context '{context.context_id}' is at revision {context.revision}, not "
            f"{request.expected_revision}. Read it again and repeat the change.",
            revision=context.revision,
        )
    memory_type = request.memory_type or context.memory_type
    texts = {name: getattr(request, name) for name in ("title", "summary", "content", "tags")}
    declared = request.lineage or inherited(context.lineage.declared)
    seen = observed(stamp.evidence, of=context.context_id)
    changed = {
        **{name: value for name, value in texts.items() if value is not None},
        **_plain(request),
        "revision": context.revision + 1,
        "memory_type": memory_type,
        "expires_at": ends_at(life, now, context.expires_at, memory_type),
        "updated_at": max(now, context.updated_at),
        "lineage": joined(declared, seen, context.lineage.created_at),
    }
    return Context.model_validate({**dict(context), **changed})


def past(revisions: tuple[Context, ...], request: GetContext) -> Context:
    """The revision asked for, or the latest recorded by as_of. Raises not_found."""
    until = request.as_of
    asked = revisions[: request.revision or len(revisions)]
    known = [row for row in asked if until is None or row.updated_at <= until]
    if not known or (request.revision or 0) > len(revisions):
        raise missing(request.context_id)
    return known[-1]


def edges(context: Context, stamp: Stamp, declared: DeclaredLineage | None) -> tuple[Edge, ...]:
    return edges_of(context.context_id, context.revision, declared, observed(stamp.evidence))


def provisioned(stamp: Stamp, now: datetime) -> UserRow:
    return _row(stamp, None, now, memory_type=MemoryType.FACT)


def _row(stamp: Stamp, old: UserRow | None, now: datetime, **values: Any) -> UserRow:
    return UserRow(
        user_id=stamp.scope.user_id or "",
        domain=stamp.scope.domain or "",
        revision=old.revision + 1 if old else 1,
        created_at=old.created_at if old else now,
        updated_at=now,
        last_enriched_at=now,
        **{
            "schema_version": f"{stamp.scope.domain}.v0",
            "lineage": joined(None, observed(stamp.evidence), now),
            **values,
        },
    )


def upserted(
    seen: Snapshot, stamp: Stamp, request: UpsertUser, life: Life, schema: Schema
) -> UserRow:
    """The whole row anew: nothing is extracted here, so nothing of an append survives in it."""
    now = seen.now
    known, extras = sorted_out(schema, request.fields or {})
    first_at = seen.user.lineage.created_at if seen.user else now
    return _row(
        stamp,
        seen.user,
        now,
        schema_version=schema.schema_version,
        fields={name: _stated(value, now) for name, value in known.items()},
        extras=extras,
        memory_ref=request.memory_ref,
        heads={schema.domain: HEAD},
        memory_type=request.memory_type or MemoryType.FACT,
        expires_at=ends_at(life, now),
        lineage=joined(request.lineage, observed(stamp.evidence), first_at),
    )


def _stated(value: Any, now: datetime) -> FieldValue:
    claim = Claim(
        value=value,
        source=ValueSource.STATED,
        origin="upsert",
        occurred_at=now,
        recorded_at=now,
    )
    return FieldValue(value=value, claims=Claims((claim,)), standing=(0,))


def node(seen: Snapshot, name: str, depth: int) -> TraceNode:
    if (context := seen.contexts.get(name)) is not None:
        kept = ("memory_type", "source", "revision", "created_at", "expires_at", "project")
        values = {part: getattr(context, part) for part in ("context_id", "lineage", *kept)}
        label = (context.title or context.content)[:LABEL_CHARS]
        basis = basis_of(context.lineage)
        return TraceNode(**values, state="live", depth=depth, label=label, basis=basis)
    if (mark := seen.tombstones.get(name)) is None:
        return TraceNode(context_id=name, state="external", depth=depth)
    return TraceNode(
        context_id=name,
        state=mark.reason,
        depth=depth,
        memory_type=mark.memory_type,
        revision=mark.revision,
        created_at=mark.created_at,
    )
