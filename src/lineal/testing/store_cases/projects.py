"""Which project a memory belongs to, and where is looked."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

import pytest

from lineal.models.changes import Reads, Scope
from lineal.models.search import TextQuery
from lineal.ports.store import Store
from lineal.testing.samples import ADA, a_context, keep

__all__ = ["StoreProjects"]

EVIL = Scope(tenant="evil", user_id="ada", domain="coding")

with_words_and_without = pytest.mark.parametrize("terms", [(), ("note",)])


class StoreProjects:
    """What belongs to one of the named projects, or to none, with words and without."""

    @with_words_and_without
    async def test_what_belongs_to_no_project_is_found_from_everywhere(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        await _keep_some(store)
        assert await _found(store, terms, None) == {"ctx_none", "ctx_a", "ctx_b", "ctx_odd"}
        assert await _found(store, terms, ("a",)) == {"ctx_none", "ctx_a"}
        assert await _found(store, terms, ("a", "b")) == {"ctx_none", "ctx_a", "ctx_b"}
        assert await _found(store, terms, ("A", "c", "")) == {"ctx_none"}
        assert await _found(store, terms, ()) == {"ctx_none"}
        assert await _found(store, terms, ("'; --\n\u202e",)) == {"ctx_none", "ctx_odd"}

    @pytest.mark.parametrize("number", [1, 7, 8, 9, 30])
    @with_words_and_without
    async def test_any_number_of_projects_may_be_named(
        self, store: Store, terms: tuple[str, ...], number: int
    ) -> None:
        await _keep_some(store)
        others = tuple(f"other{n}" for n in range(number - 1))
        assert await _found(store, terms, (*others, "b")) == {"ctx_none", "ctx_b"}

    @with_words_and_without
    async def test_a_revision_moves_a_memory_to_another_project(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        await _keep_some(store)
        moved = a_context("ctx_a", revision=2, project="b")
        freed = a_context("ctx_b", revision=2)
        await keep(store, contexts=(moved, freed))
        assert await _found(store, terms, ("a",)) == {"ctx_none", "ctx_b"}
        assert await _found(store, terms, ("b",)) == {"ctx_none", "ctx_a", "ctx_b"}
        seen = await store.read(ADA, Reads(context_ids=("ctx_a", "ctx_b")))
        assert seen.contexts == {"ctx_a": moved, "ctx_b": freed}
        assert (await store.verify()).ok

    @with_words_and_without
    async def test_the_limit_bounds_what_is_shown_of_a_project_but_not_the_count(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        for number in range(6):
            project = ("a", "b")[number % 2]
            await keep(store, contexts=(a_context(f"ctx_{number}", project=project),))
        page = await store.find(ADA, TextQuery(terms=terms, projects=("a",), limit=2))
        assert (len(page.candidates), page.matched) == (2, 3)
        assert {found.context.project for found in page.candidates} == {"a"}

    @with_words_and_without
    async def test_another_tenants_project_of_the_same_name_is_another(
        self, store: Store, terms: tuple[str, ...]
    ) -> None:
        await _keep_some(store)
        await keep(store, EVIL, contexts=(a_context("ctx_evil", project="a"),))
        assert await _found(store, terms, ("a",)) == {"ctx_none", "ctx_a"}
        assert await _found(store, terms, ("a",), EVIL) == {"ctx_evil"}


async def _keep_some(store: Store) -> None:
    """One of no project, one of each of two, and one of a project with a strange name."""
    names = {"ctx_none": None, "ctx_a": "a", "ctx_b": "b", "ctx_odd": "'; --\n\u202e"}
    await keep(store, contexts=tuple(a_context(name, project=p) for name, p in names.items()))


async def _found(
    store: Store, terms: tuple[str, ...], projects: tuple[str, ...] | None, scope: Scope = ADA
) -> set[str]:
    page = await store.find(scope, TextQuery(terms=terms, projects=projects))
    assert page.matched == len(page.candidates)
    return {found.context.context_id for found in page.candidates}
