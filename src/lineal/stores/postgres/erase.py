"""Taking content out physically: rows, history, index, answers. Edges and a mark stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineal.models.changes import Tombstone
from lineal.stores.postgres import entries, receipts
from lineal.stores.postgres.locks import room_key
from lineal.stores.postgres.session import Session
from lineal.stores.postgres.tasks import tasks_of_contexts, tasks_of_users
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.small_rows import tombstone_values
from lineal.stores.rows.user_rows import UserKept

__all__ = [
    "erase_contexts",
    "erase_heads",
    "erase_user",
    "erase_users",
    "unlist_contexts",
]

_DELETE_KEYS = (
    "DELETE FROM lineal.context_key USING unnest(%s::bigint[], %s::bigint[], %s::bigint[]) "
    "AS gone (of_room, of_key, of_seq) WHERE tenant_id = %s AND room = of_room "
    "AND near_key = of_key AND key_seq = of_seq"
)
_DELETE_REVISIONS = (
    "DELETE FROM lineal.context_revision WHERE tenant_id = %s AND context_seq = ANY(%s::bigint[])"
)
_DELETE_SIGHTINGS = (
    "DELETE FROM lineal.sighting WHERE tenant_id = %s AND sighted_seq = ANY(%s::bigint[])"
)
_DELETE_CONTEXTS = "DELETE FROM lineal.context WHERE tenant_id = %s AND seq = ANY(%s::bigint[])"
_REPLACE_TOMBSTONES = (
    "INSERT INTO lineal.tombstone (tenant_id, context_id, user_id, domain, reason, memory_type, "
    "revision, created_at, ended_at, tombstone_digest) "
    "SELECT %s, ended.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], "
    "%s::integer[], %s::bigint[], %s::bigint[], %s::bytea[]) AS ended "
    "ON CONFLICT (tenant_id, context_id) DO UPDATE SET user_id = excluded.user_id, "
    "domain = excluded.domain, reason = excluded.reason, memory_type = excluded.memory_type, "
    "revision = excluded.revision, created_at = excluded.created_at, "
    "ended_at = excluded.ended_at, tombstone_digest = excluded.tombstone_digest"
)
_DELETE_USER_REVISIONS = (
    "DELETE FROM lineal.user_revision WHERE tenant_id = %s AND of_user = ANY(%s::bigint[])"
)
_DELETE_USERS = "DELETE FROM lineal.user_row WHERE tenant_id = %s AND user_seq = ANY(%s::bigint[])"
_DELETE_HEADS = (
    "DELETE FROM lineal.head USING unnest(%s::text[], %s::text[]) AS gone (of_user, of_domain) "
    "WHERE tenant_id = %s AND user_id = of_user AND domain = of_domain"
)
_DELETE_OTHER_HEADS = (
    "DELETE FROM lineal.head WHERE tenant_id = %s AND user_id = %s AND domain = %s "
    "AND NOT name = ANY(%s::text[])"
)


async def erase_contexts(
    session: Session, rows: Sequence[ContextRow], marks: Iterable[Tombstone]
) -> None:
    """rows: of the session's tenant, locked; marks: one of each."""
    if rows:
        gone = (session.tenant, [row.seq for row in rows])
        await unlist_contexts(session, rows)
        await session.run(_DELETE_REVISIONS, *gone)
        await session.run(_DELETE_SIGHTINGS, *gone)
        await session.run(_DELETE_CONTEXTS, *gone)
        await _bury(session, marks)


async def unlist_contexts(session: Session, rows: Sequence[ContextRow]) -> None:
    """Take out whatever leads to them or shows them; what was withheld left the indexes then. Their
    rows must be locked."""
    if not rows:
        return
    names = [row.context_id for row in rows]
    shown = [row for row in rows if not row.held]
    await entries.remove_many(session, [row.seq for row in shown])
    await _drop_keys(session, shown)
    await tasks_of_contexts(session, session.tenant, names)
    await receipts.empty_of_contexts(session, session.tenant, names)


async def erase_user(session: Session, row: UserKept) -> None:
    """The user row with its history, vectors and tasks; the user's contexts have lives of their
    own."""
    await erase_users(session, (row,))


async def erase_users(session: Session, rows: Sequence[UserKept]) -> None:
    """rows: of the session's tenant, locked."""
    if rows:
        gone = (session.tenant, [row.user_seq for row in rows])
        rooms = [(row.user_id, row.domain) for row in rows]
        users, domains = (list(names) for names in zip(*rooms, strict=True))
        await tasks_of_users(session, session.tenant, rooms)
        await session.run(_DELETE_USER_REVISIONS, *gone)
        await session.run(_DELETE_USERS, *gone)
        await session.run(_DELETE_HEADS, users, domains, session.tenant)
        await receipts.empty_of_users(session, session.tenant, rooms)


async def erase_heads(session: Session, row: UserKept, kept: Iterable[str]) -> None:
    """The user's vectors, except those of these names."""
    key = (session.tenant, row.user_id, row.domain)
    await session.run(_DELETE_OTHER_HEADS, *key, list(kept))


async def _drop_keys(session: Session, rows: Iterable[ContextRow]) -> None:
    """What the index of alike texts holds of these rows."""
    tenant = session.tenant
    keys = [
        (room_key(tenant, (row.user_id, row.domain)), key, row.seq)
        for row in rows
        for key in row.marks.keys
    ]
    if keys:
        rooms, near, seqs = (list(numbers) for numbers in zip(*sorted(keys), strict=True))
        await session.run(_DELETE_KEYS, rooms, near, seqs, tenant)


async def _bury(session: Session, marks: Iterable[Tombstone]) -> None:
    values = [tombstone_values(session.tenant, mark)[1:] for mark in marks]
    columns = (list(column) for column in zip(*values, strict=True))
    await session.run(_REPLACE_TOMBSTONES, session.tenant, *columns)
