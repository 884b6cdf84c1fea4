"""Forgetting that can be undone: withheld memories, as if forgotten, until somebody wants them."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import (
    Changes,
    Fingerprint,
    Plan,
    Reads,
    Scope,
    Snapshot,
    Tombstone,
    Withholding,
)
from lineal.models.context import Context
from lineal.models.search import TextQuery
from lineal.ports.store import Store
from lineal.testing.samples import (
    ADA,
    START,
    a_context,
    a_receipt,
    a_sighting,
    a_task,
    a_user,
    an_edge,
    keep,
)

__all__ = ["StoreWithholding"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SAME = Fingerprint(content_key="same", keys=(1, 2))
EVIL = Scope(tenant="evil", user_id="ada", domain="coding")
ELSEWHERE = (
    EVIL,
    Scope(tenant="acme", user_id="grace", domain="coding"),
    Scope(tenant="acme", user_id="ada", domain="hiring"),
)


class StoreWithholding:
    """Hidden on every path, given back whole, and taken out for good when the time is over."""

    async def test_a_walk_that_asks_for_it_meets_what_is_withheld_the_root_among_it(
        self, store: Store, clock: ManualClock
    ) -> None:
        notes = tuple(map(a_context, ("ctx_1", "ctx_2", "ctx_3")))
        edges = (an_edge("ctx_2", "ctx_1"), an_edge("ctx_3", "ctx_2"))
        await keep(store, contexts=notes, edges=edges)
        until = clock.now() + DAY
        held = Withholding(root="ctx_1", context_ids=("ctx_1", "ctx_2"), until=until)
        await keep(store, withhold=held)
        plain = Reads(descendants_of="ctx_1")
        assert (await store.read(ADA, plain)).descendants == ("ctx_3",)
        beyond = Reads(descendants_of="ctx_1", descendants_withheld=True)
        assert (await store.read(ADA, beyond)).descendants == ("ctx_1", "ctx_2", "ctx_3")
        assert (await store.read(EVIL, beyond)).descendants == ()
        clock.advance(days=1)
        assert (await store.read(ADA, beyond)).descendants == ("ctx_3",)

    @pytest.mark.parametrize("withheld", [False, True])
    async def test_every_path_shows_what_is_withheld_as_what_is_forgotten(
        self, store: Store, clock: ManualClock, withheld: bool
    ) -> None:
        await _keep_whole(store)
        clock.advance(minutes=5)
        await _end(store, "ctx_1", withheld=withheld)
        clock.advance(minutes=5)
        seen = await _everything(store)
        assert seen.contexts == {"ctx_0": a_context("ctx_0")}
        assert seen.tombstones == {"ctx_1": _forgotten_mark(START + timedelta(minutes=5))}
        assert seen.alike == ()
        assert seen.sightings == {"ctx_0": ()}
        assert seen.revisions == {"ctx_0": (a_context("ctx_0"),)}
        assert seen.descendants == ("ctx_2",)
        assert seen.receipt == a_receipt("k", "")
        assert await store.history(ADA, "ctx_1") == ()
        assert await store.tombstones(ADA, ("ctx_1",)) == seen.tombstones
        assert await store.due() == ()
        for query in (TextQuery(terms=("walnut",)), TextQuery(terms=("walnut",), as_of=START)):
            assert (await store.find(ADA, query)).matched == 0
        assert (await store.find(ADA, TextQuery())).matched == 2
        assert await store.edges(ADA, ("ctx_1",), "up") == (an_edge("ctx_1", "ctx_0"),)
        stats = await store.stats(ADA)
        counted = (stats.contexts, stats.revisions, stats.tombstones, stats.expired_unswept)
        assert counted == (2, 2, 1, 0)
        assert (stats.by_type, stats.by_domain) == ({"fact": 2}, {"coding": 2})
        assert (await store.verify()).ok

    async def test_a_withheld_text_weighs_nothing_in_what_is_found(self, store: Store) -> None:
        """The same scores as if it had never been there: its words aren't counted either."""
        visible = ("walnut tree", "almond tree by the sea", "granite")
        await keep(
            store,
            contexts=tuple(a_context(f"ctx_{n}", content=text) for n, text in enumerate(visible)),
        )
        query = TextQuery(terms=("walnut", "tree"))
        before = await store.find(ADA, query)
        hidden = tuple(a_context(f"ctx_h{n}", content="walnut " * 9) for n in range(5))
        await keep(store, contexts=hidden)
        await keep(store, withhold=_withholding(*(h.context_id for h in hidden)))
        assert await store.find(ADA, query) == before

    async def test_what_is_alike_is_found_past_any_number_of_withheld_ones(
        self, store: Store
    ) -> None:
        names = tuple(f"ctx_{n:03}" for n in range(200))
        marks = dict.fromkeys(names, SAME)
        await keep(store, contexts=tuple(map(a_context, names)), fingerprints=marks)
        await keep(store, withhold=_withholding(*names[1:]))
        for asked in (Fingerprint(content_key="same"), Fingerprint(content_key="x", keys=(1,))):
            seen = await store.read(ADA, Reads(alike=asked))
            assert seen.alike == (a_context("ctx_000"),)

    async def test_what_is_given_back_is_as_it_was(self, store: Store, clock: ManualClock) -> None:
        await _keep_whole(store)
        before = await _everything(store)
        history = await store.history(ADA, "ctx_1")
        await _end(store, "ctx_1", withheld=True)
        clock.advance(minutes=5)
        await keep(store, restore=("ctx_1",))
        after = await _everything(store)
        emptied = {"now": before.now, "receipt": before.receipt}
        assert after.model_copy(update=emptied) == before
        assert after.receipt == a_receipt("k", "")
        assert await store.history(ADA, "ctx_1") == history
        newest = await store.find(ADA, TextQuery())
        assert [c.context.context_id for c in newest.candidates] == ["ctx_2", "ctx_1", "ctx_0"]
        assert (await store.find(ADA, TextQuery(terms=("walnut",)))).matched == 1
        stats = await store.stats(ADA)
        assert (stats.contexts, stats.revisions, stats.tombstones) == (3, 4, 0)
        await keep(store, contexts=(a_context("ctx_1", revision=3, content="almond"),))
        assert (await store.find(ADA, TextQuery(terms=("walnut",)))).matched == 0
        assert (await store.verify()).ok

    async def test_all_that_a_root_withholds_is_listed_in_order_of_receipt(
        self, store: Store
    ) -> None:
        notes = tuple(a_context(f"ctx_{n}") for n in (3, 1, 2, 0))
        await keep(store, contexts=notes)
        await keep(store, EVIL, contexts=(a_context("ctx_1"),))
        await keep(store, EVIL, withhold=_withholding("ctx_1"))
        await keep(store, withhold=_withholding("ctx_0", "ctx_1"))
        await keep(store, withhold=_withholding("ctx_2", root="other"))
        assert await _withheld(store) == (notes[1], notes[3])
        await keep(store, withhold=_withholding("ctx_3", "ctx_2"))
        assert await _withheld(store) == (notes[0], notes[1], notes[3])
        assert await _withheld(store, root="other") == (notes[2],)
        assert await _withheld(store, EVIL) == (a_context("ctx_1"),)
        assert await _withheld(store, root="ctx_1") == ()
        await keep(store, restore=("ctx_1",))
        assert await _withheld(store) == (notes[0], notes[3])

    @pytest.mark.parametrize("number", range(3))
    async def test_nothing_is_withheld_or_given_back_from_elsewhere(
        self, store: Store, number: int
    ) -> None:
        scope = ELSEWHERE[number]
        await keep(store, contexts=(a_context("ctx_1"), a_context("ctx_2")))
        await keep(store, scope, withhold=_withholding("ctx_1"))
        assert set((await _read(store, "ctx_1")).contexts) == {"ctx_1"}
        await keep(store, withhold=_withholding("ctx_1"))
        await keep(store, scope, restore=("ctx_1",), forget=("ctx_2",))
        assert await _withheld(store, scope) == ()
        assert await _withheld(store) == (a_context("ctx_1"),)
        wide = Scope(tenant="acme", domain="coding")
        assert await _withheld(store, wide) == (a_context("ctx_1"),)

    async def test_what_is_not_live_is_not_withheld(self, store: Store, clock: ManualClock) -> None:
        mortal = a_context("ctx_1", expires_at=START + HOUR)
        await keep(store, contexts=(mortal, a_context("ctx_2"), a_context("ctx_3")))
        await keep(store, forget=("ctx_2",))
        clock.advance(hours=1)
        await keep(store, withhold=_withholding("ctx_1", "ctx_2", "ctx_3", "ctx_9", "ctx_3"))
        assert await _withheld(store) == (a_context("ctx_3"),)
        marks = await store.tombstones(ADA, ("ctx_1", "ctx_2", "ctx_3", "ctx_9"))
        assert {name: mark.reason for name, mark in marks.items()} == {
            "ctx_1": "expired",
            "ctx_2": "forgotten",
            "ctx_3": "forgotten",
        }
        await keep(store, restore=("ctx_1", "ctx_2", "ctx_9"))
        assert (await _read(store, "ctx_1", "ctx_2", "ctx_9")).contexts == {}

    @pytest.mark.parametrize("withheld", [False, True])
    async def test_nothing_new_is_kept_under_an_id_that_is_withheld(
        self, store: Store, withheld: bool
    ) -> None:
        await _keep_whole(store)
        await _end(store, "ctx_1", withheld=withheld)
        await _refused(store, contexts=(a_context("ctx_1"),))
        await _refused(store, contexts=(a_context("ctx_1", revision=3),))
        await _refused(store, sightings=(a_sighting("ctx_1"),))
        other = Fingerprint(content_key="other", keys=(3, 4))
        await keep(store, fingerprints={"ctx_1": other})
        assert (await store.read(ADA, Reads(alike=other))).alike == ()
        await keep(store, restore=("ctx_1",))
        assert (await store.read(ADA, Reads(alike=other))).alike == ()
        assert len((await store.read(ADA, Reads(alike=SAME))).alike) == withheld
        assert (await store.verify()).ok

    @pytest.mark.parametrize("withheld", [False, True])
    async def test_an_answer_never_shows_what_its_own_write_hides(
        self, store: Store, withheld: bool
    ) -> None:
        held = _withholding("ctx_1") if withheld else None
        gone = () if withheld else ("ctx_1",)
        receipt = a_receipt("k", '{"id": "ctx_1"}')
        notes = (a_context("ctx_1"),)
        await keep(store, contexts=notes, withhold=held, forget=gone, receipt=receipt)
        assert (await store.read(ADA, Reads(receipt="k"))).receipt == a_receipt("k", "")

    async def test_what_is_given_back_can_be_revised_by_the_same_write(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, withhold=_withholding("ctx_1"))
        second = a_context("ctx_1", revision=2, content="almond")
        await keep(store, restore=("ctx_1",), contexts=(second,), sightings=(a_sighting("ctx_1"),))
        assert (await _read(store, "ctx_1")).contexts == {"ctx_1": second}
        assert (await store.verify()).ok

    async def test_a_write_that_is_refused_gives_nothing_back(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, withhold=_withholding("ctx_1"))
        await _refused(store, restore=("ctx_1",), contexts=(a_context("ctx_1", revision=7),))
        assert await _withheld(store) == (a_context("ctx_1"),)
        assert (await _read(store, "ctx_1")).contexts == {}

    async def test_giving_back_twice_or_what_is_live_changes_nothing(self, store: Store) -> None:
        await _keep_whole(store)
        await _end(store, "ctx_1", withheld=True)
        await keep(store, restore=("ctx_1", "ctx_1"))
        before = await _everything(store)
        await keep(store, restore=("ctx_1", "ctx_0", "ctx_9"))
        assert await _everything(store) == before
        assert (await store.verify()).ok

    async def test_a_life_goes_on_to_its_own_end(self, store: Store, clock: ManualClock) -> None:
        note = a_context("ctx_1", expires_at=START + HOUR)
        await keep(store, contexts=(note,))
        await keep(store, withhold=_withholding("ctx_1"))
        clock.advance(minutes=59)
        assert await _withheld(store) == (note,)
        await keep(store, restore=("ctx_1",))
        assert (await _read(store, "ctx_1")).contexts == {"ctx_1": note}
        clock.advance(minutes=1)
        assert (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"].reason == "expired"
        assert (await store.sweep()).contexts == 1

    async def test_what_would_have_ended_meanwhile_is_given_back_as_ended(
        self, store: Store, clock: ManualClock
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1", expires_at=START + HOUR),))
        await keep(store, withhold=_withholding("ctx_1"))
        clock.advance(hours=2)
        assert await _withheld(store) == ()
        assert (await store.sweep()).contexts == 0
        assert (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"].reason == "forgotten"
        await keep(store, restore=("ctx_1",))
        mark = (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"]
        assert (mark.reason, mark.ended_at) == ("expired", START + HOUR)
        assert (await store.stats(ADA)).expired_unswept == 1
        assert (await store.verify()).ok
        assert (await store.sweep()).contexts == 1
        assert (await store.verify()).ok

    @pytest.mark.parametrize(("offset_ms", "kept"), [(-1, True), (0, False), (1, False)])
    async def test_it_can_be_undone_until_that_instant_swept_or_not(
        self, store: Store, clock: ManualClock, offset_ms: int, kept: bool
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"), a_context("ctx_2")))
        await keep(store, withhold=_withholding("ctx_1", "ctx_2"))
        clock.advance(hours=20, milliseconds=offset_ms)
        assert len(await _withheld(store)) == 2 * kept
        await keep(store, restore=("ctx_1",))
        assert set((await _read(store, "ctx_1", "ctx_2")).contexts) == (
            {"ctx_1"} if kept else set()
        )
        assert (await store.sweep()).contexts == 2 * (not kept)
        marks = await store.tombstones(ADA, ("ctx_2",))
        assert {(m.reason, m.ended_at) for m in marks.values()} == {("forgotten", START)}
        assert (await store.verify()).ok
        await keep(store, restore=("ctx_2",))
        assert set((await _read(store, "ctx_2")).contexts) == ({"ctx_2"} if kept else set())

    async def test_forgetting_takes_out_at_once_what_is_withheld(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_whole(store)
        await _end(store, "ctx_1", withheld=True)
        clock.advance(hours=1)
        await keep(store, forget=("ctx_1",))
        assert await _withheld(store) == ()
        await keep(store, restore=("ctx_1",))
        marks = await store.tombstones(ADA, ("ctx_1",))
        assert marks == {"ctx_1": _forgotten_mark(START)}
        assert (await store.sweep()).contexts == 0
        assert (await store.verify()).ok

    async def test_a_clock_that_comes_back_shows_nothing_that_is_withheld(
        self, store: Store, clock: ManualClock
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        clock.advance(days=3653)
        await keep(store, withhold=_withholding("ctx_1", until=START + 4000 * DAY))
        clock.advance(days=-3652)
        assert (await _read(store, "ctx_1")).contexts == {}
        assert (await store.find(ADA, TextQuery())).matched == 0
        assert (await store.stats(ADA)).contexts == 0
        assert await _withheld(store) == (a_context("ctx_1"),)

    async def test_a_clock_that_is_not_believed_takes_out_nothing_that_is_withheld(
        self, store: Store, clock: ManualClock
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, withhold=_withholding("ctx_1"))
        clock.advance(days=3653)
        assert (await store.sweep()).refused is not None
        clock.advance(days=-3653)
        assert await _withheld(store) == (a_context("ctx_1"),)

    async def test_a_sweep_takes_expired_and_withheld_ones_together_to_its_limit(
        self, store: Store, clock: ManualClock
    ) -> None:
        mortal = tuple(a_context(f"ctx_{n}", expires_at=START + HOUR) for n in range(3))
        await keep(store, contexts=mortal)
        await keep(store, EVIL, contexts=tuple(a_context(f"ctx_{n}") for n in range(3)))
        held = _withholding("ctx_0", "ctx_1", "ctx_2", until=START + HOUR)
        await keep(store, EVIL, withhold=held)
        clock.advance(hours=2)
        assert [(await store.sweep(limit=4)).contexts for _ in range(3)] == [4, 2, 0]
        assert (await store.verify()).ok

    async def test_a_decision_sees_what_it_would_give_back(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, withhold=_withholding("ctx_1"))

        def undo(seen: Snapshot) -> Plan[int]:
            names = tuple(context.context_id for context in seen.withheld)
            return Plan(Changes(restore=names), len(names))

        given = [await store.commit(ADA, Reads(withheld_by="ctx_0"), undo) for _ in range(2)]
        assert given == [1, 0]
        assert set((await _read(store, "ctx_1")).contexts) == {"ctx_1"}


def _withholding(
    *names: str, root: str = "ctx_0", until: datetime = START + 20 * HOUR
) -> Withholding:
    return Withholding(root=root, context_ids=names, until=until)


async def _keep_whole(store: Store) -> None:
    """ctx_1 with history, edges, a fingerprint, a sighting, a task and a receipt; two others."""
    first = a_context("ctx_1", content="walnut", tags=("a",), project="p")
    await keep(store, contexts=(a_context("ctx_0"),), users=(a_user(),))
    await keep(
        store,
        contexts=(first,),
        edges=(an_edge("ctx_1", "ctx_0"),),
        fingerprints={"ctx_1": SAME},
        tasks=(a_task(kind="lineage", context_id="ctx_1"),),
        receipt=a_receipt("k", '{"id": "ctx_1"}'),
    )
    await keep(store, contexts=(first.model_copy(update={"revision": 2}),))
    await keep(store, sightings=(a_sighting("ctx_1"),))
    await keep(store, contexts=(a_context("ctx_2"),), edges=(an_edge("ctx_2", "ctx_1"),))


async def _end(store: Store, name: str, *, withheld: bool) -> None:
    if withheld:
        await keep(store, withhold=_withholding(name))
    else:
        await keep(store, forget=(name,))


def _forgotten_mark(ended_at: datetime) -> Tombstone:
    return Tombstone(
        context_id="ctx_1",
        user_id="ada",
        domain="coding",
        reason="forgotten",
        memory_type="fact",
        revision=2,
        created_at=START,
        ended_at=ended_at,
    )


async def _everything(store: Store) -> Snapshot:
    reads = Reads(
        context_ids=("ctx_0", "ctx_1"),
        receipt="k",
        alike=SAME,
        sightings=True,
        revisions=9,
        descendants_of="ctx_0",
        owners=True,
    )
    return await store.read(ADA, reads)


async def _read(store: Store, *names: str) -> Snapshot:
    return await store.read(ADA, Reads(context_ids=names))


async def _withheld(store: Store, scope: Scope = ADA, root: str = "ctx_0") -> tuple[Context, ...]:
    return (await store.read(scope, Reads(withheld_by=root))).withheld


async def _refused(store: Store, **changes: Any) -> None:
    with pytest.raises(LinealError) as raised:
        await keep(store, **changes)
    assert raised.value.code is ErrorCode.CONFLICT
