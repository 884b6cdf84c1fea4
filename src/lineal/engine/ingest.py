"""What appends, upserts and updates do to the rows: pure decisions over a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.changes import Changes, Life, Plan, Snapshot, Stamp
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    ContextAnswer,
    MemoryType,
    UpdateContext,
)
from lineal.models.lineage import Edge, Lineage
from lineal.models.schema import Schema
from lineal.models.user import (
    FieldValue,
    Head,
    HeadInfo,
    UpsertUser,
    UserAnswer,
    UserRow,
    ValueSource,
)
from lineal.policy import expiry, merging, provenance
from lineal.policy.duplicates import content_key
from lineal.policy.schemas import sorted_out, taken
from lineal.ports.extractor import Extraction

__all__ = [
    "Reading",
    "append",
    "merged",
    "missing",
    "provisioned",
    "update",
    "upsert",
    "upsert_fields",
]


class Reading(Model):
    """What was prepared before the transaction: the schema, what was read from the text, and a
    head for the soft text that was foreseen."""

    schema_: Schema
    extractions: tuple[Extraction, ...] = ()
    extractor: str | None = None
    context_id: str
    soft_text: str | None = None
    head: Head | None = None


def append(
    snapshot: Snapshot, stamp: Stamp, request: AppendContext, life: Life, reading: Reading
) -> Plan[AppendAnswer]:
    """Store one context and merge what it says into the user's row (A2-A6, A10)."""
    now = snapshot.now
    row = snapshot.user
    if row is None and not snapshot.known:
        row = provisioned(stamp, reading.schema_, now)
    context, edges = _new_context(stamp, request, life, reading.context_id, now)
    users, moved, head = _enriched(snapshot, row, context, reading)
    return Plan(
        Changes(
            contexts=(context,),
            users=users,
            edges=edges,
            content_keys={context.context_id: content_key(context.content)},
            heads=(head,) if head else (),
        ),
        AppendAnswer(
            user_id=context.user_id,
            domain=context.domain,
            context_id=context.context_id,
            fields_updated=moved,
            embeddings_refreshed=head is not None,
            memory_type=context.memory_type,
            expires_at=context.expires_at,
            lineage=context.lineage,
        ),
    )


def _enriched(
    snapshot: Snapshot, row: UserRow | None, context: Context, reading: Reading
) -> tuple[tuple[UserRow, ...], tuple[str, ...], Head | None]:
    """(the user's new row, the fields that moved, the new head) after what an append's text says.

    row None: there is one, and nothing was read from the text that could move it.
    """
    if row is None:
        return (), (), None
    new = snapshot.user is None
    fields = merged(reading, row, snapshot.now, context.occurred_at)
    moved = merging.changed(row.fields, fields)
    head = _foreseen(reading, fields, moved)
    if not (moved or new):
        return (), (), None
    return (_moved(row, fields, head, snapshot.now, context.lineage, new=new),), moved, head


def merged(
    reading: Reading, row: UserRow, now: datetime, occurred_at: datetime
) -> dict[str, FieldValue]:
    """The row's fields after what a context's text says; what an earlier text of the same
    context said and this one doesn't is gone."""
    values = _extracted(reading, "append", now, occurred_at)
    said = frozenset((reading.context_id,))
    rest = {name: merging.without(field, said) for name, field in row.fields.items()}
    others = {name: field for name, field in rest.items() if field is not None}
    return merging.appended(reading.schema_, others, values)


def upsert(
    snapshot: Snapshot, stamp: Stamp, request: UpsertUser, life: Life, reading: Reading
) -> Plan[UserAnswer]:
    """Create or replace the user's row (U1-U9, U13-U16)."""
    now = snapshot.now
    old = snapshot.user
    seen = provenance.observed(stamp.evidence)
    lineage = provenance.joined(request.lineage, seen, old.lineage.created_at if old else now)
    context, edges = _spoken(snapshot, stamp, request, life, reading)
    source_id = context.context_id if context else _same_id(snapshot)
    fields, extras = upsert_fields(reading, request, old, now, source_id)
    head = _foreseen(reading, fields, None)
    row = UserRow(
        user_id=_user_id(stamp),
        domain=_domain(stamp),
        revision=old.revision + 1 if old else 1,
        schema_version=reading.schema_.schema_version,
        fields=fields,
        extras=extras,
        memory_ref=request.memory_ref,
        heads={head.name: head.info} if head else {},
        memory_type=request.memory_type or MemoryType.FACT,
        expires_at=expiry.ends_at(life, now),
        created_at=old.created_at if old else now,
        updated_at=now,
        last_enriched_at=now,
        lineage=lineage,
    )
    changes = Changes(
        contexts=(context,) if context else (),
        users=(row,),
        edges=edges,
        content_keys={context.context_id: content_key(context.content)} if context else {},
        heads=(head,) if head else (),
    )
    return Plan(changes, UserAnswer.of(row))


