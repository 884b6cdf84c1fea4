"""Where a search looks: the shelves of its scope, and who speaks there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lineal.models.changes import Scope
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.postgres.statements import wall
from lineal.stores.rows.values import Row

__all__ = ["Shelves", "ask_shelves", "shelves_among", "speakers"]

SPEAKERS_MAX = 1_000

_SELECT = "SELECT shelf_id, project, entries, own_words, head_words FROM lineal.shelf WHERE"
_SPEAKERS = (
    "SELECT speaker_name FROM lineal.speaker WHERE tenant_id = %s "
    "AND speaker_shelf = ANY(%s::bigint[]) GROUP BY speaker_name "
    'ORDER BY speaker_name COLLATE "C" LIMIT %s'
)


class Shelves(NamedTuple):
    """numbers: of each. size: entries on them all; own_words, head_words: of all of these."""

    numbers: tuple[int, ...]
    size: int
    own_words: int
    head_words: int


async def ask_shelves(session: Session, scope: Scope) -> Asked:
    """Rows of the scope's shelves that hold something, for shelves_among."""
    condition, values = wall(scope)
    return await session.ask(sql(_SELECT, condition, "AND entries > 0"), *values)


def shelves_among(rows: Iterable[Row], projects: tuple[str, ...] | None) -> Shelves:
    """Those of these projects and of none; None: of any."""
    kept = [row for row in rows if projects is None or row[1] in ("", *projects)]
    size, own, head = (sum(row[place] for row in kept) for place in (2, 3, 4))
    return Shelves(tuple(row[0] for row in kept), size, own, head)


async def speakers(
    session: Session, scope: Scope, projects: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Folded names in order, at most SPEAKERS_MAX."""
    asked = await ask_shelves(session, scope)
    numbers = shelves_among(await asked.rows(), projects).numbers
    found = await session.rows(_SPEAKERS, scope.tenant, list(numbers), SPEAKERS_MAX)
    return tuple(name for (name,) in found)
