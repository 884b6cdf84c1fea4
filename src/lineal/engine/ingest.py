"""What appends and updates do to the rows: pure decisions over a snapshot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from lineal.engine.contexts import (
    awaiting,
    longer,
    new_context,
    next_context,
    read_by,
    sighted,
)
from lineal.engine.rows import (
    Enriched,
    Reading,
    enriched,
    present,
    provisioned,
    refreshed,
    said,
    sooner_ended,
    with_row,
)
from lineal.errors import LinealError
from lineal.models.base import rfc3339
from lineal.models.changes import Changes, Fingerprint, Life, Plan, Snapshot, Stamp, Task
from lineal.models.claim import FieldValue
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    ContextAnswer,
    GetContext,
    UpdateContext,
)
from lineal.models.user import UserRow
from lineal.policy import merging
from lineal.policy.duplicates import same
from lineal.policy.missing import missing

__all__ = [
    "Text",
    "again",
    "append",
    "enrichment",
    "found_in",
    "merged",
    "past",
    "relived",
    "update",
]

AHEAD_MAX = timedelta(days=366)
"""An event said to be further ahead counts as of now where values meet (A10)."""

RETRY = timedelta(minutes=1)
"""Until a better extractor that could not be asked is asked again."""


class Text(NamedTuple):
    """What was made of a text before the transaction."""

    reading: Reading
    fingerprint: Fingerprint


def append(
    snapshot: Snapshot, stamp: Stamp, request: AppendContext, life: Life, text: Text
) -> Plan[AppendAnswer]:
    """Store one context and merge what it says into the user's row (A2-A8, A10)."""
    now, reading, row = snapshot.now, text.reading, snapshot.user
    if row is None and not snapshot.known:
        row = provisioned(stamp, reading.schema_, now)
    original = next((c for c in snapshot.alike if same(c.content, request.content)), None)
    if original is not None:
        return _repeated(snapshot, stamp, request, life, row, original, reading)
    context, edges = new_context(stamp, request, life, reading, now)
    tenant = stamp.scope.tenant
    after = enrichment(tenant, snapshot, row, context, reading) if row is not None else None
    changes = Changes(
        contexts=(context,),
        edges=edges,
        fingerprints={context.context_id: text.fingerprint},
        tasks=(*again(tenant, context, reading, now), *awaiting(stamp, context, now)),
    )
    return Plan(with_row(changes, after), _answer(context, reading, after))


def found_in(stamp: Stamp) -> tuple[str, ...]:
    """The projects from which a new memory, and what it may repeat, is found besides none."""
    if stamp.project is None:
        return ()
    return tuple(dict.fromkeys((stamp.project, *(stamp.projects or ()))))


def _answer(context: Context, reading: Reading, after: Enriched | None) -> AppendAnswer:
    return AppendAnswer(
        user_id=context.user_id,
        domain=context.domain,
        context_id=context.context_id,
        fields_updated=after.moved if after else (),
        embeddings_refreshed=refreshed(reading.schema_, after),
        memory_type=context.memory_type,
        expires_at=context.expires_at,
        lineage=context.lineage,
        extractor=reading.extractor,
    )


def _repeated(
    snapshot: Snapshot,
    stamp: Stamp,
    request: AppendContext,
    life: Life,
    row: UserRow | None,
    original: Context,
    reading: Reading,
) -> Plan[AppendAnswer]:
    """The same content again (A7): the sighting is kept, and the original lives as long as either
    would. What it says is read again only where nothing of it stands in the row any more."""
    sighting = sighted(stamp, request, original, snapshot.now)
    revision = longer(original, stamp, request, life, snapshot.now)
    kept, edges = revision or (original, ())
    after = _applied(stamp.scope.tenant, snapshot, row, kept, reading)
    changes = Changes(
        contexts=(kept,) if revision else (),
        edges=edges,
        sightings=(sighting,),
        tasks=awaiting(stamp, kept, snapshot.now),
    )
    answer = AppendAnswer(
        user_id=kept.user_id,
        domain=kept.domain,
        context_id=kept.context_id,
        fields_updated=after.moved if after else (),
        memory_type=kept.memory_type,
        expires_at=kept.expires_at,
        lineage=sighting.lineage,
        duplicate_of=kept.context_id,
    )
    return Plan(with_row(changes, after), answer)


def _applied(
    tenant: str, snapshot: Snapshot, row: UserRow | None, kept: Context, reading: Reading
) -> Enriched | None:
    """The user's row after a repetition: with the original's claims as long as it lives now, or
    with them anew where a replacing upsert, or the row's own end, has taken them out."""
    if row is None:
        return None
    if snapshot.user is None or not merging.cites(row.fields, kept.context_id):
        mine = reading.model_copy(update={"context_id": kept.context_id})
        return enrichment(tenant, snapshot, row, kept, mine)
    return relived(tenant, snapshot, kept, reading)


