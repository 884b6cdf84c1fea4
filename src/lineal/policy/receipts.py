"""Doing a write once, however often it is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.changes import Changes, Decide, Plan, Receipt, Scope, Snapshot

__all__ = ["once", "request_hash"]

A = TypeVar("A", bound=Model)


def request_hash(verb: str, scope: Scope, request: Model) -> str:
    """32 hex digits over verb, scope and everything asked, save for the key itself."""
    asked = request.model_dump(mode="json", exclude={"idempotency_key"}, exclude_unset=True)
    text = json.dumps([verb, scope.model_dump(), asked], sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def once(
    verb: str, key: str | None, scope: Scope, request: Model, answer: type[A], decide: Decide[A]
) -> Decide[A]:
    """`decide`, but a request already done under this key is answered as it was then.

    The decision raises conflict when the key was used for another request.
    """
    if key is None:
        return decide
    asked = request_hash(verb, scope, request)
    return _remembering(verb, key, asked, answer, decide)


def _remembering(
    verb: str, key: str, asked: str, answer: type[A], decide: Callable[[Snapshot], Plan[A]]
) -> Decide[A]:
    def remembered(snapshot: Snapshot) -> Plan[A]:
        if snapshot.receipt is not None:
            return Plan(Changes(), _replayed(snapshot.receipt, asked, answer))
        plan = decide(snapshot)
        receipt = _receipt(verb, key, asked, plan.answer, snapshot.now)
        return Plan(plan.changes.model_copy(update={"receipt": receipt}), plan.answer)

    return remembered


def _replayed(receipt: Receipt, asked: str, answer: type[A]) -> A:
    if receipt.request_hash != asked:
        raise LinealError.conflict(
            f"The idempotency_key '{receipt.key}' was used for another {receipt.verb} request. "
            "Use a new key for a new request.",
            idempotency_key=receipt.key,
            verb=receipt.verb,
        )
    if not receipt.answer:
        raise LinealError.not_found(
            f"The {receipt.verb} request with idempotency_key '{receipt.key}' was done, and what "
            "it stored has ended since. Use a new key to store it again.",
            idempotency_key=receipt.key,
            verb=receipt.verb,
        )
    return answer.model_validate_json(receipt.answer)


def _receipt(verb: str, key: str, asked: str, answer: Model, now: datetime) -> Receipt:
    return Receipt(
        key=key,
        verb=verb,
        request_hash=asked,
        answer=answer.model_dump_json(),
        recorded_at=now,
    )
