"""User rows: what was read from texts, what follows from it, and the vector that says it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.changes import Changes, Scope, Stamp, Task
from lineal.models.claim import Claim, FieldValue, ValueSource
from lineal.models.context import MemoryType
from lineal.models.lineage import Lineage
from lineal.models.schema import Schema
from lineal.models.user import Head, HeadInfo, UserRow
from lineal.policy import deriving, merging, provenance, refreshing
from lineal.policy.missing import missing_user
from lineal.policy.schemas import taken
from lineal.ports.extractor import Extracted, Extraction

__all__ = [
    "LATE_FIRST",
    "Enriched",
    "Reading",
    "ended_task",
    "ends_at",
    "enriched",
    "owner_of",
    "present",
    "provisioned",
    "refreshed",
    "remade",
    "said",
    "soft",
    "sooner_ended",
    "with_row",
]

Fields = Mapping[str, FieldValue]

LATE_FIRST = timedelta(milliseconds=100)
"""A client writes its transcript about a tenth of a second after the call."""


class Reading(Model):
    """What was prepared before the transaction: the schema, what was read from the text, and a
    head for the soft text that was foreseen.

    heads: whether there are heads at all. per_minute: how many refreshes of one are allowed.
    """

    schema_: Schema
    extracted: Extracted | None = None
    context_id: str
    soft_text: str | None = None
    head: Head | None = None
    heads: bool = True
    per_minute: int = 6

    @property
    def extractor(self) -> str | None:
        return self.extracted.model_version if self.extracted else None

    @property
    def finds(self) -> tuple[Extraction, ...]:
        return self.extracted.finds if self.extracted else ()


class Enriched(NamedTuple):
    """A user's row after a change of its fields: which moved, the head if it was made now, and
    what is left to be done or no longer is."""

    row: UserRow
    moved: tuple[str, ...]
    head: Head | None
    tasks: tuple[Task, ...]
    done: tuple[Task, ...]


def said(
    reading: Reading,
    origin: Literal["upsert", "append"],
    now: datetime,
    occurred_at: datetime,
    expires_at: datetime | None,
) -> dict[str, tuple[Claim, ...]]:
    """What was read from a text as claims by field; a value that the schema doesn't take was not
    meant."""
    claims: dict[str, list[Claim]] = {}
    for find in reading.finds:
        for value in _values(reading.schema_, find):
            claim = Claim(
                value=value,
                source=ValueSource.EXTRACTED,
                origin=origin,
                occurred_at=occurred_at,
                recorded_at=now,
                context_id=reading.context_id,
                span=find.span,
                confidence=find.confidence,
                model_version=reading.extractor,
                denied=find.denied,
                expires_at=expires_at,
            )
            claims.setdefault(find.field, []).append(claim)
    return {name: _joined(reading.schema_, name, found) for name, found in claims.items()}


def _values(schema: Schema, find: Extraction) -> list[Any]:
    """The value, one for each member of a list; none that the schema wouldn't take."""
    spec = schema.fields.get(find.field)
    if spec is None or spec.kind == "derived":
        return []
    try:
        value = taken(find.field, spec, find.value)
    except LinealError:
        return []
    return list(value) if isinstance(value, list) else [value]


def _joined(schema: Schema, name: str, found: list[Claim]) -> tuple[Claim, ...]:
    """Each value once, so that one text counts as one; a list whose newest value stands is one
    claim of all its members."""
    spec = schema.fields[name]
    if spec.type != "list" or spec.merge == "union":
        return tuple({(repr(c.value), c.denied): c for c in reversed(found)}.values())[::-1]
    held = [claim for claim in found if not claim.denied]
    members = list(dict.fromkeys(claim.value for claim in held))
    return (held[0]._replace(value=members),) if held else ()


