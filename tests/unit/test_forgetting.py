"""Forgetting and giving back: what it does to users' rows, to tasks, and to what came meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.engine.backend import GRACE, EmbeddedBackend
from lineal.engine.forgetting import forget, restore
from lineal.errors import ErrorCode, LinealError
from lineal.ids import SequentialIds
from lineal.models.changes import Plan, Scope, Snapshot, Stamp, Task, Withholding
from lineal.models.context import ForgetAnswer, ForgetContext
from lineal.models.lineage import DeclaredLineage, Evidence, Lineage
from lineal.ports.store import Store
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing import FailingStore, Fault
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.samples import ADA, START, a_context, a_user

from .claims_said import SCHEMA, fields_of, read
from .test_later import Embedder, Extractor, Schemas

pytestmark = pytest.mark.anyio

UNTIL = START + GRACE


def decided(snapshot: Snapshot, grace: timedelta = GRACE, **options: Any) -> Plan[ForgetAnswer]:
    request = ForgetContext(context_id="ctx_1", **options)
    stamp = Stamp(scope=Scope(tenant="acme"), evidence=Evidence(tool="forget_context"))
    if request.undo:
        return restore(snapshot, stamp, request)
    return forget(snapshot, stamp, request, lambda _: SCHEMA, grace)


def seen(**values: Any) -> Snapshot:
    return Snapshot(now=START, **values)


ROOT = {"ctx_1": a_context("ctx_1")}


# What is decided.


def test_a_plain_forgetting_takes_out_and_a_cascade_withholds() -> None:
    """L6"""
    plain = decided(seen(contexts=ROOT))
    assert (plain.changes.forget, plain.changes.withhold) == (("ctx_1",), None)
    cascade = decided(seen(contexts=ROOT, descendants=("ctx_2",)), cascade=True)
    held = Withholding(root="ctx_1", context_ids=("ctx_1", "ctx_2"), until=UNTIL)
    assert (cascade.changes.forget, cascade.changes.withhold) == ((), held)
    assert cascade.answer.undo_until == UNTIL


@pytest.mark.parametrize(
    ("grace", "options"), [(timedelta(0), {}), (GRACE, {"erase": True})], ids=["none", "erase"]
)
def test_without_grace_a_cascade_is_for_good(grace: timedelta, options: dict[str, Any]) -> None:
    plan = decided(
        seen(contexts=ROOT, descendants=("ctx_2",), withheld=(a_context("ctx_3"),)),
        grace,
        cascade=True,
        **options,
    )
    assert plan.changes.forget == plan.answer.forgotten == ("ctx_1", "ctx_2", "ctx_3")
    assert (plan.changes.withhold, plan.answer.undo_until) == (None, None)


def test_a_cascade_takes_what_the_texts_said_from_every_owners_row() -> None:
    rows = (
        a_user(fields=fields_of(tools=(read("uv"),))),
        a_user(user_id="grace", fields=fields_of(tools=(read("uv", 0, "ctx_2"), read("ruff")))),
    )
    plan = decided(seen(contexts=ROOT, descendants=("ctx_2",), owners=rows), cascade=True)
    assert [dict(row.fields) for row in plan.changes.rewritten] == [{}, {}]
    assert [row.revision for row in plan.changes.rewritten] == [2, 2]


@pytest.mark.parametrize("options", [{}, {"cascade": True}, {"undo": True}])
def test_what_is_not_there_is_neither_forgotten_nor_given_back(options: dict[str, Any]) -> None:
    with pytest.raises(LinealError) as raised:
        decided(seen(), **options)
    assert raised.value.code is ErrorCode.NOT_FOUND
    assert raised.value.details["context_id"] == "ctx_1"


def test_a_dry_run_decides_nothing() -> None:
    for cascade in (False, True):
        snapshot = seen(contexts=ROOT, owners=(a_user(),))
        plan = decided(snapshot, dry_run=True, cascade=cascade)
        assert plan.changes.empty
        assert plan.answer.dry_run
    plan = decided(seen(withheld=tuple(ROOT.values())), dry_run=True, undo=True)
    assert (plan.changes.empty, plan.answer.restored) == (True, ("ctx_1",))


def test_a_text_given_back_is_read_again_and_asked_about_where_more_was_awaited() -> None:
    awaiting = a_context("ctx_2", lineage=Lineage(created_at=START, awaits=True))
    plan = decided(seen(withheld=(a_context("ctx_1"), awaiting)), undo=True)
    assert plan.changes.restore == ("ctx_1", "ctx_2")
    assert [(task.kind, task.context_id) for task in plan.changes.tasks] == [
        ("restored", "ctx_1"),
        ("restored", "ctx_2"),
        ("lineage", "ctx_2"),
    ]


# What a user's row tells, over both stores.


class Room:
    """A backend that reads `editor=vim`, and ada in it."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.extractor, self.embedder = Extractor(), Embedder()
        self.backend = self.over(store)
        self.ada = Caller(self.backend, domain="coding")

    def over(self, store: Store) -> EmbeddedBackend:
        return EmbeddedBackend(
            store,
            schemas=Schemas(),
            extractor=self.extractor,
            embedder=self.embedder,
            ids=SequentialIds(),
            clock=self.clock,
        )

    async def append(self, text: str, *parents: str, **values: Any) -> str:
        declared = DeclaredLineage(derived_from=parents) if parents else None
        return (await self.ada.append(text, lineage=declared, **values)).context_id

    async def fields(self) -> dict[str, Any]:
        return (await self.ada.user()).fields

    async def left(self) -> tuple[Task, ...]:
        """All tasks, due or not."""
        self.clock.advance(days=365)
        tasks = await self.store.due()
        self.clock.advance(days=-365)
        return tasks


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(params=["memory", "sqlite"])
async def room(
    request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Room]:
    on_disk = request.param == "sqlite"
    store = SqliteStore(tmp_path / "m.db", clock=clock) if on_disk else MemoryStore(clock=clock)
    room = Room(store, clock)
    await room.backend.open()
    await room.ada.upsert(fields={"years": 3})
    yield room
    await room.backend.close()


