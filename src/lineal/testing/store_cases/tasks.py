"""What is left to be done stays until it is done, or until there is nothing to do it for."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta

import pytest

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, a_task, a_user, keep

__all__ = ["StoreTasks"]

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class StoreTasks:
    """Tasks come when they are due, the longest waiting first, and go with what they are for."""

    async def test_a_task_counts_as_a_write(self, store: Store) -> None:
        assert not Changes(tasks=(a_task(),)).empty
        await keep(store, tasks=(a_task(),))
        assert await store.due() == (a_task(),)
        assert (await store.verify()).ok

    @pytest.mark.parametrize(("offset_ms", "due"), [(-1, False), (0, True), (1, True)])
    async def test_a_task_is_due_from_its_instant(
        self, store: Store, clock: ManualClock, offset_ms: int, due: bool
    ) -> None:
        task = a_task(kind="extract", context_id="ctx_1", due_at=START + HOUR, tries=3)
        await keep(store, tasks=(task,))
        clock.advance(hours=1, milliseconds=offset_ms)
        assert await store.due() == ((task,) if due else ())

    async def test_a_task_stays_due_when_the_clock_goes_back(
        self, store: Store, clock: ManualClock
    ) -> None:
        await keep(store, tasks=(a_task(due_at=START + HOUR),))
        clock.advance(hours=2)
        await keep(store, contexts=(a_context("ctx_1"),))
        clock.advance(hours=-2)
        assert len(await store.due()) == 1

    async def test_the_longest_waiting_come_first_whoever_they_belong_to(
        self, store: Store, clock: ManualClock
    ) -> None:
        for tenant, minutes in (("acme", 3), ("evil", 1), ("third", 2)):
            task = a_task(tenant=tenant, due_at=START + minutes * MINUTE)
            await keep(store, ADA.model_copy(update={"tenant": tenant}), tasks=(task,))
        clock.advance(hours=1)
        assert [task.tenant for task in await store.due()] == ["evil", "third", "acme"]
        assert [task.tenant for task in await store.due(limit=2)] == ["evil", "third"]

    async def test_another_task_of_the_same_kind_and_subject_takes_its_place(
        self, store: Store
    ) -> None:
        await keep(store, tasks=(a_task(),))
        later = a_task(due_at=START - MINUTE, tries=1)
        await keep(store, tasks=(later,))
        assert await store.due() == (later,)

    async def test_tasks_of_other_kinds_users_domains_and_contexts_stand_beside_it(
        self, store: Store
    ) -> None:
        tasks = (
            a_task(),
            a_task(kind="ended"),
            a_task(user_id="grace"),
            a_task(domain="hiring"),
            a_task(kind="extract", context_id="ctx_1"),
            a_task(kind="extract", context_id="ctx_2"),
        )
        await keep(store, tasks=tasks)
        assert set(await store.due()) == set(tasks)
        for number, task in enumerate(tasks, 1):
            await keep(store, done=(task.model_copy(update={"tries": 9}),))
            assert set(await store.due()) == set(tasks[number:])

    async def test_a_task_that_is_done_and_left_again_is_left(self, store: Store) -> None:
        await keep(store, tasks=(a_task(),))
        again = a_task(tries=1)
        await keep(store, done=(a_task(),), tasks=(again,))
        assert await store.due() == (again,)

    async def test_what_was_never_left_can_be_done(self, store: Store) -> None:
        await keep(store, done=(a_task(),))
        assert await store.due() == ()

    @pytest.mark.parametrize("verb", ["tasks", "done"])
    async def test_no_write_touches_another_tenants_tasks(self, store: Store, verb: str) -> None:
        await keep(store, tasks=(a_task(),))
        evil = ADA.model_copy(update={"tenant": "evil"})
        with pytest.raises(LinealError) as raised:
            await keep(store, evil, **{verb: (a_task(tries=2),)}, contexts=(a_context("ctx_1"),))
        assert raised.value.code is ErrorCode.INVALID_REQUEST
        assert await store.due() == (a_task(),)
        assert (await store.stats(evil)).contexts == 0

    @pytest.mark.parametrize("how", ["forgotten", "swept"])
    async def test_a_task_goes_with_its_context(
        self, store: Store, clock: ManualClock, how: str
    ) -> None:
        mortal = a_context("ctx_1", expires_at=START + HOUR)
        tasks = [a_task(kind="extract", context_id=name) for name in ("ctx_1", "ctx_2")]
        head = a_task()
        await keep(store, contexts=(mortal, a_context("ctx_2")), tasks=(*tasks, head))
        if how == "forgotten":
            await keep(store, forget=("ctx_1",))
        else:
            clock.advance(hours=1)
            await store.sweep()
        assert set(await store.due()) == {tasks[1], head}

    @pytest.mark.parametrize("how", ["swept", "begun anew"])
    async def test_a_task_goes_with_its_user_row(
        self, store: Store, clock: ManualClock, how: str
    ) -> None:
        await keep(store, users=(a_user(expires_at=START + HOUR),), tasks=(a_task(),))
        await keep(store, tasks=(a_task(user_id="grace"), a_task(domain="hiring")))
        clock.advance(hours=1)
        again = a_task(kind="ended")
        if how == "swept":
            await store.sweep()
        else:
            await keep(store, users=(a_user(),), tasks=(again,))
        others = {a_task(user_id="grace"), a_task(domain="hiring")}
        assert set(await store.due()) == others | ({again} if how == "begun anew" else set())

    async def test_a_task_for_a_user_without_a_row_stays_when_the_row_is_made(
        self, store: Store
    ) -> None:
        await keep(store, tasks=(a_task(),))
        await keep(store, users=(a_user(),))
        await keep(store, users=(a_user(revision=2),))
        assert await store.due() == (a_task(),)
