"""What a cascade takes: all that is derived from an id, and with `used` what had read it (L6)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import Awaitable
from typing import NamedTuple

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.lineage import DeclaredLineage
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import Caller, needs

__all__ = ["PAGE", "TEXTS", "BackendCascades", "Chain", "refused"]

TEXTS = ("Granite is hard.", "Velvet is soft.", "Copper turns green.")
PAGE = "https://example.org/page"


class Chain(NamedTuple):
    """first rests on PAGE, second on first, third on second; other rests on nothing."""

    first: str
    second: str
    third: str
    other: str

    @property
    def group(self) -> tuple[str, str, str]:
        return self[:3]


class BackendCascades:
    """Named first, whole, and for good only where that is asked."""

    @pytest.fixture
    async def chain(self, backend: Backend, ada: Caller, clock: ManualClock) -> Chain:
        needs(backend, Capability.USERS, Capability.LINEAGE, Capability.FORGET, Capability.SEARCH)
        needs(backend, Capability.GET, Capability.UPDATE, Capability.HISTORY)
        needs(backend, Capability.MAINTENANCE)
        await ada.upsert()
        ids = [PAGE]
        for text in TEXTS:
            declared = DeclaredLineage(derived_from=(ids[-1],))
            ids.append((await ada.append(text, lineage=declared, title=text[:6])).context_id)
            clock.advance(seconds=1)
        await ada.update(ids[2], content="Velvet is softer than it looks.")
        other = (await ada.append("An orchard of pears.")).context_id
        return Chain(ids[1], ids[2], ids[3], other)

    async def test_a_cascade_says_until_when_it_can_be_undone_and_a_plain_forgetting_nothing(
        self, ada: Caller, chain: Chain, clock: ManualClock
    ) -> None:
        cascade = await ada.forget(chain.second, cascade=True)
        assert cascade.undo_until is not None
        assert cascade.undo_until > clock.now()
        assert (await ada.forget(chain.first)).undo_until is None

    async def test_an_erasing_cascade_is_final(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        answer = await ada.forget(chain.first, cascade=True, erase=True)
        assert (answer.forgotten, answer.undo_until) == (chain.group, None)
        await refused(ada.forget(chain.first, undo=True))
        assert (await backend.sweep()).contexts == 0
        assert await ada.found() == [chain.other]

    async def test_erasing_takes_out_for_good_what_the_same_cascade_withheld(
        self, ada: Caller, chain: Chain
    ) -> None:
        await ada.forget(chain.first, cascade=True)
        answer = await ada.forget(chain.first, cascade=True, erase=True)
        assert set(answer.forgotten) == set(chain.group)
        await refused(ada.forget(chain.first, undo=True))

    async def test_used_takes_also_what_had_read_it_or_names_it_as_a_source(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        reader = Caller(backend, read_ids=(chain.third,))
        read = (await reader.append("Brass shines.")).context_id
        declared = DeclaredLineage(source_ids=(read,))
        named = (await ada.append("Lead is heavy.", lineage=declared)).context_id
        dry = await ada.forget(chain.first, cascade=True, dry_run=True)
        assert dry.forgotten == chain.group
        answer = await ada.forget(chain.first, cascade=True, used=True)
        assert answer.forgotten == (*chain.group, read, named)
        assert await ada.found() == [chain.other]
        assert (await ada.forget(chain.first, undo=True)).count == 5

    async def test_all_that_rests_on_a_source_outside_can_be_forgotten(
        self, ada: Caller, chain: Chain
    ) -> None:
        trace = await ada.trace(PAGE, direction="down")
        assert [node.state for node in trace.nodes] == ["external", "live", "live", "live"]
        await refused(ada.forget(PAGE))
        answer = await ada.forget(PAGE, cascade=True)
        assert (answer.context_id, answer.forgotten) == (PAGE, chain.group)
        assert (await ada.forget(PAGE, undo=True)).restored == chain.group
        await refused(ada.forget("https://example.org/other", cascade=True))

    async def test_all_that_rests_on_what_is_gone_can_be_forgotten(
        self, ada: Caller, chain: Chain
    ) -> None:
        await ada.forget(chain.first)
        assert (await ada.forget(chain.first, cascade=True)).forgotten == chain.group[1:]
        assert (await ada.forget(chain.first, undo=True)).restored == chain.group[1:]

    @pytest.mark.parametrize(
        "options",
        [
            {"used": True},
            {"erase": True},
            {"undo": True, "cascade": True},
            {"undo": True, "used": True},
        ],
    )
    async def test_options_that_exclude_each_other_are_refused_and_nothing_is_done(
        self, ada: Caller, chain: Chain, options: dict[str, bool]
    ) -> None:
        with pytest.raises(LinealError) as raised:
            await ada.forget(chain.first, **options)
        assert raised.value.code is ErrorCode.INVALID_REQUEST
        assert (await ada.stats()).contexts == 4


async def refused(answer: Awaitable[object]) -> None:
    """As what never was."""
    with pytest.raises(LinealError) as raised:
        await answer
    assert raised.value.code is ErrorCode.NOT_FOUND
