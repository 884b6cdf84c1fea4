"""Vectors are made in the background: never inside a write, and never in its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from lineal.clock import ManualClock, SystemClock
from lineal.engine import embedding
from lineal.engine.embedding import Asked, Embedding
from lineal.errors import LinealError
from lineal.models.search import TextQuery
from lineal.models.sheet import Meaning
from lineal.ports.store import Store
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing import Gate
from lineal.testing.samples import ADA, START, a_context, keep

WAIT_S = 5.0
SOON_S = 5.0
"""A test that waits longer than this has failed."""

BROKEN = LinealError.unavailable("The model isn't there.", retryable=False)


class Topics:
    """A vector for each of three topics that a text may name; loads when the test lets it."""

    version = "topics.v1"
    dim = 3
    WORDS = (("dog", "puppy"), ("car", "engine"), ("tea", "kettle"))

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.texts: list[str] = []
        self.error: LinealError | None = None
        self.loading = Gate()
        self.unblock()
        if ready:
            self.loading.open()

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Who has come to the gate waits at that one, whichever is put up later."""
        await self.embedding.pass_through()
        if self.error is not None:
            raise self.error
        self.texts += texts
        return [self._vector(text) for text in texts]

    async def warm_up(self) -> None:
        await self.loading.pass_through()
        if self.error is not None:
            raise self.error
        self.ready = True

    def reads(self, text: str) -> float:
        return 1.0

    async def free_if_idle(self) -> bool:
        return False

    async def close(self) -> None:
        """Nothing to let go of."""

    def block(self) -> Gate:
        """Texts wait at the returned gate."""
        self.embedding = Gate()
        return self.embedding

    def unblock(self) -> None:
        """Later texts don't wait."""
        self.embedding = Gate()
        self.embedding.open()

    def _vector(self, text: str) -> tuple[float, ...]:
        held = [float(any(word in text for word in words)) for words in self.WORDS]
        length = sum(held) ** 0.5 or 1.0
        return tuple(value / length for value in held)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    clock = ManualClock(START)
    made: dict[str, Store] = {
        "memory": MemoryStore(clock=clock),
        "sqlite": SqliteStore(tmp_path / "m.db", clock=clock),
    }
    store = made[request.param]
    await store.open()
    yield store
    await store.close()


@asynccontextmanager
async def running(*workers: Embedding) -> AsyncIterator[None]:
    """They embed in the background meanwhile; what takes too long has failed."""
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as group:
            for worker in workers:
                group.start_soon(worker.run)
            await anyio.wait_all_tasks_blocked()
            yield
            group.cancel_scope.cancel()


async def note(store: Store, *texts: str, first: int = 0) -> None:
    contexts = tuple(a_context(f"ctx_{n}", content=t) for n, t in enumerate(texts, first))
    await keep(store, contexts=contexts)


async def found(store: Store, meaning: Meaning | None) -> list[str]:
    page = await store.find(ADA, TextQuery(terms=("absent",), meaning=meaning))
    return [one.context.content for one in page.candidates]


async def test_while_the_model_loads_words_are_gone_by_and_it_is_said(store: Store) -> None:
    topics = Topics(ready=False)
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    async with running(worker):
        asked = await worker.ask(("puppy",))
        assert asked.meaning is None
        assert asked.note is not None
        assert "being loaded" in asked.note
        topics.loading.open()
        await anyio.wait_all_tasks_blocked()
        asked = await worker.ask(("puppy",))
        assert asked.note is None
        assert await found(store, asked.meaning) == ["a dog barks"]


async def test_a_question_waits_for_what_was_written_just_before_it(store: Store) -> None:
    worker = Embedding(store, Topics(), wait_s=WAIT_S)
    async with running(worker):
        await note(store, "a dog barks", "an engine runs")
        worker.wake()
        asked = await worker.ask(("puppy",))
        assert asked.note is None
        assert await found(store, asked.meaning) == ["a dog barks"]


async def test_without_a_background_a_question_embeds_what_waits(store: Store) -> None:
    """As on the command line."""
    worker = Embedding(store, Topics(), wait_s=WAIT_S)
    await note(store, "a dog barks")
    asked = await worker.ask(("puppy",))
    assert (asked.note, await found(store, asked.meaning)) == (None, ["a dog barks"])


async def test_a_backlog_too_long_to_wait_for_is_said(store: Store) -> None:
    topics = Topics()
    worker = Embedding(store, topics, wait_s=0.1)
    gate = topics.block()
    await note(store, *(f"a dog {n}" for n in range(50)))
    async with running(worker):
        worker.wake()
        await gate.reached()
        topics.unblock()
        asked = await worker.ask(("puppy",))
        assert asked.meaning is not None
        assert asked.note is not None
        assert asked.note.startswith("50 memories are so far found by words only")
        gate.open()
        await worker.complete()
        assert (await worker.ask(("puppy",))).note is None


async def test_nobody_waits_longer_than_was_asked_for(store: Store) -> None:
    topics = Topics()
    worker = Embedding(store, topics, wait_s=0.2)
    gate = topics.block()
    await note(store, "a dog barks")
    async with running(worker):
        worker.wake()
        await gate.reached()
        topics.unblock()
        asked = await worker.ask(("puppy",))
        assert asked.note is not None
        assert asked.note.startswith("1 memory is so far found by words only")