def present(schema: Schema, row: UserRow, now: datetime) -> UserRow:
    """The row as it is at `now`: without what was read from contexts that have ended."""
    fields = merging.current(schema, row.fields, now)
    if fields is row.fields:
        return row
    moved = merging.changed(row.fields, fields)
    heads = _stale(row.heads) if soft(schema, moved) else row.heads
    derived = deriving.derived(schema, fields, row.derived, now)
    return row.model_copy(update={"fields": dict(fields), "derived": derived, "heads": heads})


def enriched(
    tenant: str,
    row: UserRow,
    fields: dict[str, FieldValue],
    reading: Reading,
    now: datetime,
    lineage: Lineage,
    *,
    new: bool = False,
) -> Enriched:
    """The stored row's next revision with these fields (new: its first), and what follows."""
    schema = reading.schema_
    end = sooner_ended(tenant, row, ends_at(fields))
    row = present(schema, row, now)
    derived = deriving.derived(schema, fields, row.derived, now)
    moved = merging.changed({**row.fields, **row.derived}, {**fields, **derived})
    step = _headed(tenant, row, fields, reading, now, moved)
    after = step.row.model_copy(
        update={
            "revision": row.revision if new else row.revision + 1,
            "schema_version": schema.schema_version,
            "fields": fields,
            "derived": derived,
            "updated_at": now,
            "last_enriched_at": now,
            "lineage": lineage.model_copy(update={"created_at": row.lineage.created_at}),
        }
    )
    return step._replace(row=after, tasks=(*step.tasks, *end, *_awaiting(tenant, after, now)))


def _awaiting(tenant: str, row: UserRow, now: datetime) -> tuple[Task, ...]:
    """The task of completing the row's lineage, if there is anything to await."""
    owner = {"tenant": tenant, "user_id": row.user_id, "domain": row.domain}
    task = Task(kind="lineage", **owner, due_at=now + LATE_FIRST)
    return (task,) if row.lineage.awaits else ()


def with_row(changes: Changes, after: Enriched | None) -> Changes:
    """The changes with a row's next revision and all that it leaves to do; None: no row's."""
    if after is None:
        return changes
    return changes.model_copy(
        update={
            "users": (after.row,),
            "heads": (after.head,) if after.head else (),
            "tasks": (*changes.tasks, *after.tasks),
            "done": (*changes.done, *after.done),
        }
    )


def refreshed(schema: Schema, after: Enriched | None) -> bool:
    """Whether a soft field changed and its vector was made now (A6)."""
    return after is not None and after.head is not None and soft(schema, after.moved)


def _headed(
    tenant: str,
    row: UserRow,
    fields: Fields,
    reading: Reading,
    now: datetime,
    moved: tuple[str, ...],
) -> Enriched:
    """The row with the head that fits its soft fields: made now, or marked stale and left to be
    made as soon as the limit allows (A8)."""
    schema, times = reading.schema_, row.refreshed_at
    text = merging.soft_text(schema, fields)
    if not _needs_head(schema, row, text, reading, moved):
        return Enriched(row, moved, None, (), ())
    task = Task(kind="head", tenant=tenant, user_id=row.user_id, domain=row.domain, due_at=now)
    if not text:
        return Enriched(row.model_copy(update={"heads": {}}), moved, None, (), (task,))
    head = reading.head if reading.soft_text == text else None
    if head is not None and refreshing.allowed(times, now, reading.per_minute):
        return Enriched(_with_head(row, head, now, reading), moved, head, (), (task,))
    due_at = refreshing.allowed_at(times, now, reading.per_minute)
    left = (task.model_copy(update={"due_at": due_at}),) if reading.heads else ()
    return Enriched(_without_fresh(row), moved, None, left, ())


def _needs_head(
    schema: Schema, row: UserRow, text: str, reading: Reading, moved: tuple[str, ...]
) -> bool:
    """Whether the soft fields moved, or the head there is isn't of them or of this model."""
    if soft(schema, moved):
        return True
    info = row.heads.get(row.domain)
    if info is None:
        return bool(text) and reading.head is not None
    return reading.head is not None and (info.stale or info.version != reading.head.version)


