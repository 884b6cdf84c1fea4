"""Records of user rows, of their vectors and of outcomes as rows, many at once.

The whole tenant must be locked. What keeps records tells how many it kept: not what is there
already, or hangs on what has ended or moved on since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from lineal.errors import LinealError
from lineal.models.archive import HeadRecord, OutcomeRecord, UserRecord
from lineal.models.changes import Outcome
from lineal.models.user import UserRow
from lineal.stores.postgres.filling import columns
from lineal.stores.postgres.incoming import apart
from lineal.stores.postgres.locks import Room
from lineal.stores.postgres.ordering import lock_order
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import USER
from lineal.stores.rows import arriving
from lineal.stores.rows.arriving import conflicting
from lineal.stores.rows.digests import digest
from lineal.stores.rows.small_rows import outcome_of
from lineal.stores.rows.user_rows import UserKept

__all__ = ["keep_heads", "keep_outcomes", "keep_users"]

_ROWS = sql(
    "SELECT",
    USER,
    "FROM unnest(%s::text[], %s::text[]) AS asked (of_user, of_domain) JOIN lineal.user_row "
    "ON user_id = of_user AND domain = of_domain WHERE tenant_id = %s",
)
_BODIES = (
    "SELECT of_user, number, body FROM lineal.user_revision "
    "WHERE tenant_id = %s AND of_user = ANY(%s::bigint[])"
)
_INSERT = sql(
    "INSERT INTO lineal.user_row (",
    USER.replace("user_seq, tenant_id,", "tenant_id, user_seq,", 1),
    ") SELECT %s, made.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::integer[], "
    "%s::bigint[], %s::bytea[]) AS made",
)
_UPDATE = (
    "UPDATE lineal.user_row SET revision = %s, expires_at = %s, row_digest = %s "
    "WHERE tenant_id = %s AND user_seq = %s"
)
_INSERT_REVISIONS = (
    "INSERT INTO lineal.user_revision "
    "(tenant_id, of_user, number, recorded_at, body, body_digest) SELECT %s, made.* "
    "FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::text[], %s::bytea[]) AS made"
)
_INSERT_HEADS = (
    "INSERT INTO lineal.head (tenant_id, user_id, domain, name, version, vector, head_digest) "
    "SELECT %s, made.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], "
    "%s::bytea[]) AS made ON CONFLICT (tenant_id, user_id, domain, name) DO NOTHING RETURNING 1"
)
_OUTCOMES = "SELECT * FROM lineal.outcome WHERE tenant_id = %s AND user_id = ANY(%s::text[])"
_INSERT_OUTCOMES = (
    "INSERT INTO lineal.outcome "
    "(tenant_id, outcome_seq, user_id, domain, candidate_id, outcome_body, outcome_digest) "
    "SELECT %s, made.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], "
    "%s::bytea[]) AS made"
)


class _Further(NamedTuple):
    """What a record has beyond what is there. old: None where nothing is."""

    record: UserRecord
    old: UserKept | None
    users: list[UserRow]

    def row(self, seq: int) -> UserKept:
        return UserKept.made(self.record.tenant, self.users[-1], seq)

    def values(self, row: UserKept) -> list[tuple[Any, ...]]:
        """Rows of user_revision, without their tenant."""
        first, bodies = self.record.first, self.record.bodies
        return [
            arriving.user_body_values(row, user, bodies[user.revision - first])
            for user in self.users
        ]


async def keep_users(session: Session, records: Sequence[UserRecord]) -> int:
    return sum([await _keep_few(session, few) for few in apart(records, _room)])


async def keep_heads(session: Session, records: Sequence[HeadRecord]) -> int:
    """Of users that are there."""
    rows = await _rows(session, {_room(record) for record in records})
    heads = [
        (r.user_id, r.domain, r.name, r.version, r.vector) for r in records if _room(r) in rows
    ]
    values = columns((*head, digest(session.tenant, *head)) for head in heads)
    if not values:
        return 0
    return len(await session.rows(_INSERT_HEADS, session.tenant, *values))


async def keep_outcomes(session: Session, records: Sequence[OutcomeRecord]) -> int:
    """No index has their ids: all of these users' are read."""
    offered = [
        (arriving.record_of(Outcome, record.body, "an outcome"), record.body) for record in records
    ]
    users = sorted({outcome.user_id for outcome, _ in offered})
    rows = await session.rows(_OUTCOMES, session.tenant, users)
    known = {(row[2], outcome_of(row).outcome_id): row[5] for row in rows}
    fresh: list[tuple[Any, ...]] = []
    for outcome, body in offered:
        key = (outcome.user_id, outcome.outcome_id)
        if key not in known:
            fresh.append((outcome.user_id, outcome.domain, outcome.candidate_id, body))
        if known.setdefault(key, body) != body:
            raise conflicting("outcome", outcome.outcome_id, outcome_id=outcome.outcome_id)
    if fresh:
        numbers = await _numbers(session, len(fresh))
        values = ((n, *v, digest(session.tenant, *v)) for n, v in zip(numbers, fresh, strict=True))
        await session.run(_INSERT_OUTCOMES, session.tenant, *columns(values))
    return len(fresh)