async def test_what_fails_is_said_and_the_text_is_embedded_by_the_next(store: Store) -> None:
    topics = Topics()
    topics.error = BROKEN
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    async with running(worker):
        for _ in range(2):
            asked = await worker.ask(("puppy",))
            assert asked == Asked(note="Found by words only: The model isn't there.")
            await anyio.wait_all_tasks_blocked()
    topics.error = None
    again = Embedding(store, topics, wait_s=WAIT_S)
    assert await found(store, (await again.ask(("puppy",))).meaning) == ["a dog barks"]


async def test_a_batch_that_fails_is_embedded_by_the_next_question(store: Store) -> None:
    """Whoever had claimed it may claim it again at once."""
    topics = Topics()
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    topics.error = LinealError.unavailable("It is busy.", retryable=True)
    assert (await worker.ask(("puppy",))).note == "Found by words only: It is busy."
    topics.error = None
    asked = await worker.ask(("puppy",))
    assert (asked.note, await found(store, asked.meaning)) == (None, ["a dog barks"])


async def test_without_a_background_a_failure_is_said_and_nothing_is_raised(store: Store) -> None:
    topics = Topics()
    topics.error = BROKEN
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    assert await worker.ask(("puppy",)) == Asked(note="Found by words only: The model isn't there.")
    with pytest.raises(LinealError, match="isn't there"):
        await worker.catch_up()


async def test_a_write_never_waits_for_a_vector(store: Store) -> None:
    """The store is free while texts are embedded: nothing of it happens inside a transaction."""
    topics = Topics()
    worker = Embedding(store, topics, wait_s=WAIT_S)
    gate = topics.block()
    await note(store, "a dog barks")
    async with running(worker):
        worker.wake()
        await gate.reached()
        await note(store, "tea is made", first=1)
        await keep(store, contexts=(a_context("ctx_0", content="a car", revision=2),))
        await keep(store, forget=("ctx_1",))
        assert topics.texts == []
        gate.open()
        assert await found(store, (await worker.ask(("engine",))).meaning) == ["a car"]
        assert await found(store, (await worker.ask(("puppy",))).meaning) == []


async def test_two_on_one_store_embed_each_text_once(tmp_path: Path) -> None:
    texts = [f"a dog {n}" for n in range(100)]
    one, other = Topics(), Topics()
    path, clock = tmp_path / "m.db", SystemClock()
    first, second = (SqliteStore(path, clock=clock) for _ in range(2))
    await first.open()
    await second.open()
    try:
        await note(first, *texts)
        workers = [Embedding(first, one, wait_s=WAIT_S), Embedding(second, other, wait_s=WAIT_S)]
        async with anyio.create_task_group() as group:
            for worker in workers:
                group.start_soon(worker.complete)
        assert sorted(one.texts + other.texts) == sorted(texts)
        assert await first.unembedded(workers[0].space) == 0
        assert (await first.verify()).ok
    finally:
        await first.close()
        await second.close()


async def test_what_a_process_took_and_never_kept_another_embeds(store: Store) -> None:
    topics = Topics()
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    assert await store.claim(worker.space, "ended") is not None
    assert await worker.catch_up() == 0
    assert topics.texts == []


async def test_the_past_and_an_absent_embedder_ask_for_no_meaning(store: Store) -> None:
    topics = Topics()
    topics.version = "none"
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    assert worker.off
    assert await worker.ask(("puppy",)) == Asked()
    assert await worker.catch_up() == 0
    assert topics.texts == []


async def test_a_question_is_the_mean_of_its_wordings(store: Store) -> None:
    worker = Embedding(store, Topics(), wait_s=WAIT_S)
    meaning = (await worker.ask(("a dog", "a car"))).meaning
    assert meaning is not None
    assert meaning.vector == pytest.approx((0.5**0.5, 0.5**0.5, 0.0))
    assert (await worker.ask(("a word of no topic",))).meaning is None


async def test_progress_is_told_as_it_goes(store: Store) -> None:
    worker = Embedding(store, Topics(), wait_s=WAIT_S)
    await note(store, *(f"a dog {n}" for n in range(embedding.BATCH + 1)))
    told: list[tuple[int, int]] = []
    done = await worker.catch_up(lambda at, total: told.append((at, total)))
    total = embedding.BATCH + 1
    assert (done, told) == (total, [(embedding.BATCH, total), (total, total)])
    assert await worker.catch_up() == 0


async def test_a_store_that_is_only_read_is_searched_by_the_meanings_it_has(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "m.db", ManualClock(START)
    writer = SqliteStore(path, clock=clock)
    await writer.open()
    await note(writer, "a dog barks")
    await Embedding(writer, Topics(), wait_s=WAIT_S).catch_up()
    await note(writer, "a puppy sleeps", first=1)
    await writer.close()
    reader = SqliteStore(path, clock=clock, read_only=True)
    await reader.open()
    asked = await Embedding(reader, Topics(), wait_s=WAIT_S).ask(("puppy",))
    assert await found(reader, asked.meaning) == ["a dog barks"]
    await reader.close()


async def test_a_lease_that_has_run_out_is_taken_over(tmp_path: Path) -> None:
    clock = ManualClock(START)
    store = MemoryStore(clock=clock)
    topics = Topics()
    worker = Embedding(store, topics, wait_s=WAIT_S)
    await note(store, "a dog barks")
    assert await store.claim(worker.space, "ended") is not None
    clock.advance(minutes=1)
    assert await worker.catch_up() == 1
    assert topics.texts == ["a dog barks"]
