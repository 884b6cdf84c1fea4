"""Finding in what was known at a past time, by the recorded clock."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import Scope, Withholding
from lineal.models.context import Context, MemoryType
from lineal.models.search import CandidatePage, TextQuery
from lineal.ports.store import Store
from lineal.testing.samples import ADA, HOSTILE, START, a_context, keep

__all__ = ["StoreAsOf"]

HOUR = timedelta(hours=1)
EVIL = Scope(tenant="evil", user_id="ada", domain="coding")


class StoreAsOf:
    """Live contexts, each as the latest revision recorded by then had it."""

    async def test_each_time_finds_the_text_of_that_time(self, store: Store) -> None:
        revisions = await _keep_changing(store, "ctx_1", "walnut", "almond", "granite")
        for hour, revision in enumerate(revisions):
            for minutes in (0, 59):
                as_of = START + hour * HOUR + timedelta(minutes=minutes)
                assert await _found(store, as_of, "walnut", "almond", "granite") == [revision]
                assert await _found(store, as_of) == [revision]
                assert await _found(store, as_of, revision.content) == [revision]
        assert await _found(store, START, "granite") == []
        assert await _found(store, START + 2 * HOUR, "walnut") == []

    @pytest.mark.parametrize("offset_ms", [-1, 0, 1])
    async def test_it_is_known_from_the_instant_it_was_recorded(
        self, store: Store, offset_ms: int
    ) -> None:
        note = _noted("ctx_1", "walnut", at=START, occurred_at=START - 9 * HOUR)
        await keep(store, contexts=(note,))
        as_of = START + timedelta(milliseconds=offset_ms)
        expected = [note] if offset_ms >= 0 else []
        assert await _found(store, as_of, "walnut") == expected
        assert await _found(store, as_of) == expected

    @pytest.mark.parametrize("terms", [(), ("note",)])
    async def test_that_revision_decides_on_every_filter(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        was = _noted("ctx_1", "note", tags=("old", "both"), project="a")
        now = _noted(
            "ctx_1", "note", 2, at=START + HOUR, memory_type=MemoryType.EPISODIC, project="b"
        )
        await keep(store, contexts=(was,))
        await keep(store, contexts=(now,))
        passing: list[tuple[dict[str, Any], bool, bool]] = [
            ({"tags": ("old",)}, True, False),
            ({"tags": ("old", "both")}, True, False),
            ({"tags": ("new",)}, False, False),
            ({"memory_types": (MemoryType.FACT,)}, True, False),
            ({"memory_types": (MemoryType.EPISODIC,)}, False, True),
            ({"projects": ("a",)}, True, False),
            ({"projects": ("b", "c")}, False, True),
            ({"projects": ()}, False, False),
            ({"projects": None}, True, True),
        ]
        for asked, then, later in passing:
            query = TextQuery(terms=terms, as_of=START, **asked)
            assert _contexts(await store.find(ADA, query)) == ([was] if then else [])
            query = query.model_copy(update={"as_of": START + HOUR})
            assert _contexts(await store.find(ADA, query)) == ([now] if later else [])

    @pytest.mark.parametrize("ended", ["expired", "swept", "forgotten", "withheld"])
    async def test_only_what_is_live_now_is_found(
        self, store: Store, clock: ManualClock, ended: str
    ) -> None:
        for name in ("ctx_1", "ctx_2"):
            await _keep_changing(store, name, "walnut", "almond", expires_at=START + 9 * HOUR)
        kept = await _keep_changing(store, "ctx_3", "walnut", "almond")
        clock.advance(hours=8)
        names = ("ctx_1", "ctx_2")
        if ended == "forgotten":
            await keep(store, forget=names)
        elif ended == "withheld":
            until = START + 99 * HOUR
            await keep(store, withhold=Withholding(root="r", context_ids=names, until=until))
        else:
            clock.advance(hours=1)
        if ended == "swept":
            await store.sweep()
        for hour, revision in enumerate(kept):
            assert await _found(store, START + hour * HOUR, revision.content) == [revision]
            assert await _found(store, START + hour * HOUR) == [revision]

    async def test_a_life_that_a_later_revision_gave_counts(
        self, store: Store, clock: ManualClock
    ) -> None:
        short = _noted("ctx_1", "walnut", expires_at=START + HOUR)
        await keep(store, contexts=(short,))
        await keep(store, contexts=(_noted("ctx_1", "almond", 2, at=START + HOUR / 2),))
        clock.advance(hours=5)
        assert await _found(store, START, "walnut") == [short]

    async def test_changed_and_unchanged_ones_are_ranked_together(self, store: Store) -> None:
        await keep(
            store,
            contexts=(
                _noted("ctx_0", "red apple here"),
                _noted("ctx_1", "red green here"),
                _noted("ctx_2", "red green here, green as the red door of a long house"),
                _noted("ctx_3", "plain words here"),
                _noted("ctx_4", "blue apple here"),
            ),
        )
        await keep(store, contexts=(_noted("ctx_1", "nothing", 2, at=START + HOUR),))
        await keep(store, contexts=(_noted("ctx_3", "red green green", 2, at=START + HOUR),))
        page = await store.find(ADA, TextQuery(terms=("red", "green"), as_of=START))
        names = [found.context.context_id for found in page.candidates]
        assert (set(names[:2]), names[2:], page.matched) == ({"ctx_1", "ctx_2"}, ["ctx_0"], 3)
        scores = [found.score for found in page.candidates]
        assert scores == sorted(scores, reverse=True)
        assert scores[1] > scores[2] > 0

    async def test_without_words_the_newest_received_of_then_come_first(self, store: Store) -> None:
        await keep(store, contexts=tuple(_noted(f"ctx_{n}", "note") for n in range(5)))
        for number in (0, 3):
            changed = _noted(f"ctx_{number}", "note", 2, at=START + HOUR)
            await keep(store, contexts=(changed,))
        page = await store.find(ADA, TextQuery(as_of=START))
        names = [found.context.context_id for found in page.candidates]
        assert names == ["ctx_4", "ctx_3", "ctx_2", "ctx_1", "ctx_0"]
        assert {found.score for found in page.candidates} == {0}
        assert {found.context.revision for found in page.candidates} == {1}

    @pytest.mark.parametrize("terms", [(), ("note",)])
    @pytest.mark.parametrize("changed", [0, 2, 7])
    async def test_the_limit_bounds_what_is_shown_of_then_but_not_the_count(
        self, store: Store, terms: tuple[str, ...], changed: int
    ) -> None:
        await keep(store, contexts=tuple(_noted(f"ctx_{n}", "note") for n in range(7)))
        await keep(store, contexts=(_noted("ctx_late", "note", at=START + HOUR),))
        for number in range(changed):
            second = _noted(f"ctx_{number}", "gone", 2, at=START + HOUR)
            await keep(store, contexts=(second,))
        page = await store.find(ADA, TextQuery(terms=terms, as_of=START, limit=3))
        assert (len(page.candidates), page.matched) == (3, 7)

    @pytest.mark.parametrize("word", ["RUNNING", "zürich", "zurich", "東京", "v2"])
    async def test_words_of_then_are_found_as_words_of_now(self, store: Store, word: str) -> None:
        text = "running in Zürich and 東京 , v2"
        await _keep_changing(store, "ctx_1", text, "nothing")
        await _keep_changing(store, "ctx_2", "nothing", text)
        for as_of, name in ((START, "ctx_1"), (START + HOUR, "ctx_2")):
            page = await store.find(ADA, TextQuery(terms=(word,), as_of=as_of))
            now = await store.find(ADA, TextQuery(terms=(word,)))
            found = [c.context.context_id for c in page.candidates]
            assert found == ([name] if now.matched else [])

    async def test_title_and_summary_and_tags_of_then_are_searched_too(self, store: Store) -> None:
        places: list[dict[str, Any]] = [
            {"title": "lighthouses"},
            {"summary": "Lighthouses at sea"},
            {"tags": ("lighthouses",)},
            {"speaker": "lighthouses"},
        ]
        for number, values in enumerate(places):
            await keep(store, contexts=(_noted(f"ctx_{number}", "note", **values),))
            await keep(store, contexts=(_noted(f"ctx_{number}", "note", 2, at=START + HOUR),))
        assert len(await _found(store, START, "lighthouses")) == 4
        assert await _found(store, START + HOUR, "lighthouses") == []

    async def test_nobody_elses_past_is_found(self, store: Store) -> None:
        grace = Scope(tenant="acme", user_id="grace", domain="coding")
        mine = await _keep_changing(store, "ctx_1", "walnut", "almond")
        theirs = await _keep_changing(store, "ctx_2", "walnut", "almond", grace, user_id="grace")
        other = await _keep_changing(store, "ctx_1", "walnut", "granite", EVIL)
        for scope, first in ((ADA, mine[0]), (grace, theirs[0]), (EVIL, other[0])):
            for terms in ((), ("walnut",)):
                page = await store.find(scope, TextQuery(terms=terms, as_of=START))
                assert (_contexts(page), page.matched) == ([first], 1)
        wide = await store.find(Scope(tenant="acme"), TextQuery(terms=("walnut",), as_of=START))
        assert wide.matched == 2

    @pytest.mark.parametrize("term", HOSTILE, ids=lambda term: repr(term[:12]))
    async def test_no_word_of_then_is_syntax(self, store: Store, term: str) -> None:
        first, _ = await _keep_changing(store, "ctx_1", f"{term} walnut", "nothing")
        await store.find(ADA, TextQuery(terms=(term,), as_of=START))
        assert await _found(store, START, term, "walnut") == [first]


def _noted(
    name: str, content: str, revision: int = 1, *, at: datetime = START, **values: Any
) -> Context:
    """A revision recorded at that time; of a first one that is when the memory began."""
    created_at = at if revision == 1 else START
    times = {"created_at": created_at, "updated_at": at}
    return a_context(name, content=content, revision=revision, **{**times, **values})


async def _keep_changing(
    store: Store, name: str, *texts: str | Scope, **values: Any
) -> list[Context]:
    """One revision an hour, the first at the beginning; a scope among the texts is whose it is."""
    scope = next((one for one in texts if isinstance(one, Scope)), ADA)
    contents = [one for one in texts if isinstance(one, str)]
    every = [
        _noted(name, text, number + 1, at=START + number * HOUR, **values)
        for number, text in enumerate(contents)
    ]
    for revision in every:
        await keep(store, scope, contexts=(revision,))
    return every


async def _found(store: Store, as_of: datetime, *terms: str) -> list[Context]:
    page = await store.find(ADA, TextQuery(terms=terms, as_of=as_of))
    assert page.matched == len(page.candidates)
    return _contexts(page)


def _contexts(page: CandidatePage) -> list[Context]:
    return [found.context for found in page.candidates]
