"""What forgetting takes out: pure decisions over a snapshot."""

from __future__ import annotations

from datetime import datetime

from lineal.engine.ingest import missing
from lineal.models.changes import Changes, Plan, Snapshot, Stamp
from lineal.models.context import ForgetAnswer, ForgetContext
from lineal.models.user import UserRow
from lineal.policy import merging, provenance

__all__ = ["forget"]


def forget(snapshot: Snapshot, stamp: Stamp, request: ForgetContext) -> Plan[ForgetAnswer]:
    """Take out a context, and with cascade all that is derived from it (L6); what was read from
    these texts goes from the users' rows too, and from the rows' history."""
    root = request.context_id
    if root not in snapshot.contexts:
        raise missing(root)
    gone = (root, *snapshot.descendants) if request.cascade else (root,)
    answer = ForgetAnswer(context_id=root, dry_run=request.dry_run, forgotten=gone, count=len(gone))
    if request.dry_run:
        return Plan(Changes(), answer)
    rows = tuple(_without(row, frozenset(gone), stamp, snapshot.now) for row in snapshot.owners)
    return Plan(Changes(forget=gone, rewritten=rows), answer)


def _without(row: UserRow, gone: frozenset[str], stamp: Stamp, now: datetime) -> UserRow:
    """The row without what only these contexts said, to be written without its past: a value that
    was overwritten since stands there still.

    A head goes when any field did, since it may be made of it; the next write makes a new one.
    """
    rest = {name: merging.without(field, gone) for name, field in row.fields.items()}
    fields = {name: field for name, field in rest.items() if field is not None}
    lineage = provenance.joined(None, provenance.observed(stamp.evidence), row.lineage.created_at)
    return row.model_copy(
        update={
            "revision": row.revision + 1,
            "fields": fields,
            "heads": row.heads if fields == row.fields else {},
            "updated_at": now,
            "lineage": lineage,
        }
    )
