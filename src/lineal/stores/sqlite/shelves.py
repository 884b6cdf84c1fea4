"""Where a search looks: the shelves of its scope, and who speaks there."""

from __future__ import annotations

from typing import NamedTuple

import apsw

from lineal.models.changes import Scope
from lineal.stores.sqlite.statements import Row, all_rows, sql, wall

__all__ = ["Shelves", "shelves_of", "speakers"]

SPEAKERS_MAX = 1_000

_SELECT = "SELECT shelf_id, project, entries, own_words, head_words FROM shelf WHERE"
_SPEAKERS = (
    "SELECT DISTINCT speaker_name FROM json_each(?) JOIN speaker ON speaker_shelf = value "
    "ORDER BY speaker_name LIMIT ?"
)


class Shelves(NamedTuple):
    """numbers: of each. size: entries on them all; own_words, head_words: of all of these."""

    numbers: tuple[int, ...]
    size: int
    own_words: int
    head_words: int


def shelves_of(
    connection: apsw.Connection, scope: Scope, projects: tuple[str, ...] | None
) -> Shelves:
    """Those of the scope that hold something, of these projects and of none; None: of any."""
    rows = _rows(connection, scope, projects)
    size, own, head = (sum(row[place] for row in rows) for place in (2, 3, 4))
    return Shelves(tuple(row[0] for row in rows), size, own, head)


def speakers(
    connection: apsw.Connection, scope: Scope, projects: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Folded names in order, at most SPEAKERS_MAX."""
    numbers = ",".join(str(row[0]) for row in _rows(connection, scope, projects))
    found = all_rows(connection, _SPEAKERS, f"[{numbers}]", SPEAKERS_MAX)
    return tuple(name for (name,) in found)


def _rows(connection: apsw.Connection, scope: Scope, projects: tuple[str, ...] | None) -> list[Row]:
    condition, values = wall(scope)
    rows = all_rows(connection, sql(_SELECT, condition, "AND entries > 0"), *values)
    if projects is None:
        return rows
    return [row for row in rows if row[1] in ("", *projects)]
