"""Vectors of contexts: who makes them, when they go, and finding by them."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import Scope, Withholding
from lineal.models.context import Context
from lineal.models.search import CandidatePage, TextQuery
from lineal.models.sheet import EmbedBatch, Meaning, Space
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, keep

__all__ = ["StoreEmbedding"]

SPACE = Space("axes.v1", 4)
EAST, NORTH, UP = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)
NOTHING = (0.0,) * 4
HOUR = timedelta(hours=1)
EVIL = Scope(tenant="evil", user_id="ada", domain="coding")


class StoreEmbedding:
    """One embeds at a time; what has changed is embedded again; what ended takes its vector
    along."""

    async def test_everything_is_claimed_in_order_of_receipt(self, store: Store) -> None:
        await _keep_notes(store, 5)
        assert await store.unembedded(SPACE) == 5
        assert await store.unembedded(SPACE, most=2) == 2
        batch = await _claimed(store, limit=3)
        assert _names(batch) == ["ctx_0", "ctx_1", "ctx_2"]
        await store.keep_vectors(batch, [EAST] * 3)
        assert await store.unembedded(SPACE) == 2
        assert await _embed(store, EAST) == ["ctx_3", "ctx_4"]
        assert await store.claim(SPACE, "one") is None
        assert await store.unembedded(SPACE) == 0

    async def test_contexts_behind_all_walls_are_embedded(self, store: Store) -> None:
        await _keep_notes(store, 1)
        await keep(store, EVIL, contexts=(a_context("ctx_0", content="theirs"),))
        texts: set[str] = set()
        while (batch := await store.claim(SPACE, "one")) is not None:
            texts |= {item.context.content for item in batch.items}
            await store.keep_vectors(batch, [EAST] * len(batch.items))
        assert texts == {"The note ctx_0.", "theirs"}

    async def test_where_nothing_waits_nothing_is_claimed(self, store: Store) -> None:
        assert await store.unembedded(SPACE) == 0
        assert await store.claim(SPACE, "one") is None

    async def test_another_gets_nothing_until_a_minute_has_passed(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_notes(store, 2)
        batch = await _claimed(store, limit=1)
        assert await store.claim(SPACE, "other") is None
        clock.advance(seconds=59)
        assert await store.claim(SPACE, "other") is None
        clock.advance(seconds=1)
        again = await store.claim(SPACE, "other")
        assert again is not None
        assert _names(again) == ["ctx_0", "ctx_1"]
        assert _names(batch) == ["ctx_0"]

    async def test_another_gets_the_rest_once_the_vectors_were_kept(self, store: Store) -> None:
        await _keep_notes(store, 2)
        await store.keep_vectors(await _claimed(store, limit=1), [EAST])
        rest = await store.claim(SPACE, "other")
        assert rest is not None
        assert _names(rest) == ["ctx_1"]

    async def test_who_has_claimed_may_claim_again(self, store: Store) -> None:
        await _keep_notes(store, 1)
        assert _names(await _claimed(store)) == _names(await _claimed(store)) == ["ctx_0"]

    async def test_a_claim_by_a_clock_that_was_far_ahead_holds_nobody_up(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_notes(store, 1)
        clock.advance(hours=1)
        await _claimed(store)
        clock.advance(hours=-1)
        await store.sweep(accept_clock=True)
        assert await store.claim(SPACE, "other") is not None

    async def test_what_changed_meanwhile_is_embedded_again_and_first(self, store: Store) -> None:
        await _keep_notes(store, 2)
        batch = await _claimed(store)
        await keep(store, contexts=(a_context("ctx_1", content="changed", revision=2),))
        await store.keep_vectors(batch, [EAST, EAST])
        await keep(store, contexts=(a_context("ctx_2"),))
        assert await store.unembedded(SPACE) == 2
        assert await _near(store, EAST) == {"ctx_0"}
        batch = await _claimed(store, limit=1)
        assert [item.context.content for item in batch.items] == ["changed"]
        await store.keep_vectors(batch, [EAST])
        assert await _near(store, EAST) == {"ctx_0", "ctx_1"}

    @pytest.mark.parametrize("how", ["forgotten", "withheld"])
    async def test_what_ended_meanwhile_is_passed_over(self, store: Store, how: str) -> None:
        await _keep_notes(store, 2)
        batch = await _claimed(store)
        await _end(store, "ctx_0", how)
        await store.keep_vectors(batch, [EAST, EAST])
        assert await _near(store, EAST) == {"ctx_1"}
        assert await store.claim(SPACE, "one") is None
        assert (await store.verify()).ok

    @pytest.mark.parametrize("how", ["forgotten", "withheld"])
    async def test_what_ended_before_it_was_embedded_again_waits_no_more(
        self, store: Store, how: str
    ) -> None:
        await _keep_notes(store, 1)
        await _embed(store, EAST)
        await keep(store, contexts=(a_context("ctx_0", content="changed", revision=2),))
        await _end(store, "ctx_0", how)
        assert await store.unembedded(SPACE) == 0
        assert await store.claim(SPACE, "one") is None

    async def test_what_comes_after_the_latest_was_forgotten_is_embedded(
        self, store: Store
    ) -> None:
        """A store may give a number again."""
        await _keep_notes(store, 2)
        await _embed(store, EAST)
        await keep(store, forget=("ctx_1",))
        await keep(store, contexts=(a_context("ctx_2"),))
        assert await _near(store, EAST) == {"ctx_0"}
        assert await store.unembedded(SPACE) == 1
        assert await _embed(store, EAST) == ["ctx_2"]
        assert await _near(store, EAST) == {"ctx_0", "ctx_2"}

    async def test_no_vector_goes_to_what_took_the_place_of_a_forgotten_one(
        self, store: Store
    ) -> None:
        await _keep_notes(store, 2)
        batch = await _claimed(store)
        await keep(store, forget=("ctx_1",))
        await keep(store, contexts=(a_context("ctx_2"),))
        await store.keep_vectors(batch, [EAST, EAST])
        assert await _near(store, EAST) == {"ctx_0"}
        assert await _embed(store, NORTH) == ["ctx_2"]
        assert await _near(store, NORTH) == {"ctx_2"}

    async def test_a_text_that_changes_loses_its_vector_at_once(self, store: Store) -> None:
        await _keep_notes(store, 2)
        await _embed(store, EAST)
        await keep(store, contexts=(a_context("ctx_0", content="changed", revision=2),))
        assert await _near(store, EAST) == {"ctx_1"}
        assert await store.unembedded(SPACE) == 1
        assert await _embed(store, NORTH) == ["ctx_0"]
        assert await _near(store, NORTH) == {"ctx_0"}

    async def test_a_revision_that_says_the_same_keeps_its_vector(self, store: Store) -> None:
        await _keep_notes(store, 1)
        await _embed(store, EAST)
        changes: dict[str, Any] = {"tags": ("t",), "session_id": "s", "expires_at": START + HOUR}
        await keep(store, contexts=(a_context("ctx_0", revision=2, **changes),))
        assert await store.unembedded(SPACE) == 0
        assert await _near(store, EAST) == {"ctx_0"}

    async def test_what_changes_before_it_was_embedded_is_counted_once(self, store: Store) -> None:
        await _keep_notes(store, 1)
        await _embed(store, EAST)
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, contexts=(a_context("ctx_1", content="changed", revision=2),))
        assert await store.unembedded(SPACE) == 1
        assert await _embed(store, NORTH) == ["ctx_1"]
        assert await store.claim(SPACE, "one") is None

    async def test_what_is_given_back_is_embedded_again(self, store: Store) -> None:
        await _keep_notes(store, 2)
        await _embed(store, EAST)
        await _end(store, "ctx_0", "withheld")
        assert await _near(store, EAST) == {"ctx_1"}
        await keep(store, restore=("ctx_0",))
        assert await store.unembedded(SPACE) == 1
        assert await _embed(store, NORTH) == ["ctx_0"]
        assert await _near(store, NORTH) == {"ctx_0"}

    async def test_a_new_space_begins_anew_and_the_old_one_stays_until_it_is_dropped(
        self, store: Store
    ) -> None:
        other = Space("axes.v2", 4)
        await _keep_notes(store, 2)
        await _embed(store, EAST)
        assert await store.unembedded(other) == 2
        assert await _embed(store, NORTH, other) == ["ctx_0", "ctx_1"]
        assert await _near(store, EAST) == {"ctx_0", "ctx_1"}
        await store.drop_other_vectors(other)
        assert await _near(store, EAST) == set()
        assert await _near(store, NORTH, other) == {"ctx_0", "ctx_1"}
        assert await store.unembedded(SPACE) == 2
        assert await store.unembedded(other) == 0
        assert (await store.verify()).ok

    @pytest.mark.parametrize("space", [Space("axes.v2", 4), Space("axes.v1", 3)])
    async def test_vectors_of_another_space_are_never_compared(
        self, store: Store, space: Space
    ) -> None:
        await _keep_notes(store, 1)
        await _embed(store, EAST)
        assert await _near(store, EAST[: space.dim], space) == set()

    async def test_zeros_are_no_vector(self, store: Store) -> None:
        await _keep_notes(store, 1)
        await _embed(store, NOTHING)
        assert await store.unembedded(SPACE) == 0
        assert await _near(store, EAST) == set()
        page = await _found(store, EAST, terms=("note",))
        assert "meaning" not in page.candidates[0].parts

    async def test_what_is_alike_is_found_without_a_word_in_common(self, store: Store) -> None:
        await keep(store, contexts=tuple(a_context(f"ctx_{n}") for n in range(3)))
        batch = await _claimed(store)
        await store.keep_vectors(batch, [EAST, (0.5, 0.5, 0.5, 0.5), NORTH])
        page = await _found(store, EAST)
        assert [c.context.context_id for c in page.candidates] == ["ctx_0", "ctx_1"]
        assert page.matched == 2
        assert page.candidates[0].parts["meaning"] > page.candidates[1].parts["meaning"] > 0

    async def test_a_text_of_words_and_one_of_meaning_are_found_together(
        self, store: Store
    ) -> None:
        await _keep_notes(store, 2)
        await store.keep_vectors(await _claimed(store), [EAST, NORTH])
        await keep(store, contexts=(a_context("ctx_2", content="absent friends"),))
        assert await _near(store, EAST) == {"ctx_0", "ctx_2"}

    async def test_meaning_finds_nothing_of_the_past(self, store: Store) -> None:
        """Vectors are of the present."""
        await _keep_notes(store, 1)
        await _embed(store, EAST)
        page = await _found(store, EAST, as_of=START)
        assert (page.candidates, page.matched) == ((), 0)
        page = await _found(store, EAST, terms=("note",), as_of=START)
        assert "meaning" not in page.candidates[0].parts

    @pytest.mark.parametrize("project", [None, "p"])
    async def test_what_is_near_is_found_within_the_wall_only(
        self, store: Store, project: str | None
    ) -> None:
        grace = Scope(tenant="acme", user_id="grace", domain="coding")
        for scope in (ADA, EVIL, grace):
            note = a_context("ctx_0", user_id=scope.user_id, project=project)
            if scope is grace:
                note = note.model_copy(update={"context_id": "ctx_1"})
            await keep(store, scope, contexts=(note,))
        await _embed(store, EAST)
        for scope, name in ((ADA, "ctx_0"), (EVIL, "ctx_0"), (grace, "ctx_1")):
            page = await store.find(scope, _query(EAST))
            assert [c.context.context_id for c in page.candidates] == [name]
        assert (await store.find(Scope(tenant="none"), _query(EAST))).matched == 0

    async def test_filters_hold_for_what_is_near(self, store: Store, clock: ManualClock) -> None:
        each: list[dict[str, Any]] = [
            {"tags": ("t",)},
            {"source": "chat"},
            {"occurred_at": START - HOUR},
            {"project": "p"},
            {"expires_at": START + HOUR},
        ]
        notes = [a_context(f"ctx_{n}", **values) for n, values in enumerate(each)]
        await keep(store, contexts=tuple(notes))
        await _embed(store, EAST)
        asked: list[tuple[dict[str, Any], set[str]]] = [
            ({"tags": ("t",)}, {"ctx_0"}),
            ({"sources": ("chat",)}, {"ctx_1"}),
            ({"occurred": (None, START)}, {"ctx_2"}),
            ({"projects": ()}, {"ctx_0", "ctx_1", "ctx_2", "ctx_4"}),
        ]
        for filters, names in asked:
            page = await _found(store, EAST, **filters)
            assert {c.context.context_id for c in page.candidates} == names
            assert page.matched == len(names)
        clock.advance(hours=1)
        assert await _near(store, EAST) == {f"ctx_{n}" for n in range(4)}

    async def test_making_words_anew_keeps_vectors(self, store: Store) -> None:
        await _keep_notes(store, 2)
        await _embed(store, EAST)
        await store.rebuild_words("german")
        assert await _near(store, EAST) == {"ctx_0", "ctx_1"}
        assert await store.unembedded(SPACE) == 0
        assert (await store.find(ADA, TextQuery(terms=("note",)))).matched == 2
        assert (await store.verify()).ok


async def _keep_notes(store: Store, number: int) -> None:
    for n in range(number):
        await keep(store, contexts=(a_context(f"ctx_{n}"),))


async def _claimed(store: Store, space: Space = SPACE, limit: int = 64) -> EmbedBatch:
    batch = await store.claim(space, "one", limit=limit)
    assert batch is not None
    return batch


async def _embed(store: Store, vector: tuple[float, ...], space: Space = SPACE) -> list[str]:
    """All that waits gets this vector; whose it is, in order."""
    names: list[str] = []
    while (batch := await store.claim(space, "one")) is not None:
        await store.keep_vectors(batch, [vector] * len(batch.items))
        names += _names(batch)
    return names


async def _end(store: Store, name: str, how: str) -> None:
    if how == "forgotten":
        await keep(store, forget=(name,))
    else:
        held = Withholding(root="r", context_ids=(name,), until=START + HOUR)
        await keep(store, withhold=held)


def _names(batch: EmbedBatch) -> list[str]:
    contexts: list[Context] = [item.context for item in batch.items]
    return [context.context_id for context in contexts]


def _query(vector: tuple[float, ...], space: Space = SPACE, **values: Any) -> TextQuery:
    asked = {"terms": ("absent",), "meaning": Meaning(space, vector), **values}
    return TextQuery(**asked)


async def _found(store: Store, vector: tuple[float, ...], **values: Any) -> CandidatePage:
    return await store.find(ADA, _query(vector, **values))


async def _near(store: Store, vector: tuple[float, ...], space: Space = SPACE) -> set[str]:
    page = await store.find(ADA, _query(vector, space))
    assert page.matched == len(page.candidates)
    return {found.context.context_id for found in page.candidates}
