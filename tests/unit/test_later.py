"""What a write left to be done is done when its time has come, and not against a newer write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.engine.backend import EmbeddedBackend
from lineal.engine.later import RETRY_MAX, TRIES_MAX
from lineal.errors import LinealError
from lineal.ids import SequentialIds
from lineal.models.asking import Ask
from lineal.models.changes import Reads, Task
from lineal.models.schema import Schema
from lineal.models.user import Head, UserRow
from lineal.ports.extractor import Extracted, Extraction
from lineal.stores.memory import MemoryStore
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.samples import ADA, START

from .claims_said import SCHEMA

pytestmark = pytest.mark.anyio


class Schemas:
    """One schema, which may be broken or gone for a while."""

    def __init__(self) -> None:
        self.broken = False
        self.gone = False

    def get(self, domain: str) -> Schema:
        if self.broken:
            raise LinealError.invalid("domain", "The schema file is broken.")
        return Schema(domain=domain, version=0) if self.gone else SCHEMA

    def domains(self) -> tuple[str, ...]:
        return (SCHEMA.domain,)


class Extractor:
    """Reads `editor=vim`; a better one than the rules only while it is there."""

    def __init__(self) -> None:
        self.there = True
        self.version = "llm.v1"
        self.asked = 0

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        self.asked += 1
        names = schema.fields if self.there else ("tools",)
        finds = tuple(
            Extraction(field=found[1], value=found[2], span=found.span(), confidence=0.9)
            for found in re.finditer(r"(\w+)=(\w+)", text)
            if found[1] in names
        )
        version = self.version if self.there else "rules.v1"
        return Extracted(finds=finds, model_version=version, again=not self.there)


class Embedder:
    """A text's own length as its vector, so that each text has another."""

    version = "lengths.v1"
    dim = 2
    ready = True

    def __init__(self) -> None:
        self.there = True
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        if not self.there:
            raise LinealError.unavailable("The model can't be loaded.")
        self.texts += texts
        return [(float(len(text)), 1.0) for text in texts]

    async def warm_up(self) -> None:
        """Nothing to load."""

    def reads(self, text: str) -> float:
        return 1.0

    async def free_if_idle(self) -> bool:
        return False

    async def close(self) -> None:
        """Nothing to let go of."""


class Room:
    """A backend in memory, what it is made of, and ada in it."""

    def __init__(self, heads_per_minute: int = 1) -> None:
        self.clock = ManualClock(START)
        self.store = MemoryStore(clock=self.clock)
        self.schemas, self.extractor, self.embedder = Schemas(), Extractor(), Embedder()
        self.backend = EmbeddedBackend(
            self.store,
            schemas=self.schemas,
            extractor=self.extractor,
            embedder=self.embedder,
            ids=SequentialIds(),
            clock=self.clock,
            heads_per_minute=heads_per_minute,
        )
        self.ada = Caller(self.backend, domain="coding")

    async def sweep(self, **after: float) -> None:
        if after:
            self.clock.advance(**after)
        await self.backend.sweep()

    async def row(self) -> UserRow:
        row = (await self.store.read(ADA, Reads(user=True))).user
        assert row is not None
        return row

    async def head(self) -> Head | None:
        return await self.store.head(ADA, "coding")

    async def left(self) -> list[Task]:
        """All tasks, due or not."""
        self.clock.advance(days=365)
        tasks = await self.store.due()
        self.clock.advance(days=-365)
        return list(tasks)


@pytest.fixture
async def room() -> Room:
    """ada prefers tabs, and her head says so; no more heads this minute."""
    room = Room()
    await room.ada.upsert(fields={"years": 3})
    await room.ada.append("preferences=tabs")
    assert room.embedder.texts == ["tabs"]
    return room


def vector(text: str) -> tuple[float, ...]:
    return (float(len(text)), 1.0)


async def test_a_head_over_the_limit_is_made_when_the_limit_allows(room: Room) -> None:
    """A8"""
    answer = await room.ada.append("preferences=spaces and no tabs")
    assert (answer.fields_updated, answer.embeddings_refreshed) == (("preferences", "stack"), False)
    assert (await room.row()).heads["coding"].stale
    await room.sweep(seconds=59)
    assert room.embedder.texts == ["tabs"]
    await room.sweep(seconds=1)
    head = await room.head()
    assert head is not None
    assert head.vector == vector("tabs, spaces")
    assert not (await room.row()).heads["coding"].stale
    assert await room.left() == []


async def test_a_head_made_later_counts_against_the_limit(room: Room) -> None:
    """A8"""
    await room.ada.append("preferences=spaces")
    await room.sweep(seconds=60)
    assert not (await room.ada.append("preferences=dark")).embeddings_refreshed


async def test_the_next_allowed_write_leaves_nothing_for_later(room: Room) -> None:
    """A8"""
    await room.ada.append("preferences=spaces")
    room.clock.advance(seconds=60)
    assert (await room.ada.append("preferences=dark")).embeddings_refreshed
    await room.sweep()
    assert room.embedder.texts == ["tabs", "tabs, spaces, dark"]


