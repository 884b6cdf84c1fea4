"""When a memory ends, as every backend shows it (T1-T4, N7, N8)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError, Unsupported
from lineal.models.context import MemoryType
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import CONTENT, Caller, needs

__all__ = ["BackendLife"]


class BackendLife:
    """Live while now < expires_at, on every path; then gone for good."""

    @pytest.mark.parametrize(
        ("memory_type", "seconds"),
        [
            (MemoryType.SCRATCHPAD, 3_600),
            (MemoryType.EPISODIC, 604_800),
            (MemoryType.FACT, None),
            (MemoryType.PROCEDURAL, None),
        ],
    )
    async def test_n7_each_type_has_its_life_and_n8_a_ttl_overrides_it(
        self,
        backend: Backend,
        ada: Caller,
        clock: ManualClock,
        memory_type: MemoryType,
        seconds: int | None,
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL)
        await ada.upsert()
        answer = await ada.append(memory_type=memory_type)
        life = None if seconds is None else clock.now() + timedelta(seconds=seconds)
        assert answer.expires_at == life
        own = await ada.append("An orchard of pears.", memory_type=memory_type, ttl_seconds=7)
        assert own.expires_at == clock.now() + timedelta(seconds=7)

    @pytest.mark.parametrize(("offset_ms", "live"), [(-1, True), (0, False), (1, False)])
    async def test_t1_it_is_gone_from_the_instant_it_expires(
        self, backend: Backend, ada: Caller, clock: ManualClock, offset_ms: int, live: bool
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL)
        await ada.upsert()
        context_id = (await ada.append(title="Lock file", ttl_seconds=60)).context_id
        clock.advance(seconds=60, milliseconds=offset_ms)
        shown = await _paths_that_show(backend, ada, context_id)
        asked = {c for c in _PATHS if backend.capabilities[c] != "refused"}
        assert shown == (asked if live else set())

    async def test_t1_a_repeated_request_does_not_show_what_has_expired(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL, Capability.UPDATE, Capability.IDEMPOTENCY)
        await ada.upsert()
        context_id = (await ada.append()).context_id
        sent = {"ttl_seconds": 60, "idempotency_key": "k"}
        await ada.update(context_id, **sent)
        clock.advance(seconds=59)
        assert (await ada.update(context_id, **sent)).content == CONTENT
        clock.advance(seconds=1)
        with pytest.raises(LinealError) as raised:
            await ada.update(context_id, **sent)
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_t1_what_has_expired_does_not_stop_the_same_text(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL)
        await ada.upsert()
        first = await ada.append(ttl_seconds=60)
        clock.advance(seconds=60)
        second = await ada.append()
        assert second.duplicate_of is None
        assert second.context_id != first.context_id

    async def test_t2_a_sweep_takes_it_out_and_leaves_a_node(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL, Capability.MAINTENANCE)
        await ada.upsert()
        context_id = (await ada.append(ttl_seconds=60)).context_id
        kept = (await ada.append("An orchard of pears.")).context_id
        clock.advance(seconds=60)
        report = await backend.sweep()
        assert (report.contexts, report.refused) == (1, None)
        assert await _paths_that_show(backend, ada, context_id) == set()
        assert (await ada.stats()).contexts == 1
        assert (await backend.verify()).ok
        needs(backend, Capability.LINEAGE, Capability.SEARCH)
        assert await ada.found() == [kept]
        node = (await ada.trace(context_id)).nodes[0]
        assert (node.state, node.label, node.lineage) == ("expired", None, None)

    async def test_t3_reading_never_shortens_a_life(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL, Capability.GET)
        await ada.upsert()
        answer = await ada.append(ttl_seconds=60)
        for _ in range(5):
            clock.advance(seconds=10)
            await _paths_that_show(backend, ada, answer.context_id)
        assert (await ada.get(answer.context_id)).expires_at == answer.expires_at

    async def test_t4_a_clock_set_back_revives_nothing(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL)
        await ada.upsert()
        context_id = (await ada.append(ttl_seconds=60)).context_id
        clock.advance(seconds=60)
        await ada.append("An orchard of pears.")
        clock.advance(days=-400)
        assert await _paths_that_show(backend, ada, context_id) == set()

    async def test_t4_a_clock_far_ahead_has_nothing_taken_out(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL, Capability.MAINTENANCE)
        await ada.upsert()
        context_id = (await ada.append(ttl_seconds=60)).context_id
        clock.advance(days=3_650)
        report = await backend.sweep()
        assert report.refused
        assert report.contexts == 0
        clock.advance(days=-3_650)
        assert await _paths_that_show(backend, ada, context_id)
        clock.advance(days=3_650)
        assert (await backend.sweep(accept_clock=True)).contexts == 1

    async def test_maintenance_is_done_or_refused_by_name(
        self, backend: Backend, ada: Caller
    ) -> None:
        if backend.capabilities[Capability.MAINTENANCE] == "refused":
            for call in (backend.sweep, backend.verify, ada.stats):
                with pytest.raises(Unsupported) as raised:
                    await call()
                assert raised.value.details["capability"] == Capability.MAINTENANCE
            return
        needs(backend, Capability.USERS)
        await ada.upsert()
        await ada.append(memory_type=MemoryType.PROCEDURAL)
        stats = await ada.stats()
        assert (stats.contexts, stats.users) == (1, 1)
        assert (stats.by_type, stats.by_domain) == ({"procedural": 1}, {"notes": 1})
        assert (await backend.verify()).ok


_PATHS = (Capability.GET, Capability.SEARCH, Capability.HISTORY, Capability.LINEAGE)


async def _paths_that_show(backend: Backend, ada: Caller, context_id: str) -> set[Capability]:
    """By which verbs anything of the context's words can be seen."""
    texts: dict[Capability, Callable[[], Awaitable[object]]] = {
        Capability.GET: lambda: ada.get(context_id),
        Capability.HISTORY: lambda: ada.history(context_id),
        Capability.LINEAGE: lambda: ada.trace(context_id),
    }
    shown: set[Capability] = set()
    for capability, call in texts.items():
        if backend.capabilities[capability] != "refused":
            try:
                answer = await call()
            except LinealError as refused:
                if refused.code is not ErrorCode.NOT_FOUND:
                    raise
                continue
            if "lock file" in str(answer).lower():
                shown.add(capability)
    if backend.capabilities[Capability.SEARCH] != "refused":
        for query in ("", CONTENT):
            if context_id in await ada.found(query):
                shown.add(Capability.SEARCH)
    return shown
