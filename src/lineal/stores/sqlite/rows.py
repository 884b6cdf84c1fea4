"""Rows of edges, heads, receipts and tombstones: values in column order, the digest last."""

from __future__ import annotations

import struct

from lineal.clock import from_ms, to_ms
from lineal.models.changes import Receipt, Scope, Tombstone
from lineal.models.lineage import Edge
from lineal.models.user import Head
from lineal.stores.sqlite.digests import digest, require_digest
from lineal.stores.sqlite.statements import Row, Value

__all__ = [
    "edge_of",
    "edge_values",
    "head_of",
    "head_values",
    "receipt_of",
    "receipt_values",
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
