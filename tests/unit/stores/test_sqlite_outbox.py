"""The outbox in the file of a store: letters in their queues, and what they become."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apsw
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lineal.clock import ManualClock, SystemClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Decide, Plan, Reads, Scope, Snapshot, Withholding
from lineal.models.forwarding import Counterpart, Letter, OutboxState, Settled
from lineal.ports.outbox import Outbox
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore, counterparts, letters, outbox
from lineal.stores.sqlite.outbox import SqliteOutbox
from lineal.testing.samples import ADA, START, a_context, a_receipt, a_user, keep

from .sqlite_rooms import always, files_of, opened, told

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MS = timedelta(milliseconds=1)
HELD = {"holder": "me", "held_until": START + MINUTE}


def a_letter(letter_id: str, **values: Any) -> Letter:
    """ada's new context on its way, posted and due at the beginning."""
    base: dict[str, Any] = {
        "letter_id": letter_id,
        "tenant": "acme",
        "user_id": "ada",
        "domain": "coding",
        "verb": "append",
        "context_id": f"ctx_{letter_id}",
        "body": json.dumps({"said": f"walnut {letter_id}"}),
        "posted_at": START,
        "due_at": START,
    }
    return Letter(**{**base, **values})


def a_counterpart(name: str, **values: Any) -> Counterpart:
    """What ada's context of that name is called at the remote."""
    base: dict[str, Any] = {
        "kind": "context",
        "tenant": "acme",
        "user_id": "ada",
        "domain": "coding",
        "local_id": name,
        "remote_id": f"remote_{name}",
    }
    return Counterpart(**{**base, **values})


def done(letter_id: str, **values: Any) -> Settled:
    return Settled(letter_id=letter_id, outcome="delivered", **values)


def later(letter_id: str, **values: Any) -> Settled:
    return Settled(letter_id=letter_id, outcome="later", **values)


def dead(letter_id: str, reason: str = "refused") -> Settled:
    return Settled(letter_id=letter_id, outcome="dead", reason=reason)


async def post(store: SqliteStore, *names: str, **values: Any) -> None:
    """Each in a write of its own."""
    for name in names:
        await keep(store, letters=(a_letter(name, **values),))


async def claim(box: Outbox, holder: str = "me", **options: Any) -> list[str]:
    found = await box.claim_letters(holder, held_s=60, **options)
    return [one.letter_id for one in found]


async def names(box: Outbox, **options: Any) -> list[str]:
    return [one.letter_id for one in (await box.letters(**options)).letters]


async def of(box: Outbox, name: str) -> Letter:
    found = await box.letter(name)
    assert found is not None
    return found


@pytest.fixture
def clock() -> ManualClock:
    return always()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path / "m.db", clock, durability="normal") as store:
        yield store
        assert (await store.verify()).ok


@pytest.fixture
def box(store: SqliteStore) -> Outbox:
    return SqliteOutbox(store)


# Posting


