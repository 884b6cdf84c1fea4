"""What became of two users who were brought together: kept for learning, never acted on here."""

from __future__ import annotations

from collections.abc import AsyncIterator

from lineal.engine.rows import owner_of
from lineal.errors import LinealError
from lineal.ids import Ids
from lineal.models.changes import Changes, Outcome, Plan, Reads, Scope, Snapshot, Stamp
from lineal.models.matching import OutcomeAnswer, RecordOutcome
from lineal.policy import provenance
from lineal.policy.missing import missing_user
from lineal.policy.receipts import once
from lineal.ports.store import Store

__all__ = ["outcomes", "record_outcome", "recorded"]

PAGE = 500
"""Outcomes read at once."""


async def record_outcome(
    store: Store, ids: Ids, stamp: Stamp, request: RecordOutcome
) -> OutcomeAnswer:
    """Keep what became of the scope's user and a candidate of the same domain.

    Raises not_found for one of them who isn't known there, invalid_request for the user itself."""
    other = stamp.scope.model_copy(update={"user_id": request.candidate_id})
    known = (await store.read(other, Reads(known=True))).known
    outcome_id = ids.outcome()
    decide = once(
        "record_outcome",
        request.idempotency_key,
        stamp.scope,
        request,
        OutcomeAnswer,
        lambda seen: recorded(seen, stamp, request, outcome_id, candidate_known=known),
    )
    reads = Reads(known=True, receipt=request.idempotency_key)
    return await store.commit(stamp.scope, reads, decide)


def recorded(
    seen: Snapshot,
    stamp: Stamp,
    request: RecordOutcome,
    outcome_id: str,
    *,
    candidate_known: bool,
) -> Plan[OutcomeAnswer]:
    user_id, domain = owner_of(stamp.scope)
    if request.candidate_id == user_id:
        raise LinealError.invalid("candidate_id", f"User '{user_id}' is no candidate of their own.")
    if not seen.known:
        raise missing_user(stamp.scope)
    if not candidate_known:
        raise missing_user(stamp.scope.model_copy(update={"user_id": request.candidate_id}))
    observed = provenance.observed(stamp.evidence)
    outcome = Outcome(
        outcome_id=outcome_id,
        user_id=user_id,
        domain=domain,
        candidate_id=request.candidate_id,
        outcome=request.outcome,
        weight=request.weight,
        score=request.score,
        recorded_at=seen.now,
        lineage=provenance.joined(request.lineage, observed, seen.now),
    )
    return Plan(Changes(outcomes=(outcome,)), OutcomeAnswer.of(outcome))


async def outcomes(store: Store, scope: Scope) -> AsyncIterator[Outcome]:
    """Every outcome of the scope in order of receipt; of a user, those as a candidate too."""
    after = 0
    while True:
        page = await store.outcomes(scope, after=after, limit=PAGE)
        for outcome in page.outcomes:
            yield outcome
        if len(page.outcomes) < PAGE:
            break
        after = page.after