async def test_many_writes_over_the_limit_leave_one_head_to_make(room: Room) -> None:
    """A8"""
    for number in range(5):
        await room.ada.append(f"preferences=kind{number}")
    assert [task.kind for task in await room.left()] == ["head"]
    await room.sweep(seconds=60)
    assert len(room.embedder.texts) == 2


async def test_where_writes_may_make_no_head_the_sweep_does() -> None:
    """A8"""
    room = Room(heads_per_minute=0)
    await room.ada.upsert(fields={"values_text": "Honesty."})
    assert room.embedder.texts == []
    await room.sweep(seconds=60)
    assert await room.head() is not None


async def test_a_head_of_nothing_is_not_made(room: Room) -> None:
    await room.ada.append("preferences=spaces")
    await room.ada.upsert(fields={"preferences": []})
    await room.sweep(seconds=60)
    assert (room.embedder.texts, await room.head()) == (["tabs"], None)
    assert await room.left() == []


async def test_a_head_that_another_write_overtakes_is_made_of_the_newer_text(room: Room) -> None:
    """The vector is made outside the transaction."""

    class Overtaken(Embedder):
        async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
            if not self.texts:
                self.texts.append("overtaken")
                await room.ada.append("preferences=dark")
            return await super().embed(texts)

    await room.ada.append("preferences=spaces")
    room.clock.advance(seconds=60)
    room.embedder.texts.clear()
    overtaken = Overtaken()
    late = EmbeddedBackend(
        room.store,
        schemas=room.schemas,
        extractor=room.extractor,
        embedder=overtaken,
        ids=SequentialIds(),
        clock=room.clock,
    )
    await late.sweep()
    head = await room.head()
    assert head is not None
    assert head.vector == vector("tabs, spaces, dark")
    assert not (await room.row()).heads["coding"].stale


async def test_an_embedder_that_is_not_there_is_asked_again_later_and_at_last_no_more(
    room: Room,
) -> None:
    await room.ada.append("preferences=spaces")
    room.embedder.there = False
    await room.sweep(seconds=60)
    (task,) = await room.left()
    assert (task.tries, task.due_at) == (1, room.clock.now() + timedelta(minutes=1))
    await room.sweep(seconds=60)
    (task,) = await room.left()
    assert (task.tries, task.due_at) == (2, room.clock.now() + timedelta(minutes=2))
    for _ in range(TRIES_MAX):
        await room.sweep(seconds=RETRY_MAX.total_seconds())
    assert await room.left() == []


async def test_an_embedder_that_comes_back_makes_what_is_owed(room: Room) -> None:
    await room.ada.append("preferences=spaces")
    room.embedder.there = False
    await room.sweep(seconds=60)
    room.embedder.there = True
    await room.sweep(seconds=60)
    assert not (await room.row()).heads["coding"].stale


async def test_the_failure_of_one_users_task_holds_up_no_other(room: Room) -> None:
    grace = Caller(room.backend, user_id="grace", domain="coding")
    await room.ada.append("editor=vim", ttl_seconds=30)
    await room.ada.append("preferences=spaces")
    room.embedder.there = False
    await grace.upsert(fields={"years": 2})
    await grace.append("editor=vim", ttl_seconds=61)
    await room.sweep(seconds=61)
    assert (await room.row()).fields.keys() == {"years", "preferences"}
    assert (await grace.user()).fields == {"years": 2}
    assert [task.kind for task in await room.left()] == ["head"]


async def test_a_value_goes_from_the_row_and_its_past_when_its_text_ends(room: Room) -> None:
    """T1, T2"""
    await room.ada.append("editor=canary", ttl_seconds=3_600)
    await room.sweep(seconds=3_599)
    assert (await room.ada.user()).fields["editor"] == "canary"
    room.clock.advance(seconds=1)
    assert "editor" not in (await room.ada.user()).fields
    await room.sweep()
    assert "canary" not in "".join(await room.store.user_history(ADA))
    assert (await room.ada.user()).fields == {"years": 3, "preferences": ["tabs"]}


async def test_a_value_goes_from_the_past_even_if_a_write_left_it_out_before(room: Room) -> None:
    """T2"""
    await room.ada.append("editor=canary", ttl_seconds=3_600)
    room.clock.advance(seconds=3_600)
    await room.ada.append("birthplace=Graz")
    assert "canary" in "".join(await room.store.user_history(ADA))
    await room.sweep()
    assert "canary" not in "".join(await room.store.user_history(ADA))


async def test_a_value_goes_from_the_past_even_if_the_row_says_it_no_more(room: Room) -> None:
    """T2: the text was changed, and ends later."""
    name = (await room.ada.append("editor=canary")).context_id
    await room.ada.update(name, content="Nothing of note, and nothing more than that, today.")
    await room.ada.update(name, ttl_seconds=60)
    await room.sweep(seconds=60)
    assert "canary" not in "".join(await room.store.user_history(ADA))


