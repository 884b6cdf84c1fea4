"""The lineage graph as rows: who rests on whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Reads, Scope
from lineal.models.lineage import Direction, Edge
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT, wall
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.small_rows import edge_of, edge_values

__all__ = ["EDGES_MAX", "descendants", "drop_seen_uses", "edges", "keep_edges"]

EDGES_MAX = 10_000
"""Most edges in one answer, as the port promises."""

WALK_MAX = 100_000
"""Most memories that one walk looks at, ended ones included."""

_INSERT = (
    "INSERT INTO lineal.edge (tenant_id, child_id, child_revision, parent_id, relation, basis, "
    "edge_digest) SELECT %s, made.* FROM unnest(%s::text[], %s::integer[], %s::text[], "
    "%s::text[], %s::text[], %s::bytea[]) AS made ON CONFLICT "
    "(tenant_id, child_id, child_revision, parent_id, relation, basis) DO NOTHING"
)
_DELETE_SEEN_USES = (
    "DELETE FROM lineal.edge WHERE tenant_id = %s AND child_id = %s AND child_revision = %s "
    "AND relation = 'used' AND basis = 'observed'"
)
_IN_ORDER = "ORDER BY child_id, child_revision, parent_id, relation, basis LIMIT %s"
_UP = "SELECT * FROM lineal.edge WHERE tenant_id = %s AND child_id = ANY(%s::text[])"
_DOWN = "SELECT * FROM lineal.edge WHERE tenant_id = %s AND parent_id = ANY(%s::text[])"
_SIDES = {"up": (_UP,), "down": (_DOWN,), "both": (_UP, _DOWN)}
# By the index at every step (OFFSET 0), whatever the server knows of the table by now.
_BENEATH = (
    'WITH RECURSIVE beneath (name) AS (SELECT %s::text COLLATE "C" UNION '
    "SELECT child_id FROM beneath CROSS JOIN LATERAL (SELECT child_id FROM lineal.edge "
    "WHERE tenant_id = %s AND parent_id = name AND relation = ANY(%s::text[]) OFFSET 0) AS next) "
    "SELECT found.* FROM (SELECT name FROM beneath LIMIT %s) AS walked "
    "CROSS JOIN LATERAL (SELECT * FROM lineal.edge WHERE tenant_id = %s AND parent_id = name "
    "AND relation = ANY(%s::text[]) OFFSET 0) AS found"
)
_SELECT_ROWS = sql("SELECT", CONTEXT, "FROM lineal.context WHERE")
_NAMED = "AND context_id = ANY(%s::text[])"


async def keep_edges(session: Session, tenant: str, new: Iterable[Edge]) -> None:
    """Those that are there already stay as they are."""
    values = [edge_values(tenant, edge)[1:] for edge in new]
    if values:
        columns = (list(column) for column in zip(*values, strict=True))
        await session.run(_INSERT, tenant, *columns)


async def drop_seen_uses(session: Session, tenant: str, child_id: str, revision: int) -> None:
    """Take out the observed `used` edges of one revision."""
    await session.run(_DELETE_SEEN_USES, tenant, child_id, revision)


async def edges(
    session: Session, scope: Scope, names: tuple[str, ...], direction: Direction
) -> tuple[Edge, ...]:
    """Edges at these ids, in order of child, revision, parent; at most EDGES_MAX."""
    bound = (scope.tenant, list(dict.fromkeys(names)), EDGES_MAX)
    asked = [await session.ask(sql(side, _IN_ORDER), *bound) for side in _SIDES[direction]]
    found = {edge_of(values) for answer in asked for values in await answer.rows()}
    return tuple(sorted(found, key=_order)[:EDGES_MAX])


async def descendants(
    session: Session, scope: Scope, root: str, reads: Reads, now: datetime
) -> tuple[str, ...]:
    """The live ones that rest on root, as `reads` asks: breadth first, by id within a level, never
    root itself unless it is withheld. What has ended is walked through and not named."""
    relations = [relation.value for relation in reads.relations]
    bound = (root, scope.tenant, relations, WALK_MAX, scope.tenant, relations)
    children: defaultdict[str, set[str]] = defaultdict(set)
    for edge in map(edge_of, await session.rows(_BENEATH, *bound)):
        children[edge.parent_id].add(edge.child_id)
    walked = _breadth_first(root, children)
    shown = await _shown(session, scope, root, walked, reads, now)
    return tuple([name for name in walked if name in shown][: reads.descendants_max])


def _breadth_first(root: str, children: Mapping[str, set[str]]) -> list[str]:
    """root and all beneath it, each once: level by level, by id within one."""
    walked, seen, level = [], {root}, [root]
    while level:
        walked += level
        beneath = {child for name in level for child in children.get(name, ())}
        level = sorted(beneath - seen)
        seen.update(level)
    return walked


async def _shown(
    session: Session, scope: Scope, root: str, names: list[str], reads: Reads, now: datetime
) -> set[str]:
    """Those that are live in the scope, but for the root; and what is withheld, if asked for."""
    inside, now_ms = wall(scope), to_ms(now)
    statement = sql(_SELECT_ROWS, inside.condition, _NAMED)
    rows = map(ContextRow.checked, await session.rows(statement, *inside.values, names))
    held = reads.descendants_withheld
    return {
        row.context_id
        for row in rows
        if (row.live(now_ms) and row.context_id != root) or (held and row.returnable(now_ms))
    }


def _order(edge: Edge) -> tuple[str, int, str, str, str]:
    return (edge.child_id, edge.revision, edge.parent_id, edge.relation, edge.basis)
