"""An archive: all that a store keeps, as records of bounded size that another store can take in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from lineal.models.base import Instant, Model
from lineal.models.changes import Fingerprint, Task, Tombstone
from lineal.models.lineage import Edge
from lineal.models.receipt import Receipt

__all__ = [
    "BODIES_CHARS",
    "BODIES_MAX",
    "FORMAT",
    "VERSION",
    "ContextRecord",
    "DamagedRecord",
    "EdgeRecord",
    "End",
    "HeadRecord",
    "Header",
    "Held",
    "Loaded",
    "OriginClock",
    "OutcomeRecord",
    "PiecesOf",
    "ReceiptRecord",
    "Record",
    "SightingRecord",
    "TaskRecord",
    "TombstoneRecord",
    "UserRecord",
    "VectorRecord",
    "tenant_of",
]

FORMAT = "lineal-archive"
VERSION = 1
"""Raised when an older lineal couldn't read what is written from then on."""

BODIES_CHARS = 1_000_000
"""A record takes no further revision once its bodies are as long as this."""

BODIES_MAX = 1_000
"""Most revisions of one record."""

Tenant = Annotated[str, Field(min_length=1)]
Number = Annotated[int, Field(ge=1)]
Bodies = Annotated[tuple[str, ...], Field(min_length=1)]


class Packed(Model):
    """A model whose bytes stand as base64 (URL-safe) in JSON."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class OriginClock(Model):
    """What time the origin had come to believe (policy/expiry.py, ClockMark)."""

    high: Instant
    ahead: Instant | None = None
    seen: Instant | None = None


class Header(Model):
    """The first record: of which store, at which instant by the store's own time, and what of it.

    tenant: the only one that is in it; None: all of them. vectors: whether contexts' vectors are
    in it. language: of the origin's index of words. memories: contexts that follow, for progress.
    """

    kind: Literal["header"] = "header"
    format: Literal["lineal-archive"] = "lineal-archive"
    version: Number = VERSION
    store_id: str
    made_at: Instant
    tenant: str | None = None
    vectors: bool = True
    language: str
    memories: Annotated[int, Field(ge=0)] = 0
    clock: OriginClock


class Held(Model):
    """A context is withheld: by which root, since when, and until when it can be given back."""

    root: str
    at: Instant
    until: Instant


class ContextRecord(Model):
    """A context, or a part of one: its revisions from `first` on, their JSON just as it is kept.

    revision: the last one it has. Several records in a row make up a context whose revisions are
    many or long: each repeats the rest and begins where the one before ended. So what was kept
    after any record is a context, whole as of a revision.
    """

    kind: Literal["context"] = "context"
    tenant: Tenant
    context_id: str
    revision: Number
    fingerprint: Fingerprint | None = None
    held: Held | None = None
    first: Number = 1
    bodies: Bodies


class SightingRecord(Model):
    """A sighting of the context before it. number: its place among the context's, from 1."""

    kind: Literal["sighting"] = "sighting"
    tenant: Tenant
    context_id: str
    number: Number
    body: str


class PiecesOf(Packed):
    """Vectors of a text's pieces (models/sheet.py). rows: (n, dim) signed bytes, row after row."""

    numbers: tuple[Annotated[int, Field(ge=0, lt=65_536)], ...]
    rows: bytes


class VectorRecord(Packed):
    """A vector of the context before it, as its revision `revision` has it.

    packed: the scale as a little-endian 32-bit float, then dim signed bytes; a number is its byte
    times the scale.
    """

    kind: Literal["vector"] = "vector"
    tenant: Tenant
    context_id: str
    revision: Number
    space: str
    dim: Number
    packed: bytes
    pieces: PiecesOf | None = None


class TombstoneRecord(Model):
    """The mark of a context that is gone."""

    kind: Literal["tombstone"] = "tombstone"
    tenant: Tenant
    mark: Tombstone


class EdgeRecord(Model):
    """A line of the lineage graph."""

    kind: Literal["edge"] = "edge"
    tenant: Tenant
    edge: Edge


class UserRecord(Model):
    """A user row, or a part of one, as ContextRecord: of its revisions those that are kept, which
    may begin after 1."""

    kind: Literal["user"] = "user"
    tenant: Tenant
    user_id: str
    domain: str
    revision: Number
    first: Number
    bodies: Bodies


class HeadRecord(Packed):
    """A vector of the user before it. vector: dim little-endian 32-bit floats."""

    kind: Literal["head"] = "head"
    tenant: Tenant
    user_id: str
    domain: str
    name: str
    version: str
    vector: bytes


class OutcomeRecord(Model):
    """What became of two users, as JSON just as it is kept."""

    kind: Literal["outcome"] = "outcome"
    tenant: Tenant
    body: str


class TaskRecord(Model):
    """Something left to be done."""

    kind: Literal["task"] = "task"
    task: Task


class ReceiptRecord(Model):
    """That a write was done. contexts, users: (user_id, domain); what its answer shows, in order
    of their ids."""

    kind: Literal["receipt"] = "receipt"
    tenant: Tenant
    receipt: Receipt
    contexts: tuple[str, ...] = ()
    users: tuple[tuple[str, str], ...] = ()


class DamagedRecord(Model):
    """In the place of what can't be read in the origin. name: the id of a context or user, as far
    as it can be told. what: which row it is; never content."""

    kind: Literal["damaged"] = "damaged"
    tenant: str
    name: str
    what: str


class End(Model):
    """The last line of a file. counts: records of each kind. content_hash: over the lines between
    the first and this one, equal for stores that keep the same; lines_hash: over all lines before
    this one. 32 hex digits each."""

    kind: Literal["end"] = "end"
    counts: dict[str, int]
    content_hash: str
    lines_hash: str


Record = Annotated[
    Header
    | ContextRecord
    | SightingRecord
    | VectorRecord
    | TombstoneRecord
    | EdgeRecord
    | UserRecord
    | HeadRecord
    | OutcomeRecord
    | TaskRecord
    | ReceiptRecord
    | DamagedRecord
    | End,
    Field(discriminator="kind"),
]
"""One line of an archive. In a file: the header; of each tenant by name (by code points) its
contexts in order of receipt, each with its sightings and vectors (by space and dimension) behind
it, tombstones by id, edges by child, revision, parent, relation and basis, user rows in order of
receipt, each with its heads by name behind it, outcomes in order of receipt, tasks by user, domain,
kind and context, receipts by key; the end. Numbers that a store gives itself are nowhere in it."""


class Loaded(Model):
    """What became of records, by kind. there: there already, or of what has since ended or moved
    on there."""

    kept: dict[str, int] = Field(default_factory=dict)
    there: dict[str, int] = Field(default_factory=dict)


def tenant_of(record: Record) -> str | None:
    """Behind whose wall it lies; None of what stands before and after all."""
    if isinstance(record, Header | End):
        return None
    return record.task.tenant if isinstance(record, TaskRecord) else record.tenant