def relived(tenant: str, snapshot: Snapshot, context: Context, reading: Reading) -> Enriched | None:
    """The user's row when a context that it was read from ends at another time than before."""
    old, now = snapshot.user, snapshot.now
    if old is None:
        return None
    row = present(reading.schema_, old, now)
    fields = merging.relived(reading.schema_, row.fields, context.context_id, context.expires_at)
    if fields == row.fields:
        return None
    return enriched(tenant, old, fields, reading, now, read_by(context.lineage, reading))


def enrichment(
    tenant: str, snapshot: Snapshot, old: UserRow, context: Context, reading: Reading
) -> Enriched | None:
    """The user's row after what a context's text says; None when that changes nothing of it."""
    new, now = snapshot.user is None, snapshot.now
    row = present(reading.schema_, old, now)
    fields = merged(reading, row, now, context.occurred_at, context.expires_at)
    if fields == row.fields and not new:
        return None
    lineage = read_by(context.lineage, reading)
    return enriched(tenant, old, fields, reading, now, lineage, new=new)


def merged(
    reading: Reading,
    row: UserRow,
    now: datetime,
    occurred_at: datetime,
    expires_at: datetime | None,
) -> dict[str, FieldValue]:
    """The row's fields after what a context's text says; what an earlier text of the same
    context said and this one doesn't is gone."""
    origin = merging.origin_of(row.fields, reading.context_id)
    # A slip in a date must not lock a field until then.
    at = occurred_at if occurred_at <= now + AHEAD_MAX else now
    claims = said(reading, origin, now, at, expires_at)
    return merging.appended(reading.schema_, row.fields, claims, reading.context_id)


def again(tenant: str, context: Context, reading: Reading, now: datetime) -> tuple[Task, ...]:
    """What is left to be done when a better extractor could not be asked."""
    if reading.extracted is None or not reading.extracted.again:
        return ()
    task = Task(
        kind="extract",
        tenant=tenant,
        user_id=context.user_id,
        domain=context.domain,
        context_id=context.context_id,
        due_at=now + RETRY,
    )
    return (task,)


def update(
    snapshot: Snapshot,
    stamp: Stamp,
    request: UpdateContext,
    life: Life,
    text: Text | None,
) -> Plan[ContextAnswer]:
    """A new revision with what was sent changed, and nothing else (N1-N23).

    text: what a changed content says, or the schema alone when only the life was changed; the
    user's row then says the new instead of the old (N22).
    """
    old = _expected(snapshot, request)
    reading = text.reading if text else None
    new, edges = next_context(old, snapshot, stamp, request, life, reading)
    late = awaiting(stamp, new, snapshot.now)
    if text is None:
        return Plan(Changes(contexts=(new,), edges=edges, tasks=late), ContextAnswer.of(new))
    tenant, rewritten = stamp.scope.tenant, new.content != old.content
    changes = Changes(
        contexts=(new,),
        edges=edges,
        fingerprints={new.context_id: text.fingerprint} if rewritten else {},
        tasks=(
            *_ending(tenant, snapshot, old, new),
            *(again(tenant, new, text.reading, new.updated_at) if rewritten else ()),
            *late,
        ),
    )
    after = _after_update(tenant, snapshot, old, new, text.reading)
    return Plan(with_row(changes, after), ContextAnswer.of(new))


def _expected(snapshot: Snapshot, request: UpdateContext) -> Context:
    """The live context; raises not_found, or conflict where it isn't at the expected revision."""
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
    return old


def _ending(tenant: str, snapshot: Snapshot, old: Context, new: Context) -> tuple[Task, ...]:
    """What is left to do when the context ends: the row's past may tell of it even where the row
    doesn't any more."""
    if snapshot.user is None or new.expires_at in (None, old.expires_at):
        return ()
    return sooner_ended(tenant, snapshot.user, new.expires_at)


def _after_update(
    tenant: str, snapshot: Snapshot, old: Context, new: Context, reading: Reading
) -> Enriched | None:
    """The user's row after a context's text or life has changed, if that changes anything."""
    if snapshot.user is None:
        return None
    if new.content != old.content:
        return enrichment(tenant, snapshot, snapshot.user, new, reading)
    if new.expires_at != old.expires_at:
        return relived(tenant, snapshot, new, reading)
    return None


def past(revisions: tuple[Context, ...], request: GetContext) -> Context:
    """The revision asked for, or the latest recorded by as_of; of both the earlier. Raises
    not_found."""
    wanted, first = request.context_id, revisions[0]
    number = len(revisions) if request.revision is None else request.revision
    if number > len(revisions):
        raise LinealError.not_found(
            f"Context '{wanted}' has {len(revisions)} revisions, not {number}.",
            context_id=wanted,
            revision=number,
            latest=len(revisions),
        )
    as_of = request.as_of
    known = [r for r in revisions[:number] if as_of is None or r.updated_at <= as_of]
    if not known:
        raise LinealError.not_found(
            f"Context '{wanted}' was not known yet then; it was stored at "
            f"{rfc3339(first.created_at)}.",
            context_id=wanted,
            created_at=rfc3339(first.created_at),
        )
    return known[-1]
