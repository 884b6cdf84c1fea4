"""Memories of several projects: found from their own, and from none by those of none."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

import pytest

from lineal.errors import Capability
from lineal.models.search import ALL_PROJECTS
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import CONTENT, Caller, needs

__all__ = ["BackendProjects"]

HERE, THERE = "github.com/ada/here", "github.com/ada/there"


class BackendProjects:
    """A project narrows what is found, never what may be read by its id."""

    @pytest.fixture
    def here(self, backend: Backend) -> Caller:
        """ada at work in one project, which goes by an older name too."""
        return Caller(backend, projects=(HERE, "here"))

    @pytest.fixture
    async def ids(self, backend: Backend, here: Caller) -> dict[str, str]:
        """A memory of each kind, by its project; "" for the one of none."""
        needs(backend, Capability.USERS, Capability.SEARCH)
        await here.upsert()
        texts = {HERE: "Walnut here.", THERE: "Walnut there.", "here": "Walnut of old.", "": "Any."}
        return {p: (await here.append(text, project=p)).context_id for p, text in texts.items()}

    async def test_a_search_finds_what_belongs_here_and_what_belongs_to_none(
        self, here: Caller, ids: dict[str, str]
    ) -> None:
        assert set(await here.found()) == {ids[HERE], ids["here"], ids[""]}
        assert set(await here.found("walnut")) == {ids[HERE], ids["here"]}

    async def test_a_search_may_ask_for_everywhere_another_project_or_none(
        self, here: Caller, ids: dict[str, str]
    ) -> None:
        assert set(await here.found(project=ALL_PROJECTS)) == set(ids.values())
        assert set(await here.found(project=THERE)) == {ids[THERE], ids[""]}
        assert set(await here.found(project="")) == {ids[""]}

    async def test_a_search_says_how_much_lies_elsewhere(
        self, here: Caller, ids: dict[str, str]
    ) -> None:
        assert (await here.search("walnut")).elsewhere == 1
        assert (await here.search("walnut", project="")).elsewhere == 3
        assert (await here.search("walnut", project=ALL_PROJECTS)).elsewhere is None
        assert (await here.search("granite")).elsewhere is None

    async def test_a_hit_says_its_project_where_that_is_not_the_one_asked_from(
        self, here: Caller, ids: dict[str, str]
    ) -> None:
        told = {h.context_id: h.project for h in (await here.search(project=ALL_PROJECTS)).hits}
        assert told == {ids[name]: name or None for name in ids}
        assert {h.project for h in (await here.search()).hits} == {None}

    async def test_a_memory_of_another_project_is_read_by_its_id(
        self, backend: Backend, here: Caller, ids: dict[str, str]
    ) -> None:
        needs(backend, Capability.GET, Capability.UPDATE, Capability.LINEAGE)
        assert (await here.get(ids[THERE])).project == THERE
        assert (await here.get(ids[""])).project is None
        assert (await here.update(ids[THERE], title="Seen")).project == THERE
        assert (await here.trace(ids[THERE])).nodes[0].project == THERE

    async def test_the_same_text_is_kept_again_where_the_first_is_not_found(
        self, backend: Backend
    ) -> None:
        needs(backend, Capability.USERS, Capability.SEARCH)
        there, here = Caller(backend, projects=(THERE,)), Caller(backend, projects=(HERE,))
        await there.upsert()
        first = (await there.append()).context_id
        second = await here.append()
        assert second.duplicate_of is None
        assert second.context_id != first
        assert await here.found(CONTENT) == [second.context_id]
        assert await there.found(CONTENT) == [first]

    async def test_what_belongs_to_none_is_not_the_same_as_what_belongs_to_one(
        self, backend: Backend
    ) -> None:
        """It is to be found from everywhere."""
        needs(backend, Capability.USERS, Capability.SEARCH)
        here, there = Caller(backend, projects=(HERE,)), Caller(backend, projects=(THERE,))
        await here.upsert()
        await here.append()
        everyones = await here.append(project="")
        assert everyones.duplicate_of is None
        assert await there.found(CONTENT) == [everyones.context_id]

    async def test_projects_are_no_wall_and_walls_are(
        self, backend: Backend, ids: dict[str, str]
    ) -> None:
        grace = Caller(backend, tenant="other", projects=(HERE,))
        await grace.upsert()
        answer = await grace.search(project=ALL_PROJECTS)
        assert (answer.hits, answer.elsewhere) == ((), None)
        assert (await grace.search("walnut")).elsewhere is None
