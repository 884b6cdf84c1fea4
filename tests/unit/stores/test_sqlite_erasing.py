"""What is forgotten or has expired leaves every file; clocks that jump take nothing out."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import Fingerprint, Reads, Withholding
from lineal.models.search import TextQuery
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.files import StoreFiles
from lineal.testing.samples import (
    ADA,
    START,
    a_context,
    a_receipt,
    a_sighting,
    a_task,
    a_user,
    keep,
)

from .sqlite_rooms import always, files_of, note, opened, other_process, read, told

CANARY = "zanzibarquokka"
HOUR = timedelta(hours=1)


def traces(path: Path) -> list[str]:
    """The files that still hold the canary, in any case, or the stem that is indexed.

    Another process looks: reading them in this one would drop SQLite's locks."""
    grep = ["/bin/grep", "--text", "--ignore-case", "--files-with-matches", CANARY[:-2]]
    return subprocess.run([*grep, *files_of(path)], capture_output=True, text=True).stdout.split()


async def plant(store: SqliteStore, others: int = 20, **values: object) -> None:
    """The canary in every field, in history, in a receipt; ordinary notes before and after it."""
    for number in range(others):
        await note(store, f"ctx_before_{number}", content=f"walnut {number} " * 50)
    base = a_context(
        "ctx_1",
        content=f"The {CANARY} of content " * 300,
        title=f"{CANARY} title",
        summary=f"{CANARY} summary",
        tags=(CANARY,),
        speaker=CANARY,
        metadata={CANARY: CANARY},
        **values,
    )
    receipt = a_receipt("k", f'{{"id": "ctx_1", "content": "{CANARY}"}}')
    fingerprints = {"ctx_1": Fingerprint(content_key=CANARY, keys=(1, 2))}
    await keep(store, contexts=(base,), fingerprints=fingerprints, receipt=receipt)
    again = a_sighting("ctx_1", session_id=CANARY, speaker=f"{CANARY} {CANARY}")
    await keep(store, sightings=(again,) * 30, tasks=(a_task(kind="extract", context_id="ctx_1"),))
    for revision in range(2, 6):
        text = f"The {CANARY} {revision} " * 200
        changed = base.model_copy(update={"revision": revision, "content": text})
        await keep(store, contexts=(changed,))
    for number in range(others):
        await note(store, f"ctx_after_{number}", content=f"almond {number} " * 50)


@pytest.mark.parametrize("others", [0, 1, 2, 5, 20])
async def test_what_is_forgotten_leaves_every_file_at_once(tmp_path: Path, others: int) -> None:
    """Whatever the index has merged by then."""
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await plant(store, others)
        assert traces(path)
        await keep(store, forget=("ctx_1",))
        assert traces(path) == []
        assert StoreFiles(path).wal_bytes() == 0
        mark = (await read(store, "ctx_1")).tombstones["ctx_1"]
        assert (mark.reason, mark.revision) == ("forgotten", 5)
        receipt = (await store.read(ADA, Reads(receipt="k"))).receipt
        assert receipt is not None
        assert receipt.answer == ""
        assert (await store.find(ADA, TextQuery(terms=(CANARY,)))).matched == 0
        assert (await store.find(ADA, TextQuery(terms=("walnut",)))).matched == others
        assert await store.due() == ()
        assert (await store.verify()).ok
    assert traces(path) == []


async def test_what_has_expired_leaves_every_file_with_a_sweep(tmp_path: Path) -> None:
    path, clock = tmp_path / "m.db", always()
    async with opened(path, clock) as store:
        await plant(store, expires_at=START + HOUR)
        row = a_user(extras={"is": CANARY}, expires_at=START + HOUR)
        receipt = a_receipt("u", f'{{"extras": "{CANARY}"}}')
        await keep(store, users=(row,), receipt=receipt)
        clock.advance(hours=1)
        assert (await store.find(ADA, TextQuery(terms=(CANARY,)))).matched == 0
        assert traces(path)
        report = await store.sweep()
        assert (report.contexts, report.users) == (1, 1)
        assert traces(path) == []
        assert (await read(store, "ctx_1")).tombstones["ctx_1"].reason == "expired"
        assert (await store.verify()).ok


@pytest.mark.parametrize("how", ["swept", "forgotten"])
async def test_what_was_withheld_leaves_every_file_in_the_end(tmp_path: Path, how: str) -> None:
    path, clock = tmp_path / "m.db", always()
    async with opened(path, clock) as store:
        await plant(store, expires_at=START + 9 * HOUR)
        held = Withholding(root="r", context_ids=("ctx_1",), until=START + HOUR)
        await keep(store, withhold=held)
        assert traces(path)
        assert (await store.verify()).ok
        clock.advance(hours=1)
        if how == "swept":
            assert (await store.sweep()).contexts == 1
        else:
            await keep(store, forget=("ctx_1",))
        assert traces(path) == []
        assert StoreFiles(path).wal_bytes() == 0
        mark = (await read(store, "ctx_1")).tombstones["ctx_1"]
        assert (mark.reason, mark.revision, mark.ended_at) == ("forgotten", 5, START)
        assert (await store.verify()).ok
    assert traces(path) == []


