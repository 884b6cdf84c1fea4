"""Rows to test with: whole, valid, and different only in what a test says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lineal.models.changes import Changes, Outcome, Plan, Reads, Receipt, Scope, Snapshot, Task
from lineal.models.context import Context, MemoryType, Sighting
from lineal.models.lineage import Basis, Edge, Lineage, Relation
from lineal.models.user import UserRow
from lineal.ports.store import Store

__all__ = [
    "ADA",
    "HOSTILE",
    "START",
    "a_context",
    "a_receipt",
    "a_sighting",
    "a_task",
    "a_user",
    "an_edge",
    "an_outcome",
    "keep",
]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When every test begins."""

ADA = Scope(tenant="acme", user_id="ada", domain="coding")

HOSTILE = (
    '"',
    '""',
    "'",
    "'; DROP TABLE contexts; --",
    "NEAR(",
    "NEAR(cat dog, 2)",
    "cat AND",
    "AND OR NOT",
    "*",
    "cat*",
    "^cat",
    "col:x",
    "content:cat",
    "-cat",
    "{cat}",
    "(" * 20_000,
    "\x00",
    "cat\x00dog",
    "\\",
    "%",
    "_",
    "",
    " ",
    "\n",
    "\u202ecat",
    "🐈",
    "x" * 100_000,
)
"""Words that a full-text engine's query language would stumble over."""


def a_context(context_id: str, **values: Any) -> Context:
    """ada's note in coding, first revision, live for good."""
    base: dict[str, Any] = {
        "context_id": context_id,
        "user_id": "ada",
        "domain": "coding",
        "revision": 1,
        "content": f"The note {context_id}.",
        "occurred_at": START,
        "memory_type": MemoryType.FACT,
        "created_at": START,
        "updated_at": START,
        "lineage": Lineage(created_at=START),
    }
    return Context(**{**base, **values})


def a_user(**values: Any) -> UserRow:
    """ada's row in coding, first revision, live for good."""
    base: dict[str, Any] = {
        "user_id": "ada",
        "domain": "coding",
        "revision": 1,
        "schema_version": "coding.v0",
        "memory_type": MemoryType.FACT,
        "created_at": START,
        "updated_at": START,
        "last_enriched_at": START,
        "lineage": Lineage(created_at=START),
    }
    return UserRow(**{**base, **values})


def an_edge(
    child_id: str,
    parent_id: str,
    revision: int = 1,
    relation: Relation = Relation.WAS_DERIVED_FROM,
) -> Edge:
    """A declared edge of that revision of the child."""
    return Edge(
        child_id=child_id,
        revision=revision,
        parent_id=parent_id,
        relation=relation,
        basis=Basis.DECLARED,
    )


def a_receipt(key: str, answer: str = "{}", recorded_at: datetime = START) -> Receipt:
    """The receipt of an append."""
    return Receipt(
        key=key,
        verb="append_context",
        request_hash="0" * 32,
        answer=answer,
        recorded_at=recorded_at,
    )


def a_sighting(context_id: str, **values: Any) -> Sighting:
    """The content of that context, met again at the beginning."""
    base: dict[str, Any] = {
        "context_id": context_id,
        "source": "chat",
        "occurred_at": START,
        "recorded_at": START,
        "lineage": Lineage(created_at=START),
    }
    return Sighting(**{**base, **values})


def a_task(**values: Any) -> Task:
    """ada's head in coding is to be made again, at once."""
    base: dict[str, Any] = {
        "kind": "head",
        "tenant": "acme",
        "user_id": "ada",
        "domain": "coding",
        "due_at": START,
    }
    return Task(**{**base, **values})


def an_outcome(outcome_id: str, **values: Any) -> Outcome:
    """ada was brought together with grace in coding, and took it."""
    base: dict[str, Any] = {
        "outcome_id": outcome_id,
        "user_id": "ada",
        "domain": "coding",
        "candidate_id": "grace",
        "outcome": "accepted",
        "recorded_at": START,
        "lineage": Lineage(created_at=START),
    }
    return Outcome(**{**base, **values})


async def keep(store: Store, scope: Scope = ADA, **changes: Any) -> None:
    """Commit these changes, whatever is there."""

    def decide(_: Snapshot) -> Plan[None]:
        return Plan(Changes(**changes), None)

    await store.commit(scope, Reads(), decide)
