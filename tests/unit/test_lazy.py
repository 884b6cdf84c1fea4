"""A value made at its first use, shared, and let go when idle."""

from __future__ import annotations

import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from lineal.embedders.lazy import Lazy
from lineal.errors import LinealError

pytestmark = pytest.mark.anyio


class Seconds:
    """A tick that moves only when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Making:
    """Counts how often the value was made; waits for a gate, if there is one."""

    def __init__(self, failing: LinealError | None = None, *, gated: bool = False) -> None:
        self.times = 0
        self.gate = threading.Event()
        self._failing = failing
        if not gated:
            self.gate.set()

    def __call__(self) -> list[str]:
        self.times += 1
        assert self.gate.wait(timeout=10)
        if self._failing:
            raise self._failing
        return []


def lazy(make: Callable[[], list[str]], tick: Callable[[], float] | None = None) -> Lazy[list[str]]:
    return Lazy(make, tick=tick or Seconds(), idle_s=600.0)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_nothing_is_made_before_the_first_use() -> None:
    make = Making()
    value = lazy(make)
    assert (value.ready, make.times) == (False, 0)
    assert await value.run(len) == 0
    assert (value.ready, make.times) == (True, 1)


async def test_callers_at_once_share_one_value_and_the_loop_goes_on_meanwhile() -> None:
    make = Making(gated=True)
    value = lazy(make)
    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(value.run, lambda names, name=name: names.append(name))
        await until(lambda: make.times == 1)
        make.gate.set()
    assert make.times == 1
    assert sorted(await value.run(list)) == ["a", "b", "c"]


async def test_uses_come_one_after_the_other() -> None:
    value = lazy(Making())
    started, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def long_work(_: list[str]) -> None:
        started.set()
        assert go_on.wait(timeout=10)
        order.append("long")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(value.run, long_work)
        await until(started.is_set)
        tasks.start_soon(value.run, lambda _: order.append("short"))
        await anyio.wait_all_tasks_blocked()
        go_on.set()
    assert order == ["long", "short"]


async def test_a_caller_that_gives_up_takes_the_value_from_nobody() -> None:
    make = Making(gated=True)
    value = lazy(make)
    gives_up = anyio.CancelScope()
    lengths: list[int] = []

    async def first() -> None:
        with gives_up:
            await value.run(len)

    async def second() -> None:
        lengths.append(await value.run(len))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await until(lambda: make.times == 1)
        tasks.start_soon(second)
        gives_up.cancel()
        make.gate.set()
    assert (lengths, make.times) == ([0], 1)


async def test_a_failure_is_found_out_once_and_told_to_everyone() -> None:
    make = Making(LinealError.unavailable("No model.", retryable=False, found="x"))
    value = lazy(make)
    told = []
    for _ in range(3):
        with pytest.raises(LinealError, match=r"No model\.") as caught:
            await value.run(len)
        told.append(caught.value)
    assert make.times == 1
    assert not value.ready
    assert {(one.code, one.details["found"], one.retryable) for one in told} == {
        ("unavailable", "x", False)
    }
    assert told[1] is not told[2]


async def test_those_who_wait_for_a_load_that_fails_are_told_too() -> None:
    make = Making(LinealError.unavailable("No model."), gated=True)
    value = lazy(make)
    told: list[str] = []

    async def use() -> None:
        try:
            await value.run(len)
        except LinealError as error:
            told.append(error.message)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(use)
        await until(lambda: make.times == 1)
        make.gate.set()
    assert (told, make.times) == (["No model."] * 3, 1)


async def test_it_is_let_go_after_its_idle_time_and_made_again_when_needed() -> None:
    seconds, make = Seconds(), Making()
    value = lazy(make, seconds)
    assert not await value.free_if_idle()
    await value.run(len)
    seconds.now_s += 599.0
    assert not await value.free_if_idle()
    seconds.now_s += 1.0
    assert await value.free_if_idle()
    assert not value.ready
    assert await value.run(len) == 0
    assert make.times == 2


async def test_each_use_puts_off_letting_go() -> None:
    seconds = Seconds()
    value = lazy(Making(), seconds)
    await value.run(len)
    seconds.now_s += 599.0
    await value.run(len)
    seconds.now_s += 599.0
    assert not await value.free_if_idle()


async def test_work_that_fails_leaves_the_value() -> None:
    value = lazy(Making())
    with pytest.raises(IndexError):
        await value.run(lambda names: names[0])
    assert value.ready


async def test_what_is_used_while_letting_go_waits_its_turn_stays() -> None:
    seconds = Seconds()
    value = lazy(Making(), seconds)
    await value.run(len)
    started, go_on = threading.Event(), threading.Event()

    def long_work(_: list[str]) -> None:
        started.set()
        assert go_on.wait(timeout=10)

    freed: list[bool] = []

    async def free() -> None:
        freed.append(await value.free_if_idle())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(value.run, long_work)
        await until(started.is_set)
        seconds.now_s += 600.0
        tasks.start_soon(free)
        await anyio.wait_all_tasks_blocked()
        go_on.set()
    assert (freed, value.ready) == ([False], True)


async def test_the_watch_lets_go_by_itself() -> None:
    value: Lazy[list[str]] = Lazy(Making(), tick=Seconds(), idle_s=0.0)
    await value.run(len)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(value.free_when_idle)
        await until(lambda: not value.ready)
        tasks.cancel_scope.cancel()
