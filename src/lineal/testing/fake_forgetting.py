"""What the fake backend decides when it forgets, and when it gives back: pure."""

from __future__ import annotations

from datetime import timedelta

from lineal.errors import LinealError
from lineal.models.changes import Changes, Decide, Plan, Reads, Snapshot, Withholding
from lineal.models.context import ForgetAnswer, ForgetContext
from lineal.models.lineage import Relation
from lineal.testing.fake_rows import missing

__all__ = ["decision", "reads"]


def reads(request: ForgetContext) -> Reads:
    root = request.context_id
    used = (Relation.USED,) if request.used else ()
    return Reads(
        context_ids=(root,),
        descendants_of=root if request.cascade else None,
        relations=(Relation.WAS_DERIVED_FROM, *used),
        withheld_by=root if request.undo or request.erase else None,
    )


def decision(request: ForgetContext, grace: timedelta) -> Decide[ForgetAnswer]:
    """Raises invalid_request for options that exclude each other."""
    for option in ("used", "erase"):
        if getattr(request, option) and not request.cascade:
            raise LinealError.invalid(option, f"'{option}' needs cascade.")
    if request.undo and request.cascade:
        raise LinealError.invalid("undo", "'undo' excludes cascade.")
    if request.undo:
        return lambda seen: _given_back(seen, request)
    return lambda seen: _taken_out(seen, request, grace)


def _taken_out(seen: Snapshot, request: ForgetContext, grace: timedelta) -> Plan[ForgetAnswer]:
    """Raises not_found where nothing goes."""
    root = request.context_id
    withheld = (context.context_id for context in seen.withheld)
    gone = tuple(dict.fromkeys((*seen.contexts, *seen.descendants, *withheld)))
    if not gone:
        raise missing(root)
    undoable = request.cascade and not request.erase and bool(grace)
    until = seen.now + grace if undoable else None
    held = Withholding(root=root, context_ids=gone, until=until) if until else None
    answer = ForgetAnswer(
        context_id=root,
        dry_run=request.dry_run,
        forgotten=gone,
        count=len(gone),
        undo_until=until,
    )
    return Plan(Changes(forget=() if held else gone, withhold=held), answer)


def _given_back(seen: Snapshot, request: ForgetContext) -> Plan[ForgetAnswer]:
    """Raises not_found where nothing comes back."""
    back = tuple(context.context_id for context in seen.withheld)
    if not back:
        raise missing(request.context_id)
    answer = ForgetAnswer(
        context_id=request.context_id,
        dry_run=request.dry_run,
        forgotten=(),
        count=len(back),
        restored=back,
    )
    return Plan(Changes(restore=back), answer)
