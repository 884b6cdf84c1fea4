"""Lineage that evidence makes whole after the write: later, more than once, or never."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from lineal.clock import ManualClock
from lineal.embedders.none import NoEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.engine.later import LATE_AGAIN_S
from lineal.errors import LinealError
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.changes import Call, Task
from lineal.models.lineage import (
    Basis,
    DeclaredLineage,
    Evidence,
    ModelSeen,
    ObservedLineage,
    Relation,
    ToolCall,
)
from lineal.policy.provenance import CALLS_TOLD_MAX
from lineal.ports.store import Store
from lineal.schemas.book import SchemaBook
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing import FailingStore, Fault
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.samples import START

pytestmark = pytest.mark.anyio

Later = Callable[[], Awaitable[None]]
BROKEN = LinealError.unavailable("The connection broke.")


class Witness:
    """Knows by the client's id of a call what was seen of it since; `still`: that isn't all.

    first: what happens before it answers. error: what it raises instead.
    """

    def __init__(self) -> None:
        self.known: dict[str | None, dict[str, Any]] = {}
        self.asked: list[Evidence] = []
        self.first: Later | None = None
        self.error: LinealError | None = None

    def saw(self, call: Call, context_ids: Iterable[str]) -> None: ...

    def told(self, call: Call, event: Mapping[str, object]) -> None: ...

    def account(self, call: Call) -> Evidence:
        return call.evidence

    async def later(self, seen: Evidence) -> Evidence:
        self.asked.append(seen)
        first, self.first = self.first, None
        if first is not None:
            await first()
        if self.error is not None:
            raise self.error
        known = {"awaits": seen.tool_use_id not in self.known}
        return seen.model_copy(update={**known, **self.known.get(seen.tool_use_id, {})})


class Room:
    """A backend over a store, and a witness who can be told what to know."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.clock, self.store, self.witness = clock, store, Witness()
        self.backend = a_backend(store, clock, self.witness)
        self.plain = Caller(self.backend, domain="coding")

    def ada(self, use: str = "t1", **seen: Any) -> Caller:
        """ada's call of that id, of which more may be known soon."""
        evidence = {"client_name": "claude-code", "session_id": "s1", "awaits": True, **seen}
        return Caller(self.backend, domain="coding", tool_use_id=use, **evidence)

    def knows(self, use: str = "t1", **seen: Any) -> None:
        self.witness.known[use] = {"model_version": "opus", **seen}

    async def catch_up(self, seconds: float = 0.1) -> None:
        self.clock.advance(seconds=seconds)
        await self.backend.catch_up()

    async def left(self) -> tuple[Task, ...]:
        """All tasks, due or not."""
        self.clock.advance(days=3)
        tasks = await self.store.due()
        self.clock.advance(days=-3)
        return tasks


