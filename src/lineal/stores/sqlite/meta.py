"""The store's own record of itself: its id, and what time it has come to believe."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import apsw

from lineal.clock import Clock, from_ms, to_ms
from lineal.policy.expiry import ClockMark, present
from lineal.stores.rows.digests import at_or_none, digest, ms_or_none, require_digest
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.statements import Value, one_row

__all__ = ["Meta", "insert_meta", "present_of", "read_meta", "write_mark"]

_SELECT = "SELECT store_id, made_at, high_at, ahead_at, seen_at, meta_digest FROM meta"
_INSERT = (
    "INSERT INTO meta (only, store_id, made_at, high_at, ahead_at, seen_at, meta_digest) "
    "VALUES (1, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = "UPDATE meta SET high_at = ?, ahead_at = ?, seen_at = ?, meta_digest = ?"


class Meta(NamedTuple):
    """What the meta table holds. mark: see policy/expiry.py."""

    store_id: str
    made_at: datetime
    mark: ClockMark


def read_meta(connection: apsw.Connection) -> Meta:
    row = one_row(connection, _SELECT)
    if row is None:
        raise trouble.damaged("The store's record of itself")
    store_id, made_at, high_at, ahead_at, seen_at, found = row
    require_digest(found, row[:-1], "The store's record of itself")
    ahead, seen = at_or_none(ahead_at), at_or_none(seen_at)
    mark = ClockMark(high=from_ms(high_at), ahead=ahead, seen=seen)
    return Meta(store_id, from_ms(made_at), mark)


def insert_meta(connection: apsw.Connection, meta: Meta) -> None:
    values = _values(meta)
    connection.execute(_INSERT, (*values, digest(*values)))


def write_mark(connection: apsw.Connection, meta: Meta) -> None:
    values = _values(meta)
    connection.execute(_UPDATE, (*values[2:], digest(*values)))


def present_of(connection: apsw.Connection, clock: Clock) -> datetime:
    """The store's now, as one read transaction sees it."""
    return present(read_meta(connection).mark, clock.now())


def _values(meta: Meta) -> tuple[Value, ...]:
    mark = meta.mark
    times = (to_ms(mark.high), ms_or_none(mark.ahead), ms_or_none(mark.seen))
    return (meta.store_id, to_ms(meta.made_at), *times)
