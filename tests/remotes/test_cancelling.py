"""Writes that don't come to their end: given up by their caller, or not deliverable where nothing
may wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from lineal.errors import ErrorCode, LinealError
from lineal.testing.contracts.faults import answering, cut_after, detailed, slow

from .forwarded import Desk, Place, jean, mem0, nia, note, told

CLOSED = "http://127.0.0.1:1/v2"


@pytest.fixture
async def at_nia(tmp_path: Path) -> AsyncIterator[Place]:
    async with nia(tmp_path) as place:
        yield place


@pytest.fixture
async def at_jean(tmp_path: Path) -> AsyncIterator[Place]:
    async with jean(tmp_path) as place:
        yield place


@pytest.fixture
async def at_mem0(tmp_path: Path) -> AsyncIterator[Place]:
    async with mem0(tmp_path) as place:
        yield place


async def test_a_call_may_be_given_up_at_any_step(at_nia: Place) -> None:
    acked: list[str] = []
    async with at_nia.process() as desk:
        await desk.append(note("first"))
        for step in range(40):
            at_nia.server.faults.add("POST", "/contexts", slow(0.02))
            with anyio.move_on_after(0.001 * step):
                await desk.append(note(step))
                acked.append(note(step))
        with anyio.fail_after(5):
            last = await desk.append(note("last"))
        assert (await desk.get(last.context_id)).content == note("last")
    await at_nia.deliver()
    there = Counter(one["content"] for one in at_nia.server.contexts.values())
    assert set(there.values()) == {1}
    assert {*acked, note("first"), note("last")} <= set(there)
    async with at_nia.process() as desk:
        assert Counter(await kept_texts(desk)) == there


async def test_what_was_given_up_holds_nobody_up(at_nia: Place) -> None:
    at_nia.server.faults.add("POST", "/contexts", slow(0.5))
    async with at_nia.process() as desk, desk.serving():
        async with anyio.create_task_group() as calls:
            calls.start_soon(desk.append, note(1))
            await at_nia.asked("POST", "/contexts")
            calls.cancel_scope.cancel()
        assert told(await desk.append(note(2))).queued is None
    assert at_nia.server.count("POST", "/contexts") == 2
    assert [one["content"] for one in at_nia.server.contexts.values()] == [note(1), note(2)]


async def test_a_given_up_update_reaches_the_remote_before_the_next(at_nia: Place) -> None:
    async with at_nia.process() as desk, desk.serving():
        kept = await desk.append(note(1))
        for number in range(10):
            at_nia.server.faults.add("PUT", "/contexts", slow(0.02))
            with anyio.move_on_after(0.005 * number):
                await desk.update(kept.context_id, title=f"Title {number}")
        with anyio.fail_after(5):
            await desk.update(kept.context_id, summary="The last of all.")
        await desk.emptied()
        here = await desk.get(kept.context_id)
    (there,) = at_nia.server.contexts.values()
    assert (here.title, here.summary) == (there["title"], "The last of all.")


async def kept_texts(desk: Desk) -> list[str]:
    found = (await desk.search("", limit=100, max_tokens=100_000)).hits
    return [(await desk.get(hit.context_id)).content for hit in found]


@pytest.mark.parametrize("fault", [answering(503), detailed(500, "boom"), cut_after])
async def test_without_an_outbox_an_append_that_fails_keeps_nothing(
    at_nia: Place, fault: object
) -> None:
    at_nia.server.faults.add("POST", "/contexts", fault)
    async with at_nia.process(queues=False) as desk:
        with pytest.raises(LinealError) as failed:
            await desk.append(note(1), idempotency_key="k")
        unknown = "may have arrived" in failed.value.message
        assert unknown == (failed.value.details.get("outcome") == "unknown")
        assert unknown != failed.value.retryable
        assert await desk.letters() == ()
        assert await kept_texts(desk) == []
    async with at_nia.process(queues=False) as desk:
        await desk.append(note(2), idempotency_key="k")
        assert await kept_texts(desk) == [note(2)]


async def test_without_an_outbox_a_row_that_is_not_delivered_stays_as_it_was(
    at_jean: Place,
) -> None:
    async with at_jean.process(queues=False) as desk:
        await desk.upsert(ttl_seconds=100)
        at_jean.server.faults.add("POST", "/users", answering(503))
        with pytest.raises(LinealError) as failed:
            await desk.upsert(fields={"editor": "emacs"}, ttl_seconds=10, idempotency_key="k")
        assert failed.value.code is ErrorCode.UNAVAILABLE
        assert await desk.letters() == ()
    async with at_jean.process(queues=False) as desk:
        assert (await desk.user()).fields == {"editor": "vim"}
        at_jean.clock.advance(seconds=50)
        assert (await desk.user()).expires_at is not None
        row = await desk.upsert(fields={"editor": "nano"}, idempotency_key="k")
        assert row.fields == {"editor": "nano"}


@pytest.mark.parametrize("fault", [answering(503), detailed(422, "No."), detailed(500, "No.")])
async def test_without_an_outbox_an_update_that_fails_changes_nothing_here(
    at_nia: Place, fault: object
) -> None:
    async with at_nia.process(queues=False) as desk:
        kept = await desk.append(note(1), title="Old")
        at_nia.server.faults.add("PUT", "/contexts", fault)
        with pytest.raises(LinealError):
            await desk.update(kept.context_id, title="New", idempotency_key="k")
        here = await desk.get(kept.context_id)
        assert (here.title, here.revision) == ("Old", 1)
        assert await desk.letters() == ()
        await desk.update(kept.context_id, title="Newer", idempotency_key="k")
        assert (await desk.get(kept.context_id)).revision == 2
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["Newer"]


async def test_without_an_outbox_a_key_seen_before_changes_nothing_there(at_nia: Place) -> None:
    async with at_nia.process(queues=False) as desk:
        kept = await desk.append(note(1), title="Old")
        first = await desk.update(kept.context_id, title="A", idempotency_key="k")
        await desk.update(kept.context_id, title="B")
        again = await desk.update(kept.context_id, title="A", idempotency_key="k")
        assert again.revision == first.revision
        assert (await desk.get(kept.context_id)).title == "B"
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["B"]


async def test_without_an_outbox_of_two_updates_one_wins_here_and_there(at_nia: Place) -> None:
    won: list[str] = []

    async def change(title: str) -> None:
        with suppress(LinealError):
            await desk.update(kept.context_id, title=title, expected_revision=1)
            won.append(title)

    async with at_nia.process(queues=False) as desk:
        kept = await desk.append(note(1), title="Old")
        async with anyio.create_task_group() as tasks:
            for name in "ABC":
                tasks.start_soon(change, name)
        assert [(await desk.get(kept.context_id)).title] == won
    assert [one["title"] for one in at_nia.server.contexts.values()] == won


async def test_without_an_outbox_a_change_says_all_that_it_changes(at_nia: Place) -> None:
    async with at_nia.process(queues=False) as desk:
        kept = await desk.append(note(1))
        await desk.update(
            kept.context_id,
            title=None,
            edited_files=[{"file_path": "a.py", "operation": "modified"}],
            nia_references={"web_searches": ["lineage"]},
            lineage={"source_ids": ["s1"]},
        )
        here = await desk.get(kept.context_id)
    (there,) = at_nia.server.contexts.values()
    assert there["edited_files"] == list(here.edited_files)
    assert there["nia_references"] == here.nia_references
    assert there["lineage"]["source_ids"] == ["s1"]


async def test_without_an_outbox_a_longer_life_is_told_as_it_will_be(at_mem0: Place) -> None:
    async with at_mem0.process(queues=False) as desk:
        kept = await desk.append(note(1), ttl_seconds=60)
        await desk.update(kept.context_id, ttl_seconds=10 * 86_400)
        here = await desk.get(kept.context_id)
    (there,) = at_mem0.server.memories.all.values()
    assert here.expires_at is not None
    assert there["expiration_date"] > here.expires_at.date().isoformat()


async def test_without_an_outbox_what_can_not_be_reached_leaves_no_letter(at_nia: Place) -> None:
    async with at_nia.process(queues=False) as desk:
        kept = await desk.append(note(1))
    async with at_nia.process(queues=False, url=CLOSED) as desk:
        for number in (2, 3):
            with pytest.raises(LinealError):
                await desk.append(note(number))
        with pytest.raises(LinealError):
            await desk.update(kept.context_id, title="New")
        assert await desk.letters() == ()
        assert await kept_texts(desk) == [note(1)]


async def test_without_an_outbox_a_change_goes_behind_what_waits_from_before(
    at_nia: Place,
) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        kept = await desk.append(note(1), title="Old")
    async with at_nia.process(queues=False) as desk:
        with pytest.raises(LinealError, match="on their way"):
            await desk.update(kept.context_id, title="New")
        assert (await desk.get(kept.context_id)).revision == 1
    assert at_nia.server.seen == []
    await at_nia.deliver()
    async with at_nia.process(queues=False) as desk:
        await desk.update(kept.context_id, title="New")
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["New"]


async def test_a_change_at_jean_says_that_it_was_added(at_jean: Place) -> None:
    for queues in (True, False):
        async with at_jean.process(queues=queues) as desk:
            kept = await desk.append(note(queues))
            changed = await desk.update(kept.context_id, content=note(f"{queues} again"))
            assert "added" in (told(changed).note or "")
    assert len(at_jean.server.contexts) == 4