def _with_head(row: UserRow, head: Head, now: datetime, reading: Reading) -> UserRow:
    """The row with the own domain's head alone (U9)."""
    times = refreshing.noted(row.refreshed_at, now, reading.per_minute)
    return row.model_copy(update={"heads": {row.domain: head.info}, "refreshed_at": times})


def _without_fresh(row: UserRow) -> UserRow:
    """The row with the own domain's head alone, if it has one, and that marked stale."""
    own = {name: info for name, info in row.heads.items() if name == row.domain}
    return row.model_copy(update={"heads": _stale(own)})


def soft(schema: Schema, names: tuple[str, ...]) -> bool:
    """Whether a head is made of any of these fields."""
    return any(n in schema.fields and schema.fields[n].kind == "soft" for n in names)


def _stale(heads: Mapping[str, HeadInfo]) -> dict[str, HeadInfo]:
    return {name: info.model_copy(update={"stale": True}) for name, info in heads.items()}


def ended_task(tenant: str, row: UserRow, due_at: datetime | None) -> tuple[Task, ...]:
    """The task of taking out values when their contexts end, if any does; None is never."""
    if due_at is None:
        return ()
    task = Task(kind="ended", tenant=tenant, user_id=row.user_id, domain=row.domain, due_at=due_at)
    return (task,)


def sooner_ended(tenant: str, row: UserRow, due_at: datetime | None) -> tuple[Task, ...]:
    """That task, where the stored row left none for as early. It is never put off: the row's past
    ends then, even where nothing of it stands now."""
    known = ends_at(row.fields)
    sooner = due_at is not None and (known is None or due_at < known)
    return ended_task(tenant, row, due_at) if sooner else ()


def ends_at(fields: Fields) -> datetime | None:
    """The first instant at which a context ends that any of these was read from."""
    return min((f.ends_at for f in fields.values() if f.ends_at is not None), default=None)


def provisioned(stamp: Stamp, schema: Schema, now: datetime) -> UserRow:
    """The configured default user's first row (A1); anyone else must be upserted first (A2)."""
    user_id, domain = owner_of(stamp.scope)
    if not stamp.provision:
        raise missing_user(stamp.scope)
    return UserRow(
        user_id=user_id,
        domain=domain,
        revision=1,
        schema_version=schema.schema_version,
        memory_type=MemoryType.FACT,
        created_at=now,
        updated_at=now,
        last_enriched_at=now,
        lineage=provenance.joined(None, provenance.observed(stamp.evidence), now),
    )


def owner_of(scope: Scope) -> tuple[str, str]:
    """(user_id, domain) of a write's scope; the service fills both in for every write."""
    assert scope.user_id is not None and scope.domain is not None  # noqa: S101, PT018
    return scope.user_id, scope.domain


def remade(
    tenant: str,
    schema: Schema,
    row: UserRow,
    fields: Fields,
    now: datetime,
    lineage: Lineage,
) -> tuple[UserRow, tuple[Task, ...]]:
    """The row with what is left of its fields, and the task of making its head anew."""
    outlived = _outlived(schema, row, fields)
    after = row.model_copy(
        update={
            "revision": row.revision + 1,
            "fields": dict(fields),
            "derived": deriving.derived(schema, fields, row.derived, now),
            "heads": {} if outlived else row.heads,
            "updated_at": now,
            "lineage": lineage,
        }
    )
    task = Task(kind="head", tenant=tenant, user_id=row.user_id, domain=row.domain, due_at=now)
    left = outlived and bool(merging.soft_text(schema, fields))
    return after, ((task,) if left else ())


def _outlived(schema: Schema, row: UserRow, fields: Fields) -> bool:
    """Whether a head may be made of what went: of soft fields as they are, or, if it is stale, as
    they once were. Without a schema nobody knows which are soft."""
    moved = merging.changed(row.fields, fields)
    stale = any(info.stale for info in row.heads.values())
    return stale or soft(schema, moved) or bool(moved and not schema.fields)
