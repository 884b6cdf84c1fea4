"""Contexts whose content is equal or nearly so, and the index of numbers that finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from lineal.models.changes import ALIKE_MAX, Fingerprint, Scope
from lineal.models.context import Context
from lineal.stores.postgres.contexts import numbered
from lineal.stores.postgres.locks import room_key
from lineal.stores.postgres.session import Asked, Session
from lineal.stores.rows.context_rows import ContextRow, Marks

__all__ = ["KEEP_KEYS", "WALK_MAX", "alike_of", "ask_alike", "keep_keys", "key_entries"]

WALK_MAX = 64
"""Contexts that are looked at for each key, newest first, live or not: what a key that many texts
share can cost. One more than this is found only by another of its keys."""

_EQUAL_AND_NEAR = (
    "(SELECT seq, true FROM lineal.context WHERE tenant_id = %s AND user_id = %s AND domain = %s "
    "AND content_key = %s AND held_until IS NULL ORDER BY seq DESC LIMIT %s) UNION ALL "
    "(SELECT key_seq, false FROM unnest(%s::bigint[]) AS asked (wanted) CROSS JOIN LATERAL "
    "(SELECT key_seq FROM lineal.context_key WHERE tenant_id = %s AND room = %s "
    "AND near_key = wanted ORDER BY key_seq DESC LIMIT %s) AS newest)"
)
KEEP_KEYS = (
    "INSERT INTO lineal.context_key (tenant_id, room, near_key, key_seq) "
    "SELECT %s, %s, wanted, %s FROM unnest(%s::bigint[]) AS kept (wanted) "
    "ON CONFLICT (tenant_id, room, near_key, key_seq) DO NOTHING"
)
_DELETE = (
    "DELETE FROM lineal.context_key WHERE tenant_id = %s AND room = %s "
    "AND near_key = ANY(%s::bigint[]) AND key_seq = %s"
)


async def ask_alike(session: Session, scope: Scope, asked: Fingerprint | None) -> Asked | None:
    """The numbers of equal and of near texts, on their way; None for a scope of many."""
    if asked is None or scope.user_id is None or scope.domain is None:
        return None
    room = (scope.user_id, scope.domain)
    equal = (scope.tenant, *room, asked.content_key, WALK_MAX)
    near = (sorted(set(asked.keys)), scope.tenant, room_key(scope.tenant, room), WALK_MAX)
    return await session.ask(_EQUAL_AND_NEAR, *equal, *near)


async def alike_of(
    session: Session,
    scope: Scope,
    asked: Asked | None,
    projects: tuple[str, ...] | None,
    now: datetime,
) -> tuple[Context, ...]:
    """Live contexts of equal content_key by receipt, then those that share most keys, newest first.

    At most ALIKE_MAX. projects: only of these and of none; None: of any.
    """
    if asked is None:
        return ()
    rows = await asked.rows()
    equal = sorted((seq for seq, is_equal in rows if is_equal), reverse=True)
    shared = Counter(seq for seq, is_equal in rows if not is_equal)
    near = [seq for seq in _most_shared(shared) if seq not in set(equal)]
    seqs = [*reversed(equal), *near]
    found = await numbered(session, scope, seqs, now) if seqs else {}
    live = [found[seq] for seq in seqs if seq in found]
    fitting = [c for c in live if projects is None or c.project in (None, *projects)]
    return tuple(fitting[:ALIKE_MAX])


async def keep_keys(session: Session, row: ContextRow, old: Marks) -> None:
    """The index's entries of this row, which had those of `old`."""
    before, after = set(old.keys), set(row.marks.keys)
    room = room_key(row.tenant, (row.user_id, row.domain))
    if before - after:
        await session.run(_DELETE, row.tenant, room, sorted(before - after), row.seq)
    if after - before:
        await session.run(KEEP_KEYS, row.tenant, room, row.seq, sorted(after - before))


def key_entries(row: ContextRow) -> list[tuple[int, int, int]]:
    """(room, key, seq) that the index should hold for this row: nothing of one that is withheld."""
    room = room_key(row.tenant, (row.user_id, row.domain))
    return [] if row.held else [(room, key, row.seq) for key in row.marks.keys]


def _most_shared(shared: Counter[int]) -> Iterable[int]:
    """The most shared keys first, then the newest."""
    return sorted(shared, key=lambda seq: (-shared[seq], -seq))
