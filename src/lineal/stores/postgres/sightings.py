"""Sightings: the same content met again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import SIGHTINGS_MAX, Scope
from lineal.models.context import Sighting
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT, wall
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.digests import body_of, digest
from lineal.stores.rows.small_rows import sighting_of
from lineal.stores.rows.values import Row

__all__ = ["keep_sighting", "replace_sighting", "sightings"]

_SELECT_LATEST = sql(
    "SELECT",
    CONTEXT,
    ", sighting_number, sighting_body, sighting_digest FROM lineal.context "
    "LEFT JOIN LATERAL (SELECT sighting_number, sighting_body, sighting_digest "
    "FROM lineal.sighting WHERE sighting.tenant_id = context.tenant_id AND sighted_seq = seq "
    "ORDER BY sighting_number DESC LIMIT %s) AS latest ON true WHERE",
)
_NAMED = "AND context_id = ANY(%s::text[]) ORDER BY seq, sighting_number"
_INSERT = "INSERT INTO lineal.sighting VALUES (%s, %s, %s, %s, %s)"
_UPDATE = (
    "UPDATE lineal.sighting SET sighting_body = %s, sighting_digest = %s "
    "WHERE tenant_id = %s AND sighted_seq = %s AND sighting_number = %s"
)


async def sightings(
    session: Session, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, tuple[Sighting, ...]]:
    """By id of each that is live: its latest SIGHTINGS_MAX in order of receipt, perhaps none."""
    kept = await _latest(session, scope, list(names), SIGHTINGS_MAX, now)
    return {
        row.context_id: tuple(_sighting(row, values) for values in latest)
        for row, latest in kept.items()
    }


async def keep_sighting(session: Session, scope: Scope, sighting: Sighting, now: datetime) -> None:
    """Raises LinealError (conflict) when its context isn't live: nothing could be read of it."""
    name = sighting.context_id
    for row, latest in (await _latest(session, scope, [name], 1, now)).items():
        number = 1 + max((last for last, _, _ in latest), default=0)
        body = body_of(sighting)
        check = digest(row.tenant, name, number, body)
        await session.run(_INSERT, row.tenant, row.seq, number, body, check)
        return
    raise LinealError.conflict(
        f"Context '{name}' isn't live, so nothing is the same as it.", context_id=name
    )


async def replace_sighting(
    session: Session, scope: Scope, old: Sighting, new: Sighting, now: datetime
) -> None:
    """In its place, if it is among the latest SIGHTINGS_MAX of a live context; else nothing."""
    said = body_of(old)
    kept = await _latest(session, scope, [old.context_id], SIGHTINGS_MAX, now)
    for row, latest in kept.items():
        same = (values[0] for values in latest if body_of(_sighting(row, values)) == said)
        number = next(same, None)
        if number is not None:
            body = body_of(new)
            check = digest(row.tenant, row.context_id, number, body)
            await session.run(_UPDATE, body, check, row.tenant, row.seq, number)


async def _latest(
    session: Session, scope: Scope, names: list[str], most: int, now: datetime
) -> dict[ContextRow, list[Row]]:
    """(number, body, digest) of each one's latest, by number; of those that are live."""
    inside = wall(scope)
    statement = sql(_SELECT_LATEST, inside.condition, _NAMED)
    found: dict[ContextRow, list[Row]] = {}
    for values in await session.rows(statement, most, *inside.values, names):
        row = ContextRow(*values[:-3])
        if row not in found:
            row = ContextRow.checked(row)
        if row.live(to_ms(now)):
            found.setdefault(row, []).extend([values[-3:]] if values[-1] is not None else [])
    return found


def _sighting(row: ContextRow, values: Row) -> Sighting:
    return sighting_of((row.tenant, row.context_id, *values))
