"""Whatever is said of a user and in which order, the row is a function of what was said."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lineal.clock import Clock, ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.errors import LinealError
from lineal.ids import SequentialIds
from lineal.models.asking import Ask
from lineal.models.changes import Reads, Scope
from lineal.models.schema import Case, Condition, Derive, FieldSpec, Schema
from lineal.models.user import UserAnswer, UserRow
from lineal.policy.standing import CLAIMS_OF_VALUE_MAX
from lineal.ports.extractor import Extracted, Extraction
from lineal.ports.store import Store
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing.backend_cases.caller import Caller
from lineal.testing.samples import START

SCHEMA = Schema(
    domain="notes",
    version=1,
    fields={
        "editor": FieldSpec(kind="hard", type="string"),
        "tools": FieldSpec(kind="hard", type="list", merge="union"),
        "years": FieldSpec(kind="hard", type="integer", merge="max"),
        "home": FieldSpec(kind="hard", type="string", merge="first"),
        "likes": FieldSpec(kind="soft", type="list", merge="union"),
        "motto": FieldSpec(kind="soft", type="string"),
        "stack": FieldSpec(kind="derived", type="list", derive=Derive(union=("tools", "likes"))),
        "level": FieldSpec(
            kind="derived",
            type="string",
            derive=Derive(cases=(Case(value="old", when={"years": Condition(minimum=3)}),)),
        ),
    },
)

SCOPE = Scope(tenant="acme", user_id="ada", domain="notes")


class OneSchema:
    """The schemas of one domain."""

    def get(self, domain: str) -> Schema:
        return SCHEMA if domain == SCHEMA.domain else Schema(domain=domain, version=0)

    def domains(self) -> tuple[str, ...]:
        return (SCHEMA.domain,)


class SignReader:
    """Reads `editor+a` as said, and `editor-a` as denied."""

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        finds = tuple(
            Extraction(
                field=found[1],
                value=int(found[3]) if found[1] == "years" else found[3],
                span=found.span(),
                confidence=0.9,
                denied=found[2] == "-",
            )
            for found in re.finditer(r"(\w+)([+-])(\w+)", text)
            if found[1] in schema.fields
        )
        return Extracted(finds=finds, model_version="signs.v1")


class Saying(NamedTuple):
    """One thing said of one field. place: its number among all, so that no two texts are alike."""

    field: str
    value: str
    denied: bool


class Text(NamedTuple):
    """What one append says. hours: when it was true, counted from the beginning."""

    sayings: tuple[Saying, ...]
    hours: int
    ttl_seconds: int | None = None

    def content(self, number: int) -> str:
        said = (f"{s.field}{'-' if s.denied else '+'}{s.value}" for s in self.sayings)
        return f"Note {number}: " + " ".join(said)

    @property
    def occurred_at(self) -> datetime:
        return START + timedelta(hours=self.hours)


class Stated(NamedTuple):
    """What one upsert states, and the text that comes with it."""

    fields: dict[str, Any]
    text: Text | None
    replace_all: bool


class Room:
    """A backend over a store, and the user it is about."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.ids = SequentialIds()
        self.said = 0
        self.backend = EmbeddedBackend(
            store,
            schemas=OneSchema(),
            extractor=SignReader(),
            embedder=HashingEmbedder(),
            ids=self.ids,
            clock=clock,
            heads_per_minute=3,
        )
        self.ada = Caller(self.backend)

    async def open(self) -> None:
        await self.backend.open()
        await self.ada.upsert(fields={"known": True})

    async def append(self, text: Text) -> str:
        self.said += 1
        life = {} if text.ttl_seconds is None else {"ttl_seconds": text.ttl_seconds}
        answer = await self.ada.append(
            text.content(self.said), occurred_at=text.occurred_at, **life
        )
        return answer.context_id

    async def upsert(self, stated: Stated) -> UserAnswer:
        text = {} if stated.text is None else {"context": stated.text.content(0)}
        return await self.ada.upsert(fields=stated.fields, replace_all=stated.replace_all, **text)

    def skip(self) -> None:
        """Leave out a text that others say: its number and its id are used up."""
        self.said += 1
        self.ids.context()

    async def row(self) -> UserRow:
        row = (await self.store.read(SCOPE, Reads(user=True))).user
        assert row is not None
        return row

    async def shown(self) -> dict[str, Any]:
        """The row with its provenance, without when and by which call it was last written."""
        answer = await self.ada.user(provenance=True)
        last = {"last_enriched_at", "lineage", "embeddings"}
        return answer.model_dump(mode="json", exclude=last)

    async def head(self) -> Any:
        """The stored head; a store may keep single precision."""
        head = await self.store.head(SCOPE, SCHEMA.domain)
        return head and (head.version, [round(x, 5) for x in head.vector])

    async def named_in_the_past(self) -> set[str]:
        """The contexts that any kept revision of the row was read from."""
        past = "".join(await self.store.user_history(SCOPE))
        return set(re.findall(r"ctx_[0-9]+", past))

    async def live(self) -> set[str]:
        names = tuple(f"ctx_{number}" for number in range(100))
        return set((await self.store.read(SCOPE, Reads(context_ids=names))).contexts)

    async def values(self) -> dict[str, Any]:
        """The values alone; of a list in no order."""
        answer = await self.ada.user()
        every = {**answer.fields, **answer.derived}
        return {n: sorted(v) if isinstance(v, list) else v for n, v in every.items()}


