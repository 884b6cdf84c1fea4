"""When a memory ends, and what a clock that jumps may do."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta

import pytest

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Fingerprint, Reads, Scope
from lineal.models.search import TextQuery
from lineal.models.user import Head
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, a_receipt, a_user, an_edge, keep

__all__ = ["StoreLife"]

HOUR = timedelta(hours=1)
SAME = Fingerprint(content_key="key", keys=(1, 2))
HEAD = Head(name="coding", version="v1", vector=(1.0, 0.0))


class StoreLife:
    """Liveness to the millisecond on every path, sweeping, and jumps of the clock."""

    @pytest.mark.parametrize(("offset_ms", "live"), [(-1, True), (0, False), (1, False)])
    async def test_every_path_decides_alike_around_the_end(
        self, store: Store, clock: ManualClock, offset_ms: int, live: bool
    ) -> None:
        await _keep_mortal(store)
        clock.advance(hours=1, milliseconds=offset_ms)
        assert await _paths_that_show(store) == (set(_PATHS) if live else set())
        assert await store.edges(ADA, ("ctx_1",), "up") == (an_edge("ctx_1", "ctx_0"),)
        marks = await store.tombstones(ADA, ("ctx_1",))
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",)))
        assert marks == seen.tombstones
        assert {m.reason: m.ended_at for m in marks.values()} == (
            {} if live else {"expired": START + HOUR}
        )

    async def test_an_expired_row_counts_as_unswept(self, store: Store, clock: ManualClock) -> None:
        await _keep_mortal(store)
        await keep(store, contexts=(a_context("ctx_2"),))
        clock.advance(hours=1)
        stats = await store.stats(ADA)
        assert (stats.contexts, stats.users, stats.expired_unswept) == (1, 0, 1)
        assert (stats.by_type, stats.by_domain) == ({"fact": 1}, {"coding": 1})

    async def test_a_memory_that_ends_at_once_is_never_shown(self, store: Store) -> None:
        await _keep_mortal(store, expires_at=START)
        assert await _paths_that_show(store) == set()
        assert (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"].reason == "expired"

    async def test_a_revision_can_lengthen_or_shorten_a_life(
        self, store: Store, clock: ManualClock
    ) -> None:
        first = a_context("ctx_1", expires_at=START + HOUR)
        longer = a_context("ctx_1", revision=2, expires_at=START + 3 * HOUR)
        for revision in (first, longer):
            await keep(store, contexts=(revision,))
        clock.advance(hours=2)
        assert len(await store.history(ADA, "ctx_1")) == 2
        shorter = a_context("ctx_1", revision=3, expires_at=START + 2 * HOUR)
        await keep(store, contexts=(shorter,))
        assert await store.history(ADA, "ctx_1") == ()

    async def test_reading_never_shortens_a_life(self, store: Store, clock: ManualClock) -> None:
        await _keep_mortal(store)
        for _ in range(59):
            clock.advance(minutes=1)
            assert await _paths_that_show(store) == set(_PATHS)

    @pytest.mark.parametrize("revision", [1, 2])
    @pytest.mark.parametrize("swept", [False, True])
    async def test_an_update_never_revives_an_expired_context(
        self, store: Store, clock: ManualClock, revision: int, swept: bool
    ) -> None:
        await _keep_mortal(store)
        clock.advance(hours=1)
        if swept:
            await store.sweep()
        with pytest.raises(LinealError) as raised:
            await keep(store, contexts=(a_context("ctx_1", revision=revision),))
        assert raised.value.code is ErrorCode.CONFLICT
        assert await _paths_that_show(store) == set()

    async def test_an_expired_user_begins_anew(self, store: Store, clock: ManualClock) -> None:
        await _keep_mortal(store)
        await keep(store, users=(a_user(revision=2, expires_at=START + HOUR),))
        clock.advance(hours=1)
        with pytest.raises(LinealError):
            await keep(store, users=(a_user(revision=3),))
        await keep(store, users=(a_user(extras={"new": True}),))
        assert len(await store.user_history(ADA)) == 1
        assert (await store.read(ADA, Reads(user=True))).user == a_user(extras={"new": True})
        assert await store.head(ADA, "coding") is None

    async def test_a_sweep_leaves_marks_and_edges_and_the_living(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_mortal(store)
        grace = Scope(tenant="acme", user_id="grace", domain="coding")
        await keep(store, grace, contexts=(a_context("ctx_2", user_id="grace"),))
        await keep(store, grace, users=(a_user(user_id="grace"),), heads=(HEAD,))
        clock.advance(hours=1)
        report = await store.sweep()
        assert (report.contexts, report.users, report.refused) == (1, 1, None)
        assert await _paths_that_show(store) == set()
        mark = (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"]
        assert (mark.reason, mark.revision, mark.created_at) == ("expired", 1, START)
        assert mark.ended_at == START + HOUR
        assert await store.edges(ADA, ("ctx_0",), "down") == (an_edge("ctx_1", "ctx_0"),)
        assert len(await store.history(grace, "ctx_2")) == 1
        assert await store.head(grace, "coding") == HEAD
        stats = await store.stats(Scope(tenant="acme"))
        assert (stats.tombstones, stats.expired_unswept) == (1, 0)
        assert (await store.verify()).ok
        assert (await store.sweep()).contexts == 0

    async def test_a_sweep_takes_at_most_its_limit(self, store: Store, clock: ManualClock) -> None:
        mortal = tuple(a_context(f"ctx_{n}", expires_at=START + HOUR) for n in range(5))
        await keep(store, contexts=mortal[:3])
        await keep(store, Scope(tenant="other"), contexts=mortal[3:])
        clock.advance(hours=1)
        taken = [(await store.sweep(limit=2)).contexts for _ in range(4)]
        assert taken == [2, 2, 1, 0]

    async def test_an_empty_store_is_swept_without_complaint(self, store: Store) -> None:
        report = await store.sweep()
        assert (report.contexts, report.users, report.receipts) == (0, 0, 0)
        assert report.refused is None

    @pytest.mark.parametrize("swept", [False, True])
    async def test_a_receipt_is_emptied_when_what_its_answer_shows_has_ended(
        self, store: Store, clock: ManualClock, swept: bool
    ) -> None:
        note = a_context("ctx_1", expires_at=START + HOUR)
        row = a_user(expires_at=START + HOUR)
        await keep(store, contexts=(note,), receipt=a_receipt("note", '{"content": "A note."}'))
        await keep(store, users=(row,), receipt=a_receipt("row", '{"fields": {"city": "Graz"}}'))
        await keep(store, contexts=(a_context("ctx_2"),), receipt=a_receipt("other"))
        clock.advance(minutes=59)
        assert (await store.read(ADA, Reads(receipt="note"))).receipt is not None
        assert (await store.read(ADA, Reads(receipt="row"))).receipt is not None
        clock.advance(minutes=1)
        if swept:
            await store.sweep()
        for key, answer in (("note", ""), ("row", ""), ("other", "{}")):
            receipt = (await store.read(ADA, Reads(receipt=key))).receipt
            assert receipt is not None
            assert receipt.answer == answer

    async def test_a_receipt_of_today_survives_a_sweep(
        self, store: Store, clock: ManualClock
    ) -> None:
        await keep(store, receipt=a_receipt("k"))
        clock.advance(hours=12)
        await store.sweep()
        assert (await store.read(ADA, Reads(receipt="k"))).receipt is not None

    async def test_a_clock_set_back_revives_nothing(self, store: Store, clock: ManualClock) -> None:
        await _keep_mortal(store)
        latest = clock.advance(hours=2)
        await keep(store, contexts=(a_context("ctx_2"),))
        clock.advance(days=-400)
        assert await _paths_that_show(store) == set()
        assert (await store.read(ADA, Reads())).now == latest
        assert (await store.sweep()).contexts == 1
        clock.advance(days=-400)
        assert await _paths_that_show(store) == set()
        assert (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"].reason == "expired"

    async def test_the_present_never_runs_backwards_between_writes(
        self, store: Store, clock: ManualClock
    ) -> None:
        seen = []
        for number, hours in enumerate((1, -5, 2, -400, 3)):
            clock.advance(hours=hours)
            await keep(store, contexts=(a_context(f"ctx_{number}"),))
            seen.append((await store.read(ADA, Reads())).now)
        assert seen == sorted(seen)

    async def test_a_jump_far_ahead_hides_but_takes_nothing_out(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_mortal(store)
        clock.advance(days=3_650)
        assert await _paths_that_show(store) == set()
        assert (await store.sweep()).refused
        await keep(store, contexts=(a_context("ctx_2"),))
        report = await store.sweep()
        assert report.refused
        assert (report.contexts, report.users, report.receipts) == (0, 0, 0)
        clock.advance(days=-3_650)
        assert await _paths_that_show(store) == set(_PATHS)
        assert len(await store.history(ADA, "ctx_2")) == 1
        clock.advance(minutes=61)
        assert (await store.sweep()).contexts == 1

    async def test_a_jump_is_swept_when_the_clock_is_said_to_be_right(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_mortal(store)
        clock.advance(days=3_650)
        assert (await store.sweep(accept_clock=True)).contexts == 1
        clock.advance(days=-3_650)
        assert await _paths_that_show(store) == set()

    async def test_a_jump_is_believed_once_the_clock_has_run_on_for_a_day(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_mortal(store)
        clock.advance(days=30)
        await keep(store, contexts=(a_context("ctx_2"),))
        clock.advance(hours=23)
        await keep(store, contexts=(a_context("ctx_3"),))
        assert (await store.sweep()).refused
        clock.advance(hours=1)
        await keep(store, contexts=(a_context("ctx_4"),))
        assert (await store.sweep()).contexts == 1

    async def test_a_sweeper_alone_comes_to_believe_a_clock_that_runs_on(
        self, store: Store, clock: ManualClock
    ) -> None:
        await _keep_mortal(store)
        clock.advance(days=30)
        assert (await store.sweep()).refused
        clock.advance(hours=24)
        await store.sweep()
        assert (await store.tombstones(ADA, ("ctx_1",)))["ctx_1"].reason == "expired"
        assert (await store.stats(ADA)).expired_unswept == 0


_PATHS = (
    "read",
    "alike",
    "find words",
    "find newest",
    "history",
    "stats",
    "user",
    "head",
    "user_history",
)


async def _keep_mortal(store: Store, expires_at: object = START + HOUR) -> None:
    """ctx_1 and ada's row, both ending then."""
    await keep(
        store,
        contexts=(a_context("ctx_1", content="A mortal thing.", expires_at=expires_at),),
        users=(a_user(expires_at=expires_at),),
        edges=(an_edge("ctx_1", "ctx_0"),),
        fingerprints={"ctx_1": SAME},
        heads=(HEAD,),
    )


async def _paths_that_show(store: Store) -> set[str]:
    """By which of _PATHS anything of ctx_1 or ada's row can be seen."""
    seen = await store.read(ADA, Reads(user=True, context_ids=("ctx_1",), alike=SAME))
    words = await store.find(ADA, TextQuery(terms=("mortal",)))
    newest = await store.find(ADA, TextQuery())
    stats = await store.stats(ADA)
    shown = (
        "ctx_1" in seen.contexts,
        bool(seen.alike),
        bool(words.matched or words.candidates),
        any(found.context.context_id == "ctx_1" for found in newest.candidates),
        bool(await store.history(ADA, "ctx_1")),
        bool(stats.users),
        seen.user is not None,
        await store.head(ADA, "coding") is not None,
        bool(await store.user_history(ADA)),
    )
    return {path for path, is_shown in zip(_PATHS, shown, strict=True) if is_shown}
