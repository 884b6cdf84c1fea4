"""Reads at a backend that forwards: nothing that has ended, nothing of others, nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lineal.errors import ErrorCode, LinealError
from lineal.models.base import rfc3339
from lineal.models.context import GetContext
from lineal.models.lineage import TraceLineage
from lineal.testing.contracts.faults import answering, detailed
from lineal.testing.samples import START

from .deliveries import LONG
from .forwarded import Desk, Place, call, jean, mem0, nia, note, told

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


def stored_elsewhere(place: Place, **values: Any) -> None:
    """What some other program keeps at Nia with the same account."""
    place.server.contexts["nia-9999"] = {
        "id": "nia-9999",
        "user_id": "account-1",
        "title": "Elsewhere",
        "summary": "Written by another program.",
        "content": f"Plugh. {LONG}",
        "tags": ["plugh"],
        "metadata": {},
        "nia_references": None,
        "edited_files": [],
        "memory_type": "fact",
        "lineage": None,
        "agent_source": "other",
        "created_at": rfc3339(START),
        "updated_at": None,
        "expires_at": None,
        **values,
    }


async def found(desk: Desk, query: str, **more: Any) -> list[str]:
    return [hit.context_id for hit in (await desk.search(query, **more)).hits]


async def test_a_memory_is_shown_until_the_instant_it_ends_whatever_the_remote_says(
    at_nia: Place,
) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note("short-lived"), ttl_seconds=60)
        at_nia.server.contexts["nia-0000"]["expires_at"] = None  # it would show it for good
        at_nia.clock.advance(seconds=59.999)
        assert await found(desk, "short-lived") == [kept.context_id]
        at_nia.clock.advance(seconds=0.001)
        assert await found(desk, "short-lived") == []
        for name in (kept.context_id, "nia-0000"):
            with pytest.raises(LinealError) as gone:
                await desk.get(name)
            assert gone.value.code is ErrorCode.NOT_FOUND
        with pytest.raises(LinealError):
            await desk.service.history(call("history", "home"), kept.context_id)
        graph = await desk.service.trace_lineage(
            call("trace", "home"), TraceLineage(context_id=kept.context_id)
        )
        assert "short-lived" not in graph.model_dump_json()
        await desk.sweep()
    assert at_nia.server.contexts == {}


async def test_mem0_keeps_a_memory_until_the_day_after_and_the_sweep_deletes_it(
    at_mem0: Place,
) -> None:
    async with at_mem0.process() as desk:
        kept = await desk.append(note("short-lived"), ttl_seconds=60)
        (there,) = at_mem0.server.memories.all.values()
        assert there["expiration_date"] == (START + timedelta(days=1)).date().isoformat()
        at_mem0.clock.advance(seconds=60)
        assert await found(desk, "short-lived") == []
        with pytest.raises(LinealError):
            await desk.get(kept.context_id)
        await desk.sweep()
    assert at_mem0.server.memories.all == {}


async def test_a_users_row_ends_here_although_jean_goes_on_showing_it(at_jean: Place) -> None:
    async with at_jean.process() as desk:
        await desk.upsert(ttl_seconds=60)
        at_jean.clock.advance(seconds=59.999)
        assert (await desk.user()).fields == {"editor": "vim"}
        at_jean.clock.advance(seconds=0.001)
        with pytest.raises(LinealError) as gone:
            await desk.user()
        assert gone.value.code is ErrorCode.NOT_FOUND
        await desk.sweep()
    async with at_jean.process() as desk:
        with pytest.raises(LinealError):
            await desk.user()
        with pytest.raises(LinealError):
            await desk.append(note(1))
        await desk.upsert()
        assert (await desk.append(note(1))).fields_updated
        assert (await desk.user()).fields == {"editor": "vim"}


@pytest.mark.parametrize("gone", ["away", "later"])
async def test_a_row_that_waits_for_jean_can_be_read_here_at_once(
    at_jean: Place, gone: str
) -> None:
    if gone == "later":
        at_jean.server.faults.add("POST", "/users", answering(503))
    url = CLOSED if gone == "away" else at_jean.url
    async with at_jean.process(url=url) as desk:
        answer = await desk.upsert("bob")
        assert told(answer).queued
        row = await desk.user("bob")
        assert row.extras == {"editor": "vim"}  # the ledger reads nothing by Jean's schemas
        assert told(row).note
        with pytest.raises(LinealError):
            await desk.user("nobody")
    await at_jean.deliver()
    assert ("bob", "coding") in at_jean.server.users


async def test_filters_hold_for_what_the_remote_finds(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        plain = await desk.append(note("one"), memory_type="fact")
        tagged = await desk.append(note("two"), tags=["blue", "x,y"], project="p1")
        derived = await desk.append(
            note("three"), lineage={"derived_from": [plain.context_id]}, memory_type="episodic"
        )
        at_nia.clock.advance(hours=1)
        late = await desk.append(note("four"), project="p2", occurred_at=START - timedelta(days=9))
        all_ = {plain.context_id, tagged.context_id, derived.context_id, late.context_id}
        asked: list[tuple[dict[str, Any], set[str]]] = [
            ({"project": "*"}, all_),
            ({}, {plain.context_id, derived.context_id}),
            ({"project": "p1"}, {plain.context_id, derived.context_id, tagged.context_id}),
            ({"project": "*", "tags": ["blue"]}, {tagged.context_id}),
            ({"project": "*", "tags": ["x,y"]}, {tagged.context_id}),
            ({"project": "*", "tags": ["red"]}, set()),
            ({"project": "*", "memory_types": ["episodic"]}, {derived.context_id}),
            ({"project": "*", "derived_from": plain.context_id}, {derived.context_id}),
            ({"project": "*", "recorded_from": START + timedelta(hours=1)}, {late.context_id}),
            ({"project": "*", "occurred_to": START - timedelta(days=1)}, {late.context_id}),
            ({"project": "*", "agents": ["tests"]}, all_),
            ({"project": "*", "agents": ["others"]}, set()),
            ({"project": "*", "domain": "hiring"}, set()),
        ]
        for more, expected in asked:
            assert set(await found(desk, "about", **more)) == expected, more
    assert at_nia.server.count("GET", "/contexts/semantic-search") == len(asked)


async def test_a_write_that_waits_is_found_among_what_the_remote_finds(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        there = await desk.append(note("one"))
        at_nia.server.faults.add("POST", "/contexts", answering(503, retry_after="0"))
        here = await desk.append(note("two"))
        assert set(await found(desk, "about")) == {there.context_id, here.context_id}


async def test_a_change_that_waits_is_found_by_its_new_words(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note("one"))
        at_nia.server.faults.add("PUT", "/contexts", answering(503, retry_after="0"))
        await desk.update(kept.context_id, content=note("xyzzy"))
        assert await found(desk, "xyzzy") == [kept.context_id]


async def test_the_ledger_answers_while_the_remote_is_away(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note("one"))
    async with at_nia.process(url=CLOSED) as desk:
        answer = await desk.search("about")
        assert [hit.context_id for hit in answer.hits] == [kept.context_id]
        assert "From the ledger" in (told(answer).note or "")
        assert (await desk.get(kept.context_id)).content == note("one")


async def test_other_tenants_and_users_see_nothing_of_it(at_nia: Place) -> None:
    stored_elsewhere(at_nia)
    async with at_nia.process() as desk:
        await desk.upsert("bob")
        kept = await desk.append(note("plugh"))
        for user, tenant in (("bob", "home"), ("ada", "other")):
            assert (await desk.search("plugh", user, tenant=tenant)).hits == ()
        for name in (kept.context_id, "nia-0000", "nia-9999"):
            with pytest.raises(LinealError):
                await desk.get(name, tenant="other")
        for name in (kept.context_id, "nia-0000"):
            with pytest.raises(LinealError):
                await desk.update(name, tenant="other", title="Mine")
            with pytest.raises(LinealError):
                await desk.forget(name, tenant="other")
        assert set(await found(desk, "plugh")) == {kept.context_id, "nia-9999"}
    assert len(at_nia.server.contexts) == 2


async def test_what_others_stored_is_adopted_by_reading_it(at_nia: Place) -> None:
    stored_elsewhere(at_nia)
    async with at_nia.process() as desk:
        assert await found(desk, "plugh") == ["nia-9999"]
        assert (await desk.get("nia-9999")).content == f"Plugh. {LONG}"
        await desk.update("nia-9999", title="Mine now")
        assert at_nia.server.contexts["nia-9999"]["title"] == "Mine now"
        assert at_nia.server.count("POST", "/contexts") == 0
        assert (await desk.get("nia-9999")).title == "Mine now"
        await desk.forget("nia-9999")
    assert at_nia.server.contexts == {}


async def test_what_others_let_end_is_not_shown(at_nia: Place) -> None:
    stored_elsewhere(at_nia, expires_at=rfc3339(START + timedelta(seconds=60)))
    async with at_nia.process() as desk:
        await desk.get("nia-9999")
        at_nia.clock.advance(seconds=60)
        assert await found(desk, "plugh") == []
        with pytest.raises(LinealError):
            await desk.get("nia-9999")


async def test_a_mem0_memory_of_another_name_is_not_the_accounts_users(at_mem0: Place) -> None:
    for name in ("bob", "lineal:other:ada"):
        message = {"role": "user", "content": f"plugh of {name}"}
        memory = at_mem0.server.memories.add({"messages": [message], "user_id": name})
        async with at_mem0.process() as desk:
            assert await found(desk, "plugh") == []
            with pytest.raises(LinealError) as gone:
                await desk.get(memory["id"])
            assert gone.value.code is ErrorCode.NOT_FOUND


async def test_a_memory_of_a_lost_ledger_is_shown_to_nobody(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        await desk.append(note("one"))
    for path in at_nia.directory.glob("ledger.db*"):
        path.unlink()
    async with at_nia.process() as desk:
        assert await found(desk, "about") == []
        with pytest.raises(LinealError):
            await desk.get("nia-0000")


async def test_what_a_remote_finds_can_not_be_taken_for_what_is_forgotten(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note("one"))
        at_nia.server.faults.add("DELETE", "/contexts", detailed(500, "boom"))
        await desk.forget(kept.context_id)
        assert len(at_nia.server.contexts) == 1
    async with at_nia.process() as desk:
        assert await found(desk, "about") == []
        with pytest.raises(LinealError):
            await desk.service.get_context(
                call("get_context", "home"), GetContext(context_id="nia-0000")
            )
    await at_nia.deliver()
    assert at_nia.server.contexts == {}