@contextmanager
def plain() -> Iterator[Callable[[Clock], Store]]:
    yield lambda clock: MemoryStore(clock=clock)


@contextmanager
def on_disk() -> Iterator[Callable[[Clock], Store]]:
    with tempfile.TemporaryDirectory() as directory:
        yield lambda clock: SqliteStore(Path(directory) / "m.db", clock=clock)


def replayed(play: Callable[[Room], Awaitable[Any]], opening: Any = plain) -> Any:
    """What `play` gives in a room of its own."""

    async def played(store: Store, clock: ManualClock) -> Any:
        room = Room(store, clock)
        await room.open()
        try:
            return await play(room)
        finally:
            await room.backend.close()

    clock = ManualClock(START)
    with opening() as make:
        return asyncio.run(played(make(clock), clock))


NAMES = [name for name, spec in SCHEMA.fields.items() if spec.kind != "derived"]
VALUES = st.sampled_from("1234")
SAYINGS = st.builds(Saying, st.sampled_from(NAMES), VALUES, st.booleans())
TEXTS = st.builds(
    Text,
    st.lists(SAYINGS, max_size=4).map(tuple),
    st.integers(-9, 9),
    st.sampled_from((None, None, 60, 3_600)),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "editor": VALUES,
        "tools": st.lists(VALUES, max_size=3, unique=True),
        "years": st.integers(1, 4),
        "home": VALUES,
        "likes": st.lists(VALUES, max_size=3, unique=True),
        "motto": VALUES,
        "shoe": VALUES,
    },
)
STATED = st.builds(Stated, FIELDS, st.one_of(st.none(), TEXTS), st.booleans())
STEPS = st.lists(
    st.one_of(
        TEXTS,
        STATED,
        st.tuples(st.just("wait"), st.sampled_from((1, 30, 60, 3_600))),
        st.tuples(st.just("sweep"), st.just(0)),
        st.tuples(st.just("forget"), st.integers(0, 5)),
        st.tuples(st.just("reread"), st.integers(0, 5), TEXTS),
        st.tuples(st.just("relive"), st.integers(0, 5), st.sampled_from((None, 60, 7_200))),
        st.tuples(st.just("repeat"), st.integers(0, 5), st.sampled_from((None, 60, 7_200))),
    ),
    max_size=12,
)


