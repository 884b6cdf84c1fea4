"""A write at a backend that forwards: delivered, queued or refused, and the answer says which."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from lineal.errors import ErrorCode, LinealError
from lineal.models.context import AppendAnswer
from lineal.remotes.known import remote_of
from lineal.testing.contracts.faults import (
    answering,
    detailed,
    enveloped,
    listed,
)
from lineal.testing.samples import START

from .deliveries import CANARY
from .failing import AWAY
from .forwarded import Place, jean, mem0, nia, note, told

PASSWORD = "canary-password-91c2"  # noqa: S105 - it opens nothing
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


async def test_a_delivered_answer_holds_what_the_remote_made_of_it(at_jean: Place) -> None:
    async with at_jean.process() as desk:
        await desk.upsert()
        answer = await desk.append(note(1))
    assert answer.fields_updated == ("interests", "values_text")
    assert answer.embeddings_refreshed
    assert (told(answer).queued, told(answer).reason) == (None, None)
    assert [kept.content for kept in at_jean.server.contexts] == [note(1)]


async def test_a_delivered_answer_says_what_had_to_be_made_for_it(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        answer = await desk.append("Short.")
        kept = await desk.get(answer.context_id)
    assert "title, summary, content" in (told(answer).note or "")
    assert (kept.content, kept.title) == ("Short.", None)


async def test_a_closed_port_queues_what_can_be_read_here_at_once(at_nia: Place) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        answer = await desk.append(note(1))
        assert told(answer).queued == (await desk.letters())[0].letter_id
        assert "can't be reached" in (told(answer).reason or "")
        assert (await desk.get(answer.context_id)).content == note(1)
        assert [hit.context_id for hit in (await desk.search("about")).hits] == [answer.context_id]
    await at_nia.deliver()
    assert at_nia.server.count("POST", "/contexts") == 1


@pytest.mark.parametrize("fault", sorted(AWAY))
async def test_whatever_keeps_a_write_away_queues_it_and_it_comes_once(
    at_nia: Place, fault: str
) -> None:
    wrong = AWAY[fault]
    at_nia.server.faults.add("POST", "/contexts", wrong.fault)
    async with at_nia.process(timeout_s=0.25) as desk:
        answer = await desk.append(note(1))
        letter = (await desk.letters())[0]
    assert told(answer).queued == letter.letter_id
    unsure = "may have arrived" in (told(answer).reason or "")
    assert unsure == (wrong.arrived is None)
    async with at_nia.process() as desk:
        letter = (await desk.letters())[0]
        assert (letter.begun, letter.tries) == (unsure, 1)
        if wrong.wait_s is not None:
            assert (letter.due_at - START).total_seconds() >= wrong.wait_s
    await at_nia.deliver()
    assert [one["content"] for one in at_nia.server.contexts.values()] == [note(1)]


async def test_a_remote_that_failed_is_left_alone_by_the_next_write(at_nia: Place) -> None:
    at_nia.server.faults.add("POST", "/contexts", answering(503, retry_after="600"))
    async with at_nia.process() as desk:
        first = await desk.append(note(1))
        second = await desk.append(note(2))
    assert at_nia.server.count("POST", "/contexts") == 1
    assert told(second).queued
    assert told(second).reason == told(first).reason


@pytest.mark.parametrize(
    ("status", "code"), [(401, ErrorCode.UNAVAILABLE), (403, ErrorCode.UNAVAILABLE)]
)
async def test_a_refused_key_fails_an_append_which_keeps_nothing(
    at_nia: Place, status: int, code: ErrorCode
) -> None:
    at_nia.server.faults.add("POST", "/contexts", detailed(status, "No."))
    async with at_nia.process() as desk:
        with pytest.raises(LinealError) as failed:
            await desk.append(note(1), idempotency_key="k")
        assert failed.value.code is code
        assert await desk.letters() == ()
        assert (await desk.search("")).hits == ()
    async with at_nia.process() as desk:  # the key stands for something else now
        answer = await desk.append(note(2), idempotency_key="k")
        assert (await desk.get(answer.context_id)).content == note(2)


async def test_letters_outlive_a_refused_key(at_nia: Place) -> None:
    async with at_nia.process(url=CLOSED) as desk:
        await desk.append(note(1))
    async with at_nia.process(key="wrong") as desk:
        await desk.outbox.retry()
        async with desk.serving():
            await at_nia.asked("POST", "/contexts")
    async with at_nia.process() as desk:
        (letter,) = await desk.letters()
    assert letter.tries == 2
    assert letter.dead_at is None
    assert "LINEAL_REMOTE_KEY" in (letter.reason or "")
    await at_nia.deliver()
    assert len(at_nia.server.contexts) == 1


async def test_what_is_refused_fails_in_the_services_words_and_keeps_nothing(
    at_nia: Place,
) -> None:
    at_nia.server.faults.add("POST", "/contexts", enveloped(400, "invalid_request", "Too blue."))
    async with at_nia.process() as desk:
        with pytest.raises(LinealError, match=r"Too blue\.") as failed:
            await desk.append(note(1), idempotency_key="k")
        assert failed.value.code is ErrorCode.INVALID_REQUEST
        assert await desk.letters() == ()
        assert (await desk.search("")).hits == ()
        answer = await desk.append(note(2), idempotency_key="k")
        assert told(answer).queued is None


async def test_an_unknown_user_of_jean_is_told_of_in_our_words(at_jean: Place) -> None:
    async with at_jean.process() as desk:
        with pytest.raises(LinealError, match="upsert_user") as failed:
            await desk.append(note(1), user="bob", idempotency_key="k")
        assert failed.value.code is ErrorCode.NOT_FOUND
        assert await desk.letters() == ()
        assert (await desk.search("", user="bob")).hits == ()
        await desk.upsert("bob")
        assert (await desk.append(note(1), user="bob", idempotency_key="k")).fields_updated


async def test_a_wrong_address_is_not_told_of_as_an_unknown_user(at_nia: Place) -> None:
    async with at_nia.process(url=at_nia.url + "/elsewhere") as desk:
        with pytest.raises(LinealError, match="404") as failed:
            await desk.append(note(1))
    assert "upsert_user" not in failed.value.message


async def test_the_configured_user_is_made_at_jean_at_first_use(at_jean: Place) -> None:
    async with at_jean.process() as desk:
        answer = await desk.append(note(1))
    assert told(answer).queued is None
    assert ("ada", "coding") in at_jean.server.users
    assert len(at_jean.server.contexts) == 1


async def test_a_refused_update_is_kept_here_and_waits_for_a_person(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note(1))
        at_nia.server.faults.add("PUT", "/contexts", listed("body", "title"))
        answer = await desk.update(kept.context_id, title="New")
        assert told(answer).queued
        assert "lineal outbox list --dead" in (told(answer).reason or "")
        assert (await desk.get(kept.context_id)).title == "New"
    async with at_nia.process() as desk:
        assert (await desk.state()).dead == 1
        await desk.outbox.retry()
    await at_nia.deliver()
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["New"]


async def test_a_dropped_letter_is_sent_no_more(at_nia: Place) -> None:
    async with at_nia.process() as desk:
        kept = await desk.append(note(1), title="Old")
        at_nia.server.faults.add("PUT", "/contexts", listed("body", "title"))
        await desk.update(kept.context_id, title="New")
    async with at_nia.process() as desk:
        assert await desk.outbox.drop() == 1
        assert await desk.letters() == ()
    await at_nia.deliver()
    assert [one["title"] for one in at_nia.server.contexts.values()] == ["Old"]


async def test_the_same_key_again_is_one_request_and_the_same_answer(at_jean: Place) -> None:
    async with at_jean.process() as desk:
        await desk.upsert()
        first = await desk.append(note(1), idempotency_key="k")
        assert await desk.append(note(1), idempotency_key="k") == first
    async with at_jean.process() as desk:
        assert await desk.append(note(1), idempotency_key="k") == first
    assert at_jean.server.count("POST", "/context") == 1


async def test_twenty_at_once_with_one_key_are_one_request(at_jean: Place) -> None:
    answers: list[AppendAnswer] = []

    async def once() -> None:
        answers.append(await desk.append(note(1), idempotency_key="k"))

    async with at_jean.process() as desk:
        await desk.upsert()
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(once)
    assert answers == [answers[0]] * 20
    assert at_jean.server.count("POST", "/context") == 1


async def test_twenty_upserts_at_once_with_one_key_are_one_request(at_jean: Place) -> None:
    answers: list[object] = []

    async def once() -> None:
        answers.append(await desk.upsert(idempotency_key="k"))

    async with at_jean.process() as desk, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(once)
    assert answers == [answers[0]] * 20
    assert at_jean.server.count("POST", "/users") == 1


async def test_no_key_is_seen_anywhere(at_nia: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    says = detailed(503, f"Bearer {CANARY} is not served")
    at_nia.server.faults.add("POST", "/contexts", says, detailed(400, f"What is {CANARY}?"))
    async with at_nia.process() as desk:
        answer = await desk.append(note(1))
        shown = [repr(desk.backend), repr(vars(desk.backend)), repr(answer)]
    async with at_nia.process() as desk:
        await desk.outbox.drop([one.letter_id for one in await desk.letters()])
        with pytest.raises(LinealError) as failed:
            await desk.append(note(2))
    shown += [repr(failed.value), str(failed.value.body()), caplog.text]
    assert "[key]" in failed.value.message
    assert not any(CANARY in text for text in shown)
    assert CANARY.encode() not in at_nia.raw()


@pytest.mark.parametrize("scheme", ["nia", "jean", "mem0", "mem0-server"])
def test_no_password_of_an_address_is_seen(scheme: str) -> None:
    with pytest.raises(LinealError) as failed:
        remote_of(
            scheme,
            f"https://ada:{PASSWORD}@example.com/v2",
            SecretStr(CANARY),
            home_tenant="home",
            timeout_s=1.0,
        )
    assert PASSWORD not in repr(failed.value) + str(failed.value.body())
