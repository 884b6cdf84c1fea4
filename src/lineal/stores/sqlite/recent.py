"""User rows that a connection has lately read or written, so that the next write of the same user
need not read them from their JSON again."""

from __future__ import annotations

from collections import OrderedDict
from weakref import WeakKeyDictionary

import apsw

from lineal.models.user import UserRow

__all__ = ["recent_row", "remember_row"]

ROWS_MAX = 32
"""Rows of one connection; a large one takes some hundred kilobytes."""

_RECENT: WeakKeyDictionary[apsw.Connection, OrderedDict[bytes, UserRow]] = WeakKeyDictionary()
"""By the digest over a row's body, so that what was rolled back or written by another process is
never taken for what is there. A connection is used by one thread at a time."""


def recent_row(connection: apsw.Connection, body_digest: bytes) -> UserRow | None:
    """The row with this very body, if it is remembered."""
    rows = _RECENT.get(connection)
    return None if rows is None else rows.get(body_digest)


def remember_row(connection: apsw.Connection, body_digest: bytes, row: UserRow) -> None:
    """The one longest unused goes first."""
    rows = _RECENT.setdefault(connection, OrderedDict())
    rows[body_digest] = row
    rows.move_to_end(body_digest)
    while len(rows) > ROWS_MAX:
        rows.popitem(last=False)
