"""Walking the lineage graph: why a memory is believed, and what rests on it."""

from __future__ import annotations

from lineal.models.changes import Reads, Scope, Snapshot, Tombstone
from lineal.models.context import Context
from lineal.models.lineage import Direction, Edge, Trace, TraceLineage, TraceNode
from lineal.policy.missing import missing
from lineal.policy.provenance import basis_of
from lineal.ports.store import Store

__all__ = ["trace"]

NODES_MAX = 200
"""Most nodes of one answer."""

LABEL_CHARS = 80


async def trace(store: Store, scope: Scope, request: TraceLineage) -> Trace:
    """The graph around a memory, or around a source outside that memories name; breadth first, a
    cycle is walked once.

    Ended memories stay in it as nodes without content. Raises not_found for an id that neither
    is nor was, and that nothing names.
    """
    root = request.context_id
    depths: dict[str, int] = {root: 0}
    edges: dict[tuple[str, str, str], Edge] = {}
    truncated: set[str] = set()
    deeper: set[str] = set()
    for direction in _ways(request.direction):
        frontier: tuple[str, ...] = (root,)
        for depth in range(1, request.depth + 1):
            if not frontier:
                break
            found = await store.edges(scope, frontier, direction)
            reached: dict[str, None] = {}
            for edge in found:
                other = edge.parent_id if direction == "up" else edge.child_id
                if other not in depths:
                    if len(depths) >= NODES_MAX:
                        truncated.add(other)
                        continue
                    depths[other] = depth
                    reached[other] = None
                edges[edge.child_id, edge.parent_id, edge.relation] = edge
            frontier = tuple(reached)
        ends = await store.edges(scope, frontier, direction) if frontier else ()
        deeper |= {e.parent_id if direction == "up" else e.child_id for e in ends} - depths.keys()
    snapshot = await store.read(scope, Reads(context_ids=tuple(depths)))
    known = root in snapshot.contexts or root in snapshot.tombstones or bool(edges)
    if not known and not await store.edges(scope, (root,), "down"):
        raise missing(root)
    return Trace(
        root=root,
        direction=request.direction,
        depth=request.depth,
        nodes=tuple(_node(node, depth, snapshot) for node, depth in depths.items()),
        edges=tuple(edges.values()),
        truncated=len(truncated),
        deeper=len(deeper),
    )


def _ways(direction: Direction) -> tuple[Direction, ...]:
    return ("up", "down") if direction == "both" else (direction,)


def _node(node_id: str, depth: int, snapshot: Snapshot) -> TraceNode:
    if node_id in snapshot.contexts:
        return _live(snapshot.contexts[node_id], depth)
    if node_id in snapshot.tombstones:
        return _ended(snapshot.tombstones[node_id], depth)
    return TraceNode(context_id=node_id, state="external", depth=depth)


def _live(context: Context, depth: int) -> TraceNode:
    label = context.title or context.content
    return TraceNode(
        context_id=context.context_id,
        state="live",
        depth=depth,
        label=label if len(label) <= LABEL_CHARS else label[: LABEL_CHARS - 1] + "…",
        memory_type=context.memory_type.value,
        source=context.source,
        revision=context.revision,
        created_at=context.created_at,
        expires_at=context.expires_at,
        project=context.project,
        lineage=context.lineage,
        basis=basis_of(context.lineage),
    )


def _ended(stone: Tombstone, depth: int) -> TraceNode:
    return TraceNode(
        context_id=stone.context_id,
        state=stone.reason,
        depth=depth,
        memory_type=stone.memory_type,
        revision=stone.revision,
        created_at=stone.created_at,
        expires_at=stone.ended_at if stone.reason == "expired" else None,
    )
