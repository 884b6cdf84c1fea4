"""What a question asks beside its words: each filter, and all together."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from lineal.models.changes import Completed
from lineal.models.context import MemoryType
from lineal.models.lineage import Lineage, Relation
from lineal.models.search import TextQuery
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, an_edge, keep

__all__ = ["StoreFiltering"]

HOUR = timedelta(hours=1)
LATER = START + 9 * HOUR

ways = pytest.mark.parametrize(
    "asked",
    [{}, {"terms": ("note",)}, {"as_of": LATER}, {"terms": ("note",), "as_of": LATER}],
    ids=["newest", "words", "past", "words of the past"],
)

EACH: tuple[tuple[dict[str, Any], set[str]], ...] = (
    ({"sources": ("chat",)}, {"a"}),
    ({"sources": ("chat", "doc")}, {"a", "b"}),
    ({"sources": ("Chat",)}, set()),
    ({"sources": ('"', "%", "doc")}, {"b"}),
    ({"agents": ("claude",)}, {"a", "b"}),
    ({"agents": ("claude/1",)}, {"a"}),
    ({"agents": ("claude/2", "codex")}, {"b", "c"}),
    ({"agents": ("cl",)}, set()),
    ({"agents": ("1",)}, set()),
    ({"model_version": "m1"}, {"a"}),
    ({"model_version": "m"}, set()),
    ({"derived_from": "ctx_z"}, {"b"}),
    ({"derived_from": "ctx_y"}, set()),
    ({"occurred": (START, None)}, {"a", "b", "c"}),
    ({"occurred": (START + HOUR, None)}, {"b", "c"}),
    ({"occurred": (None, START + HOUR)}, {"a", "d"}),
    ({"occurred": (START, START + 2 * HOUR)}, {"a", "b"}),
    ({"occurred": (START + HOUR, START + HOUR)}, set()),
    ({"recorded": (START + 3 * HOUR, None)}, {"d"}),
    ({"recorded": (START + HOUR, START + 3 * HOUR)}, {"b", "c"}),
    ({"recorded": (None, START + HOUR)}, {"a"}),
    ({"sources": ("doc",), "agents": ("claude",), "derived_from": "ctx_z"}, {"b"}),
    ({"sources": ("chat",), "agents": ("codex",)}, set()),
    ({"tags": ("t",), "occurred": (START + HOUR, None)}, {"c"}),
    ({"memory_types": (MemoryType.EPISODIC,), "recorded": (None, START + 3 * HOUR)}, {"c"}),
)


class StoreFiltering:
    """All filters hold at once, for what is listed, found, and found in the past."""

    @ways
    async def test_each_filter_leaves_what_passes_it(
        self, store: Store, asked: dict[str, Any]
    ) -> None:
        await _keep_some(store)
        for filters, names in EACH:
            assert await _found(store, asked, filters) == names, filters

    @ways
    async def test_the_count_is_of_what_passes(self, store: Store, asked: dict[str, Any]) -> None:
        await _keep_some(store)
        query = TextQuery(**asked, occurred=(START, None), limit=1)
        page = await store.find(ADA, query)
        assert (len(page.candidates), page.matched) == (1, 3)

    @ways
    async def test_a_model_that_is_learned_later_counts_from_then_on(
        self, store: Store, asked: dict[str, Any]
    ) -> None:
        note = a_context("ctx_a")
        await keep(store, contexts=(note,))
        assert await _found(store, asked, {"model_version": "late"}) == set()
        lineage = Lineage(created_at=START, model_version="late")
        seen = note.model_copy(update={"lineage": lineage})
        await keep(store, completed=Completed(contexts=(seen,)))
        assert await _found(store, asked, {"model_version": "late"}) == {"a"}

    @ways
    async def test_an_agent_that_is_learned_later_counts_from_then_on(
        self, store: Store, asked: dict[str, Any]
    ) -> None:
        note = a_context("ctx_a", source="chat")
        await keep(store, contexts=(note,))
        second = a_context("ctx_a", source="doc", agent_source="claude/1", revision=2)
        await keep(store, contexts=(second,))
        assert await _found(store, asked, {"agents": ("claude",)}) == {"a"}
        assert await _found(store, asked, {"sources": ("chat",)}) == set()

    @ways
    async def test_only_what_was_derived_is_derived(
        self, store: Store, asked: dict[str, Any]
    ) -> None:
        await keep(store, contexts=(a_context("ctx_a"), a_context("ctx_b")))
        used = an_edge("ctx_a", "ctx_z", relation=Relation.USED)
        await keep(store, edges=(used, an_edge("ctx_z", "ctx_b")))
        assert await _found(store, asked, {"derived_from": "ctx_z"}) == set()

    async def test_a_word_that_nobody_wrote_stands_for_those_one_slip_away(
        self, store: Store
    ) -> None:
        await keep(store, contexts=(a_context("ctx_a", content="The orchard is in bloom."),))
        page = await store.find(ADA, TextQuery(terms=("ochard",)))
        assert [c.context.context_id for c in page.candidates] == ["ctx_a"]
        assert list(page.corrected) == ["ochard"]

    async def test_a_word_that_somebody_wrote_stands_for_itself(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_a", content="The trial begins."),))
        await keep(store, contexts=(a_context("ctx_b", content="The trail begins."),))
        page = await store.find(ADA, TextQuery(terms=("trial",)))
        assert [c.context.context_id for c in page.candidates] == ["ctx_a"]
        assert page.corrected == {}

    async def test_nobody_elses_words_are_what_a_slip_stands_for(self, store: Store) -> None:
        note = a_context("ctx_a", content="The orchard.", user_id="grace")
        await keep(store, ADA.model_copy(update={"user_id": "grace"}), contexts=(note,))
        await keep(store, contexts=(a_context("ctx_b", content="The orchard.", project="p"),))
        page = await store.find(ADA, TextQuery(terms=("ochard",), projects=()))
        assert (page.matched, page.corrected) == (0, {})


async def _keep_some(store: Store) -> None:
    """Four notes; b is derived from z."""
    values: dict[str, dict[str, Any]] = {
        "a": {"source": "chat", "agent_source": "claude/1", "tags": ("t",)},
        "b": {"source": "doc", "agent_source": "claude/2"},
        "c": {"agent_source": "codex", "tags": ("t",), "memory_type": MemoryType.EPISODIC},
        "d": {},
    }
    for hour, (name, kept) in enumerate(values.items()):
        at = START + hour * HOUR
        model = "m1" if name == "a" else None
        lineage = Lineage(created_at=at, model_version=model)
        happened = START - HOUR if name == "d" else at
        times = {"created_at": at, "updated_at": at, "occurred_at": happened}
        note = a_context(f"ctx_{name}", lineage=lineage, **times, **kept)
        edges = (an_edge("ctx_b", "ctx_z"),) if name == "b" else ()
        await keep(store, contexts=(note,), edges=edges)


async def _found(store: Store, asked: Mapping[str, Any], filters: Mapping[str, Any]) -> set[str]:
    page = await store.find(ADA, TextQuery(**asked, **filters))
    assert page.matched == len(page.candidates)
    return {found.context.context_id.removeprefix("ctx_") for found in page.candidates}
