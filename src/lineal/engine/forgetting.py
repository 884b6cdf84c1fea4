"""What forgetting takes out, and what is left of a user's row: pure decisions over a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from lineal.engine.ingest import missing
from lineal.engine.rows import soft
from lineal.models.changes import Changes, Plan, Snapshot, Stamp, Task
from lineal.models.claim import FieldValue
from lineal.models.context import ForgetAnswer, ForgetContext
from lineal.models.lineage import Lineage
from lineal.models.schema import Schema
from lineal.models.user import UserRow
from lineal.policy import deriving, merging, provenance

__all__ = ["forget", "remade"]

Fields = Mapping[str, FieldValue]


def forget(
    snapshot: Snapshot, stamp: Stamp, request: ForgetContext, schema_of: Callable[[str], Schema]
) -> Plan[ForgetAnswer]:
    """Take out a context, and with cascade all that is derived from it (L6); what was read from
    these texts goes from the users' rows too, and from the rows' history."""
    root = request.context_id
    if root not in snapshot.contexts:
        raise missing(root)
    gone = (root, *snapshot.descendants) if request.cascade else (root,)
    answer = ForgetAnswer(context_id=root, dry_run=request.dry_run, forgotten=gone, count=len(gone))
    if request.dry_run:
        return Plan(Changes(), answer)
    rows, tasks = [], list[Task]()
    for owner in snapshot.owners:
        schema = schema_of(owner.domain)
        row, head = _without(schema, owner, frozenset(gone), stamp, snapshot.now)
        rows.append(row)
        tasks += head
    return Plan(Changes(forget=gone, rewritten=tuple(rows), tasks=tuple(tasks)), answer)


def _without(
    schema: Schema, row: UserRow, gone: frozenset[str], stamp: Stamp, now: datetime
) -> tuple[UserRow, tuple[Task, ...]]:
    """The row without what only these contexts said, to be written without its past: a value that
    was overwritten since stands there still.

    A head goes when what it is made of did; another is made later.
    """
    fields = merging.without(schema, row.fields, gone)
    lineage = provenance.joined(None, provenance.observed(stamp.evidence), row.lineage.created_at)
    return remade(stamp.scope.tenant, schema, row, fields, now, lineage)


def remade(
    tenant: str,
    schema: Schema,
    row: UserRow,
    fields: Fields,
    now: datetime,
    lineage: Lineage,
) -> tuple[UserRow, tuple[Task, ...]]:
    """The row with what is left of its fields, and the task of making its head anew."""
    outlived = _outlived(schema, row, fields)
    after = row.model_copy(
        update={
            "revision": row.revision + 1,
            "fields": dict(fields),
            "derived": deriving.derived(schema, fields, row.derived, now),
            "heads": {} if outlived else row.heads,
            "updated_at": now,
            "lineage": lineage,
        }
    )
    task = Task(kind="head", tenant=tenant, user_id=row.user_id, domain=row.domain, due_at=now)
    left = outlived and bool(merging.soft_text(schema, fields))
    return after, ((task,) if left else ())


def _outlived(schema: Schema, row: UserRow, fields: Fields) -> bool:
    """Whether a head may be made of what went: of soft fields as they are, or, if it is stale, as
    they once were. Without a schema nobody knows which are soft."""
    moved = merging.changed(row.fields, fields)
    stale = any(info.stale for info in row.heads.values())
    return stale or soft(schema, moved) or bool(moved and not schema.fields)
