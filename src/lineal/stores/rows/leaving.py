"""Rows as the records of an archive, checked as they go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lineal.clock import from_ms
from lineal.errors import LinealError
from lineal.models import archive
from lineal.models.archive import BODIES_CHARS, BODIES_MAX, DamagedRecord, Record
from lineal.models.changes import Fingerprint
from lineal.stores.rows import small_rows
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Row

__all__ = [
    "context_records",
    "damaged_record",
    "edge_record",
    "head_record",
    "made",
    "outcome_record",
    "receipt_record",
    "sighting_record",
    "task_record",
    "tombstone_record",
    "user_records",
]

Revisions = Iterable[tuple[int, str]]
"""Numbers and bodies, first to last; their hashes have been checked."""


def context_records(row: ContextRow, revisions: Revisions) -> Iterator[Record]:
    key = row.content_key
    fingerprint = None if key is None else Fingerprint(content_key=key, keys=row.marks.keys)
    for first, bodies in _parts(revisions):
        yield archive.ContextRecord(
            tenant=row.tenant,
            context_id=row.context_id,
            revision=row.revision,
            fingerprint=fingerprint,
            held=_held(row),
            first=first,
            bodies=bodies,
        )


def user_records(row: UserKept, revisions: Revisions) -> Iterator[Record]:
    for first, bodies in _parts(revisions):
        yield archive.UserRecord(
            tenant=row.tenant,
            user_id=row.user_id,
            domain=row.domain,
            revision=row.revision,
            first=first,
            bodies=bodies,
        )


def made(tenant: str, name: str, make: Callable[[Row], Record], values: Row) -> Record:
    """What `make` makes of a row, or that it is damaged. name: of the row, should it be."""
    try:
        return make(values)
    except LinealError as error:
        return damaged_record(tenant, name, error)


def damaged_record(tenant: str, name: str, error: Exception) -> DamagedRecord:
    """Under the id that the error names, or else `name`."""
    told = error.details if isinstance(error, LinealError) else {}
    named = str(told.get("context_id") or told.get("user_id") or name)
    return DamagedRecord(tenant=tenant, name=named, what=name)


def sighting_record(values: Row) -> Record:
    """values: as small_rows.sighting_of. So are those of the others: all columns of the row."""
    small_rows.sighting_of(values)
    tenant, name, number, body, _ = values
    return archive.SightingRecord(tenant=tenant, context_id=name, number=number, body=body)


def tombstone_record(values: Row) -> Record:
    return archive.TombstoneRecord(tenant=values[0], mark=small_rows.tombstone_of(values))


def edge_record(values: Row) -> Record:
    return archive.EdgeRecord(tenant=values[0], edge=small_rows.edge_of(values))


def head_record(values: Row) -> Record:
    small_rows.head_of(values)
    tenant, user_id, domain, name, version, vector, _ = values
    return archive.HeadRecord(
        tenant=tenant, user_id=user_id, domain=domain, name=name, version=version, vector=vector
    )


def outcome_record(values: Row) -> Record:
    small_rows.outcome_of(values)
    return archive.OutcomeRecord(tenant=values[1], body=values[5])


def task_record(values: Row) -> Record:
    return archive.TaskRecord(task=small_rows.task_of(values))


def receipt_record(
    values: Row, contexts: Iterable[str], users: Iterable[tuple[str, str]]
) -> Record:
    """contexts, users: what it shows, in order."""
    return archive.ReceiptRecord(
        tenant=values[0],
        receipt=small_rows.receipt_of(values),
        contexts=tuple(contexts),
        users=tuple(users),
    )


def _parts(revisions: Revisions) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(number of the first, bodies) of as many revisions as one record takes, and so on."""
    first, chars = 0, 0
    bodies: list[str] = []
    for number, body in revisions:
        if bodies and (chars >= BODIES_CHARS or len(bodies) >= BODIES_MAX):
            yield first, tuple(bodies)
            bodies, chars = [], 0
        first = first if bodies else number
        bodies.append(body)
        chars += len(body)
    if bodies:
        yield first, tuple(bodies)


def _held(row: ContextRow) -> archive.Held | None:
    if row.held_root is None or row.held_at is None or row.held_until is None:
        return None
    return archive.Held(root=row.held_root, at=from_ms(row.held_at), until=from_ms(row.held_until))
