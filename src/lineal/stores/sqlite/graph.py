"""The lineage graph as rows: who rests on whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import apsw

from lineal.models.changes import Reads, Scope
from lineal.models.lineage import Direction, Edge, Relation
from lineal.stores.rows.small_rows import edge_of, edge_values
from lineal.stores.sqlite.contexts import live_row, returnable_row
from lineal.stores.sqlite.statements import all_rows

__all__ = ["EDGES_MAX", "descendants", "drop_seen_uses", "edges", "keep_edge"]

EDGES_MAX = 10_000
"""Most edges in one answer, as the port promises."""

WALK_MAX = 100_000
"""Most memories that one walk looks at, ended ones included."""

_INSERT = "INSERT OR IGNORE INTO edge VALUES (?, ?, ?, ?, ?, ?, ?)"
_DELETE_SEEN_USES = (
    "DELETE FROM edge WHERE tenant = ? AND child_id = ? AND child_revision = ? "
    "AND relation = 'used' AND basis = 'observed'"
)
_SELECT_UP = "SELECT * FROM edge WHERE tenant = ? AND child_id = ? LIMIT ?"
_SELECT_DOWN = "SELECT * FROM edge WHERE tenant = ? AND parent_id = ? LIMIT ?"
_SELECT_CHILDREN = "SELECT * FROM edge WHERE tenant = ? AND parent_id = ?"


def keep_edge(connection: apsw.Connection, tenant: str, edge: Edge) -> None:
    connection.execute(_INSERT, edge_values(tenant, edge))


def drop_seen_uses(connection: apsw.Connection, tenant: str, child_id: str, revision: int) -> None:
    """Take out the observed `used` edges of one revision."""
    connection.execute(_DELETE_SEEN_USES, (tenant, child_id, revision))


def edges(
    connection: apsw.Connection, scope: Scope, names: tuple[str, ...], direction: Direction
) -> tuple[Edge, ...]:
    """Edges at these ids, in order of child, revision, parent; at most EDGES_MAX."""
    found = set(islice(_edges_at(connection, scope.tenant, names, direction), 2 * EDGES_MAX))
    ordered = sorted(
        found, key=lambda edge: (edge.child_id, edge.revision, edge.parent_id, edge.relation)
    )
    return tuple(ordered[:EDGES_MAX])


def descendants(
    connection: apsw.Connection,
    scope: Scope,
    root: str,
    reads: Reads,
    now: datetime,
) -> tuple[str, ...]:
    """The live ones that rest on root, as `reads` asks: breadth first, by id within a level, never
    root itself unless it is withheld. What has ended is walked through and not named."""
    relations, most = reads.relations, reads.descendants_max
    find = [live_row, returnable_row] if reads.descendants_withheld else [live_row]
    seen = {root}
    level = [root]
    held = reads.descendants_withheld and returnable_row(connection, scope, root, now)
    live = [root] if held else []
    while level and len(live) < most and len(seen) < WALK_MAX:
        children = {
            child
            for parent in level
            for child in _children(connection, scope.tenant, parent, relations)
        }
        level = sorted(children - seen)
        seen.update(level)
        live += [n for n in level if any(row(connection, scope, n, now) for row in find)]
    return tuple(live[:most])


def _edges_at(
    connection: apsw.Connection, tenant: str, names: tuple[str, ...], direction: Direction
) -> Iterator[Edge]:
    for name in dict.fromkeys(names):
        if direction in ("up", "both"):
            yield from map(edge_of, all_rows(connection, _SELECT_UP, tenant, name, EDGES_MAX))
        if direction in ("down", "both"):
            yield from map(edge_of, all_rows(connection, _SELECT_DOWN, tenant, name, EDGES_MAX))


def _children(
    connection: apsw.Connection, tenant: str, parent: str, relations: tuple[Relation, ...]
) -> Iterator[str]:
    found = map(edge_of, all_rows(connection, _SELECT_CHILDREN, tenant, parent))
    return (edge.child_id for edge in found if edge.relation in relations)
