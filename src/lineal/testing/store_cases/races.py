"""Many writers at once: one wins, none is lost, and a reader sees whole writes."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

import asyncio

import anyio

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Reads, Snapshot
from lineal.models.search import TextQuery
from lineal.ports.store import Store
from lineal.testing.samples import ADA, a_context, a_user, keep

__all__ = ["StoreRaces"]

WRITERS = 20
COUNTS = 5


class StoreRaces:
    """Concurrent commits behave as if they came one after the other."""

    async def test_of_many_updates_of_one_revision_exactly_one_wins(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        outcomes: list[str] = []

        async def update(number: int) -> None:
            newer = a_context("ctx_1", revision=2, content=f"By writer {number}.")
            try:
                await keep(store, contexts=(newer,))
                outcomes.append(newer.content)
            except LinealError as refused:
                outcomes.append(refused.code)

        async with anyio.create_task_group() as tasks:
            for number in range(WRITERS):
                tasks.start_soon(update, number)
        assert outcomes.count(ErrorCode.CONFLICT) == WRITERS - 1
        history = await store.history(ADA, "ctx_1")
        assert [context.revision for context in history] == [1, 2]
        assert history[1].content in outcomes
        found = await store.find(ADA, TextQuery(terms=("writer",)))
        assert [candidate.context for candidate in found.candidates] == [history[1]]

    async def test_no_count_is_lost(self, store: Store) -> None:
        await keep(store, users=(a_user(extras={"count": 0}),))

        async def count() -> None:
            for _ in range(COUNTS):
                await store.commit(ADA, Reads(user=True), _one_more)

        async with anyio.create_task_group() as tasks:
            for _ in range(WRITERS):
                tasks.start_soon(count)
        seen = await store.read(ADA, Reads(user=True))
        assert seen.user is not None
        assert seen.user.extras == {"count": WRITERS * COUNTS}
        assert seen.user.revision == WRITERS * COUNTS + 1

    async def test_every_acknowledged_write_is_there_in_order_of_receipt(
        self, store: Store
    ) -> None:
        acknowledged: list[str] = []

        async def append(writer: int) -> None:
            for number in range(COUNTS):
                name = f"ctx_{writer}_{number}"
                await keep(store, contexts=(a_context(name),))
                acknowledged.append(name)

        async with anyio.create_task_group() as tasks:
            for writer in range(WRITERS):
                tasks.start_soon(append, writer)
        page = await store.find(ADA, TextQuery(limit=1_000))
        received = [found.context.context_id for found in reversed(page.candidates)]
        assert sorted(received) == sorted(acknowledged)
        for writer in range(WRITERS):
            mine = [name for name in received if name.startswith(f"ctx_{writer}_")]
            assert mine == [f"ctx_{writer}_{number}" for number in range(COUNTS)]

    async def test_a_reader_never_sees_half_a_write(self, store: Store) -> None:
        pair = ("ctx_a", "ctx_b")
        await keep(store, contexts=tuple(map(a_context, pair)))
        done = anyio.Event()

        async def write() -> None:
            for revision in range(2, 12):
                both = tuple(a_context(name, revision=revision) for name in pair)
                await keep(store, contexts=both)
            done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            while not done.is_set():
                seen = await store.read(ADA, Reads(context_ids=pair))
                assert len({context.revision for context in seen.contexts.values()}) == 1
                await anyio.lowlevel.checkpoint()

    async def test_a_caller_cancelled_before_the_write_has_written_nothing(
        self, store: Store
    ) -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await keep(store, contexts=(a_context("ctx_1"),))
        assert scope.cancelled_caught
        await keep(store, contexts=(a_context("ctx_2"),))
        assert (await store.find(ADA, TextQuery())).matched == 1

    async def test_a_caller_cancelled_during_the_write_has_written_all_or_nothing(
        self, store: Store
    ) -> None:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def decide(_: Snapshot) -> Plan[None]:
                loop.call_soon_threadsafe(scope.cancel)
                both = (a_context("ctx_1"), a_context("ctx_2"))
                return Plan(Changes(contexts=both, users=(a_user(),)), None)

            await store.commit(ADA, Reads(), decide)
        await keep(store, contexts=(a_context("ctx_3"),))
        seen = await store.read(ADA, Reads(user=True, context_ids=("ctx_1", "ctx_2")))
        assert (len(seen.contexts), seen.user is not None) in {(2, True), (0, False)}
        assert (await store.verify()).ok


def _one_more(seen: Snapshot) -> Plan[None]:
    if seen.user is None:
        raise AssertionError("the counted row is there")
    count = seen.user.extras["count"] + 1
    row = a_user(revision=seen.user.revision + 1, extras={"count": count})
    return Plan(Changes(users=(row,)), None)