class Play:
    """Does steps one after the other, and looks at the row after each."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.contexts: list[tuple[str, str]] = []

    async def all(self, steps: list[Any]) -> list[Any]:
        return [await self.step(one) for one in steps]

    async def step(self, one: Any) -> Any:
        try:
            await self._do(one)
        except LinealError as refused:  # a context that has ended: both stores say so
            return refused.code
        row = await self.room.row()
        past = await self.room.store.user_history(SCOPE)
        return await self.room.shown(), row.fields, row.heads, len(past), await self.room.head()

    async def _do(self, one: Any) -> None:
        if isinstance(one, Stated):
            await self.room.upsert(one)
        elif isinstance(one, Text):
            name = await self.room.append(one)
            self.contexts.append((name, one.content(self.room.said)))
        elif one[0] == "wait":
            self.room.clock.advance(seconds=one[1])
        elif one[0] == "sweep":
            await self.room.backend.sweep()
        elif one[1] < len(self.contexts):
            await self._change(one)

    async def _change(self, one: Any) -> None:
        name, content = self.contexts[one[1]]
        ada = self.room.ada
        if one[0] == "forget":
            await ada.forget(name)
        elif one[0] == "reread":
            await ada.update(name, content=one[2].content(one[1] + 100))
        elif one[0] == "relive":
            await ada.update(name, ttl_seconds=one[2])
        else:
            await ada.append(content, **({} if one[2] is None else {"ttl_seconds": one[2]}))


@settings(max_examples=max(1, settings().max_examples // 3))
@given(steps=STEPS)
def test_every_store_gives_the_same_row(steps: list[Any]) -> None:
    """Values, derived ones, provenance, heads and how much of the past is kept, at each step."""

    def play(room: Room) -> Awaitable[Any]:
        return Play(room).all(steps)

    assert replayed(play, on_disk) == replayed(play)


@given(steps=STEPS)
def test_a_swept_row_is_whole(steps: list[Any]) -> None:
    """T1, T2, A8: nothing of what has ended is stored, and the head is of the row as it is."""

    async def play(room: Room) -> tuple[UserRow, Any, Any, datetime]:
        await Play(room).all(steps)
        room.clock.advance(seconds=61)
        await room.backend.sweep()
        assert await room.named_in_the_past() <= await room.live()
        return await room.row(), await room.shown(), await room.head(), room.clock.now()

    row, shown, head, now = replayed(play)
    assert all(f.ends_at is None or f.ends_at > now for f in row.fields.values())
    assert shown["fields"] == {n: f.value for n, f in row.fields.items() if f.value is not None}
    assert not any(info.stale for info in row.heads.values())
    soft = any(row.fields[name].value for name in ("likes", "motto") if name in row.fields)
    assert (head is not None) == bool(row.heads) == soft


@given(
    texts=st.lists(TEXTS, max_size=8, unique_by=lambda text: text.hours),
    order=st.randoms(use_true_random=False),
)
def test_an_older_event_never_beats_a_newer_one_whatever_the_order_of_arrival(
    texts: list[Text], order: Any
) -> None:
    """A10, while no more is said of a value than is kept."""
    assume(_within_bounds(texts))
    arrived = list(texts)
    order.shuffle(arrived)

    def play(said: list[Text]) -> Callable[[Room], Awaitable[Any]]:
        async def played(room: Room) -> Any:
            for text in said:
                await room.append(text)
            return await room.values()

        return played

    assert replayed(play(arrived)) == replayed(play(texts))


@given(before=STEPS, stated=STATED, waits=st.sampled_from((1, 61)))
def test_the_same_upsert_twice_changes_nothing_but_when_it_was_last_enriched(
    before: list[Any], stated: Stated, waits: int
) -> None:
    """U1"""

    async def play(room: Room) -> tuple[UserAnswer, UserAnswer, UserAnswer, UserAnswer]:
        await Play(room).all(before)
        await room.upsert(stated)
        room.clock.advance(seconds=61)
        await room.backend.sweep()
        first = await room.ada.user(provenance=True)
        room.clock.advance(seconds=waits)
        again = await room.upsert(stated)
        shown = await room.ada.user(provenance=True)
        row = await room.row()
        assert row.updated_at < row.last_enriched_at == room.clock.now()
        return first, again, shown, first

    first, again, shown, _ = replayed(play)
    assert shown.model_copy(update={"last_enriched_at": first.last_enriched_at}) == first
    assert again.fields == first.fields


@given(before=STEPS, texts=st.lists(TEXTS, min_size=1, max_size=6), gone=st.integers(0, 5))
def test_forgetting_a_context_gives_the_row_as_if_it_had_never_been_appended(
    before: list[Any], texts: list[Text], gone: int
) -> None:
    """L6, while no more is said of a value than is kept."""
    texts = [text._replace(ttl_seconds=None) for text in texts]
    steps = [one for one in before if isinstance(one, Stated)]
    assume(gone < len(texts) and _within_bounds(texts, steps[:2]))

    async def forgotten(room: Room) -> Any:
        await Play(room).all(steps[:1])
        names = [await room.append(text) for text in texts]
        await Play(room).all(steps[1:2])
        await room.ada.forget(names[gone])
        return await settled(room)

    async def never_said(room: Room) -> Any:
        await Play(room).all(steps[:1])
        for place, text in enumerate(texts):
            if place == gone:
                room.skip()
            else:
                await room.append(text)
        await Play(room).all(steps[1:2])
        return await settled(room)

    async def settled(room: Room) -> Any:
        room.clock.advance(seconds=61)
        await room.backend.sweep()
        row = await room.row()
        return await room.shown(), row.fields, row.heads, await room.head()

    assert replayed(forgotten) == replayed(never_said)


def _within_bounds(texts: list[Text], stated: Iterable[Stated] = ()) -> bool:
    spoken = [*texts, *(one.text for one in stated if one.text is not None)]
    said = [one[:2] for text in spoken for one in text.sayings]
    said += [
        (name, part)
        for one in stated
        for name, value in one.fields.items()
        for part in (value if isinstance(value, list) else [value])
    ]
    return all(said.count(one) <= CLAIMS_OF_VALUE_MAX for one in said)
