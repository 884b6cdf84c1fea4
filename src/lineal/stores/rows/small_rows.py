"""Rows of edges, heads, receipts, marks, sightings, outcomes and tasks: values in column order, the
digest last."""

from __future__ import annotations

import struct

from lineal.clock import from_ms, to_ms
from lineal.models.changes import Outcome, Receipt, Scope, Task, Tombstone
from lineal.models.context import Sighting
from lineal.models.lineage import Edge
from lineal.models.user import Head
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import body_of, digest, parsed, require_digest
from lineal.stores.rows.values import Row, Value

__all__ = [
    "edge_of",
    "edge_values",
    "head_of",
    "head_values",
    "outcome_of",
    "outcome_values",
    "receipt_of",
    "receipt_values",
    "sighting_of",
    "task_key",
    "task_of",
    "task_values",
    "tombstone_of",
    "tombstone_values",
]


def edge_values(tenant: str, edge: Edge) -> tuple[Value, ...]:
    values = (
        tenant,
        edge.child_id,
        edge.revision,
        edge.parent_id,
        edge.relation.value,
        edge.basis.value,
    )
    return (*values, digest(*values))


def edge_of(values: Row) -> Edge:
    """values: all columns of the row."""
    _, child_id, revision, parent_id, relation, basis, found = values
    require_digest(found, values[:-1], f"An edge of '{child_id}'", context_id=str(child_id))
    return Edge(
        child_id=child_id, revision=revision, parent_id=parent_id, relation=relation, basis=basis
    )


def head_values(scope: Scope, head: Head) -> tuple[Value, ...]:
    """vector: (dim,) → dim little-endian 32-bit floats."""
    vector = struct.pack(f"<{len(head.vector)}f", *head.vector)
    values = (scope.tenant, scope.user_id, scope.domain, head.name, head.version, vector)
    return (*values, digest(*values))


def head_of(values: Row) -> Head:
    """values: all columns of the row."""
    _, user_id, _, name, version, vector, found = values
    require_digest(found, values[:-1], f"The head '{name}' of '{user_id}'", user_id=str(user_id))
    floats = struct.unpack(f"<{len(vector) // 4}f", vector)
    return Head(name=name, version=version, vector=floats)


def receipt_values(tenant: str, receipt: Receipt) -> tuple[Value, ...]:
    values = (
        tenant,
        receipt.key,
        receipt.verb,
        receipt.request_hash,
        receipt.answer,
        to_ms(receipt.recorded_at),
    )
    return (*values, digest(*values))


def receipt_of(values: Row) -> Receipt:
    """values: all columns of the row."""
    _, key, verb, request_hash, answer, answered_at, found = values
    require_digest(found, values[:-1], f"The receipt of key '{key}'")
    return Receipt(
        key=key,
        verb=verb,
        request_hash=request_hash,
        answer=answer,
        recorded_at=from_ms(answered_at),
    )


def tombstone_values(tenant: str, mark: Tombstone) -> tuple[Value, ...]:
    values = (
        tenant,
        mark.context_id,
        mark.user_id,
        mark.domain,
        mark.reason,
        mark.memory_type,
        mark.revision,
        to_ms(mark.created_at),
        to_ms(mark.ended_at),
    )
    return (*values, digest(*values))


def tombstone_of(values: Row) -> Tombstone:
    """values: all columns of the row."""
    _, name, user_id, domain, reason, memory_type, revision, created_at, ended_at, found = values
    require_digest(found, values[:-1], f"The mark of '{name}'", context_id=str(name))
    return Tombstone(
        context_id=name,
        user_id=user_id,
        domain=domain,
        reason=reason,
        memory_type=memory_type,
        revision=revision,
        created_at=from_ms(created_at),
        ended_at=from_ms(ended_at),
    )


def sighting_of(values: Row) -> Sighting:
    """values: tenant, context_id, number, body, digest. Raises LinealError for a damaged one."""
    tenant, name, number, body, found = values
    what = f"A sighting of '{name}'"
    if found != digest(tenant, name, number, body) or not isinstance(body, str):
        raise damaged(what, context_id=str(name))
    return parsed(Sighting, body, what)


def outcome_values(tenant: str, outcome: Outcome) -> tuple[Value, ...]:
    """All columns but the number."""
    names = (tenant, outcome.user_id, outcome.domain, outcome.candidate_id)
    values = (*names, body_of(outcome))
    return (*values, digest(*values))


def outcome_of(values: Row) -> Outcome:
    """values: all columns of the row. Raises LinealError for a damaged one."""
    _, _, user_id, _, _, body, found = values
    what = f"An outcome of user '{user_id}'"
    require_digest(found, values[1:-1], what, user_id=str(user_id))
    return parsed(Outcome, body, what)


def task_key(task: Task) -> tuple[Value, ...]:
    return (task.tenant, task.user_id, task.domain, task.kind, task.context_id)


def task_values(task: Task) -> tuple[Value, ...]:
    values = (*task_key(task), to_ms(task.due_at), task.tries)
    return (*values, digest(*values))


def task_of(values: Row) -> Task:
    """values: all columns of the row. Raises LinealError for a damaged one."""
    tenant, user_id, domain, kind, context_id, due_at, tries, found = values
    require_digest(found, values[:-1], f"A task for user '{user_id}'", user_id=str(user_id))
    return Task(
        kind=kind,
        tenant=tenant,
        user_id=user_id,
        domain=domain,
        context_id=context_id,
        due_at=from_ms(due_at),
        tries=tries,
    )
