"""What an upsert does to a user's row: a pure decision over a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lineal.engine.contexts import Revision, awaiting, longer, new_context, read_by
from lineal.engine.ingest import Text, again
from lineal.engine.rows import Reading, enriched, owner_of, present, said, with_row
from lineal.models.changes import Changes, Life, Plan, Snapshot, Stamp
from lineal.models.claim import Claim, FieldValue, ValueSource
from lineal.models.context import AppendContext, Context, MemoryType
from lineal.models.lineage import Lineage
from lineal.models.user import UpsertUser, UserAnswer, UserRow
from lineal.policy import expiry, merging, provenance
from lineal.policy.schemas import sorted_out

__all__ = ["upsert", "upsert_fields"]


def upsert(
    snapshot: Snapshot, stamp: Stamp, request: UpsertUser, life: Life, text: Text
) -> Plan[UserAnswer]:
    """Create or replace the user's row (U1-U9, U13-U16)."""
    now, old = snapshot.now, snapshot.user
    ends_at = expiry.ends_at(life, now)
    original = _original(snapshot, request)
    reading = _read_from(text.reading, original)
    context, edges = _spoken(stamp, request, life, reading, original, now) or (None, ())
    fields, extras = upsert_fields(reading, request, old, now, ends_at)
    if original is not None and context is not None:
        fields = merging.relived(reading.schema_, fields, context.context_id, ends_at)
    lineage = _lineage(stamp, request, reading, old, now)
    base = _base(stamp, request, old, extras, ends_at, lineage, reading, now)
    after = enriched(stamp.scope.tenant, base, fields, reading, now, lineage, new=old is None)
    row = _settled(old, after.row)
    read = context or original
    changes = Changes(
        contexts=(context,) if context else (),
        edges=edges,
        fingerprints={context.context_id: text.fingerprint} if context else {},
        tasks=(
            *(again(stamp.scope.tenant, read, reading, now) if read else ()),
            *(awaiting(stamp, context, now) if context else ()),
        ),
    )
    answer = UserAnswer.of(row).model_copy(update={"extractor": reading.extractor})
    return Plan(with_row(changes, after._replace(row=row)), answer)


def upsert_fields(
    reading: Reading,
    request: UpsertUser,
    old: UserRow | None,
    now: datetime,
    ends_at: datetime | None,
) -> tuple[dict[str, FieldValue], dict[str, Any]]:
    """(fields, extras) after an upsert: stated beats extracted key by key (U5).

    Raises invalid_request, naming the field, for a value that the schema doesn't take."""
    schema = reading.schema_
    known, extras = sorted_out(schema, request.fields or {})
    claims = dict(said(reading, "upsert", now, now, ends_at))
    for name, value in known.items():
        collects = schema.fields[name].type == "list" and schema.fields[name].merge == "union"
        stated = tuple(
            _stated(part, request, now) for part in ((value or [[]]) if collects else [value])
        )
        # What the text says of a list besides is no contradiction; it is simply not asked.
        claims[name] = stated if collects else (*claims.get(name, ()), *stated)
    row = present(schema, old, now) if old else None
    before = row.fields if row else {}
    return merging.upserted(schema, before, claims, replace_all=request.replace_all), extras


def _stated(value: Any, request: UpsertUser, now: datetime) -> Claim:
    declared = request.lineage
    return Claim(
        value=value,
        source=ValueSource.STATED,
        origin="upsert",
        occurred_at=now,
        recorded_at=now,
        model_version=declared.model_version if declared else None,
        confidence=declared.confidence if declared else None,
    )


def _original(snapshot: Snapshot, request: UpsertUser) -> Context | None:
    """The context that holds the upsert's own text already, and is found wherever another would
    be (U1)."""
    if request.context is None:
        return None
    return next((c for c in snapshot.alike if c.content == request.context), None)


def _read_from(reading: Reading, original: Context | None) -> Reading:
    if original is None:
        return reading
    return reading.model_copy(update={"context_id": original.context_id})


def _spoken(
    stamp: Stamp,
    request: UpsertUser,
    life: Life,
    reading: Reading,
    original: Context | None,
    now: datetime,
) -> Revision | None:
    """The upsert's own text as a context: a new one, or the one that is there if it is to live
    longer; None where there is nothing to keep."""
    if request.context is None:
        return None
    spoken = AppendContext(
        content=request.context, memory_type=request.memory_type, lineage=request.lineage
    )
    if original is not None:
        return longer(original, stamp, spoken, life, now)
    return new_context(stamp, spoken, life, reading, now)


def _lineage(
    stamp: Stamp, request: UpsertUser, reading: Reading, old: UserRow | None, now: datetime
) -> Lineage:
    seen = provenance.observed(stamp.evidence)
    created_at = old.lineage.created_at if old else now
    awaits = stamp.evidence.awaits
    joined = provenance.joined(request.lineage, seen, created_at, awaits=awaits)
    return read_by(joined, reading)


def _base(
    stamp: Stamp,
    request: UpsertUser,
    old: UserRow | None,
    extras: dict[str, Any],
    ends_at: datetime | None,
    lineage: Lineage,
    reading: Reading,
    now: datetime,
) -> UserRow:
    """The row with what an upsert replaces whole; its fields are still the old ones."""
    replaced: Mapping[str, Any] = {
        "extras": extras,
        "memory_ref": request.memory_ref,
        "memory_type": request.memory_type or MemoryType.FACT,
        "expires_at": ends_at,
    }
    if old is not None:
        return old.model_copy(update=dict(replaced))
    user_id, domain = owner_of(stamp.scope)
    return UserRow(
        user_id=user_id,
        domain=domain,
        revision=1,
        schema_version=reading.schema_.schema_version,
        created_at=now,
        updated_at=now,
        last_enriched_at=now,
        lineage=lineage,
        **replaced,
    )


def _settled(old: UserRow | None, new: UserRow) -> UserRow:
    """A repeated upsert changes nothing but last_enriched_at (U1): what was said keeps its time."""
    if old is None or not merging.unmoved(old.fields, new.fields):
        return new
    kept = ("extras", "memory_ref", "memory_type", "expires_at")
    same = all(getattr(old, name) == getattr(new, name) for name in kept)
    update: dict[str, Any] = {"fields": old.fields}
    if merging.unmoved(old.derived, new.derived):
        update["derived"] = old.derived
    return new.model_copy(update={**update, "updated_at": old.updated_at} if same else update)
