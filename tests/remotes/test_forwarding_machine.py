"""Several processes, and whatever may happen: in the end the ledger and the remote agree."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lineal.clock import SystemClock
from lineal.errors import LinealError
from lineal.models.base import rfc3339
from lineal.models.context import AppendAnswer
from lineal.testing.contracts.faults import (
    Fault,
    Faults,
    answering,
    busy,
    cut_after,
    cut_before,
    cut_within,
    detailed,
    not_json,
)

from .forwarded import Desk, Place, nia, note

ROOT = Path(__file__).parents[2]
PAGE = not_json()
FAULTS: list[Fault] = [
    busy(5),
    answering(503),
    detailed(500, "boom"),
    detailed(401, "No."),
    PAGE,
    cut_before,
    cut_after,
    cut_within,
]


WRITER = """
import sys, anyio
from pathlib import Path
from lineal.clock import SystemClock
from tests.remotes.forwarded import Place, note

async def main(url, directory, name):
    place = Place("nia", None, url, Path(directory), SystemClock())
    async with place.process() as desk, anyio.create_task_group() as tasks:
        tasks.start_soon(desk.backend.background)
        for number in range(8):
            await desk.append(note(f"{name}-{number}"))
        tasks.cancel_scope.cancel()

anyio.run(main, *sys.argv[1:])
"""


@pytest.fixture
async def at_nia(tmp_path: Path) -> AsyncIterator[Place]:
    async with nia(tmp_path) as place:
        yield place


def texts(place: Place) -> list[str]:
    return [one["content"] for one in place.server.contexts.values()]


async def test_two_processes_write_for_one_user_in_the_order_of_the_ledger(tmp_path: Path) -> None:
    async with nia(tmp_path, SystemClock()) as place:
        async with place.process() as one, place.process() as two:
            answers: list[AppendAnswer] = []

            async def writes(desk: Any, name: str) -> None:
                for number in range(10):
                    answers.append(await desk.append(note(f"{name}-{number}")))

            async with one.serving(), two.serving():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(writes, one, "one")
                    tasks.start_soon(writes, two, "two")
                await one.emptied()
            kept = [await one.get(answer.context_id) for answer in answers]
        arrived = {text: at for at, text in enumerate(texts(place))}
    assert len(arrived) == 20
    in_ledger = sorted(kept, key=lambda context: arrived[context.content])
    assert [c.created_at for c in in_ledger] == sorted(c.created_at for c in in_ledger)


async def test_of_two_updates_of_one_revision_one_wins_here_and_there(at_nia: Place) -> None:
    async with at_nia.process() as one, at_nia.process() as two:
        kept = await one.append(note(1))
        results: list[object] = []

        async def changes(desk: Any, title: str) -> None:
            try:
                await desk.update(kept.context_id, title=title, expected_revision=1)
                results.append(title)
            except LinealError as error:
                results.append(error.code.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(changes, one, "One")
            tasks.start_soon(changes, two, "Two")
        titles = [one for one in results if one != "conflict"]
        assert len(titles) == 1
    await at_nia.deliver()
    assert [c["title"] for c in at_nia.server.contexts.values()] == titles


async def test_real_processes_write_for_one_user_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    async with nia(tmp_path, SystemClock()) as place:
        async with place.process():
            pass
        async with anyio.create_task_group() as tasks:
            for name in ("one", "two"):
                arguments = [sys.executable, "-c", WRITER, place.url, str(tmp_path), name]
                tasks.start_soon(partial(anyio.run_process, arguments, cwd=ROOT))
        await place.deliver()
        arrived = [text.split()[0] for text in texts(place)]
    for name in ("one", "two"):
        assert [one for one in arrived if one.startswith(name)] == [f"{name}-{n}" for n in range(8)]


class Ever(dict[str, Any]):
    """Its length is of all that it ever held: the server numbers by it, and no service gives an id
    twice."""

    held = 0

    def __setitem__(self, name: str, context: Any) -> None:
        self.held += name not in self
        super().__setitem__(name, context)

    def __len__(self) -> int:
        return self.held


class Forwarding(RuleBasedStateMachine):
    """Two people write and forget; the service fails now and then, time goes by, and the process
    ends and begins anew."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.portal = self.open.enter_context(start_blocking_portal())
        directory = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.place: Place = self._enter(nia(directory))
        self.place.server.contexts = Ever()
        self.process = ExitStack()
        self.known: list[str] = []
        self.written = 0
        self._begin()

    def _enter(self, entered: Any, stack: ExitStack | None = None) -> Any:
        return (stack or self.open).enter_context(self.portal.wrap_async_context_manager(entered))

    def _begin(self) -> None:
        self.desk: Desk = self._enter(self.place.process(timeout_s=2.0), self.process)

    def _do(self, verb: Callable[..., Awaitable[Any]], *arguments: Any, **more: Any) -> Any:
        return self.portal.call(partial(verb, *arguments, **more))

    @initialize()
    def people(self) -> None:
        self._do(self.desk.upsert, "bob")

    @rule(
        user=st.sampled_from(["ada", "bob"]),
        again=st.booleans(),
        key=st.sampled_from([None, "k1", "k2"]),
        ttl_seconds=st.sampled_from([None, 3, 60]),
    )
    def append(self, user: str, again: bool, key: str | None, ttl_seconds: int | None) -> None:
        self.written += 0 if again and self.written else 1
        text = note(f"{user}-{self.written}")
        more = {"idempotency_key": key, "ttl_seconds": ttl_seconds}
        with suppress(LinealError):  # a refused key, or one that was used for something else
            answer = self._do(self.desk.append, text, user, **more)
            self.known.append(answer.context_id)

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(),
        changed=st.sampled_from(
            [
                {"title": "New"},
                {"tags": ["blue"]},
                {"content": note("changed")},
                {"memory_type": "episodic"},
                {"ttl_seconds": 30},
                {"title": "Newest", "expected_revision": 1},
            ]
        ),
    )
    def update(self, data: st.DataObject, changed: dict[str, Any]) -> None:
        with suppress(LinealError):  # it has ended, or has another revision
            self._do(self.desk.update, data.draw(st.sampled_from(self.known)), **changed)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        with suppress(LinealError):
            self._do(self.desk.forget, data.draw(st.sampled_from(self.known)))

    @rule(method=st.sampled_from(["POST", "PUT", "DELETE", "GET"]), fault=st.sampled_from(FAULTS))
    def fail(self, method: str, fault: Fault) -> None:
        if (method, fault) != ("DELETE", PAGE):  # a status of 200 is all that Nia promises of it
            self.place.server.faults.add(method, "/contexts", fault)

    @rule(seconds=st.sampled_from([0.5, 2.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.place.clock.advance(seconds=seconds)

    @rule()
    def restart(self) -> None:
        self.process.close()
        self._begin()

    @rule()
    def sweep(self) -> None:
        self._do(self.desk.sweep)

    @rule()
    def serve(self) -> None:
        """For a moment."""

        async def moment() -> None:
            async with self.desk.serving():
                await anyio.sleep(0.1)

        self._do(moment)

    def teardown(self) -> None:
        try:
            self._agree()
        finally:
            self.process.close()
            self.open.close()

    def _agree(self) -> None:
        self.place.server.faults = Faults()
        self.restart()
        for _ in range(2):  # what the sweep has to say is delivered too
            self._do(self.place.deliver)
            self._do(self.desk.sweep)
        self._do(self.place.deliver)
        assert self._do(self.desk.state).dead == 0
        assert self._there() == {name: kept for name in self.known if (kept := self._here(name))}

    def _here(self, name: str) -> tuple[Any, ...] | None:
        try:
            kept = self._do(self.desk.get, name)
        except LinealError:
            return None
        return kept.title, kept.content, list(kept.tags), kept.memory_type.value

    def _there(self) -> dict[str, tuple[Any, ...]]:
        """Of what lives there, by our ids; none of it twice."""
        now = rfc3339(self.place.clock.now())
        live = [
            one
            for one in self.place.server.contexts.values()
            if one["expires_at"] is None or one["expires_at"] > now
        ]
        found = {
            one["metadata"]["lineal"]["id"]: (
                None if one["content"].startswith(one["title"]) else one["title"],
                one["content"],
                one["tags"],
                one["memory_type"],
            )
            for one in live
        }
        assert len(found) == len(live)
        return found


Forwarding.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=20,
    phases=(Phase.explicit, Phase.generate),  # a second each: shrinking would take minutes
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestForwarding = Forwarding.TestCase
