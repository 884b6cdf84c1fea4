"""What forgetting takes out, and what is left of a user's row: pure decisions over a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from lineal.engine.contexts import awaiting
from lineal.engine.later import Later
from lineal.engine.reading import Reader
from lineal.engine.rows import remade
from lineal.errors import LinealError
from lineal.models.changes import (
    DESCENDANTS_MAX,
    Changes,
    Decide,
    Plan,
    Reads,
    Scope,
    Snapshot,
    Stamp,
    Task,
    Withholding,
)
from lineal.models.context import Context, ForgetAnswer, ForgetContext
from lineal.models.lineage import Relation
from lineal.models.schema import Schema
from lineal.models.user import UserRow
from lineal.policy import merging, provenance
from lineal.policy.missing import missing
from lineal.policy.receipts import once
from lineal.ports.store import Store

__all__ = ["Forgetter", "forget", "restore"]

DERIVED = (Relation.WAS_DERIVED_FROM,)
DERIVED_OR_USED = (Relation.WAS_DERIVED_FROM, Relation.USED)


class Forgetter:
    """Takes memories out, and gives back what a cascade took as long as its grace lasts."""

    def __init__(self, store: Store, reader: Reader, later: Later, grace: timedelta) -> None:
        self._store = store
        self._reader = reader
        self._later = later
        self._grace = grace

    async def forget(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        """Do it, or with dry_run say what would be done. Raises not_found for an id of which
        nothing is known, invalid_request for options that exclude each other."""
        _check(request)
        scope = Scope(tenant=stamp.scope.tenant)
        key = None if request.dry_run else request.idempotency_key
        reads = _reads(request)
        decide = once(
            "forget_context", key, scope, request, ForgetAnswer, self._decision(stamp, request)
        )
        if request.dry_run:
            return decide(await self._store.read(scope, reads)).answer
        answer = await self._store.commit(scope, reads, decide)
        if request.undo:
            with suppress(LinealError):  # it is given back; the tasks are the sweeper's then
                await self._later.catch_up()  # what these texts say stands in the row again
        return answer

    def _decision(self, stamp: Stamp, request: ForgetContext) -> Decide[ForgetAnswer]:
        if request.undo:
            return lambda seen: restore(seen, stamp, request)
        schema_of = self._reader.schema_or_none
        return lambda seen: forget(seen, stamp, request, schema_of, self._grace)


def _check(request: ForgetContext) -> None:
    """Options of a cascade need one, and giving back excludes taking out."""
    for name in ("used", "erase"):
        if getattr(request, name) and not request.cascade:
            raise LinealError.invalid(
                name, f"'{name}' is an option of a cascade: send cascade too."
            )
    if request.undo and request.cascade:
        raise LinealError.invalid("undo", "'undo' gives back; send it without cascade.")


def _reads(request: ForgetContext) -> Reads:
    root = request.context_id
    return Reads(
        context_ids=(root,),
        receipt=request.idempotency_key,
        descendants_of=root if request.cascade else None,
        relations=DERIVED_OR_USED if request.used else DERIVED,
        descendants_withheld=request.erase,
        withheld_by=root if request.undo or request.erase else None,
        owners=not request.undo,
    )


def forget(
    snapshot: Snapshot,
    stamp: Stamp,
    request: ForgetContext,
    schema_of: Callable[[str], Schema],
    grace: timedelta,
) -> Plan[ForgetAnswer]:
    """Take out a context for good, or with cascade all that is derived from it until the grace
    period ends (L6); what was read from these texts goes from the users' rows too, and from the
    rows' history. The root of a cascade may be a source outside this memory, or have ended."""
    root = request.context_id
    own = (root,) if root in snapshot.contexts else ()
    withheld = tuple(context.context_id for context in snapshot.withheld)
    gone = tuple(dict.fromkeys((*own, *snapshot.descendants, *withheld)))
    if not gone:
        raise _nothing(request)
    until = snapshot.now + grace if request.cascade and not request.erase and grace else None
    answer = ForgetAnswer(
        context_id=root,
        dry_run=request.dry_run,
        forgotten=gone,
        count=len(gone),
        undo_until=until,
        more=len(snapshot.descendants) >= DESCENDANTS_MAX,
    )
    if request.dry_run:
        return Plan(Changes(), answer)
    rows, tasks = [], list[Task]()
    for owner in snapshot.owners:
        schema = schema_of(owner.domain)
        row, head = _without(schema, owner, frozenset(gone), stamp, snapshot.now)
        rows.append(row)
        tasks += head
    held = Withholding(root=root, context_ids=gone, until=until) if until else None
    changes = Changes(
        forget=() if held else gone, withhold=held, rewritten=tuple(rows), tasks=tuple(tasks)
    )
    return Plan(changes, answer)


def restore(snapshot: Snapshot, stamp: Stamp, request: ForgetContext) -> Plan[ForgetAnswer]:
    """Give back what a cascade from this root took out. Raises not_found where there is nothing, or
    its grace has ended."""
    back = snapshot.withheld
    if not back:
        raise LinealError.not_found(
            f"There is nothing to give back of '{request.context_id[:80]}': no cascade was asked "
            "for by that id, it is undone already, it was for good, or its grace period has ended.",
            context_id=request.context_id,
        )
    ids = tuple(context.context_id for context in back)
    answer = ForgetAnswer(
        context_id=request.context_id,
        dry_run=request.dry_run,
        forgotten=(),
        count=len(ids),
        restored=ids,
    )
    if request.dry_run:
        return Plan(Changes(), answer)
    now = snapshot.now
    tasks = [_reading(stamp, context, now) for context in back]
    for context in back:
        tasks += awaiting(stamp, context, now, awaits=context.lineage.awaits)
    return Plan(Changes(restore=ids, tasks=tuple(tasks)), answer)


def _nothing(request: ForgetContext) -> LinealError:
    """What to say where nothing is to be taken out; a source outside this memory has other ways."""
    plain = missing(request.context_id)
    if request.cascade and request.used:
        return plain
    further = "used with cascade" if request.cascade else "cascade, or cascade with used,"
    return LinealError.not_found(
        f"{plain.message} If it is a source outside this memory, send {further} to take out what "
        "names it.",
        **plain.details,
    )


def _reading(stamp: Stamp, context: Context, now: datetime) -> Task:
    """What a text says is to be read again."""
    return Task(
        kind="restored",
        tenant=stamp.scope.tenant,
        user_id=context.user_id,
        domain=context.domain,
        context_id=context.context_id,
        due_at=now,
    )


def _without(
    schema: Schema, row: UserRow, gone: frozenset[str], stamp: Stamp, now: datetime
) -> tuple[UserRow, tuple[Task, ...]]:
    """The row without what only these contexts said, to be written without its past: a value that
    was overwritten since stands there still.

    A head goes when what it is made of did; another is made later.
    """
    fields = merging.without(schema, row.fields, gone)
    declared = provenance.inherited(row.lineage.declared)
    observed = provenance.observed(stamp.evidence)
    lineage = provenance.joined(declared, observed, row.lineage.created_at)
    return remade(stamp.scope.tenant, schema, row, fields, now, lineage)
