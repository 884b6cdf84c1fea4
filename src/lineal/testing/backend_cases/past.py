"""Memories as they were known at a past time."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import CONTENT, Caller, needs

__all__ = ["BackendPast"]

LATER = "The manifest lists what is needed."


class BackendPast:
    """By the recorded clock; only of what is live, so that nothing that has ended comes back."""

    @pytest.fixture
    async def changed(self, backend: Backend, ada: Caller, clock: ManualClock) -> str:
        """A context of the first minute with another text since the second."""
        needs(backend, Capability.USERS, Capability.UPDATE)
        await ada.upsert()
        context_id = (await ada.append(occurred_at="2020-01-01T00:00:00Z")).context_id
        clock.advance(minutes=1)
        await ada.update(context_id, content=LATER)
        clock.advance(minutes=1)
        return context_id

    @pytest.mark.parametrize(
        ("offset_s", "content"), [(0, CONTENT), (59.999, CONTENT), (60, LATER), (9_999, LATER)]
    )
    async def test_a_memory_is_read_as_it_was_known_then(
        self, backend: Backend, ada: Caller, changed: str, offset_s: float, content: str
    ) -> None:
        needs(backend, Capability.GET)
        first = (await ada.get(changed)).created_at
        answer = await ada.get(changed, as_of=_at(first, offset_s))
        assert (answer.content, answer.revision) == (content, 1 if content == CONTENT else 2)

    async def test_before_it_was_stored_it_was_not_known_whenever_it_happened(
        self, backend: Backend, ada: Caller, changed: str
    ) -> None:
        needs(backend, Capability.GET)
        first = (await ada.get(changed)).created_at
        with pytest.raises(LinealError) as raised:
            await ada.get(changed, as_of=_at(first, -0.001))
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_of_a_revision_and_a_time_the_earlier_counts(
        self, backend: Backend, ada: Caller, changed: str
    ) -> None:
        needs(backend, Capability.GET)
        first = (await ada.get(changed)).created_at
        assert (await ada.get(changed, revision=2, as_of=_at(first, 30))).revision == 1
        assert (await ada.get(changed, revision=1, as_of=_at(first, 90))).revision == 1

    async def test_a_search_finds_by_the_words_of_that_time(
        self, backend: Backend, ada: Caller, changed: str
    ) -> None:
        needs(backend, Capability.SEARCH, Capability.GET)
        first = (await ada.get(changed)).created_at
        assert await ada.found("build broke") == []
        (hit,) = (await ada.search("build broke", as_of=_at(first, 30))).hits
        assert (hit.context_id, hit.content, hit.revision) == (changed, CONTENT, 1)
        assert await ada.found("needed", as_of=_at(first, 30)) == []
        assert await ada.found(as_of=_at(first, -1)) == []

    async def test_what_came_later_was_not_known_then(
        self, backend: Backend, ada: Caller, changed: str, clock: ManualClock
    ) -> None:
        needs(backend, Capability.SEARCH)
        before = _at(clock.now(), -1)
        newer = (await ada.append("An orchard of pears.")).context_id
        assert set(await ada.found()) == {changed, newer}
        assert await ada.found(as_of=before) == [changed]

    async def test_what_has_ended_is_not_shown_as_it_was(
        self, backend: Backend, ada: Caller, changed: str, clock: ManualClock
    ) -> None:
        """T1: reading the past revives nothing."""
        needs(backend, Capability.SEARCH, Capability.GET, Capability.FORGET)
        then = _at(clock.now(), -1)
        await ada.forget(changed)
        assert await ada.found(as_of=then) == []
        with pytest.raises(LinealError) as raised:
            await ada.get(changed, as_of=then)
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_no_past_is_seen_from_behind_another_wall(
        self, backend: Backend, ada: Caller, changed: str, clock: ManualClock
    ) -> None:
        needs(backend, Capability.SEARCH, Capability.GET)
        other = Caller(backend, tenant="other")
        await other.upsert()
        assert await other.found(as_of=_at(clock.now(), 0)) == []
        with pytest.raises(LinealError):
            await other.get(changed, as_of=_at(clock.now(), 0))


def _at(instant: datetime, offset_s: float) -> str:
    return (instant + timedelta(seconds=offset_s)).isoformat()