async def test_values_go_with_their_texts_from_row_and_past_and_come_back_with_them(
    room: Room,
) -> None:
    first = await room.append("editor=canary preferences=tabs")
    await room.append("tools=uv", first)
    before = await room.fields()
    await room.ada.forget(first, cascade=True)
    assert await room.fields() == {"years": 3}
    assert "canary" not in "".join(await room.store.user_history(ADA))
    room.clock.advance(hours=1)
    await room.ada.forget(first, undo=True)
    assert await room.fields() == before
    told = (await room.ada.user(provenance=True)).provenance
    assert told is not None
    assert (told["editor"].context_id, told["editor"].occurred_at) == (first, START)


async def test_the_vector_goes_and_comes_too(room: Room) -> None:
    name = await room.append("preferences=canary")
    head = await room.store.head(ADA, "coding")
    await room.ada.forget(name, cascade=True)
    assert await room.store.head(ADA, "coding") is None
    await room.ada.forget(name, undo=True)
    assert await room.store.head(ADA, "coding") == head


async def test_nobody_is_matched_by_what_is_withheld(room: Room) -> None:
    grace = Caller(room.backend, user_id="grace", domain="coding")
    await grace.upsert(fields={})
    name = (await grace.append("preferences=canary values_text=canary")).context_id
    await grace.forget(name, cascade=True)
    assert "canary" not in (await room.ada.match(description="canary")).model_dump_json()
    await grace.forget(name, undo=True)
    assert (await grace.user()).fields["values_text"] == "canary"


async def test_what_was_said_later_stands_before_what_is_given_back(room: Room) -> None:
    name = await room.append("editor=vim")
    await room.ada.forget(name, cascade=True)
    room.clock.advance(hours=1)
    await room.append("editor=emacs")
    await room.ada.forget(name, undo=True)
    assert (await room.fields())["editor"] == "emacs"


