"""Edges and what rests on what, whatever the cycles."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from itertools import pairwise

from lineal.models.changes import Reads, Scope
from lineal.models.lineage import Relation
from lineal.ports.store import Store
from lineal.testing.samples import ADA, a_context, a_user, an_edge, keep

__all__ = ["StoreGraph"]

EDGES_MAX = 10_000
"""Most edges in one answer, as the port says."""


class StoreGraph:
    """Edges are kept for good, shown both ways, and walked breadth first."""

    async def test_edges_are_shown_up_down_and_both_ways(self, store: Store) -> None:
        up, down = an_edge("ctx_1", "ctx_0"), an_edge("ctx_2", "ctx_1")
        await keep(store, edges=(up, down, an_edge("ctx_9", "ctx_8")))
        assert await store.edges(ADA, ("ctx_1",), "up") == (up,)
        assert await store.edges(ADA, ("ctx_1",), "down") == (down,)
        assert await store.edges(ADA, ("ctx_1",), "both") == (up, down)
        assert await store.edges(ADA, (), "both") == ()

    async def test_edges_come_in_order_and_once(self, store: Store) -> None:
        used = an_edge("ctx_b", "ctx_x", revision=2, relation=Relation.USED)
        edges = (an_edge("ctx_b", "ctx_y"), used, an_edge("ctx_b", "ctx_a"), an_edge("ctx_a", "z"))
        await keep(store, edges=edges)
        await keep(store, edges=edges)
        found = await store.edges(ADA, ("ctx_a", "ctx_b", "ctx_x"), "both")
        assert found == (edges[3], edges[2], edges[0], used)

    async def test_an_answer_holds_ten_thousand_edges_at_most(self, store: Store) -> None:
        edges = tuple(an_edge(f"ctx_{n:05}", "ctx_root") for n in range(EDGES_MAX + 1))
        await keep(store, edges=edges)
        assert await store.edges(ADA, ("ctx_root",), "down") == edges[:EDGES_MAX]

    async def test_many_ids_can_be_asked_at_once(self, store: Store) -> None:
        ids = tuple(f"ctx_{n}" for n in range(2_500))
        await keep(store, contexts=tuple(map(a_context, ids[:10])), edges=(an_edge(ids[-1], "x"),))
        assert len(await store.edges(ADA, ids, "both")) == 1
        assert len((await store.read(ADA, Reads(context_ids=ids))).contexts) == 10
        assert await store.tombstones(ADA, ids) == {}

    async def test_descendants_come_nearest_first(self, store: Store) -> None:
        await keep(
            store,
            edges=(
                an_edge("ctx_b", "ctx_a"),
                an_edge("ctx_c", "ctx_b"),
                an_edge("ctx_d", "ctx_c"),
                an_edge("ctx_d", "ctx_a"),
                an_edge("ctx_x", "ctx_y"),
            ),
        )
        await _notes(store, "ctx_a", "ctx_b", "ctx_c", "ctx_d")
        found = await _descendants(store, "ctx_a")
        assert set(found[:2]) == {"ctx_b", "ctx_d"}
        assert found[2:] == ("ctx_c",)
        assert await _descendants(store, "ctx_d") == ()

    async def test_a_cycle_is_walked_once_and_the_root_is_no_descendant(self, store: Store) -> None:
        ring = ("ctx_a", "ctx_b", "ctx_c")
        pairs = zip(ring[1:] + ring[:1], ring, strict=True)
        await keep(store, edges=(*(an_edge(c, p) for c, p in pairs), an_edge("ctx_a", "ctx_a")))
        await _notes(store, *ring)
        assert await _descendants(store, "ctx_a") == ("ctx_b", "ctx_c")

    async def test_descendants_follow_only_the_relations_asked_for(self, store: Store) -> None:
        used = an_edge("ctx_b", "ctx_a", relation=Relation.USED)
        await keep(store, edges=(used, an_edge("ctx_c", "ctx_a")))
        await _notes(store, "ctx_b", "ctx_c")
        assert await _descendants(store, "ctx_a") == ("ctx_c",)
        both = (Relation.USED, Relation.WAS_DERIVED_FROM)
        reads = Reads(descendants_of="ctx_a", relations=both)
        assert set((await store.read(ADA, reads)).descendants) == {"ctx_b", "ctx_c"}

    async def test_descendants_are_bounded_the_nearest_kept(self, store: Store) -> None:
        chain = [f"ctx_{n}" for n in range(60)]
        links = tuple(an_edge(c, p) for p, c in pairwise(chain))
        await keep(store, edges=links)
        await _notes(store, *chain)
        reads = Reads(descendants_of="ctx_0", descendants_max=5)
        assert list((await store.read(ADA, reads)).descendants) == chain[1:6]
        assert list(await _descendants(store, "ctx_0")) == chain[1:]
        star = tuple(an_edge(f"ray_{n}", "ctx_star") for n in range(9))
        await keep(store, edges=star)
        await _notes(store, *(f"ray_{n}" for n in range(9)))
        reads = Reads(descendants_of="ctx_star", descendants_max=5)
        assert len((await store.read(ADA, reads)).descendants) == 5

    async def test_a_deep_chain_is_walked_to_its_end(self, store: Store) -> None:
        chain = [f"ctx_{n}" for n in range(3_000)]
        links = tuple(an_edge(c, p) for p, c in pairwise(chain))
        await keep(store, edges=links)
        await _notes(store, *chain)
        assert list(await _descendants(store, "ctx_0")) == chain[1:]

    async def test_a_dense_graph_is_walked_quickly(self, store: Store) -> None:
        """Sixty layers of three: 3^60 paths, 180 nodes. A walk by paths would never end."""
        edges = tuple(
            an_edge(f"ctx_{layer + 1}_{child}", f"ctx_{layer}_{parent}")
            for layer in range(60)
            for child in range(3)
            for parent in range(3)
        )
        await keep(store, edges=edges)
        await _notes(store, *{edge.child_id for edge in edges})
        assert len(await _descendants(store, "ctx_0_0")) == 180

    async def test_what_has_ended_is_walked_and_not_named(self, store: Store) -> None:
        """Nor what never was, and the owners of the live ones are shown with them."""
        notes = tuple(a_context(name) for name in ("ctx_a", "ctx_b", "ctx_c"))
        links = (an_edge("ctx_b", "ctx_a"), an_edge("ctx_c", "ctx_b"), an_edge("ctx_x", "ctx_a"))
        await keep(store, contexts=notes, edges=links, users=(a_user(),))
        await keep(store, Scope(tenant="acme"), forget=("ctx_b",))
        assert await _descendants(store, "ctx_a") == ("ctx_c",)
        reads = Reads(context_ids=("ctx_a",), descendants_of="ctx_a", owners=True)
        assert (await store.read(Scope(tenant="acme"), reads)).owners == (a_user(),)
        assert (await store.read(Scope(tenant="evil"), reads)).owners == ()


async def _notes(store: Store, *names: str) -> None:
    await keep(store, contexts=tuple(a_context(name) for name in names))


async def _descendants(store: Store, root: str) -> tuple[str, ...]:
    return (await store.read(ADA, Reads(descendants_of=root))).descendants
