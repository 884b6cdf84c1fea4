"""Finding by words, filters and age: what every store promises, not how it ranks."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

import pytest

from lineal.models.changes import Scope
from lineal.models.context import MemoryType
from lineal.models.search import CandidatePage, TextQuery
from lineal.ports.store import Store
from lineal.testing.samples import ADA, HOSTILE, a_context, keep

__all__ = ["StoreFinding"]


class StoreFinding:
    """Whole words, any of them; all filters at once; a bound, and how many match in all."""

    async def test_a_word_finds_what_holds_it_and_nothing_else(self, store: Store) -> None:
        await _keep_texts(store, "The cat sat.", "A dog ran.", "Concatenate strings.")
        assert await _found(store, "cat") == {"ctx_0"}
        assert await _found(store, "bird") == set()

    async def test_any_of_the_words_is_enough(self, store: Store) -> None:
        await _keep_texts(store, "The cat sat.", "A dog ran.", "A bird sang.")
        assert await _found(store, "cat", "dog", "fish") == {"ctx_0", "ctx_1"}

    @pytest.mark.parametrize("word", ["postgres", "POSTGRES", "Postgres"])
    async def test_case_does_not_matter(self, store: Store, word: str) -> None:
        await _keep_texts(store, "We use Postgres here.", "Nothing of it.")
        assert await _found(store, word) == {"ctx_0"}

    @pytest.mark.parametrize("word", ["zürich", "東京", "москва", "42", "v2"])
    async def test_words_of_other_scripts_and_numbers_are_words(
        self, store: Store, word: str
    ) -> None:
        await _keep_texts(store, f"An event: {word} , noted.", "Something else.")
        assert await _found(store, word) == {"ctx_0"}

    async def test_title_and_summary_and_tags_are_searched_too(self, store: Store) -> None:
        await keep(
            store,
            contexts=(
                a_context("ctx_0", title="About lighthouses"),
                a_context("ctx_1", summary="Lighthouses on the coast"),
                a_context("ctx_2", tags=("lighthouses",)),
                a_context("ctx_3"),
            ),
        )
        assert await _found(store, "lighthouses") == {"ctx_0", "ctx_1", "ctx_2"}

    async def test_more_of_the_words_rank_higher(self, store: Store) -> None:
        await _keep_texts(
            store, "red apple here", "red green here", "plain words here", "blue apple here"
        )
        page = await store.find(ADA, TextQuery(terms=("red", "green")))
        assert [found.context.context_id for found in page.candidates] == ["ctx_1", "ctx_0"]
        scores = [found.score for found in page.candidates]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[1] > 0

    async def test_without_words_the_newest_received_come_first(self, store: Store) -> None:
        await _keep_texts(store, "one", "two", "three")
        page = await store.find(ADA, TextQuery())
        assert [found.context.context_id for found in page.candidates] == [
            "ctx_2",
            "ctx_1",
            "ctx_0",
        ]
        assert {found.score for found in page.candidates} == {0}

    @pytest.mark.parametrize("terms", [(), ("note",)])
    async def test_the_limit_bounds_candidates_but_not_the_count(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        await keep(store, contexts=tuple(a_context(f"ctx_{n}") for n in range(7)))
        page = await store.find(ADA, TextQuery(terms=terms, limit=3))
        assert (len(page.candidates), page.matched) == (3, 7)

    @pytest.mark.parametrize("terms", [(), ("note",)])
    async def test_filters_hold_with_words_and_without(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        fact, note = MemoryType.FACT, MemoryType.EPISODIC
        await keep(
            store,
            contexts=(
                a_context("ctx_0", memory_type=fact, tags=("a", "b")),
                a_context("ctx_1", memory_type=note, tags=("a",)),
                a_context("ctx_2", memory_type=note, tags=("b", "ab")),
                a_context("ctx_3", memory_type=note),
            ),
        )
        expected = {
            TextQuery(terms=terms, tags=("a",)): {"ctx_0", "ctx_1"},
            TextQuery(terms=terms, tags=("a", "b")): {"ctx_0"},
            TextQuery(terms=terms, tags=("A",)): set(),
            TextQuery(terms=terms, memory_types=(note,)): {"ctx_1", "ctx_2", "ctx_3"},
            TextQuery(terms=terms, memory_types=(note, fact), tags=("b",)): {"ctx_0", "ctx_2"},
            TextQuery(terms=terms, memory_types=(MemoryType.PROCEDURAL,)): set(),
        }
        for query, ids in expected.items():
            page = await store.find(ADA, query)
            assert _ids(page) == ids
            assert page.matched == len(ids)

    async def test_finding_follows_an_update_at_once(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_0", content="old walnut", tags=("was",)),))
        newer = a_context("ctx_0", revision=2, content="new almond", tags=("is",))
        await keep(store, contexts=(newer,))
        assert await _found(store, "walnut") == set()
        assert await _found(store, "was") == set()
        page = await store.find(ADA, TextQuery(terms=("almond",)))
        assert [found.context for found in page.candidates] == [newer]
        assert (await store.find(ADA, TextQuery(tags=("was",)))).matched == 0
        assert (await store.find(ADA, TextQuery(tags=("is",)))).matched == 1

    async def test_words_of_another_user_do_not_count(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_0"), a_context("ctx_1", user_id="grace")))
        page = await store.find(Scope(tenant="acme", user_id="grace"), TextQuery(terms=("note",)))
        assert (_ids(page), page.matched) == ({"ctx_1"}, 1)

    @pytest.mark.parametrize("term", HOSTILE, ids=lambda term: repr(term[:12]))
    async def test_no_word_is_syntax(self, store: Store, term: str) -> None:
        await _keep_texts(store, "A walnut.", "Another thing.")
        await store.find(ADA, TextQuery(terms=(term,)))
        assert await _found(store, term, "walnut") == {"ctx_0"}

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
    async def test_no_text_is_syntax(self, store: Store, text: str) -> None:
        await keep(store, contexts=(a_context("ctx_0", title=text, content=f"{text} walnut"),))
        page = await store.find(ADA, TextQuery(terms=("walnut",)))
        assert [found.context.title for found in page.candidates] == [text]


async def _keep_texts(store: Store, *texts: str) -> None:
    """ctx_0, ctx_1, … one write each, in this order."""
    for number, text in enumerate(texts):
        await keep(store, contexts=(a_context(f"ctx_{number}", content=text),))


async def _found(store: Store, *terms: str) -> set[str]:
    page = await store.find(ADA, TextQuery(terms=terms))
    assert page.matched == len(page.candidates)
    return _ids(page)


def _ids(page: CandidatePage) -> set[str]:
    return {found.context.context_id for found in page.candidates}