def upsert_fields(
    reading: Reading,
    request: UpsertUser,
    old: UserRow | None,
    now: datetime,
    context_id: str | None,
) -> tuple[dict[str, FieldValue], dict[str, Any]]:
    """(fields, extras) after an upsert: stated beats extracted key by key (U5)."""
    known, extras = sorted_out(reading.schema_, request.fields or {})
    said = reading.model_copy(update={"context_id": context_id or reading.context_id})
    incoming = _extracted(said, "upsert", now, now)
    for name, value in known.items():
        incoming[name] = FieldValue(
            value=value,
            source=ValueSource.STATED,
            origin="upsert",
            occurred_at=now,
            recorded_at=now,
            model_version=request.lineage.model_version if request.lineage else None,
            confidence=request.lineage.confidence if request.lineage else None,
        )
    present = old.fields if old else {}
    fields = merging.upserted(reading.schema_, present, incoming, replace_all=request.replace_all)
    return fields, extras


def update(
    snapshot: Snapshot,
    stamp: Stamp,
    request: UpdateContext,
    life: Life,
    reading: Reading | None,
) -> Plan[ContextAnswer]:
    """A new revision with what was sent changed, and nothing else (N1-N23).

    reading: what a changed content says; the user's row then says the new instead of the old (N22).
    """
    old = snapshot.contexts.get(request.context_id)
    if old is None:
        raise missing(request.context_id)
    if request.expected_revision not in (None, old.revision):
        raise LinealError.conflict(
            f"Context '{old.context_id}' is at revision {old.revision}, not "
            f"{request.expected_revision}. Read it again and repeat the change on what it is now.",
            context_id=old.context_id,
            revision=old.revision,
            expected_revision=request.expected_revision,
        )
    now = max(snapshot.now, old.updated_at)
    new = old.model_copy(update=_updated(old, request, life, snapshot.now))
    seen = provenance.observed(stamp.evidence, of=old.context_id)
    declared = request.lineage or old.lineage.declared
    new = new.model_copy(
        update={
            "revision": old.revision + 1,
            "updated_at": now,
            "lineage": provenance.joined(declared, seen, old.lineage.created_at),
        }
    )
    edges = provenance.edges_of(new.context_id, new.revision, request.lineage, seen)
    if new.content == old.content:
        return Plan(Changes(contexts=(new,), edges=edges), ContextAnswer.of(new))
    users, heads = _reread(snapshot, new, reading)
    changes = Changes(
        contexts=(new,),
        users=users,
        edges=edges,
        content_keys={new.context_id: content_key(new.content)},
        heads=heads,
    )
    return Plan(changes, ContextAnswer.of(new))


def _reread(
    snapshot: Snapshot, context: Context, reading: Reading | None
) -> tuple[tuple[UserRow, ...], tuple[Head, ...]]:
    """The user's row after a context's text has changed, if that moves anything."""
    if reading is None or snapshot.user is None:
        return (), ()
    row = snapshot.user
    fields = merged(reading, row, snapshot.now, context.occurred_at)
    moved = merging.changed(row.fields, fields)
    if not moved:
        return (), ()
    head = _foreseen(reading, fields, moved)
    user = _moved(row, fields, head, snapshot.now, context.lineage, new=False)
    return (user,), (head,) if head else ()


def _updated(old: Context, request: UpdateContext, life: Life, now: datetime) -> dict[str, Any]:
    sent = request.model_fields_set & Context.model_fields.keys() - {"context_id", "lineage"}
    values = {name: getattr(request, name) for name in sent}
    changes = {name: _stored(value) for name, value in values.items() if value is not None}
    kind = request.memory_type or old.memory_type
    changes["expires_at"] = expiry.ends_at(life, now, old.expires_at, kind)
    return changes


def missing(context_id: str) -> LinealError:
    """What to say of an id that isn't live: the same for one that ended as for one that never
    was, and for another tenant's, so that nothing is told of what is not there to be read."""
    return LinealError.not_found(
        f"Context '{context_id[:80]}' is not known here: it never was, it has expired, or it was "
        "forgotten. Find ids with search_context.",
        context_id=context_id,
    )