def a_backend(store: Store, clock: ManualClock, witness: Witness | None) -> EmbeddedBackend:
    return EmbeddedBackend(
        store,
        schemas=SchemaBook(),
        extractor=RulesExtractor(),
        embedder=NoEmbedder(),
        ids=RandomIds(),
        clock=clock,
        witness=witness,
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(params=["memory", "sqlite"])
async def room(
    request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Room]:
    """ada is known in coding, and nothing is left to do."""
    on_disk = request.param == "sqlite"
    store = SqliteStore(tmp_path / "m.db", clock=clock) if on_disk else MemoryStore(clock=clock)
    room = Room(store, clock)
    await room.backend.open()
    await room.plain.upsert(fields={})
    yield room
    await room.backend.close()


async def test_what_is_known_later_stands_in_the_lineage_and_nothing_else_changes(
    room: Room,
) -> None:
    answer = await room.ada().append("We use uv.")
    before = await room.plain.get(answer.context_id)
    assert (answer.lineage.awaits, answer.lineage.model_version) == (True, None)
    calls = (ToolCall(id="r1", tool="Read"), ToolCall(id="t1", tool="append_context"))
    seen = {"model_seen": ModelSeen.TRANSCRIPT, "prompt_id": "p1", "agent_type": "Explore"}
    room.knows(calls=calls, **seen)
    await room.catch_up()
    after = await room.plain.get(answer.context_id)
    assert (after.lineage.awaits, after.lineage.model_version) == (False, "opus")
    assert after.lineage.tool_calls == ("Read:r1", "append_context:t1")
    assert after.lineage.extractor == answer.lineage.extractor == "lineal-rules.v1"
    assert after.lineage.observed is not None
    assert {name: getattr(after.lineage.observed, name) for name in seen} == seen
    assert after == before.model_copy(update={"lineage": after.lineage})
    assert [row.lineage for row in await room.plain.history(answer.context_id)] == [after.lineage]
    assert await room.left() == ()


async def test_a_write_that_awaits_nothing_leaves_nothing_to_do(room: Room) -> None:
    await room.ada(awaits=False).append("We use uv.")
    assert await room.left() == ()


async def test_each_revision_is_completed_by_its_own_call(room: Room) -> None:
    name = (await room.ada("t1").append("We use uv.")).context_id
    await room.ada("t2").update(name, title="Tools")
    await room.ada("t3", awaits=False).update(name, title="The tools")
    room.knows("t1", model_version="opus")
    room.knows("t2", model_version="haiku")
    await room.catch_up()
    models = [row.lineage.model_version for row in await room.plain.history(name)]
    assert models == ["opus", "haiku", None]


async def test_a_users_row_is_completed_whether_stated_or_read(room: Room) -> None:
    await room.ada("t1").upsert(fields={"editor": "vim"}, context="I like short functions.")
    room.knows("t1")
    await room.catch_up()
    row = (await room.plain.user()).lineage
    assert (row.awaits, row.model_version) == (False, "opus")
    await room.ada("t2").append("We use uv.")
    assert (await room.plain.user()).lineage.awaits
    room.knows("t2", model_version="haiku")
    await room.catch_up()
    row = (await room.plain.user()).lineage
    assert (row.awaits, row.model_version) == (False, "haiku")


async def test_a_sighting_is_completed_and_its_original_is_not(room: Room) -> None:
    name = (await room.ada("t1", awaits=False).append("We use uv.")).context_id
    await room.ada("t2").append("We use uv.")
    room.knows("t2", session_id="s2")
    await room.catch_up()
    context = await room.plain.get(name)
    (sighting,) = context.sightings
    assert (sighting.lineage.model_version, sighting.session_id) == ("opus", "s2")
    assert (context.lineage.model_version, context.session_id) == (None, "s1")


async def test_a_session_that_was_only_supposed_is_put_right_and_a_stated_one_stays(
    room: Room,
) -> None:
    supposed = (await room.ada().append("We use uv.")).context_id
    stated = (await room.ada().append("We use ruff.", session_id="meeting")).context_id
    room.knows(session_id="s2")
    await room.catch_up()
    assert (await room.plain.get(supposed)).session_id == "s2"
    assert (await room.plain.get(stated)).session_id == "meeting"


async def test_reads_that_turn_out_to_be_others_are_taken_back_with_their_edges(
    room: Room,
) -> None:
    """L4; what was declared stays a source, as declared."""
    ids = [(await room.plain.append(f"Note {n}.")).context_id for n in range(3)]
    said = DeclaredLineage(source_ids=(ids[1],), derived_from=(ids[2],))
    name = (await room.ada(read_ids=tuple(ids)).append("So.", lineage=said)).context_id
    room.knows(read_ids=())
    await room.catch_up()
    assert (await room.plain.get(name)).lineage.source_ids == (ids[1],)
    trace = await room.plain.trace(name)
    assert {(e.parent_id, e.relation, e.basis) for e in trace.edges} == {
        (ids[1], Relation.USED, Basis.DECLARED),
        (ids[2], Relation.WAS_DERIVED_FROM, Basis.DECLARED),
    }


async def test_an_updates_reads_are_put_right_and_its_predecessors_stay(room: Room) -> None:
    ids = [(await room.plain.append(f"Note {n}.")).context_id for n in range(3)]
    said = DeclaredLineage(source_ids=(ids[0],))
    name = (await room.ada("t1", read_ids=(ids[1],)).append("So.", lineage=said)).context_id
    await room.ada("t2", read_ids=(ids[1], name)).update(name, title="On")
    room.knows("t1", read_ids=(ids[1],))
    room.knows("t2", read_ids=(ids[2], name))
    await room.catch_up()
    edges = (await room.plain.trace(name, depth=1)).edges
    assert {(e.revision, e.parent_id, e.basis) for e in edges} == {
        (1, ids[0], Basis.DECLARED),
        (1, ids[1], Basis.OBSERVED),
        (2, ids[2], Basis.OBSERVED),
    }


async def test_calls_of_which_only_the_names_were_kept_keep_them(room: Room) -> None:
    calls = tuple(ToolCall(id=f"r{n}", tool="Read") for n in range(CALLS_TOLD_MAX + 4))
    answer = await room.ada(calls=(*calls, ToolCall(id="t1", tool="append_context"))).append()
    room.knows()
    await room.catch_up()
    lineage = (await room.plain.get(answer.context_id)).lineage
    assert lineage.model_version == "opus"
    assert lineage.tool_calls == answer.lineage.tool_calls
    assert len(lineage.tool_calls) == CALLS_TOLD_MAX + 5


async def test_what_is_not_known_yet_is_asked_for_ever_more_seldom_and_at_last_no_more(
    room: Room,
) -> None:
    name = (await room.ada().append("Nothing to be read here.")).context_id
    waits = []
    while tasks := await room.left():
        waits.append((tasks[0].due_at - room.clock.now()).total_seconds())
        await room.catch_up(waits[-1])
        assert (await room.plain.get(name)).lineage.awaits == (len(waits) < len(LATE_AGAIN_S))
    assert waits == [0.1, *LATE_AGAIN_S[:-1]]
    assert len(room.witness.asked) == len(LATE_AGAIN_S)
    observed = (await room.plain.get(name)).lineage.observed
    assert observed == ObservedLineage(
        agent_source="claude-code",
        tool_calls=("append_context:t1",),
        calls=(ToolCall(id="t1", tool="append_context"),),
        session_id="s1",
    )


async def test_a_part_is_kept_at_once_and_the_rest_when_it_comes(room: Room) -> None:
    name = (await room.ada().append("Nothing to be read here.")).context_id
    room.knows(awaits=True, prompt_id="p1", model_version=None)
    await room.catch_up()
    lineage = (await room.plain.get(name)).lineage
    assert lineage.awaits
    assert lineage.observed is not None
    assert lineage.observed.prompt_id == "p1"
    room.knows()
    await room.catch_up(LATE_AGAIN_S[0])
    assert room.witness.asked[-1].prompt_id == "p1"
    assert (await room.plain.get(name)).lineage.model_version == "opus"
    assert await room.left() == ()


async def test_without_a_witness_nothing_is_awaited_for_ever(room: Room) -> None:
    name = (await room.ada().append("We use uv.")).context_id
    blind = a_backend(room.store, room.clock, None)
    for wait_s in (0.1, *[LATE_AGAIN_S[-1]] * len(LATE_AGAIN_S)):
        room.clock.advance(seconds=wait_s)
        await blind.catch_up()
    assert not (await room.plain.get(name)).lineage.awaits
    assert not (await room.plain.user()).lineage.awaits
    assert await room.left() == ()


async def test_a_memory_forgotten_meanwhile_stays_forgotten(room: Room) -> None:
    name = (await room.ada().append("Walnut.")).context_id

    async def forget() -> None:
        await room.plain.forget(name)

    room.witness.first = forget
    room.knows()
    await room.catch_up()
    assert await room.plain.found() == []
    assert (await room.plain.trace(name)).nodes[0].state == "forgotten"
    assert await room.left() == ()
    assert (await room.backend.verify()).ok


async def test_a_memory_changed_meanwhile_is_completed_as_it_is_now(room: Room) -> None:
    name = (await room.ada("t1").append("Walnut.")).context_id

    async def change() -> None:
        await room.ada("t2").update(name, content="Almond.")

    room.witness.first = change
    room.knows("t1")
    room.knows("t2", model_version="haiku")
    await room.catch_up()
    await room.catch_up(LATE_AGAIN_S[0])
    rows = await room.plain.history(name)
    assert [row.lineage.model_version for row in rows] == ["opus", "haiku"]
    assert [row.content for row in rows] == ["Walnut.", "Almond."]


async def test_a_memory_that_is_given_back_is_completed_then(room: Room) -> None:
    name = (await room.ada().append("Walnut.")).context_id
    await room.plain.forget(name, cascade=True)
    room.knows()
    await room.catch_up()
    assert room.witness.asked == []
    await room.plain.forget(name, undo=True)
    await room.catch_up()
    lineage = (await room.plain.get(name)).lineage
    assert (lineage.model_version, lineage.awaits) == ("opus", False)


async def test_a_witness_that_fails_is_asked_again_and_holds_up_no_other_task(room: Room) -> None:
    name = (await room.ada().append("We use uv.", ttl_seconds=60)).context_id
    later = (await room.ada("t2").append("We use ruff.")).context_id
    room.witness.error = BROKEN
    await room.catch_up(60)
    assert (await room.plain.user()).fields == {"tools": ["ruff"]}
    assert (await room.plain.get(later)).lineage.awaits
    room.witness.error = None
    room.knows("t2")
    await room.catch_up(60)
    assert (await room.plain.get(later)).lineage.model_version == "opus"
    assert (await room.plain.user()).lineage.model_version == "opus"
    assert name not in await room.plain.found()


async def test_a_store_that_fails_once_is_asked_again_in_a_minute(room: Room) -> None:
    name = (await room.ada().append("Nothing to be read here.")).context_id
    room.knows()
    room.clock.advance(seconds=0.1)
    failing = FailingStore(room.store, Fault(1, "before", BROKEN))
    await a_backend(failing, room.clock, room.witness).catch_up()
    assert (await room.plain.get(name)).lineage.awaits
    await room.catch_up(60)
    assert (await room.plain.get(name)).lineage.model_version == "opus"


async def test_a_store_that_keeps_failing_raises_its_own_error_and_the_task_stays(
    room: Room,
) -> None:
    """Not a group of errors, which nobody who catches a failing store looks for."""
    name = (await room.ada().append("Nothing to be read here.")).context_id
    room.knows()
    room.clock.advance(seconds=0.1)
    failing = FailingStore(room.store, Fault(1, "before", BROKEN))
    failing = FailingStore(failing, Fault(2, "before", BROKEN))
    with pytest.raises(LinealError) as raised:
        await a_backend(failing, room.clock, room.witness).catch_up()
    assert raised.value is BROKEN
    await room.catch_up()
    assert (await room.plain.get(name)).lineage.model_version == "opus"


async def test_what_was_awaited_is_found_after_a_restart(
    clock: ManualClock, tmp_path: Path
) -> None:
    first = Room(SqliteStore(tmp_path / "m.db", clock=clock), clock)
    await first.backend.open()
    await first.plain.upsert(fields={})
    name = (await first.ada().append("We use uv.")).context_id
    await first.backend.close()
    second = Room(SqliteStore(tmp_path / "m.db", clock=clock), clock)
    await second.backend.open()
    second.knows()
    await second.catch_up()
    for lineage in ((await second.plain.get(name)).lineage, (await second.plain.user()).lineage):
        assert (lineage.model_version, lineage.awaits) == ("opus", False)
    assert second.witness.asked[0].session_id == "s1"
    await second.backend.close()


@pytest.mark.parametrize("knowing", [(True, True), (True, False), (False, True)])
async def test_two_processes_that_look_at_once_agree(
    clock: ManualClock, tmp_path: Path, knowing: tuple[bool, bool]
) -> None:
    """Both have asked before either keeps what it heard."""
    rooms = [Room(SqliteStore(tmp_path / "m.db", clock=clock), clock) for _ in range(2)]
    for room in rooms:
        await room.backend.open()
    await rooms[0].plain.upsert(fields={})
    name = (await rooms[0].ada().append("Nothing to be read here.")).context_id
    arrived = [anyio.Event(), anyio.Event()]

    def meeting(place: int) -> Later:
        async def meet() -> None:
            arrived[place].set()
            await arrived[1 - place].wait()

        return meet

    clock.advance(seconds=0.1)
    async with anyio.create_task_group() as together:
        for place, room in enumerate(rooms):
            room.witness.first = meeting(place)
            if knowing[place]:
                room.knows()
            together.start_soon(room.backend.catch_up)
    for room in rooms:
        lineage = (await room.plain.get(name)).lineage
        assert (lineage.model_version, lineage.awaits) == ("opus", False)
    await rooms[0].catch_up(LATE_AGAIN_S[0])
    assert await rooms[0].left() == ()
    assert (await rooms[1].backend.verify()).ok
    for room in rooms:
        await room.backend.close()