async def test_a_letter_is_kept_as_it_was_posted_with_a_number(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a", "b")
    for number, name in enumerate(("a", "b"), 1):
        assert await box.letter(name) == a_letter(name, number=number)
    assert await box.letter("c") is None


async def test_a_letter_to_an_empty_queue_is_held_at_once_by_the_holder_it_names(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", **HELD)
    held = await of(box, "a")
    assert (held.holder, held.held_until, held.begun) == ("me", START + MINUTE, True)
    assert await claim(box, "other") == []
    assert await box.next_due_in_s() == 60
    clock.advance(minutes=1)
    (found,) = await box.claim_letters("other", held_s=60)
    assert (found.holder, found.begun) == ("other", True)


async def test_behind_others_a_letter_waits_unheld_in_the_same_write_too(
    store: SqliteStore, box: Outbox
) -> None:
    await keep(store, letters=(a_letter("a", **HELD), a_letter("b", **HELD)))
    await post(store, "c", **HELD)
    assert [(await of(box, name)).holder for name in "abc"] == ["me", None, None]
    assert not (await of(box, "b")).begun
    grace = a_letter("d", user_id="grace", **HELD)
    await keep(store, letters=(grace,))
    assert (await of(box, "d")).holder == "me"


async def test_what_became_of_letters_is_kept_before_others_are_posted(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a", **HELD)
    await keep(store, settled=(done("a"),), letters=(a_letter("b", **HELD),))
    assert await box.letter("a") is None
    assert (await of(box, "b")).holder == "me"


async def test_dead_letters_dont_stop_the_queue_behind_them(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a", **HELD)
    await box.settle([dead("a")])
    assert not await box.waits("acme", "ada")
    await post(store, "b", **HELD)
    assert (await of(box, "b")).holder == "me"
    assert await box.waits("acme", "ada")
    assert not await box.waits("evil", "ada")


async def test_a_letter_of_another_tenant_or_posted_twice_is_refused_with_its_write(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a")
    for wrong, code in (
        (a_letter("b", tenant="evil"), ErrorCode.INVALID_REQUEST),
        (a_letter("a"), ErrorCode.CONFLICT),
    ):
        with pytest.raises(LinealError) as raised:
            await keep(store, letters=(wrong,), contexts=(a_context("ctx_1"),))
        assert raised.value.code is code
    with pytest.raises(LinealError):
        await keep(store, counterparts=(a_counterpart("x", tenant="evil"),))
    assert await names(box) == ["a"]
    assert (await store.stats(ADA)).contexts == 0


async def test_letters_are_numbered_on_when_the_last_is_gone(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a", "b")
    await box.settle([done("b")])
    await post(store, "c")
    assert (await of(box, "c")).number == 3


async def test_a_store_in_memory_refuses_what_belongs_to_an_outbox() -> None:
    memory = MemoryStore(clock=always())
    wrong: dict[str, Any] = {
        "letters": (a_letter("a"),),
        "settled": (done("a"),),
        "counterparts": (a_counterpart("x"),),
    }
    for name, values in wrong.items():
        with pytest.raises(LinealError) as raised:
            await keep(memory, contexts=(a_context("ctx_1"),), **{name: values})
        assert raised.value.details["field"] == "letters"
    assert (await memory.stats(ADA)).contexts == 0


# Claiming


async def test_letters_of_a_queue_are_claimed_in_order_sixteen_at_a_time(
    store: SqliteStore, box: Outbox
) -> None:
    order = [f"a{n:02}" for n in range(20)]
    await post(store, *order)
    assert await claim(box) == order[:16]
    assert await claim(box, "other") == []
    await box.settle([done(name) for name in order[:16]])
    assert await claim(box, "other") == order[16:]


async def test_queues_come_by_their_first_letters_number_up_to_the_limit(
    store: SqliteStore, box: Outbox
) -> None:
    for user in ("zoe", "ada", "bob", "ada", "zoe"):
        number = len(await names(box))
        await post(store, f"{user}{number}", user_id=user)
    assert await claim(box, limit=3) == ["zoe0", "zoe4", "ada1"]
    # ada's first is held, so that what stands behind it waits.
    assert await claim(box, "other") == ["bob2"]


async def test_what_isnt_due_holds_up_what_stands_behind_it(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", due_at=START + MINUTE)
    await post(store, "b")
    await post(store, "c", user_id="grace")
    await post(store, "d", user_id="grace", due_at=START + HOUR)
    assert await claim(box) == ["c"]
    await box.settle([done("c")])
    assert await claim(box) == []
    assert await box.next_due_in_s() == 60
    clock.advance(minutes=1, milliseconds=-1)
    assert await claim(box) == []
    clock.advance(milliseconds=1)
    assert await box.next_due_in_s() == 0
    assert await claim(box) == ["a", "b"]


async def test_begun_is_as_the_attempt_before_left_it_and_true_where_time_ran_out(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", "b")
    first = await box.claim_letters("me", held_s=60)
    assert [one.begun for one in first] == [False, False]
    await box.settle([later("a", begun=True)])
    await box.release(["b"])
    again = await box.claim_letters("me", held_s=60)
    assert [one.begun for one in again] == [True, False]
    clock.advance(minutes=1)
    third = await box.claim_letters("other", held_s=60)
    assert [one.begun for one in third] == [True, True]


async def test_a_claim_that_finds_nothing_writes_nothing(store: SqliteStore, box: Outbox) -> None:
    await post(store, "a", due_at=START + HOUR)
    connection = apsw.Connection(str(store.path), flags=apsw.SQLITE_OPEN_READONLY)
    before = connection.pragma("data_version")
    assert await claim(box) == []
    assert connection.pragma("data_version") == before
    connection.close()


async def test_nobody_holds_a_letter_for_longer_than_an_hour(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", holder="me", held_until=START + 9 * HOUR)
    assert (await of(box, "a")).held_until == START + HOUR
    clock.advance(hours=1)
    (found,) = await box.claim_letters("other", held_s=1e6)
    assert found.held_until == START + 2 * HOUR


# Settling


async def test_a_delivered_letter_is_gone_and_its_context_has_a_name_at_the_remote(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a", "b")
    await post(store, "c", verb="upsert", context_id="")
    await box.settle([done("a", remote_id="r1"), done("b"), done("c", remote_id="ada")])
    assert await names(box) == []
    expected = a_counterpart("ctx_a", remote_id="r1")
    assert await box.counterpart(ADA, "ctx_a") == expected
    assert await box.counterpart(ADA, "ctx_b") is None
    assert await box.counterpart(ADA, "coding", kind="user") is None
    assert await box.counterparts("acme", ["r1", "r2", "ada"]) == {"r1": (expected,)}
    assert await box.counterparts("evil", ["r1"]) == {}


async def test_a_letter_for_later_is_free_due_then_and_counts_its_tries(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", **HELD)
    await box.settle([later("a", due_at=START + MINUTE, reason="away")])
    left = await of(box, "a")
    assert left == a_letter("a", number=1, due_at=START + MINUTE, tries=1, reason="away")
    assert await claim(box) == []
    clock.advance(minutes=1)
    assert await claim(box) == ["a"]


async def test_a_dead_letter_waits_for_a_person_with_the_reason(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", "b", **HELD)
    await box.settle([dead("a", "no such user")])
    left = await of(box, "a")
    assert (left.dead_at, left.reason, left.tries) == (START, "no such user", 1)
    assert (left.holder, left.begun) == (None, False)
    assert await claim(box) == ["b"]
    clock.advance(hours=1)
    assert await box.next_due_in_s() == 0
    assert await claim(box) == ["b"]


async def test_what_became_of_a_letter_that_is_gone_is_passed_over(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a")
    await keep(store, receipt=a_receipt("k"))
    gone = done("b", remote_id="r", repeated=True, undone="k")
    await box.settle([gone, gone, done("a")])
    assert (await box.state()).repeated == 0
    assert (await store.read(ADA, Reads(receipt="k"))).receipt == a_receipt("k")
    assert await box.letter("a") is None
    await box.settle([])


async def test_a_receipt_shows_the_new_answer_only_of_the_same_request(
    store: SqliteStore, box: Outbox
) -> None:
    shown = a_receipt("k", '{"new": 1}')
    other = shown.model_copy(update={"request_hash": "1" * 32})
    await keep(store, letters=(a_letter("a"), a_letter("b")), receipt=a_receipt("k"))
    await box.settle([later("a", receipt=other)])
    assert (await store.read(ADA, Reads(receipt="k"))).receipt == a_receipt("k")
    await box.settle([later("a", receipt=shown)])
    assert (await store.read(ADA, Reads(receipt="k"))).receipt == shown
    await box.settle([done("a", receipt=a_receipt("lost"))])
    assert (await store.read(ADA, Reads(receipt="lost"))).receipt is None
    undone = Settled(letter_id="b", outcome="dropped", undone="k")
    await box.settle([undone])
    assert (await store.read(ADA, Reads(receipt="k"))).receipt is None


async def test_an_answer_that_was_emptied_isnt_filled_again(
    store: SqliteStore, box: Outbox
) -> None:
    context = a_context("ctx_a")
    await keep(store, contexts=(context,), letters=(a_letter("a", **HELD),), receipt=a_receipt("k"))
    await keep(store, forget=("ctx_a",))
    await box.settle([done("a", receipt=a_receipt("k", '{"content": "walnut"}'))])
    kept = (await store.read(ADA, Reads(receipt="k"))).receipt
    assert kept is not None
    assert kept.answer == ""


async def test_repeated_letters_are_counted_by_tenant(store: SqliteStore, box: Outbox) -> None:
    await post(store, "a", "b", "c")
    evil = ADA.model_copy(update={"tenant": "evil"})
    await keep(store, evil, letters=(a_letter("d", tenant="evil"),))
    await box.settle([done("a", repeated=True), later("b", repeated=True)])
    await box.settle([done("d", repeated=True)])
    assert [(await box.state(name)).repeated for name in ("acme", "evil", None)] == [2, 1, 3]


async def test_of_what_another_holds_by_now_only_the_end_is_kept(
    store: SqliteStore, clock: ManualClock
) -> None:
    box = SqliteOutbox(store)
    await post(store, "a", "b")
    await claim(box, "slow")
    clock.advance(minutes=1)
    await claim(box, "other")
    await box.settle([later("a", reason="late"), dead("b")], holder="slow")
    await box.release(["a", "b"], holder="slow")
    for name in "ab":
        kept = await of(box, name)
        assert (kept.holder, kept.tries, kept.dead_at) == ("other", 0, None)
    await box.settle([done("a"), dead("b")], holder="slow")
    assert await names(box) == ["b"]
    await box.settle([dead("b")], holder="other")
    await box.settle([later("b")])
    assert (await of(box, "b")).dead_at == START + MINUTE


async def test_letters_that_were_given_back_are_as_if_they_had_never_been_held(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, "a", "b")
    before = await box.letters()
    await claim(box)
    await box.release(["b", "a", "gone"])
    assert await box.letters() == before
    assert await claim(box, "other") == ["a", "b"]


# Looking, trying again and dropping


async def test_pages_go_on_where_the_last_ended(store: SqliteStore, box: Outbox) -> None:
    await post(store, *"abcde")
    evil = ADA.model_copy(update={"tenant": "evil"})
    await keep(store, evil, letters=(a_letter("f", tenant="evil"),))
    await box.settle([dead("b"), dead("d")])
    page = await box.letters(limit=4)
    assert [one.letter_id for one in page.letters] == list("abcd")
    assert await names(box, after=page.after) == list("ef")
    assert (await box.letters(after=6)).after == 6
    assert await names(box, dead=True) == list("bd")
    assert await names(box, dead=False) == list("acef")
    assert await names(box, tenant="acme", dead=False) == list("ace")
    assert await names(box, tenant="evil", dead=True) == []


async def test_the_state_tells_waiting_uncertain_and_dead_apart(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    assert await box.state() == OutboxState()
    await post(store, "a", "b", "c", posted_at=START - HOUR)
    await post(store, "d", user_id="grace", **HELD)
    await box.settle([dead("a"), later("b", begun=True)])
    expected = OutboxState(waiting=3, uncertain=1, dead=1, oldest_at=START - HOUR)
    assert await box.state() == expected
    clock.advance(minutes=1)
    assert await box.state("acme") == expected.model_copy(update={"uncertain": 2})
    await claim(box)
    assert (await box.state()).uncertain == 0
    assert await box.state("evil") == OutboxState()


async def test_a_dead_letter_that_is_tried_again_stands_in_its_old_place(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a", "b", "c")
    await box.settle([dead("a"), dead("b"), later("c", due_at=START + HOUR)])
    clock.advance(minutes=1)
    assert await box.retry(["b", "b", "gone"]) == 1
    assert await claim(box) == ["b"]
    await box.release(["b"])
    assert await box.retry() == 3
    again = await of(box, "a")
    assert (again.dead_at, again.due_at, again.tries) == (None, START, 1)
    assert (await of(box, "c")).due_at == START + MINUTE
    assert await claim(box) == ["a", "b", "c"]


async def test_trying_again_takes_a_letter_from_nobody_but_a_clock_that_was_ahead(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    await post(store, "a")
    clock.advance(days=400)
    await claim(box)
    await box.retry()
    assert (await of(box, "a")).holder == "me"
    clock.advance(days=-400)
    assert await claim(box) == []
    await box.retry()
    assert await claim(box, "other") == ["a"]


async def test_dropped_letters_are_gone_by_name_or_all_that_are_dead(
    store: SqliteStore, box: Outbox
) -> None:
    await post(store, *"abcd")
    await box.settle([dead("b"), dead("c")])
    assert await box.drop(["a", "gone"]) == 1
    assert await box.drop() == 2
    assert await names(box) == ["d"]
    assert await claim(box) == ["d"]


# Counterparts


async def test_a_counterpart_takes_the_place_of_that_of_the_same_kind_and_local_id(
    store: SqliteStore, box: Outbox
) -> None:
    grace = ADA.model_copy(update={"user_id": "grace"})
    user = a_counterpart("coding", kind="user", remote_id="u1", expires_at=START + HOUR)
    hers = user.model_copy(update={"user_id": "grace", "remote_id": "u2"})
    mine = a_counterpart("coding", remote_id="c1")
    await keep(store, counterparts=(user, hers, mine))
    again = user.model_copy(update={"remote_id": "u3", "expires_at": None})
    await keep(store, counterparts=(again, mine.model_copy(update={"remote_id": "c2"})))
    assert await box.counterpart(ADA, "coding", kind="user") == again
    assert await box.counterpart(grace, "coding", kind="user") == hers
    assert await box.counterpart(Scope(tenant="acme"), "coding") == mine.model_copy(
        update={"remote_id": "c2"}
    )
    assert await box.counterpart(grace, "coding") is None
    assert await box.counterpart(Scope(tenant="evil"), "coding") is None
    assert set(await box.counterparts("acme", ["c1", "c2", "u3"])) == {"c2"}


async def test_orphans_are_those_whose_contexts_are_kept_no_more(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    mortal = a_context("ctx_3", expires_at=START + HOUR)
    kept = [a_context(f"ctx_{n}") for n in (1, 2, 4)]
    held = Withholding(root="r", context_ids=("ctx_2",), until=START + 2 * HOUR)
    told = [a_counterpart(f"ctx_{n}") for n in (1, 2, 3, 4, 9)]
    # The name at the remote may be known before the context: it isn't an orphan then.
    await keep(store, counterparts=tuple(told))
    await keep(store, contexts=(mortal, *kept), withhold=held)
    clock.advance(hours=1)
    assert await box.orphans() == ()
    await keep(store, forget=("ctx_1",))
    assert await box.orphans() == (told[0],)
    await store.sweep()
    assert await box.orphans() == (told[0], told[2])
    assert await box.orphans(limit=1) == (told[0],)
    clock.advance(hours=1)
    await store.sweep()
    assert await box.orphans() == tuple(told[:3])
    renamed = told[0].model_copy(update={"remote_id": "other"})
    await box.forget_counterparts([renamed, told[1]])
    assert await box.orphans() == (told[0], told[2])
    assert await box.counterpart(ADA, "ctx_2") is None


@pytest.mark.parametrize("end", ["delivered", "dropped", "dead and dropped by a person"])
async def test_whose_deletion_is_asked_for_is_no_orphan_and_then_it_is_gone(
    store: SqliteStore, box: Outbox, end: str
) -> None:
    await keep(store, contexts=(a_context("ctx_1"),), counterparts=(a_counterpart("ctx_1"),))
    asks = a_letter("d", verb="delete", context_id="ctx_1", **HELD)
    await keep(store, forget=("ctx_1",), letters=(asks,))
    assert (await of(box, "d")).body == asks.body
    assert await box.orphans() == ()
    assert await box.counterpart(ADA, "ctx_1") == a_counterpart("ctx_1")
    if end.startswith("dead"):
        await box.settle([dead("d")])
        assert await box.orphans() == ()
        await box.drop()
    else:
        await box.settle([Settled.model_validate({"letter_id": "d", "outcome": end})])
    assert await box.orphans() == ()
    assert await box.counterpart(ADA, "ctx_1") is None


async def test_a_deletion_that_is_dropped_leaves_the_name_of_what_is_still_kept(
    store: SqliteStore, box: Outbox
) -> None:
    await keep(store, contexts=(a_context("ctx_1"),), counterparts=(a_counterpart("ctx_1"),))
    await post(store, "d", verb="delete", context_id="ctx_1")
    await box.drop(["d"])
    assert await box.counterpart(ADA, "ctx_1") == a_counterpart("ctx_1")


# Erasing


@pytest.mark.parametrize("how", ["forgotten", "swept", "withheld, then swept"])
async def test_what_letters_hold_of_a_context_goes_with_it(
    store: SqliteStore, box: Outbox, clock: ManualClock, how: str
) -> None:
    ends = START + HOUR if how == "swept" else None
    await keep(store, contexts=(a_context("ctx_1", expires_at=ends), a_context("ctx_2")))
    await post(store, "tried", "other", "never", context_id="ctx_1")
    await post(store, "beside", context_id="ctx_2")
    await box.settle([later("tried", begun=True)])
    await post(store, "held", user_id="grace", context_id="ctx_1", **HELD)
    await box.settle([dead("other")])
    if how == "forgotten":
        await keep(store, forget=("ctx_1",))
    else:
        held = Withholding(root="r", context_ids=("ctx_1",), until=START + HOUR)
        await keep(store, withhold=held if how.startswith("withheld") else None)
        assert len(await names(box)) == 5
        clock.advance(hours=1)
        await store.sweep()
    page = await box.letters()
    bodies = {one.letter_id: one.body for one in page.letters}
    assert bodies == {"tried": "", "other": "", "beside": bodies["beside"], "held": ""}
    assert bodies["beside"]
    await box.settle([done("tried", remote_id="r")])
    assert [one.remote_id for one in await box.orphans()] == ["r"]


async def test_nothing_of_a_forgotten_contexts_letters_is_left_in_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await keep(store, contexts=(a_context("ctx_a"), a_context("ctx_b")))
        await post(store, "a", body="velvet granite", **HELD)
        await post(store, "b", body="velvet granite")
        assert b"velvet" in b"".join(file.read_bytes() for file in files_of(path))
        await keep(store, forget=("ctx_a", "ctx_b"))
        assert b"velvet" not in b"".join(file.read_bytes() for file in files_of(path))


async def test_an_upsert_of_a_row_that_has_expired_is_still_to_be_delivered(
    store: SqliteStore, box: Outbox, clock: ManualClock
) -> None:
    sent = a_letter("u", verb="upsert", context_id="", body="{}")
    await keep(store, users=(a_user(expires_at=START + HOUR),), letters=(sent,))
    clock.advance(hours=1)
    assert (await store.sweep()).users == 1
    assert await box.letter("u") == sent.model_copy(update={"number": 1})


# The file


async def test_a_copy_carries_letters_and_names(
    store: SqliteStore, box: Outbox, tmp_path: Path
) -> None:
    await keep(store, letters=(a_letter("a"),), counterparts=(a_counterpart("x"),))
    before = await store.stats(ADA)
    assert (before.contexts, before.users) == (0, 0)
    await store.backup(tmp_path / "copy.db")
    async with opened(tmp_path / "copy.db") as copy:
        assert await names(SqliteOutbox(copy)) == ["a"]
        assert await SqliteOutbox(copy).counterpart(ADA, "x") == a_counterpart("x")


COVERED = {
    "letter": "tenant user_id domain letter_verb context_id posted_at letter_due_at letter_tries "
    "begun holder holder_until dead_at letter_reason letter_body",
    "counterpart": "user_id domain remote_id shown_until orphaned",
    "repeated": "repeats",
}


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table, columns in COVERED.items() for column in columns.split()],
)
async def test_a_change_from_outside_is_told_as_damage_and_found_by_verify(
    tmp_path: Path, table: str, column: str
) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await post(store, "a")
        await keep(store, counterparts=(a_counterpart("x"),))
        await post(store, "b")
        await SqliteOutbox(store).settle([done("b", repeated=True)])
    connection = apsw.Connection(str(path))
    kind = connection.execute(f"SELECT typeof({column}) FROM {table}").get
    value = "'other'" if kind == "text" or column in ("holder", "letter_reason") else "77"
    connection.execute(f"UPDATE {table} SET {column} = {value}")
    connection.close()
    async with opened(path) as store:
        box = SqliteOutbox(store)
        report = await store.verify()
        assert {"letter": "a", "counterpart": "x", "repeated": "acme"}[table] in report.damaged
        looks: dict[str, Any] = {
            "letter": lambda: box.letters(),
            "counterpart": lambda: box.counterpart(Scope(tenant="acme"), "x"),
            "repeated": lambda: box.state(),
        }
        with pytest.raises(LinealError) as raised:
            await looks[table]()
        assert raised.value.code is ErrorCode.UNAVAILABLE
        if table == "letter":
            assert await box.drop(["a"]) == 1
            assert await names(box) == []


async def test_a_queue_that_doesnt_fit_its_letters_is_found_by_verify(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    for change in ("DELETE FROM queue", "UPDATE queue SET ready_at = 0, first_number = 7"):
        async with opened(path) as store:
            await keep(store, letters=(a_letter(change),))
        connection = apsw.Connection(str(path))
        connection.execute(change)
        connection.close()
        async with opened(path) as store:
            assert "queues" in (await store.verify()).problems[0]


@pytest.mark.parametrize(
    ("statement", "bound", "index"),
    [
        (outbox._SELECT_READY, (0, 9), "queue_ready"),
        (outbox._SELECT_NEXT, (), "queue_ready"),
        (outbox._SELECT_QUEUE, ("", "", 9), "letter_waiting"),
        (letters._SELECT_FIRST, ("", ""), "letter_waiting"),
        (letters._SELECT_OF_CONTEXT, ("", ""), "letter_context"),
        (outbox._COUNT_UNCERTAIN, (0,), "letter_begun"),
        (outbox._COUNT_WAITING, (), "letter_waiting"),
        (outbox._COUNT_DEAD, (), "letter_dead"),
        (counterparts._SELECT_ORPHANS, (9,), "counterpart_orphan"),
        (counterparts._SELECT_REMOTE, ("", "", 9), "counterpart_remote"),
        (counterparts._DELETING, ("", ""), "letter_context"),
    ],
)
async def test_what_couriers_ask_goes_by_an_index(
    store: SqliteStore, statement: str, bound: tuple[Any, ...], index: str
) -> None:
    def explained(connection: apsw.Connection) -> list[str]:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", bound)
        return [str(row[-1]) for row in rows]

    plan = await store.look(lambda view: explained(view.connection))
    assert f"INDEX {index}" in plan[0]


async def test_a_decision_is_amended_in_the_task_of_whoever_commits_it(tmp_path: Path) -> None:
    asked: list[tuple[Scope, object]] = []

    def amend(scope: Scope, decide: Decide[Any]) -> Decide[Any]:
        asked.append((scope, asyncio.current_task()))

        def amended(snapshot: Snapshot) -> Plan[Any]:
            plan = decide(snapshot)
            more = plan.changes.model_copy(update={"letters": (a_letter("a"),)})
            return Plan(more, plan.answer)

        return amended

    async with opened(tmp_path / "m.db", amend=amend) as store:
        answer = await store.commit(ADA, Reads(), lambda _: Plan(Changes(), "said"))
        assert (answer, asked) == ("said", [(ADA, asyncio.current_task())])
        assert await names(SqliteOutbox(store)) == ["a"]


# Several processes

CLAIMS = """
import asyncio, json, sys
from pathlib import Path
from lineal.clock import SystemClock
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.outbox import SqliteOutbox

async def main(path, holder, rests):
    store = SqliteStore(Path(path), clock=SystemClock())
    await store.open()
    box = SqliteOutbox(store)
    print("ready", flush=True)
    sys.stdin.readline()
    while found := await box.claim_letters(holder, held_s=2 if rests else 60, limit=8):
        print(json.dumps([one.letter_id for one in found]), flush=True)
        if rests:
            await asyncio.sleep(600)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], bool(sys.argv[3])))
"""


@contextmanager
def claiming(path: Path, holder: str, rests: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that claims whatever it can, once it is told to, and says what; rests: it stops
    after the first."""
    line = [sys.executable, "-c", CLAIMS, str(path), holder, rests]
    process = subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def begin(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("begin\n")


def posted(queues: int, of_each: int) -> tuple[Letter, ...]:
    return tuple(
        a_letter(f"u{user:02} {number:02}", user_id=f"u{user}")
        for number in range(of_each)
        for user in range(queues)
    )


async def test_two_processes_never_both_get_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path, SystemClock()) as store:
        await keep(store, letters=posted(50, 8))
    with claiming(path, "one") as one, claiming(path, "two") as two:
        begin(one, two)
        said = [process.communicate(timeout=60)[0] for process in (one, two)]
    by = [[name for line in text.splitlines() for name in json.loads(line)] for text in said]
    assert sorted(by[0] + by[1]) == sorted(one.letter_id for one in posted(50, 8))
    assert all(by)
    for names_of_one in by:
        for user in {name[:3] for name in names_of_one}:
            of_user = [name for name in names_of_one if name.startswith(user)]
            assert of_user == sorted(of_user)


async def test_letters_of_a_holder_who_was_killed_are_anothers_once_his_time_is_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.db"
    async with opened(path, SystemClock()) as store:
        await keep(store, letters=posted(1, 4))
        with claiming(path, "killed", rests="yes") as process:
            begin(process)
            lost = told(process)
            process.kill()
            process.wait(10)
        assert await claim(SqliteOutbox(store)) == []
    async with opened(path, SystemClock(offset_s=3)) as store:
        box = SqliteOutbox(store)
        assert await box.next_due_in_s() == 0
        found = await box.claim_letters("me", held_s=60)
        assert [(one.letter_id, one.begun) for one in found] == [(name, True) for name in lost]
        assert (await store.verify()).ok


# Against a model


@dataclass
class Known:
    """A letter as the model knows it; times in ms since the beginning."""

    name: str
    number: int
    queue: str
    due: int
    tries: int = 0
    begun: bool = False
    holder: str | None = None
    until: int = 0
    dead: bool = False

    @property
    def held_or_begun(self) -> bool:
        return self.begun or self.holder is not None


@dataclass
class Model:
    """An outbox in plain Python: every letter in order of number."""

    now: int = 0
    count: int = 0
    letters: dict[str, Known] = field(default_factory=dict)

    def waiting(self, queue: str) -> list[Known]:
        return [one for one in self.letters.values() if one.queue == queue and not one.dead]

    def firsts(self) -> list[Known]:
        queues = dict.fromkeys(one.queue for one in self.letters.values())
        heads = [self.waiting(queue)[:1] for queue in queues]
        return sorted((one for head in heads for one in head), key=lambda one: one.number)

    def ready(self, one: Known) -> int:
        return max(one.due, one.until if one.holder else 0)

    def post(self, queue: str, holder: str | None, due: int, held: int) -> Known:
        holder = None if self.waiting(queue) else holder
        self.count += 1
        one = Known(f"l{self.count}", self.count, queue, self.now + due)
        one.holder, one.until = holder, self.now + held if holder else 0
        self.letters[one.name] = one
        return one

    def claim(self, holder: str, held: int, limit: int) -> list[tuple[str, bool]]:
        taken: list[tuple[str, bool]] = []
        for first in [one for one in self.firsts() if self.ready(one) <= self.now]:
            for one in self.waiting(first.queue)[: min(16, limit - len(taken))]:
                if self.ready(one) > self.now:
                    break
                one.begun = one.begun or one.holder is not None
                one.holder, one.until = holder, self.now + held
                taken.append((one.name, one.begun))
        return taken

    def settle(self, name: str, outcome: str, begun: bool, due: int, holder: str) -> None:
        one = self.letters[name]
        if outcome in ("delivered", "dropped"):
            del self.letters[name]
            return
        others = one.holder not in (None, holder) and one.until > self.now
        if one.dead or others:
            return
        one.tries, one.begun, one.holder = one.tries + 1, begun, None
        one.dead = outcome == "dead"
        one.due = one.due if one.dead else self.now + due

    def retry(self, names: list[str]) -> None:
        for one in (self.letters[name] for name in names):
            one.dead, one.due = False, min(one.due, self.now)

    def shown(self) -> list[tuple[object, ...]]:
        return [
            (one.name, one.number, one.due, one.tries, one.held_or_begun, one.holder, one.dead)
            for one in self.letters.values()
        ]


HOLDERS = st.sampled_from(["me", "other"])
TIMES = st.sampled_from([0, 1, 1_000, 59_999, 60_000])
OUTCOMES = st.sampled_from(["delivered", "later", "dead", "dropped"])


class Walk(RuleBasedStateMachine):
    """The same steps in a store and in the model; both show the same after each."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = always()
        path = Path(self.directory.name) / "m.db"
        self.store = SqliteStore(path, clock=self.clock, durability="normal")
        self.runner.run(self.store.open())
        self.box = SqliteOutbox(self.store)
        self.model = Model()

    def teardown(self) -> None:
        report = self.runner.run(self.store.verify())
        self.runner.run(self.store.close())
        self.runner.close()
        self.directory.cleanup()
        assert report.ok, report

    def some(self, data: st.DataObject) -> list[str]:
        known = st.sampled_from(sorted(self.model.letters))
        return data.draw(st.lists(known, min_size=1, max_size=3, unique=True), "letters")

    @rule(
        queue=st.sampled_from(["ada", "grace", "zoe"]),
        holder=st.none() | HOLDERS,
        due=TIMES,
        held=TIMES,
    )
    def post(self, queue: str, holder: str | None, due: int, held: int) -> None:
        letter = a_letter(
            f"l{self.model.count + 1}",
            user_id=queue,
            due_at=self.clock.now() + due * MS,
            holder=holder,
            held_until=self.clock.now() + held * MS,
        )
        self.model.post(queue, holder, due, held)
        self.runner.run(keep(self.store, letters=(letter,)))

    @rule(queue=st.sampled_from(["ada", "grace"]), many=st.integers(2, 20))
    def post_many(self, queue: str, many: int) -> None:
        new = [self.model.post(queue, None, 0, 0).name for _ in range(many)]
        made = tuple(a_letter(name, user_id=queue, due_at=self.clock.now()) for name in new)
        self.runner.run(keep(self.store, letters=made))

    @rule(ms=TIMES)
    def time_moves(self, ms: int) -> None:
        self.clock.advance(milliseconds=ms)
        self.model.now += ms

    @rule(holder=HOLDERS, held=TIMES, limit=st.integers(1, 40))
    def claim(self, holder: str, held: int, limit: int) -> None:
        claimed = self.box.claim_letters(holder, held_s=held / 1_000, limit=limit)
        found = [(one.letter_id, one.begun) for one in self.runner.run(claimed)]
        assert found == self.model.claim(holder, held, limit)

    @precondition(lambda self: self.model.letters)
    @rule(data=st.data(), outcome=OUTCOMES, begun=st.booleans(), due=TIMES, holder=HOLDERS)
    def settle(self, data: st.DataObject, outcome: str, begun: bool, due: int, holder: str) -> None:
        chosen = self.some(data)
        told = {"outcome": outcome, "begun": begun, "due_at": self.clock.now() + due * MS}
        settled = [Settled.model_validate({"letter_id": name, **told}) for name in chosen]
        self.runner.run(self.box.settle(settled, holder=holder))
        for name in chosen:
            self.model.settle(name, outcome, begun, due, holder)

    @precondition(lambda self: self.model.letters)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        chosen = self.some(data)
        self.runner.run(self.box.release(chosen))
        for name in chosen:
            self.model.letters[name].holder = None

    @precondition(lambda self: self.model.letters)
    @rule(data=st.data(), everything=st.booleans())
    def retry(self, data: st.DataObject, everything: bool) -> None:
        chosen = list(self.model.letters) if everything else self.some(data)
        asked = self.box.retry(None if everything else chosen)
        assert self.runner.run(asked) == len(chosen)
        self.model.retry(chosen)

    @precondition(lambda self: self.model.letters)
    @rule(data=st.data(), everything=st.booleans())
    def drop(self, data: st.DataObject, everything: bool) -> None:
        gone = [one.name for one in self.model.letters.values() if one.dead]
        chosen = gone if everything else self.some(data)
        assert self.runner.run(self.box.drop(None if everything else chosen)) == len(chosen)
        for name in chosen:
            del self.model.letters[name]

    @invariant()
    def both_show_the_same(self) -> None:
        page = self.runner.run(self.box.letters(limit=1_000))
        found = [
            (
                *(one.letter_id, one.number, (one.due_at - START) // MS, one.tries),
                *(one.begun, one.holder, one.dead_at is not None),
            )
            for one in page.letters
        ]
        assert found == self.model.shown()

    @invariant()
    def both_know_what_is_next(self) -> None:
        firsts = [self.model.ready(one) for one in self.model.firsts()]
        expected = max(0, min(firsts) - self.model.now) / 1_000 if firsts else None
        assert self.runner.run(self.box.next_due_in_s()) == expected

    @invariant()
    def both_count_the_same(self) -> None:
        known, now = self.model.letters.values(), self.model.now
        state = self.runner.run(self.box.state())
        dead_ones = sum(one.dead for one in known)
        uncertain = [
            one
            for one in known
            if not one.dead
            and one.held_or_begun
            and not (one.holder is not None and one.until > now)
        ]
        assert (state.waiting, state.dead) == (len(known) - dead_ones, dead_ones)
        assert state.uncertain == len(uncertain)


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=40, stateful_step_count=30)
