"""Letters that wait: in their order, once, and never of what is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from lineal.clock import SystemClock
from lineal.testing.contracts.faults import (
    answering,
    busy,
    cut_after,
    cut_before,
    detailed,
    listed,
    slow,
)

from .forwarded import Knowing, Place, jean, mem0, nia, note, told

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


def texts(place: Place) -> list[str]:
    """What Nia keeps, in the order in which it came."""
    return [one["content"] for one in place.server.contexts.values()]


async def test_letters_of_a_user_keep_their_order_while_others_go_their_own_way(
    at_nia: Place,
) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        await desk.upsert("bob")
        for number in range(6):
            await desk.append(note(f"ada-{number}"))
            await desk.append(note(f"bob-{number}"), user="bob")
    await at_nia.deliver()
    arrived = [text.split()[0] for text in texts(at_nia)]
    assert [name for name in arrived if name < "b"] == [f"ada-{n}" for n in range(6)]
    assert [name for name in arrived if name > "b"] == [f"bob-{n}" for n in range(6)]


async def test_a_later_round_of_the_same_process_delivers_what_waits(tmp_path: Path) -> None:
    async with nia(tmp_path, SystemClock()) as place, place.process() as desk:
        place.server.faults.add("POST", "/contexts", answering(503, retry_after="0"))
        async with desk.serving():
            await desk.append(note(1))
            second = await desk.append(note(2))
            await desk.emptied()
        assert texts(place) == [note(1), note(2)]
        assert (await desk.get(second.context_id)).content == note(2)


async def test_jean_is_not_asked_twice_in_one_call_when_it_says_nothing(at_jean: Place) -> None:
    async with at_jean.process() as desk:
        await desk.upsert()
    at_jean.server.faults.add("POST", "/context", slow(1.0))
    async with at_jean.process(timeout_s=0.2) as desk:
        answer = await desk.append(note(1))
        assert at_jean.server.count("POST", "/context") == 1
    assert "may have arrived" in (told(answer).reason or "")
    await at_jean.deliver()
    assert at_jean.server.count("POST", "/context") == 2
    assert len(at_jean.server.contexts) == 1
    async with at_jean.process() as desk:
        assert (await desk.state()).repeated == 1


@pytest.mark.parametrize(("fault", "posts"), [(cut_after, 1), (cut_before, 2)])
async def test_nia_is_looked_at_before_anything_is_sent_again(
    at_nia: Place, fault: Any, posts: int
) -> None:
    at_nia.server.faults.add("POST", "/contexts", fault)
    async with at_nia.process() as desk:
        answer = await desk.append("Short.")
    await at_nia.deliver()
    assert at_nia.server.count("POST", "/contexts") == posts
    assert len(at_nia.server.contexts) == 1
    async with at_nia.process() as desk:
        assert (await desk.state()).repeated == 0
        await desk.update(answer.context_id, title="Found")
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["Found"]


@pytest.mark.parametrize(("fault", "posts"), [(cut_after, 1), (cut_before, 2)])
async def test_mem0_is_looked_at_before_anything_is_sent_again(
    at_mem0: Place, fault: Any, posts: int
) -> None:
    at_mem0.server.faults.add("POST", "/v3/memories/add/", fault)
    async with at_mem0.process() as desk:
        await desk.append("Short.")
    await at_mem0.deliver()
    assert at_mem0.server.count("POST", "/v3/memories/add/") == posts
    assert len(at_mem0.server.memories.all) == 1


async def test_what_is_forgotten_is_deleted_there(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        answer = await desk.append(note("xyzzy"))
        await desk.forget(answer.context_id)
    assert at_nia.server.contexts == {}
    assert b"xyzzy" not in at_nia.raw()


async def test_what_is_forgotten_while_it_waits_is_never_sent(at_nia: Place) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        answer = await desk.append(note("xyzzy"))
        await desk.forget(answer.context_id)
    await at_nia.deliver()
    assert at_nia.server.seen == []
    assert b"xyzzy" not in at_nia.raw()


async def test_what_is_forgotten_while_it_may_have_arrived_is_deleted_there(
    at_nia: Place,
) -> None:
    at_nia.server.faults.add("POST", "/contexts", cut_after)
    async with at_nia.process() as desk:
        answer = await desk.append(note("xyzzy"))
        await desk.forget(answer.context_id)
        assert len(at_nia.server.contexts) == 1
    await at_nia.deliver()
    async with at_nia.process() as desk:
        await desk.sweep()
    assert at_nia.server.contexts == {}
    assert at_nia.server.count("POST", "/contexts") == 1
    assert b"xyzzy" not in at_nia.raw()


async def test_what_is_forgotten_after_its_letter_was_claimed_is_not_sent(at_nia: Place) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        await desk.append(note(1))
        answer = await desk.append(note("xyzzy"))
    at_nia.server.faults.add("POST", "/contexts", slow(0.5))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at_nia.deliver)
        async with at_nia.process() as desk:
            await at_nia.asked("POST", "/contexts")
            await desk.forget(answer.context_id)
    assert texts(at_nia) == [note(1)]
    assert b"xyzzy" not in at_nia.raw()


async def test_words_of_a_refusal_are_forgotten_with_what_was_refused(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        answer = await desk.append(note(1))
        at_nia.server.faults.add("PUT", "/contexts", listed("body", "title", msg="no xyzzy here"))
        await desk.update(answer.context_id, title="xyzzy")
    async with at_nia.process() as desk:
        await desk.forget(answer.context_id)
    assert b"xyzzy" not in at_nia.raw()


async def test_a_cascade_is_deleted_there_only_when_it_can_not_be_undone(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        root = await desk.append(note(1))
        lineage = {"derived_from": [root.context_id]}
        child = await desk.append(note(2), lineage=lineage)
        gone = await desk.forget(root.context_id, cascade=True)
        assert set(gone.forgotten) == {root.context_id, child.context_id}
        await desk.sweep()
        assert len(at_nia.server.contexts) == 2
        assert (await desk.search("about")).hits == ()
        await desk.forget(root.context_id, undo=True)
        assert len((await desk.search("about")).hits) == 2
        gone = await desk.forget(root.context_id, cascade=True)
        assert gone.undo_until is not None
        at_nia.clock.advance(seconds=(gone.undo_until - at_nia.clock.now()).total_seconds() + 1)
        await desk.service.sweep(accept_clock=True)
    assert at_nia.server.contexts == {}


async def test_a_letter_that_always_fails_holds_up_no_other_user(at_nia: Place) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        await desk.upsert("bob")
        await desk.append(note("poison"))
    for tries in range(1, 6):  # each attempt of ada's fails by itself
        at_nia.server.faults.add("POST", "/contexts", detailed(500, "boom"))
        async with at_nia.process() as desk:
            await desk.outbox.retry()
            async with desk.serving():
                await at_nia.asked("POST", "/contexts", tries)
                await anyio.sleep(1.2 if tries == 5 else 0)  # not half a minute
                if tries == 5:
                    assert told(await desk.append(note(1), user="bob")).queued is None
    assert texts(at_nia) == [note(1)]


async def test_a_write_behind_a_waiting_one_has_the_same_answer_under_its_key(
    at_jean: Place,
) -> None:
    async with at_jean.process() as desk:
        await desk.upsert()
    async with at_jean.process(url=CLOSED) as desk:
        await desk.append(note(1))
    at_jean.server.faults.add("POST", "/context", slow(0.3))
    async with at_jean.process() as desk, desk.serving():
        await desk.outbox.retry()
        await at_jean.asked("POST", "/context")
        second = await desk.append(note(2), idempotency_key="k")
        assert second.fields_updated
        assert await desk.append(note(2), idempotency_key="k") == second


async def test_a_key_that_is_refused_is_tried_again_only_later(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note(1))
        at_nia.server.faults.add("PUT", "/contexts", detailed(401, "No."))
        answer = await desk.update(kept.context_id, title="New")
        assert told(answer).queued
        await desk.update(kept.context_id, title="Newer")
    assert at_nia.server.count("PUT", "/contexts") == 1
    await at_nia.deliver()
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["Newer"]


async def test_a_remote_that_asks_to_be_left_alone_is(at_nia: Place) -> None:
    at_nia.server.faults.add("POST", "/contexts", busy(600))
    async with at_nia.process() as desk, desk.serving():
        await desk.append(note(1))
        await desk.outbox.retry()
        await anyio.sleep(0.3)
    assert at_nia.server.count("POST", "/contexts") == 1


async def test_lineage_that_is_known_later_reaches_nia(at_nia: Place) -> None:
    at_nia.witness = Knowing()
    async with at_nia.process() as desk:
        answer = await desk.append(note(1))
        (there,) = at_nia.server.contexts.values()
        assert "model_version" not in there["lineage"]
        at_nia.clock.advance(seconds=1)
        await desk.service.catch_up()
        assert (await desk.get(answer.context_id)).lineage.model_version == "opus"
    await at_nia.deliver()
    (there,) = at_nia.server.contexts.values()
    assert there["lineage"]["model_version"] == "opus"
    assert (there["content"], there["updated_at"] is None) == (note(1), False)


async def test_a_ledger_that_is_busy_for_a_while_ends_no_delivery(at_nia: Place) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        await desk.append(note(1))
    at_nia.busy_timeout_s = 0.1
    async with at_nia.process() as desk:
        await desk.outbox.retry()
        held = apsw.Connection(str(at_nia.ledger))
        held.execute("BEGIN IMMEDIATE")
        async with desk.serving():
            await anyio.sleep(0.5)
            held.execute("ROLLBACK")
            held.close()
            await desk.emptied()
    assert texts(at_nia) == [note(1)]