async def test_what_was_said_earlier_stands_behind_what_is_given_back(room: Room) -> None:
    name = await room.append("editor=vim")
    await room.ada.forget(name, cascade=True)
    room.clock.advance(hours=1)
    await room.append("editor=emacs", occurred_at="2020-01-01T00:00:00Z")
    await room.ada.forget(name, undo=True)
    assert (await room.fields())["editor"] == "vim"


async def test_what_was_stated_meanwhile_stands(room: Room) -> None:
    name = await room.append("years=9 birthplace=Graz")
    await room.ada.forget(name, cascade=True)
    await room.ada.upsert(fields={"years": 4, "birthplace": "Linz"})
    await room.ada.forget(name, undo=True)
    fields = await room.fields()
    assert (fields["years"], fields["birthplace"]) == (4, "Linz")


async def test_a_value_given_back_ends_when_its_text_does(room: Room) -> None:
    """T1"""
    name = await room.append("editor=vim", ttl_seconds=3_600)
    await room.ada.forget(name, cascade=True)
    room.clock.advance(minutes=59)
    await room.ada.forget(name, undo=True)
    assert (await room.fields())["editor"] == "vim"
    room.clock.advance(minutes=1)
    assert "editor" not in await room.fields()
    await room.backend.sweep()
    assert "vim" not in "".join(await room.store.user_history(ADA))
    assert await room.left() == ()


async def test_a_row_that_ended_meanwhile_is_not_made_by_giving_back(room: Room) -> None:
    await room.ada.upsert(fields={"years": 3}, ttl_seconds=60)
    name = await room.append("editor=vim")
    await room.ada.forget(name, cascade=True)
    room.clock.advance(seconds=60)
    assert (await room.ada.forget(name, undo=True)).restored == (name,)
    with pytest.raises(LinealError) as raised:
        await room.ada.user()
    assert raised.value.code is ErrorCode.NOT_FOUND
    assert (await room.ada.get(name)).content == "editor=vim"


async def test_the_past_of_the_texts_comes_back_as_it_was(room: Room) -> None:
    name = await room.append("editor=vim")
    await room.ada.update(name, content="editor=emacs and nothing else of note")
    history = await room.ada.history(name)
    await room.ada.forget(name, cascade=True)
    await room.ada.forget(name, undo=True)
    assert await room.ada.history(name) == history
    assert await room.fields() == {"years": 3, "editor": "emacs"}


async def test_a_giving_back_whose_reading_fails_is_done_all_the_same(room: Room) -> None:
    """What it says is read by the next sweep."""
    name = await room.append("editor=vim")
    await room.ada.forget(name, cascade=True)
    failing = FailingStore(room.store, Fault(2, "before", LinealError.unavailable("Broke.")))
    failing = FailingStore(failing, Fault(3, "before", LinealError.unavailable("Broke.")))
    caller = Caller(room.over(failing), domain="coding")
    assert (await caller.forget(name, undo=True)).restored == (name,)
    assert "editor" not in await room.fields()
    await room.backend.sweep()
    assert (await room.fields())["editor"] == "vim"


async def test_a_dry_run_leaves_row_and_tasks_alone(room: Room) -> None:
    name = await room.append("editor=vim")
    before = await room.store.user_history(ADA)
    await room.ada.forget(name, cascade=True, dry_run=True)
    await room.ada.forget(name, dry_run=True)
    assert await room.store.user_history(ADA) == before
    await room.ada.forget(name, cascade=True)
    before = await room.store.user_history(ADA)
    await room.ada.forget(name, undo=True, dry_run=True)
    assert await room.store.user_history(ADA) == before
    assert await room.left() == ()


async def test_the_better_extractor_is_not_asked_about_what_is_withheld(room: Room) -> None:
    room.extractor.there = False
    name = await room.append("editor=vim")
    await room.ada.forget(name, cascade=True)
    room.extractor.there = True
    asked = room.extractor.asked
    room.clock.advance(hours=1)
    await room.backend.sweep()
    assert room.extractor.asked == asked
    await room.ada.forget(name, undo=True)
    assert (await room.fields())["editor"] == "vim"


