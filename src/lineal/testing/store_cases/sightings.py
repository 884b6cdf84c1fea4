"""The same content, met again."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta

import pytest

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import SIGHTINGS_MAX, Reads, Scope
from lineal.models.context import Sighting
from lineal.models.lineage import Lineage
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, a_receipt, a_sighting, keep

__all__ = ["StoreSightings"]

HOUR = timedelta(hours=1)


class StoreSightings:
    """Sightings are kept whole, read back in order and bounded, and go with their context."""

    async def test_a_sighting_is_read_back_whole(self, store: Store) -> None:
        whole = a_sighting(
            "ctx_1",
            session_id="s\u00fc 🐈",
            speaker="ada",
            occurred_at=START - HOUR,
            lineage=Lineage(created_at=START, source_ids=("ctx_0",), confidence=0.25),
        )
        await keep(store, contexts=(a_context("ctx_1"),), sightings=(whole,))
        assert await _sightings(store, "ctx_1") == {"ctx_1": (whole,)}
        assert (await store.verify()).ok

    async def test_only_the_named_live_contexts_are_answered_for(self, store: Store) -> None:
        await keep(store, contexts=tuple(map(a_context, ("ctx_1", "ctx_2", "ctx_3"))))
        await keep(store, sightings=(a_sighting("ctx_1"), a_sighting("ctx_3")))
        seen = await _sightings(store, "ctx_1", "ctx_2", "ctx_9")
        assert seen == {"ctx_1": (a_sighting("ctx_1"),), "ctx_2": ()}
        assert (await store.read(ADA, Reads(context_ids=("ctx_1",)))).sightings == {}

    async def test_the_latest_are_shown_in_order_of_receipt(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        every = tuple(
            a_sighting("ctx_1", session_id=f"s{n}", occurred_at=START - n * HOUR)
            for n in range(SIGHTINGS_MAX + 5)
        )
        for sighting in every[:3]:
            await keep(store, sightings=(sighting,))
        assert (await _sightings(store, "ctx_1"))["ctx_1"] == every[:3]
        await keep(store, sightings=every[3:])
        assert (await _sightings(store, "ctx_1"))["ctx_1"] == every[5:]

    async def test_a_revision_keeps_the_sightings(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),), sightings=(a_sighting("ctx_1"),))
        await keep(store, contexts=(a_context("ctx_1", revision=2),))
        assert await _sightings(store, "ctx_1") == {"ctx_1": (a_sighting("ctx_1"),)}

    @pytest.mark.parametrize("ended", ["expired", "swept", "forgotten"])
    async def test_what_has_ended_is_not_met_again(
        self, store: Store, clock: ManualClock, ended: str
    ) -> None:
        note = a_context("ctx_1", expires_at=START + HOUR)
        await keep(store, contexts=(note,), sightings=(a_sighting("ctx_1"),))
        if ended == "forgotten":
            await keep(store, forget=("ctx_1",))
        else:
            clock.advance(hours=1)
        if ended == "swept":
            await store.sweep()
        assert await _sightings(store, "ctx_1") == {}
        await _refused(store, ADA, a_sighting("ctx_1"))
        assert (await store.verify()).ok

    @pytest.mark.parametrize(
        "scope",
        [
            Scope(tenant="evil", user_id="ada", domain="coding"),
            Scope(tenant="acme", user_id="grace", domain="coding"),
            Scope(tenant="acme", user_id="ada", domain="hiring"),
        ],
    )
    async def test_sightings_are_neither_read_nor_kept_from_elsewhere(
        self, store: Store, scope: Scope
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),), sightings=(a_sighting("ctx_1"),))
        seen = await store.read(scope, Reads(context_ids=("ctx_1",), sightings=True))
        assert seen.sightings == {}
        await _refused(store, scope, a_sighting("ctx_1", session_id="not mine"))
        assert await _sightings(store, "ctx_1") == {"ctx_1": (a_sighting("ctx_1"),)}

    async def test_a_refused_sighting_takes_the_whole_write_with_it(self, store: Store) -> None:
        with pytest.raises(LinealError) as raised:
            await keep(store, contexts=(a_context("ctx_1"),), sightings=(a_sighting("ctx_2"),))
        assert raised.value.code is ErrorCode.CONFLICT
        assert (await store.read(ADA, Reads(context_ids=("ctx_1",)))).contexts == {}

    async def test_the_answer_to_a_sighting_is_emptied_when_its_context_ends(
        self, store: Store
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, sightings=(a_sighting("ctx_1"),), receipt=a_receipt("k", '{"a": 1}'))
        receipt = (await store.read(ADA, Reads(receipt="k"))).receipt
        assert receipt == a_receipt("k", '{"a": 1}')
        await keep(store, forget=("ctx_1",))
        assert (await store.read(ADA, Reads(receipt="k"))).receipt == a_receipt("k", "")


async def _sightings(store: Store, *names: str) -> dict[str, tuple[Sighting, ...]]:
    return (await store.read(ADA, Reads(context_ids=names, sightings=True))).sightings


async def _refused(store: Store, scope: Scope, sighting: Sighting) -> None:
    with pytest.raises(LinealError) as raised:
        await keep(store, scope, sightings=(sighting,))
    assert raised.value.code is ErrorCode.CONFLICT
