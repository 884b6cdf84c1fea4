"""A write is done once, however often it is asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Receipt, Scope, Snapshot
from lineal.models.context import AppendAnswer, AppendContext, MemoryType
from lineal.models.lineage import DeclaredLineage, Lineage
from lineal.policy.receipts import once, request_hash
from lineal.testing.samples import ADA, START, a_context

ASKED = AppendContext(content="We use uv.", idempotency_key="k1")
ANSWER = AppendAnswer(
    user_id="ada",
    domain="coding",
    context_id="ctx_1",
    fields_updated=("package_manager",),
    memory_type=MemoryType.SCRATCHPAD,
    expires_at=START + timedelta(milliseconds=3_600_001),
    lineage=Lineage(
        created_at=START, confidence=0.5, declared=DeclaredLineage(derived_from=("ctx_0",))
    ),
)


def decide(snapshot: Snapshot) -> Plan[AppendAnswer]:
    return Plan(Changes(contexts=(a_context("ctx_1"),)), ANSWER)


def done(
    request: AppendContext, receipt: Receipt | None = None, scope: Scope = ADA
) -> Plan[AppendAnswer]:
    key = request.idempotency_key
    decision = once("append_context", key, scope, request, AppendAnswer, decide)
    return decision(Snapshot(now=START, receipt=receipt))


def a_receipt() -> Receipt:
    receipt = done(ASKED).changes.receipt
    assert receipt is not None
    return receipt


def test_without_a_key_nothing_is_remembered() -> None:
    assert done(AppendContext(content="We use uv.")).changes.receipt is None


def test_the_receipt_is_kept_with_the_write_in_one_change() -> None:
    """E4"""
    plan = done(ASKED)
    assert plan.answer == ANSWER
    assert plan.changes.contexts == (a_context("ctx_1"),)
    assert plan.changes.receipt is not None
    assert (plan.changes.receipt.key, plan.changes.receipt.recorded_at) == ("k1", START)


def test_the_same_request_again_is_answered_the_same_and_changes_nothing() -> None:
    again = done(ASKED, a_receipt())
    assert again.answer == ANSWER
    assert again.answer.model_dump_json() == ANSWER.model_dump_json()
    assert again.changes.empty


@pytest.mark.parametrize(
    "other",
    [
        AppendContext(content="We use pip.", idempotency_key="k1"),
        AppendContext(content="We use uv.", tags=("x",), idempotency_key="k1"),
        AppendContext(content="We use uv.", ttl_seconds=None, idempotency_key="k1"),
    ],
)
def test_another_body_under_the_same_key_is_a_conflict(other: AppendContext) -> None:
    with pytest.raises(LinealError) as caught:
        done(other, a_receipt())
    assert caught.value.code is ErrorCode.CONFLICT
    assert "'k1'" in caught.value.message
    assert "new key" in caught.value.message


@pytest.mark.parametrize(
    "scope",
    [
        ADA.model_copy(update={"user_id": "eve"}),
        ADA.model_copy(update={"domain": "hiring"}),
        ADA.model_copy(update={"tenant": "other"}),
    ],
)
def test_the_same_body_for_another_user_is_a_conflict(scope: Scope) -> None:
    """Nobody gets another's answer."""
    with pytest.raises(LinealError) as caught:
        done(ASKED, a_receipt(), scope)
    assert caught.value.code is ErrorCode.CONFLICT


def test_the_same_key_for_another_verb_is_a_conflict() -> None:
    decision = once("upsert_user", "k1", ADA, ASKED, AppendAnswer, decide)
    with pytest.raises(LinealError):
        decision(Snapshot(now=START, receipt=a_receipt()))


def test_a_decision_that_fails_leaves_no_receipt() -> None:
    """E4: the next try under the same key is a first one."""

    def fails(snapshot: Snapshot) -> Plan[AppendAnswer]:
        raise LinealError.not_found("User 'ada' is not known.")

    decision = once("append_context", "k1", ADA, ASKED, AppendAnswer, fails)
    with pytest.raises(LinealError, match="not known"):
        decision(Snapshot(now=START))


def test_the_key_itself_is_not_part_of_what_was_asked() -> None:
    other_key = ASKED.model_copy(update={"idempotency_key": "k2"})
    assert request_hash("v", ADA, ASKED) == request_hash("v", ADA, other_key)


PARTS = st.sampled_from(["a", "b", "a:b", 'a","b', "", "ä", "\u202e"])


@given(one=st.tuples(PARTS, PARTS, PARTS), other=st.tuples(PARTS, PARTS, PARTS))
def test_no_two_askers_share_a_hash(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    scopes = [Scope(tenant="t", user_id=user, domain=domain) for user, domain, _ in (one, other)]
    requests = [AppendContext(content=content) for _, _, content in (one, other)]
    hashes = [request_hash("v", s, r) for s, r in zip(scopes, requests, strict=True)]
    assert (hashes[0] == hashes[1]) == (one == other)
