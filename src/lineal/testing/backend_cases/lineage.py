"""Where a memory came from and what rests on it, as every backend tells it (L1-L6)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.lineage import Basis, DeclaredLineage, Relation
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import Caller, needs

__all__ = ["BackendLineage"]

TEXTS = ("Granite is hard.", "Velvet is soft.", "Copper turns green.", "Glass is a liquid, once.")


class BackendLineage:
    """Observed and declared, kept apart and joined; the graph both ways; forgetting downwards."""

    async def test_l1_l2_what_was_seen_and_what_was_said_are_both_kept(
        self, backend: Backend, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.LINEAGE, Capability.GET)
        ada = Caller(
            backend,
            client_name="claude-code",
            client_version="2.1",
            tool_use_id="t1",
            session_id="s1",
            read_ids=("ctx_read",),
        )
        await ada.upsert()
        declared = DeclaredLineage(
            source_ids=("ctx_said",), confidence=0.75, tool_calls=("Read:r1",), model_version="m1"
        )
        answer = await ada.append(lineage=declared)
        lineage = answer.lineage
        assert lineage.source_ids == ("ctx_read", "ctx_said")
        assert lineage.tool_calls == ("append_context:t1", "Read:r1")
        assert (lineage.confidence, lineage.model_version) == (0.75, "m1")
        assert lineage.agent_source == "claude-code/2.1"
        assert lineage.created_at == clock.now()
        assert lineage.declared == declared
        assert lineage.observed is not None
        assert lineage.observed.session_id == "s1"
        kept = await ada.get(answer.context_id)
        assert (kept.lineage, kept.agent_source) == (lineage, "claude-code/2.1")

    async def test_l3_what_is_not_known_is_said_to_be_unknown(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.LINEAGE)
        await ada.upsert()
        lineage = (await ada.append()).lineage
        assert (lineage.agent_source, lineage.model_version, lineage.confidence) == (
            None,
            None,
            None,
        )
        assert (lineage.source_ids, lineage.derived_from, lineage.declared) == ((), (), None)

    async def test_l4_what_was_read_is_a_source_but_nothing_derived(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.LINEAGE)
        await ada.upsert()
        read = (await ada.append(TEXTS[0])).context_id
        reader = Caller(backend, read_ids=(read,))
        answer = await reader.append(TEXTS[1])
        assert answer.lineage.source_ids == (read,)
        assert answer.lineage.derived_from == ()
        (edge,) = (await ada.trace(answer.context_id)).edges
        assert (edge.relation, edge.basis) == (Relation.USED, Basis.OBSERVED)

    async def test_l1_evidence_that_never_comes_is_not_awaited_for_ever(
        self, backend: Backend, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.GET)
        ada = Caller(backend, tool_use_id="t1", session_id="s1", awaits=True)
        await ada.upsert()
        context_id = (await ada.append(TEXTS[0])).context_id
        await ada.update(context_id, title="On")
        before = await ada.get(context_id)
        for _ in range(100):
            clock.advance(hours=1)
            await backend.catch_up()
        after = await ada.get(context_id)
        assert not after.lineage.awaits
        lineage = before.lineage.model_copy(update={"awaits": False})
        assert after == before.model_copy(update={"lineage": lineage})
        assert await backend.catch_up() == 0

    async def test_an_update_that_declares_nothing_still_rests_on_what_it_rested_on(
        self, backend: Backend, ada: Caller
    ) -> None:
        """But how its predecessor was made says nothing of how it was."""
        needs(backend, Capability.USERS, Capability.LINEAGE, Capability.UPDATE)
        await ada.upsert()
        declared = DeclaredLineage(
            derived_from=("doc:1",),
            source_ids=("doc:2",),
            tool_calls=("Read:1",),
            model_version="m",
        )
        context_id = (await ada.append(TEXTS[0], lineage=declared)).context_id
        lineage = (await ada.update(context_id, title="On")).lineage
        assert (lineage.derived_from, lineage.source_ids) == (("doc:1",), ("doc:2",))
        assert (lineage.model_version, lineage.tool_calls) == (None, ("update_context",))

    async def test_l5_a_node_says_how_each_value_is_known(
        self, backend: Backend, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.LINEAGE)
        ada = Caller(backend, client_name="claude-code", tool_use_id="t1")
        await ada.upsert()
        declared = DeclaredLineage(model_version="m1", tool_calls=("Read:1",), confidence=0.5)
        context_id = (await ada.append(TEXTS[0], lineage=declared)).context_id
        (node,) = (await ada.trace(context_id)).nodes
        assert node.basis == {
            "agent_source": Basis.OBSERVED,
            "tool_calls": Basis.OBSERVED,
            "model_version": Basis.DECLARED,
            "confidence": Basis.DECLARED,
        }

    async def test_l5_a_source_outside_is_traced_to_what_rests_on_it(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.LINEAGE)
        await ada.upsert()
        page = "https://example.org/page"
        declared = DeclaredLineage(source_ids=(page,))
        context_id = (await ada.append(TEXTS[0], lineage=declared)).context_id
        down = await ada.trace(page, direction="down")
        assert [(n.context_id, n.state) for n in down.nodes] == [
            (page, "external"),
            (context_id, "live"),
        ]
        up = await ada.trace(page, direction="up")
        assert ([n.context_id for n in up.nodes], up.edges) == ([page], ())
        with pytest.raises(LinealError) as raised:
            await Caller(backend, tenant="other").trace(page, direction="both")
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_l5_the_graph_is_walked_both_ways(self, backend: Backend, ada: Caller) -> None:
        first, second, third = await _chain(backend, ada)
        up = await ada.trace(third, direction="up")
        assert [node.context_id for node in up.nodes] == [third, second, first]
        assert [node.depth for node in up.nodes] == [0, 1, 2]
        down = await ada.trace(first, direction="down")
        assert [node.context_id for node in down.nodes] == [first, second, third]
        both = await ada.trace(second, direction="both")
        assert {node.context_id for node in both.nodes} == {first, second, third}
        assert {(edge.child_id, edge.parent_id) for edge in both.edges} == {
            (second, first),
            (third, second),
        }
        assert (both.root, both.truncated) == (second, 0)

    async def test_l5_a_walk_goes_no_deeper_than_asked(self, backend: Backend, ada: Caller) -> None:
        _, second, third = await _chain(backend, ada)
        trace = await ada.trace(third, direction="up", depth=1)
        assert [node.context_id for node in trace.nodes] == [third, second]

    async def test_l5_what_is_not_a_memory_of_ours_stands_as_external(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.LINEAGE)
        await ada.upsert()
        declared = DeclaredLineage(derived_from=("https://example.org/page",))
        context_id = (await ada.append(lineage=declared)).context_id
        root, outside = (await ada.trace(context_id)).nodes
        assert (root.state, outside.state) == ("live", "external")
        assert (outside.context_id, outside.label) == ("https://example.org/page", None)

    async def test_l5_a_cycle_is_walked_once(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.UPDATE)
        first, second, third = await _chain(backend, ada)
        await ada.update(first, lineage=DeclaredLineage(derived_from=(third,)))
        for direction in ("up", "down", "both"):
            trace = await ada.trace(first, direction=direction, depth=32)
            assert sorted(node.context_id for node in trace.nodes) == sorted((first, second, third))

    async def test_l5_an_unknown_id_has_no_graph(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.LINEAGE)
        with pytest.raises(LinealError) as raised:
            await ada.trace("ctx_unknown")
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_l6_forgetting_takes_one_and_leaves_its_node(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.FORGET)
        first, second, third = await _chain(backend, ada)
        answer = await ada.forget(second)
        assert (answer.forgotten, answer.count, answer.dry_run) == ((second,), 1, False)
        trace = await ada.trace(third, direction="up")
        states = {node.context_id: (node.state, node.label) for node in trace.nodes}
        assert states[second] == ("forgotten", None)
        assert states[first] == ("live", TEXTS[0])
        assert "soft" not in str(trace)

    async def test_l6_a_cascade_is_first_tried_dry_then_done(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.FORGET, Capability.SEARCH)
        first, second, third = await _chain(backend, ada)
        other = (await ada.append(TEXTS[3])).context_id
        dry = await ada.forget(first, cascade=True, dry_run=True)
        assert (dry.forgotten, dry.count, dry.dry_run) == ((first, second, third), 3, True)
        assert len(await ada.found()) == 4
        done = await ada.forget(first, cascade=True)
        assert (done.forgotten, done.count, done.dry_run) == ((first, second, third), 3, False)
        assert await ada.found() == [other]

    async def test_l6_a_cascade_leaves_what_only_read_it(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.FORGET, Capability.SEARCH)
        first, _, _ = await _chain(backend, ada)
        reader = Caller(backend, read_ids=(first,))
        kept = (await reader.append(TEXTS[3])).context_id
        await ada.forget(first, cascade=True)
        assert await ada.found() == [kept]

    async def test_l6_what_was_forgotten_cannot_be_forgotten_again(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.FORGET)
        first, _, _ = await _chain(backend, ada)
        await ada.forget(first)
        for gone in (first, "ctx_unknown"):
            with pytest.raises(LinealError) as raised:
                await ada.forget(gone)
            assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_l6_a_repeated_forgetting_gives_the_same_answer(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.FORGET, Capability.IDEMPOTENCY)
        first, _, _ = await _chain(backend, ada)
        answer = await ada.forget(first, idempotency_key="k")
        assert await ada.forget(first, idempotency_key="k") == answer


async def _chain(backend: Backend, ada: Caller) -> tuple[str, str, str]:
    """Three contexts, each declared as derived from the one before."""
    needs(backend, Capability.USERS, Capability.LINEAGE)
    await ada.upsert()
    ids: list[str] = []
    for text in TEXTS[:3]:
        declared = DeclaredLineage(derived_from=tuple(ids[-1:])) if ids else None
        ids.append((await ada.append(text, lineage=declared)).context_id)
    return ids[0], ids[1], ids[2]