async def test_several_ends_are_each_met_in_their_time(room: Room) -> None:
    """T1"""
    for minutes, value in enumerate("abc", start=1):
        await room.ada.append(f"tools={value}", ttl_seconds=60 * minutes)
    for left in (["b", "c"], ["c"], None):
        await room.sweep(seconds=60)
        fields = (await room.row()).fields
        assert (fields["tools"].value if "tools" in fields else None) == left
    assert await room.left() == []


async def test_a_head_of_what_has_ended_goes_and_is_made_again_at_once(room: Room) -> None:
    """T1, T2"""
    room.clock.advance(seconds=60)
    await room.ada.append("preferences=canary", ttl_seconds=60)
    await room.sweep(seconds=60)
    head = await room.head()
    assert head is not None
    assert head.vector == vector("tabs")
    assert not (await room.row()).heads["coding"].stale


async def test_a_head_of_what_has_ended_goes_even_if_a_write_left_it_out_before(
    room: Room,
) -> None:
    """T2"""
    room.clock.advance(seconds=60)
    await room.ada.append("preferences=canary", ttl_seconds=60)
    room.clock.advance(seconds=60)
    await room.ada.append("birthplace=Graz")
    await room.sweep()
    head = await room.head()
    assert head is not None
    assert head.vector == vector("tabs")


async def test_what_has_ended_goes_under_a_broken_schema_too(room: Room) -> None:
    """T1: what only takes away must go on."""
    await room.ada.append("editor=vim", ttl_seconds=60)
    room.schemas.broken = True
    assert "editor" not in await _fields(room, seconds=60)
    await room.sweep()
    assert "editor" not in (await room.row()).fields


async def _fields(room: Room, **after: float) -> dict[str, Any]:
    room.clock.advance(**after)
    return (await room.ada.user()).fields


async def test_a_text_lengthened_before_its_end_keeps_its_values(room: Room) -> None:
    """A7, T1"""
    await room.ada.append("editor=vim", ttl_seconds=60)
    await room.ada.append("editor=vim")
    await room.sweep(seconds=60)
    assert (await room.ada.user()).fields["editor"] == "vim"
    assert await room.left() == []


async def test_a_better_extractor_is_asked_again_and_its_word_replaces_the_rules(
    room: Room,
) -> None:
    room.extractor.there = False
    answer = await room.ada.append("editor=vim tools=uv")
    assert (answer.extractor, answer.fields_updated) == ("rules.v1", ("stack", "tools"))
    room.extractor.there = True
    await room.sweep(seconds=59)
    assert "editor" not in (await room.ada.user()).fields
    await room.sweep(seconds=1)
    fields = (await room.row()).fields
    assert fields["editor"].value == "vim"
    assert [claim.model_version for claim in fields["tools"].claims] == ["llm.v1"]
    assert (await room.row()).lineage.extractor == "llm.v1"
    assert await room.left() == []


async def test_a_better_extractor_that_stays_away_is_asked_ever_more_seldom(room: Room) -> None:
    room.extractor.there = False
    await room.ada.append("editor=vim tools=uv")
    waits = []
    for _ in range(TRIES_MAX + 2):
        tasks = await room.left()
        if tasks:
            waits.append(tasks[0].due_at - room.clock.now())
        await room.sweep(seconds=waits[-1].total_seconds())
    minutes = [wait.total_seconds() / 60 for wait in waits]
    assert minutes[:4] == [1, 1, 2, 4]
    assert max(waits) == RETRY_MAX
    assert len(waits) == TRIES_MAX + 1
    assert (await room.ada.user()).fields["tools"] == ["uv"]


async def test_a_text_that_is_gone_is_not_asked_about(room: Room) -> None:
    room.extractor.there = False
    name = (await room.ada.append("editor=vim")).context_id
    room.extractor.there = True
    asked = room.extractor.asked
    await room.ada.forget(name)
    await room.sweep(seconds=60)
    assert room.extractor.asked == asked
    assert "editor" not in (await room.ada.user()).fields


async def test_a_schema_that_is_gone_is_no_reason_to_unsay_what_was_read(room: Room) -> None:
    room.extractor.there = False
    await room.ada.append("tools=uv")
    room.schemas.gone = True
    await room.sweep(seconds=60)
    assert (await room.row()).fields["tools"].value == ["uv"]


async def test_an_upserts_text_that_is_read_later_is_still_the_upserts(room: Room) -> None:
    """U7: the next upsert replaces it."""
    room.extractor.there = False
    await room.ada.upsert(context="tools=uv editor=vim")
    room.extractor.there = True
    await room.sweep(seconds=60)
    assert (await room.ada.user()).fields["editor"] == "vim"
    assert "editor" not in (await room.ada.upsert(fields={"years": 4})).fields
