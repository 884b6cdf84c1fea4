"""Sightings: the same content met again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import apsw

from lineal.errors import LinealError
from lineal.models.changes import SIGHTINGS_MAX, Scope
from lineal.models.context import Sighting
from lineal.stores.rows.digests import body_of, digest
from lineal.stores.rows.small_rows import sighting_of
from lineal.stores.sqlite.contexts import live_row
from lineal.stores.sqlite.statements import all_rows, one_value

__all__ = ["keep_sighting", "replace_sighting", "sightings"]

_INSERT = "INSERT INTO sighting VALUES (?, ?, ?, ?)"
_UPDATE = (
    "UPDATE sighting SET sighting_body = ?, sighting_digest = ? "
    "WHERE sighted_seq = ? AND sighting_number = ?"
)
_SELECT_LAST = "SELECT max(sighting_number) FROM sighting WHERE sighted_seq = ?"
_SELECT_LATEST = (
    "SELECT tenant, context_id, sighting_number, sighting_body, sighting_digest "
    "FROM sighting JOIN context ON seq = sighted_seq WHERE sighted_seq = ? "
    "ORDER BY sighting_number DESC LIMIT ?"
)


def sightings(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, tuple[Sighting, ...]]:
    """By id of each that is live: its latest SIGHTINGS_MAX in order of receipt, perhaps none."""
    found: dict[str, tuple[Sighting, ...]] = {}
    for name in names:
        row = live_row(connection, scope, name, now)
        if row is not None:
            latest = all_rows(connection, _SELECT_LATEST, row.seq, SIGHTINGS_MAX)
            found[name] = tuple(map(sighting_of, reversed(latest)))
    return found


def keep_sighting(
    connection: apsw.Connection, scope: Scope, sighting: Sighting, now: datetime
) -> None:
    """Raises LinealError (conflict) when its context isn't live: nothing could be read of it."""
    name = sighting.context_id
    row = live_row(connection, scope, name, now)
    if row is None:
        raise LinealError.conflict(
            f"Context '{name}' isn't live, so nothing is the same as it.", context_id=name
        )
    number = (one_value(connection, _SELECT_LAST, row.seq) or 0) + 1
    body = body_of(sighting)
    check = digest(row.tenant, name, number, body)
    connection.execute(_INSERT, (row.seq, number, body, check))


def replace_sighting(
    connection: apsw.Connection, scope: Scope, old: Sighting, new: Sighting, now: datetime
) -> None:
    """In its place, if it is among the latest SIGHTINGS_MAX of a live context; else nothing."""
    row = live_row(connection, scope, old.context_id, now)
    if row is None:
        return
    latest = all_rows(connection, _SELECT_LATEST, row.seq, SIGHTINGS_MAX)
    said = body_of(old)
    number = next((v[2] for v in reversed(latest) if body_of(sighting_of(v)) == said), None)
    if number is not None:
        body = body_of(new)
        check = digest(row.tenant, row.context_id, number, body)
        connection.execute(_UPDATE, (body, check, row.seq, number))