async def test_everybody_of_whom_the_texts_said_something_is_cleared(room: Room) -> None:
    """A derivation may be another user's; the wall is the tenant's."""
    grace = Caller(room.backend, user_id="grace", domain="coding")
    await grace.upsert(fields={})
    first = await room.append("editor=canary")
    declared = DeclaredLineage(derived_from=(first,))
    await grace.append("tools=canary", lineage=declared)
    answer = await room.ada.forget(first, cascade=True)
    assert answer.count == 2
    assert (await grace.user()).fields == {}
    assert "editor" not in await room.fields()
    await room.ada.forget(first, undo=True)
    assert (await grace.user()).fields == {"tools": ["canary"]}


async def test_no_answer_of_the_past_shows_what_is_withheld(room: Room) -> None:
    first = await room.ada.append("editor=canary", idempotency_key="k")
    await room.ada.forget(first.context_id, cascade=True)
    for _ in range(2):
        with pytest.raises(LinealError) as raised:
            await room.ada.append("editor=canary", idempotency_key="k")
        assert raised.value.code is ErrorCode.NOT_FOUND
        await room.ada.forget(first.context_id, undo=True, idempotency_key="u")


async def test_erasing_a_root_erases_what_another_cascade_withheld_below_it(room: Room) -> None:
    first = await room.append("Walnut.")
    second = await room.append("Almond.", first)
    await room.ada.forget(second, cascade=True)
    await room.ada.forget(first, cascade=True, erase=True)
    with pytest.raises(LinealError):
        await room.ada.forget(second, undo=True)


async def test_undo_without_the_better_extractor_brings_back_what_the_rules_read(
    room: Room,
) -> None:
    room.extractor.there = False
    name = await room.append("tools=uv")
    before = await room.fields()
    await room.ada.forget(name, cascade=True)
    await room.ada.forget(name, undo=True)
    assert await room.fields() == before


async def test_forgetting_a_text_leaves_the_rows_declared_sources(room: Room) -> None:
    await room.ada.upsert(fields={"years": 3}, lineage=DeclaredLineage(source_ids=("doc:1",)))
    name = await room.append("Nothing to read.")
    await room.ada.forget(name)
    assert (await room.ada.user()).lineage.source_ids == ("doc:1",)


async def test_a_repetition_is_found_past_many_of_other_projects(room: Room) -> None:
    """P3"""
    text = "We always run the tests before we push."
    for number in range(17):
        mine = Caller(room.backend, domain="coding", projects=(f"p{number}",))
        await mine.append(text)
    assert (await mine.append(text)).duplicate_of is not None


async def test_a_trace_says_that_there_is_more_beyond_its_depth(room: Room) -> None:
    """L5: a tree that ends at its depth isn't the whole of it."""
    name = await room.append("Walnut 0.")
    root = name
    for number in range(1, 5):
        name = await room.append(f"Walnut {number}.", name)
    short = await room.ada.trace(root, direction="down", depth=2)
    assert (len(short.nodes), short.deeper) == (3, 1)
    assert (await room.ada.trace(root, direction="down", depth=4)).deeper == 0
    assert (await room.ada.trace(name, direction="up", depth=1)).deeper == 1


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, "send cascade, or cascade with used,"),
        ({"cascade": True}, "send used with cascade"),
    ],
)
async def test_who_forgets_a_source_outside_is_told_how(
    room: Room, options: dict[str, Any], advice: str
) -> None:
    lineage = DeclaredLineage(source_ids=("ci:1",))
    named = (await room.ada.append("The build needs Node 22.", lineage=lineage)).context_id
    with pytest.raises(LinealError, match=advice) as refused:
        await room.ada.forget("ci:1", **options)
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert (await room.ada.forget("ci:1", cascade=True, used=True)).forgotten == (named,)


async def test_nothing_to_give_back_is_said_without_a_guess(room: Room) -> None:
    name = await room.append("Walnut.")
    with pytest.raises(LinealError, match="nothing to give back"):
        await room.ada.forget(name, undo=True)
