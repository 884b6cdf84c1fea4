"""Forgetting with all that was derived, and giving it back (L6)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.lineage import DeclaredLineage
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import Caller, needs
from lineal.testing.backend_cases.cascading import PAGE, TEXTS, Chain, refused
from lineal.testing.backend_cases.users import Typed

__all__ = ["BackendUndoing"]


class BackendUndoing:
    """What a cascade took comes back whole, until its grace ends; nothing else does."""

    async def test_what_is_given_back_is_all_as_it_was(
        self, ada: Caller, chain: Chain, clock: ManualClock
    ) -> None:
        before = await _everything(ada, chain)
        await ada.forget(chain.first, cascade=True)
        clock.advance(hours=5)
        answer = await ada.forget(chain.first, undo=True)
        assert (answer.restored, answer.forgotten, answer.count) == (chain.group, (), 3)
        assert (answer.context_id, answer.undo_until) == (chain.first, None)
        assert await _everything(ada, chain) == before
        assert (await ada.update(chain.second, title="On")).revision == 3

    async def test_between_no_read_shows_any_of_it(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        await ada.forget(chain.first, cascade=True)
        for name, text in zip(chain.group, TEXTS, strict=True):
            await refused(ada.get(name))
            await refused(ada.get(name, revision=1))
            await refused(ada.history(name))
            await refused(ada.update(name, title="On"))
            assert await ada.found(text) == []
        assert await ada.found() == [chain.other]
        trace = await ada.trace(chain.second, direction="both")
        states = {node.context_id: node.state for node in trace.nodes}
        assert states == {**dict.fromkeys(chain.group, "forgotten"), PAGE: "external"}
        assert not any(word in str(trace) for word in ("Granit", "Velvet", "Copper"))
        stats = await ada.stats()
        assert (stats.contexts, stats.revisions, stats.tombstones) == (1, 1, 3)
        assert (await backend.verify()).ok

    async def test_the_same_text_sent_meanwhile_is_new_and_both_are_there_afterwards(
        self, ada: Caller, chain: Chain
    ) -> None:
        await ada.forget(chain.first, cascade=True)
        again = await ada.append(TEXTS[0])
        assert again.duplicate_of is None
        assert again.context_id not in chain
        await ada.forget(chain.first, undo=True)
        hits = (await ada.search("granite")).hits
        names = {name for hit in hits for name in (hit.context_id, *hit.also)}
        assert names == {chain.first, again.context_id}

    async def test_it_is_given_back_once_and_can_be_forgotten_anew(
        self, ada: Caller, chain: Chain
    ) -> None:
        for _ in range(2):
            assert (await ada.forget(chain.first, cascade=True)).forgotten == chain.group
            assert (await ada.forget(chain.first, undo=True)).restored == chain.group
            await refused(ada.forget(chain.first, undo=True))

    async def test_it_is_asked_back_by_the_id_that_the_cascade_was_asked_for(
        self, ada: Caller, chain: Chain
    ) -> None:
        await ada.forget(chain.second, cascade=True)
        await ada.forget(chain.first, cascade=True)
        await refused(ada.forget(chain.third, undo=True))
        assert (await ada.forget(chain.first, undo=True)).restored == (chain.first,)
        assert (await ada.forget(chain.second, undo=True)).restored == chain.group[1:]

    async def test_what_is_derived_from_it_meanwhile_goes_with_the_next_cascade(
        self, ada: Caller, chain: Chain
    ) -> None:
        await ada.forget(chain.first, cascade=True)
        declared = DeclaredLineage(derived_from=(chain.third,))
        late = (await ada.append("Tin is bright.", lineage=declared)).context_id
        assert (await ada.forget(chain.first, cascade=True)).forgotten == (late,)
        assert (await ada.forget(chain.first, undo=True)).restored == (*chain.group, late)

    @pytest.mark.parametrize(("offset_ms", "back"), [(-1, True), (0, False)])
    async def test_it_can_be_undone_until_that_instant_swept_or_not(
        self,
        backend: Backend,
        ada: Caller,
        chain: Chain,
        clock: ManualClock,
        offset_ms: int,
        back: bool,
    ) -> None:
        until = (await ada.forget(chain.first, cascade=True)).undo_until
        _wait(clock, until, offset_ms)
        if back:
            assert (await backend.sweep(accept_clock=True)).contexts == 0
            assert (await ada.forget(chain.first, undo=True)).count == 3
            return
        await refused(ada.forget(chain.first, undo=True))
        assert (await backend.sweep(accept_clock=True)).contexts == 3
        await refused(ada.forget(chain.first, undo=True))
        assert await ada.found() == [chain.other]

    async def test_what_would_have_expired_meanwhile_does_not_come_back(
        self, backend: Backend, ada: Caller, chain: Chain, clock: ManualClock
    ) -> None:
        needs(backend, Capability.TTL)
        await ada.update(chain.second, ttl_seconds=60)
        await ada.forget(chain.first, cascade=True)
        clock.advance(seconds=60)
        answer = await ada.forget(chain.first, undo=True)
        assert answer.restored == (chain.first, chain.third)
        await refused(ada.get(chain.second))

    async def test_a_plain_forgetting_is_final(self, ada: Caller, chain: Chain) -> None:
        await ada.forget(chain.third)
        await refused(ada.forget(chain.third, undo=True))
        await refused(ada.get(chain.third))

    async def test_a_dry_run_keeps_nothing(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        before = await _everything(ada, chain)
        for options in ({}, {"cascade": True}, {"cascade": True, "erase": True}):
            answer = await ada.forget(chain.first, dry_run=True, **options)
            assert answer.forgotten == (chain.group if options else chain.group[:1])
            assert await _everything(ada, chain) == before
        await refused(ada.forget(chain.first, undo=True, dry_run=True))
        await ada.forget(chain.first, cascade=True)
        answer = await ada.forget(chain.first, undo=True, dry_run=True)
        assert (answer.restored, answer.count, answer.dry_run) == (chain.group, 3, True)
        await refused(ada.get(chain.first))
        assert (await ada.forget(chain.first, undo=True)).count == 3

    async def test_a_repeated_cascade_and_a_repeated_undo_are_done_once(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        needs(backend, Capability.IDEMPOTENCY)
        gone = await ada.forget(chain.first, cascade=True, idempotency_key="k1")
        back = await ada.forget(chain.first, undo=True, idempotency_key="k2")
        assert await ada.forget(chain.first, undo=True, idempotency_key="k2") == back
        assert await ada.forget(chain.first, cascade=True, idempotency_key="k1") == gone
        assert (await ada.get(chain.first)).content == TEXTS[0]
        with pytest.raises(LinealError) as raised:
            await ada.forget(chain.first, undo=True, idempotency_key="k1")
        assert raised.value.code is ErrorCode.CONFLICT

    async def test_a_repeated_request_shows_nothing_that_a_cascade_took(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        needs(backend, Capability.IDEMPOTENCY)
        sent: dict[str, Any] = {"title": "On", "idempotency_key": "k"}
        await ada.update(chain.first, **sent)
        await ada.forget(chain.first, cascade=True)
        await refused(ada.update(chain.first, **sent))

    async def test_nobody_takes_or_gives_back_behind_another_wall(
        self, backend: Backend, ada: Caller, chain: Chain
    ) -> None:
        eve = Caller(backend, tenant="other")
        await eve.upsert()
        own = (await eve.append("Tin.", lineage=DeclaredLineage(derived_from=(PAGE,)))).context_id
        assert (await eve.forget(PAGE, cascade=True)).forgotten == (own,)
        await refused(eve.forget(chain.first, cascade=True))
        assert (await ada.forget(PAGE, cascade=True)).forgotten == chain.group
        assert (await eve.forget(PAGE, undo=True)).restored == (own,)
        await refused(eve.forget(chain.first, undo=True))
        assert (await ada.forget(PAGE, undo=True)).restored == chain.group

    async def test_it_can_be_undone_after_a_restart(
        self, ada: Caller, chain: Chain, reopened: Backend | None, backend: Backend
    ) -> None:
        if reopened is None:
            pytest.skip("nothing of this backend outlives its process")
        before = await _everything(ada, chain)
        await ada.forget(chain.first, cascade=True)
        await backend.close()
        await reopened.open()
        try:
            later = Caller(reopened)
            assert (await later.forget(chain.first, undo=True)).restored == chain.group
            assert await _everything(later, chain) == before
        finally:
            await reopened.close()

    async def test_what_was_read_from_a_text_goes_and_comes_with_it(
        self, backend: Backend, typed: Typed
    ) -> None:
        needs(backend, Capability.USERS, Capability.SCHEMAS, Capability.FORGET)
        if typed.text is None:
            pytest.skip("this backend reads nothing out of texts")
        if backend.capabilities[Capability.FORGET] == "emulated":
            pytest.skip("what was read is kept by somebody who can't be told to forget it")
        ada = Caller(backend, domain=typed.domain)
        await ada.upsert(fields={})
        name = (await ada.append(typed.text)).context_id
        assert (await ada.user()).fields[typed.field] == typed.value
        await ada.forget(name, cascade=True)
        assert typed.field not in (await ada.user()).fields
        await ada.forget(name, undo=True)
        assert (await ada.user()).fields[typed.field] == typed.value


async def _everything(ada: Caller, chain: Chain) -> list[object]:
    """All that can be read of these memories, whichever verb reads it."""
    reads: list[Awaitable[object]] = [_hits(ada, text) for text in ("", *TEXTS)]
    reads += [ada.get(name) for name in chain]
    reads += [ada.history(name) for name in chain]
    reads += [ada.trace(name, direction="both") for name in chain]
    found = [await read for read in reads]
    stats = await ada.stats()
    return [*found, stats.model_copy(update={"size_bytes": 0, "wal_bytes": 0})]


async def _hits(ada: Caller, query: str) -> object:
    """What is found, not when it was asked."""
    return (await ada.search(query)).model_dump(exclude={"now"})


def _wait(clock: ManualClock, until: datetime | None, offset_ms: int) -> None:
    assert until is not None
    wait = until - clock.now()
    clock.advance(seconds=wait.total_seconds(), milliseconds=offset_ms)