async def test_what_is_withheld_is_in_a_copy_and_given_back_there(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with opened(tmp_path / "m.db") as store:
        await plant(store)
        held = Withholding(root="r", context_ids=("ctx_1",), until=START + HOUR)
        await keep(store, withhold=held)
        await store.backup(copy)
    async with opened(copy) as store:
        assert (await store.find(ADA, TextQuery(terms=(CANARY,)))).matched == 0
        await keep(store, restore=("ctx_1",))
        assert (await store.find(ADA, TextQuery(terms=(CANARY,)))).matched == 1
        assert (await store.verify()).ok


async def test_what_a_rewritten_row_was_leaves_every_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        receipt = a_receipt("u", f'{{"extras": "{CANARY}"}}')
        await keep(store, users=(a_user(extras={"is": CANARY}),), receipt=receipt)
        await keep(store, users=(a_user(revision=2, memory_ref=CANARY),))
        assert traces(path)
        await keep(store, rewritten=(a_user(revision=3),))
        assert traces(path) == []
        assert (await store.verify()).ok


async def test_an_old_text_that_was_replaced_is_no_longer_indexed(tmp_path: Path) -> None:
    async with opened(tmp_path / "m.db") as store:
        first = a_context("ctx_1", content=CANARY)
        await keep(store, contexts=(first,))
        await keep(store, contexts=(first.model_copy(update={"revision": 2, "content": "new"}),))
        assert (await store.find(ADA, TextQuery(terms=(CANARY,)))).matched == 0
        assert (await store.find(ADA, TextQuery(terms=("new",)))).matched == 1
        assert (await store.verify()).ok


async def test_a_sweep_is_done_in_bites(tmp_path: Path) -> None:
    clock = always()
    async with opened(tmp_path / "m.db", clock) as store:
        mortal = tuple(a_context(f"ctx_{n}", expires_at=START + HOUR) for n in range(260))
        await keep(store, contexts=mortal)
        clock.advance(hours=2)
        assert (await store.sweep(limit=250)).contexts == 250
        assert (await store.sweep(limit=250)).contexts == 10
        assert (await store.sweep(limit=250)).contexts == 0


async def test_a_clock_ten_years_ahead_hides_and_takes_out_nothing(tmp_path: Path) -> None:
    path, clock = tmp_path / "m.db", always()
    async with opened(path, clock) as store:
        await note(store, "ctx_1", expires_at=START + 2 * HOUR)
        clock.advance(days=3653)
        assert "ctx_1" in (await read(store, "ctx_1")).tombstones
        report = await store.sweep()
        assert report.contexts == 0
        assert report.refused is not None
        assert "lineal sweep --accept-clock" in report.refused
        await note(store, "ctx_2")
        clock.advance(hours=1)
        assert (await store.sweep()).refused is not None
    clock = ManualClock(START + HOUR)
    async with opened(path, clock) as store:
        assert "ctx_1" in (await read(store, "ctx_1")).contexts
        assert (await store.sweep()).refused is None


async def test_a_clock_that_is_accepted_takes_out_what_has_expired(tmp_path: Path) -> None:
    path, clock = tmp_path / "m.db", always()
    async with opened(path, clock) as store:
        await note(store, "ctx_1", expires_at=START + HOUR)
        clock.advance(days=30)
        assert (await store.sweep()).refused is not None
        assert (await store.sweep(accept_clock=True)).contexts == 1
        assert (await store.sweep()).refused is None


async def test_a_clock_a_year_behind_brings_nothing_back(tmp_path: Path) -> None:
    path, clock = tmp_path / "m.db", always()
    async with opened(path, clock) as store:
        await note(store, "ctx_1", expires_at=START + HOUR)
        clock.advance(hours=2)
        await note(store, "ctx_2")
    for clock in (ManualClock(START - timedelta(days=400)), ManualClock(START)):
        async with opened(path, clock) as store:
            seen = await read(store, "ctx_1", "ctx_2")
            assert list(seen.contexts) == ["ctx_2"]
            assert list(seen.tombstones) == ["ctx_1"]
            assert seen.now == START + 2 * HOUR


async def test_a_reader_that_holds_the_log_delays_its_emptying_only(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await plant(store)
        with other_process("looks", path) as reader:
            assert told(reader) == "looking"
            await keep(store, forget=("ctx_1",))
            assert "ctx_1" in (await read(store, "ctx_1")).tombstones
            assert traces(path)
    assert traces(path) == []


@pytest.mark.parametrize("offset_ms", [-1, 0, 1])
async def test_every_path_decides_alike_around_the_instant(tmp_path: Path, offset_ms: int) -> None:
    clock = always()
    async with opened(tmp_path / "m.db", clock) as store:
        mortal = a_context("ctx_1", content="walnut", expires_at=START + HOUR)
        row = a_user(expires_at=START + HOUR)
        same = Fingerprint(content_key="same", keys=(1, 2))
        await keep(store, contexts=(mortal,), fingerprints={"ctx_1": same}, users=(row,))
        clock.advance(hours=1, milliseconds=offset_ms)
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), alike=same, user=True))
        stats = await store.stats(ADA)
        live = [
            bool(seen.contexts),
            not seen.tombstones,
            bool(seen.alike),
            seen.user is not None,
            bool(await store.history(ADA, "ctx_1")),
            bool(await store.user_history(ADA)),
            not await store.tombstones(ADA, ("ctx_1",)),
            (await store.find(ADA, TextQuery())).matched == 1,
            (await store.find(ADA, TextQuery(terms=("walnut",)))).matched == 1,
            stats.contexts == stats.users == stats.revisions == 1,
            stats.expired_unswept == 0,
            (await store.sweep()).contexts == 0,
        ]
        assert live == [offset_ms < 0] * len(live)