def provisioned(stamp: Stamp, schema: Schema, now: datetime) -> UserRow:
    """The configured default user's first row (A1); anyone else must be upserted first (A2)."""
    user_id, domain = _user_id(stamp), _domain(stamp)
    if not stamp.provision:
        raise LinealError.not_found(
            f"User '{user_id}' is not known in domain '{domain}'. Call upsert_user first.",
            user_id=user_id,
            domain=domain,
        )
    return UserRow(
        user_id=user_id,
        domain=domain,
        revision=1,
        schema_version=schema.schema_version,
        memory_type=MemoryType.FACT,
        created_at=now,
        updated_at=now,
        last_enriched_at=now,
        lineage=provenance.joined(None, provenance.observed(stamp.evidence), now),
    )


def _new_context(
    stamp: Stamp, request: AppendContext, life: Life, context_id: str, now: datetime
) -> tuple[Context, tuple[Edge, ...]]:
    seen = provenance.observed(stamp.evidence)
    context = Context(
        context_id=context_id,
        user_id=_user_id(stamp),
        domain=_domain(stamp),
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
        agent_source=provenance.agent_source(stamp.evidence),
        memory_type=request.memory_type or MemoryType.FACT,
        expires_at=expiry.ends_at(life, now),
        created_at=now,
        updated_at=now,
        lineage=provenance.joined(request.lineage, seen, now),
    )
    return context, provenance.edges_of(context_id, 1, request.lineage, seen)


def _spoken(
    snapshot: Snapshot, stamp: Stamp, request: UpsertUser, life: Life, reading: Reading
) -> tuple[Context | None, tuple[Edge, ...]]:
    """The upsert's own text as a context, unless the same text is stored already (U1)."""
    if request.context is None or snapshot.same_content is not None:
        return None, ()
    said = AppendContext(
        content=request.context, memory_type=request.memory_type, lineage=request.lineage
    )
    return _new_context(stamp, said, life, reading.context_id, snapshot.now)


def _same_id(snapshot: Snapshot) -> str | None:
    return snapshot.same_content.context_id if snapshot.same_content else None


def _extracted(
    reading: Reading, origin: str, now: datetime, occurred_at: datetime
) -> dict[str, FieldValue]:
    """What was read from a text as field values; a list field collects all its finds."""
    finds: dict[str, list[Extraction]] = {}
    for find in reading.extractions:
        finds.setdefault(find.field, []).append(find)
    values: dict[str, FieldValue] = {}
    for name, found in finds.items():
        spec = reading.schema_.fields[name]
        raw = [find.value for find in found] if spec.type == "list" else found[0].value
        values[name] = FieldValue(
            value=taken(name, spec, raw),
            source=ValueSource.EXTRACTED,
            origin="append" if origin == "append" else "upsert",
            occurred_at=occurred_at,
            recorded_at=now,
            context_id=reading.context_id,
            span=found[0].span,
            confidence=min(find.confidence for find in found),
            model_version=reading.extractor,
        )
    return values


def _foreseen(
    reading: Reading, fields: Mapping[str, FieldValue], moved: tuple[str, ...] | None
) -> Head | None:
    """The prepared head, if it is of just these soft fields and one of them moved.

    moved None: any (an upsert). Another write in between leaves the head as it was.
    """
    if reading.head is None or merging.soft_text(reading.schema_, fields) != reading.soft_text:
        return None
    soft = {name for name, spec in reading.schema_.fields.items() if spec.kind == "soft"}
    return reading.head if moved is None or soft & set(moved) else None


def _moved(
    row: UserRow,
    fields: dict[str, FieldValue],
    head: Head | None,
    now: datetime,
    lineage: Lineage,
    *,
    new: bool,
) -> UserRow:
    heads: dict[str, HeadInfo] = {**row.heads, **({head.name: head.info} if head else {})}
    return row.model_copy(
        update={
            "revision": row.revision if new else row.revision + 1,
            "fields": fields,
            "heads": heads,
            "updated_at": now,
            "last_enriched_at": now,
            "lineage": lineage.model_copy(update={"created_at": row.lineage.created_at}),
        }
    )


def _stored(value: Any) -> Any:
    """A request's nested models as plain JSON values, as they came."""
    if isinstance(value, Model):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, tuple):
        return tuple(_stored(part) for part in value)
    return value


def _user_id(stamp: Stamp) -> str:
    assert stamp.scope.user_id is not None  # noqa: S101 - the service fills it for every write
    return stamp.scope.user_id


def _domain(stamp: Stamp) -> str:
    assert stamp.scope.domain is not None  # noqa: S101 - the service fills it for every write
    return stamp.scope.domain
