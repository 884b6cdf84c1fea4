"""Contexts whose content is equal or nearly so, and the index of numbers that finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from itertools import islice

import apsw

from lineal.models.changes import ALIKE_MAX, Fingerprint, Scope
from lineal.models.context import Context
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.sqlite.contexts import numbered
from lineal.stores.sqlite.statements import all_rows

__all__ = ["WALK_MAX", "alike", "drop_keys", "keep_keys", "key_entries"]

WALK_MAX = 64
"""Contexts that are looked at for each key, newest first, live or not: what a key that many texts
share can cost. One more than this is found only by another of its keys."""

_SELECT_EQUAL = (
    "SELECT seq FROM context WHERE tenant = ? AND user_id = ? AND domain = ? AND content_key = ? "
    "AND held_until IS NULL ORDER BY seq DESC LIMIT ?"
)
_SELECT_NEAR = "SELECT key_seq FROM context_key WHERE room = ? AND near_key = ? LIMIT ?"
_INSERT = "INSERT OR IGNORE INTO context_key VALUES (?, ?, ?)"
_DELETE = "DELETE FROM context_key WHERE room = ? AND near_key = ? AND key_seq = ?"


def alike(
    connection: apsw.Connection,
    scope: Scope,
    asked: Fingerprint | None,
    projects: tuple[str, ...] | None,
    now: datetime,
) -> tuple[Context, ...]:
    """Live contexts of equal content_key by receipt, then those that share most keys, newest first.

    At most ALIKE_MAX, and only their texts are read. () for a scope of many.
    projects: only of these and of none; None: of any.
    """
    if asked is None or scope.user_id is None or scope.domain is None:
        return ()
    key = (scope.tenant, scope.user_id, scope.domain, asked.content_key)
    equal = [seq for (seq,) in all_rows(connection, _SELECT_EQUAL, *key, WALK_MAX)]
    near = _most_shared(connection, _room(*key[:3]), asked.keys, known=set(equal))
    found = (numbered(connection, scope, seq, now) for seq in (*reversed(equal), *near))
    live = (
        context
        for context in found
        if context is not None and (projects is None or context.project in (None, *projects))
    )
    return tuple(islice(live, ALIKE_MAX))


def keep_keys(connection: apsw.Connection, row: ContextRow, old: Marks) -> None:
    """The index's entries of this row, which had those of `old`."""
    before, after = set(old.keys), set(row.marks.keys)
    connection.executemany(_DELETE, _entries(row, before - after))
    connection.executemany(_INSERT, _entries(row, after - before))


def drop_keys(connection: apsw.Connection, row: ContextRow) -> None:
    connection.executemany(_DELETE, key_entries(row))


def key_entries(row: ContextRow) -> list[tuple[int, int, int]]:
    """What the index should hold for this row: nothing of one that is withheld."""
    return [] if row.held else _entries(row, row.marks.keys)


def _most_shared(
    connection: apsw.Connection, room: int, keys: Iterable[int], known: set[int]
) -> Iterator[int]:
    """Numbers of rows, the most shared keys first, then the newest; without the known ones."""
    shared: Counter[int] = Counter()
    for key in set(keys):
        found = all_rows(connection, _SELECT_NEAR, room, key, WALK_MAX)
        shared.update(seq for (seq,) in found if seq is not None)  # NULL only where it is damaged
    ranked = sorted(shared.items(), key=lambda item: (-item[1], -item[0]))
    return (seq for seq, _ in ranked if seq not in known)


def _entries(row: ContextRow, keys: Iterable[int]) -> list[tuple[int, int, int]]:
    """In the index's order: neighbours are found on the page that is at hand."""
    room = _room(row.tenant, row.user_id, row.domain)
    return [(room, key, row.seq) for key in sorted(keys)]


def _room(tenant: str, user_id: str, domain: str) -> int:
    """31 bits, so that it takes 4 bytes. Two users may share one: whoever reads checks the row."""
    name = ascii((tenant, user_id, domain)).encode("ascii")
    return int.from_bytes(blake2b(name, digest_size=4).digest()) >> 1
