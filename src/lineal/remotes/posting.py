"""Letters go into the transaction of the write that they tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lineal.ids import letter_id
from lineal.models.base import Model
from lineal.models.changes import Changes, Decide, Plan, Scope, Snapshot
from lineal.models.context import Context, UpdateContext
from lineal.models.forwarding import Letter, LetterVerb, Settled
from lineal.models.letters import UpdateLetter
from lineal.models.lineage import DeclaredLineage, Lineage
from lineal.models.receipt import Receipt
from lineal.ports.remote import Remote

__all__ = ["Posting", "Write", "declared", "letter"]


@dataclass
class Write:
    """A write that is to be forwarded. make: the letter of what a plan keeps; None: nothing is to
    be told. holder: who delivers it at once, until held_s later; None: it waits for its turn.
    settling: what became of earlier letters, kept along. rehearsed: nothing is kept, to see the
    letter. letter, receipt: those that were kept."""

    make: Callable[[Snapshot, Plan[Any]], Letter | None]
    holder: str | None
    held_s: float
    settling: tuple[Settled, ...] = ()
    rehearsed: bool = False
    letter: Letter | None = None
    receipt: Receipt | None = None


_WRITE: ContextVar[Write | None] = ContextVar("write", default=None)


class Posting:
    """Adds letters to the ledger's plans: those of the running call's write, and those of lineage
    that was completed after its write had been sent."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    @contextmanager
    def writing(self, write: Write) -> Iterator[Write]:
        """Decisions of this task are of that write."""
        token = _WRITE.set(write)
        try:
            yield write
        finally:
            _WRITE.reset(token)

    def amend(self, scope: Scope, decide: Decide[Any]) -> Decide[Any]:
        """The decision, with its letter."""
        write = _WRITE.get()

        def posted(snapshot: Snapshot) -> Plan[Any]:
            plan = decide(snapshot)
            if write is None:
                return self._completed(scope, snapshot, plan)
            return _posted(write, snapshot, plan)

        return posted

    def _completed(self, scope: Scope, snapshot: Snapshot, plan: Plan[Any]) -> Plan[Any]:
        completed = plan.changes.completed
        if completed is None or "update" not in self._remote.verbs:
            return plan
        letters = tuple(
            told
            for context in completed.contexts
            if self._remote.sends(told := _lineage_of(scope, context, snapshot.now))
        )
        return plan._replace(changes=plan.changes.model_copy(update={"letters": letters}))


def _posted(write: Write, snapshot: Snapshot, plan: Plan[Any]) -> Plan[Any]:
    write.letter = None
    made = write.make(snapshot, plan)
    if made is not None and write.rehearsed:
        write.letter = made
        return Plan(Changes(), plan.answer)
    if made is None:
        return plan
    if write.holder is not None:
        until = snapshot.now + timedelta(seconds=write.held_s)
        made = made.model_copy(update={"holder": write.holder, "held_until": until})
    write.letter, write.receipt = made, plan.changes.receipt
    update: dict[str, Any] = {"letters": (made,), "settled": write.settling}
    return Plan(plan.changes.model_copy(update=update), plan.answer)


def letter(scope: Scope, verb: LetterVerb, context_id: str, body: Model, now: datetime) -> Letter:
    """A new letter; the scope names its user and domain."""
    return Letter(
        letter_id=letter_id(),
        tenant=scope.tenant,
        user_id=scope.user_id or "",
        domain=scope.domain or "",
        verb=verb,
        context_id=context_id,
        body=body.model_dump_json(exclude_unset=True),
        posted_at=now,
        due_at=now,
    )


def declared(lineage: Lineage) -> DeclaredLineage:
    """A lineage as somebody else may be told it: the joined values, without how they are known."""
    return DeclaredLineage.model_construct(
        _fields_set={"source_ids", "confidence", "derived_from", "tool_calls", "model_version"},
        source_ids=lineage.source_ids or None,
        confidence=lineage.confidence,
        derived_from=lineage.derived_from or None,
        tool_calls=lineage.tool_calls or None,
        model_version=lineage.model_version,
    )


def _lineage_of(scope: Scope, context: Context, now: datetime) -> Letter:
    request = UpdateContext(context_id=context.context_id, lineage=declared(context.lineage))
    owner = Scope(tenant=scope.tenant, user_id=context.user_id, domain=context.domain)
    body = UpdateLetter(request=request, context=context)
    return letter(owner, "update", context.context_id, body, now)