async def _keep_few(session: Session, records: Sequence[UserRecord]) -> int:
    """records: of as many users."""
    rows = await _rows(session, map(_room, records))
    seqs = [row.user_seq for row in rows.values()]
    found = await session.rows(_BODIES, session.tenant, seqs) if seqs else []
    bodies = {(seq, number): body for seq, number, body in found}
    offered = [_further(record, rows.get(_room(record)), bodies) for record in records]
    further = [each for each in offered if each.users]
    await _put(session, [each for each in further if each.old is None])
    for each in further:
        if each.old is not None:
            row = each.row(each.old.user_seq)
            await session.run(_UPDATE, *row[4:], row.tenant, row.user_seq)
            await session.run(_INSERT_REVISIONS, row.tenant, *columns(each.values(row)))
    return len(further)


async def _rows(session: Session, rooms: Iterable[Room]) -> dict[Room, UserKept]:
    """Those of these users that are there, live or not."""
    asked = columns(rooms)
    found = await session.rows(_ROWS, *asked, session.tenant) if asked else []
    rows = (UserKept.checked(values) for values in found)
    return {(row.user_id, row.domain): row for row in rows}


def _further(
    record: UserRecord, old: UserKept | None, bodies: dict[tuple[int, int], str]
) -> _Further:
    """Raises conflict unless what is there is the record's, perhaps only earlier revisions."""
    users = arriving.users_of(record)
    last = record.first - 1 if old is None else old.revision
    if old is not None:
        if last > record.revision or record.first > last + 1:
            raise _other(record)
        for number, body in enumerate(record.bodies, record.first):
            if number <= last:
                _require_body(record, old, number, body, bodies)
    return _Further(record, old, [user for user in users if user.revision > last])


def _require_body(
    record: UserRecord,
    old: UserKept,
    number: int,
    body: str,
    bodies: dict[tuple[int, int], str],
) -> None:
    """Earlier ones may be gone, but not the present one."""
    there = bodies.get((old.user_seq, number))
    if there != body and (there is not None or number == old.revision):
        raise _other(record)


async def _put(session: Session, fresh: Sequence[_Further]) -> None:
    """Those that aren't there, in their order: who reads page by page sees none before its
    predecessor."""
    if fresh:
        seqs = await _numbers(session, len(fresh))
        rows = [each.row(seq) for each, seq in zip(fresh, seqs, strict=True)]
        values = columns((row.user_seq, *row[2:]) for row in rows)
        await session.run(_INSERT, session.tenant, *values)
        revisions = [
            values for each, row in zip(fresh, rows, strict=True) for values in each.values(row)
        ]
        await session.run(_INSERT_REVISIONS, session.tenant, *columns(revisions))


async def _numbers(session: Session, count: int) -> list[int]:
    """Of the order of receipt, that become visible in their order (ordering.py)."""
    await lock_order(session)
    return [number for (number,) in await (await session.ask_numbers(count)).rows()]


def _room(record: UserRecord | HeadRecord) -> Room:
    return record.user_id, record.domain


def _other(record: UserRecord) -> LinealError:
    return conflicting("row of user", record.user_id, user_id=record.user_id, domain=record.domain)
