"""A file that an earlier version of the store wrote is read, written and verified by this one."""

from __future__ import annotations

import json
import struct
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import apsw
import pytest

from lineal.clock import to_ms
from lineal.models.changes import Fingerprint, Reads, Scope, Withholding
from lineal.models.forwarding import Counterpart, Letter, OutboxState
from lineal.models.search import TextQuery
from lineal.models.sheet import Meaning, Space
from lineal.models.user import Head
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.migrate import migrate
from lineal.stores.sqlite.outbox import SqliteOutbox
from lineal.stores.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION
from lineal.testing.samples import (
    ADA,
    START,
    a_context,
    a_receipt,
    a_sighting,
    a_task,
    a_user,
    an_edge,
    an_outcome,
    keep,
)

from .sqlite_rooms import always, opened, refusal

START_MS = to_ms(START)
SAID = {"source": "extracted", "origin": "append", "occurred_at": START, "recorded_at": START}
OLD_FIELDS: dict[str, Any] = {
    "city": {**SAID, "value": "Graz", "context_id": "ctx_1", "span": (0, 4), "confidence": 0.9},
    "tools": {
        **SAID,
        "value": ["apsw", "anyio"],
        "context_id": "ctx_1",
        "said_by": {"apsw": ["ctx_1"], "anyio": ["", "ctx_1"]},
    },
}


def digest(*values: Any) -> bytes:
    """As the first version made it."""
    return blake2b(ascii(values).encode("ascii"), digest_size=16).digest()


def insert(connection: apsw.Connection, table: str, *values: Any) -> None:
    """A row of the first version, whose last column is the digest of the others."""
    places = ", ".join("?" * (len(values) + 1))
    connection.execute(f"INSERT INTO {table} VALUES ({places})", (*values, digest(*values)))


def write_first_version(path: Path) -> None:
    """Two notes, one with a content key, a mark, an edge, a row with a head, a receipt."""
    connection = apsw.Connection(str(path))
    connection.execute(MIGRATIONS[0])
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", 1)
    meta = ("0" * 32, START_MS, START_MS, None, None)
    connection.execute("INSERT INTO meta VALUES (1, ?, ?, ?, ?, ?, ?)", (*meta, digest(*meta)))
    write_note(connection, 1, "ctx_1", "same")
    write_note(connection, 2, "ctx_2", None)
    write_user(connection)
    gone = ("acme", "ctx_gone", "ada", "coding", "forgotten", "fact", 1, START_MS, START_MS)
    insert(connection, "tombstone", *gone)
    insert(connection, "edge", "acme", "ctx_2", 1, "ctx_1", "was_derived_from", "declared")
    insert(connection, "receipt", "acme", "k", "append_context", "0" * 32, "{}", START_MS)
    connection.execute("INSERT INTO receipt_context VALUES ('acme', 'k', 'ctx_1')")
    connection.close()


def write_note(connection: apsw.Connection, seq: int, name: str, content_key: str | None) -> None:
    times = (None, START_MS, START_MS, START_MS)
    row = ("acme", name, "ada", "coding", 1, "fact", *times, "", content_key)
    places = ", ".join("?" * (len(row) + 2))
    connection.execute(f"INSERT INTO context VALUES ({places})", (seq, *row, digest(*row)))
    context = a_context(name)
    body = context.model_dump_json()
    revision = (seq, 1, START_MS, body, digest("acme", name, 1, body))
    connection.execute("INSERT INTO context_revision VALUES (?, ?, ?, ?, ?)", revision)
    connection.execute(
        "INSERT INTO context_text (rowid, content, title, summary, tags, speaker) "
        "VALUES (?, ?, '', '', '', '')",
        (seq, context.content),
    )


def write_user(connection: apsw.Connection) -> None:
    row = ("acme", "ada", "coding", 1, None)
    connection.execute("INSERT INTO user_row VALUES (1, ?, ?, ?, ?, ?, ?)", (*row, digest(*row)))
    body = json.dumps({**json.loads(a_user().model_dump_json()), "fields": OLD_FIELDS}, default=str)
    revision = (1, 1, START_MS, body, digest("acme", "ada", "coding", 1, body))
    connection.execute("INSERT INTO user_revision VALUES (?, ?, ?, ?, ?)", revision)
    vector = b"\x00\x00\x00\x3f\x00\x00\x00\xbf"
    insert(connection, "head", "acme", "ada", "coding", "coding", "v1", vector)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.db"
    write_first_version(path)
    return path


async def test_every_old_row_is_read_as_it_was_written(path: Path) -> None:
    async with opened(path) as store:
        names = ("ctx_1", "ctx_2", "ctx_gone")
        seen = await store.read(ADA, Reads(context_ids=names, receipt="k", sightings=True))
        assert seen.contexts == {name: a_context(name) for name in names[:2]}
        assert seen.sightings == {"ctx_1": (), "ctx_2": ()}
        assert set(seen.tombstones) == {"ctx_gone"}
        assert seen.receipt == a_receipt("k")
        assert await store.edges(ADA, names, "both") == (an_edge("ctx_2", "ctx_1"),)
        assert await store.head(ADA, "coding") == Head(
            name="coding", version="v1", vector=(0.5, -0.5)
        )
        assert (await store.find(ADA, TextQuery(terms=("note",)))).matched == 2
        assert (await store.stats(ADA)).schema_version == VERSION == 5
        report = await store.verify()
        assert (report.ok, report.checked) == (True, 7)


async def test_old_field_values_are_read_as_claims(path: Path) -> None:
    async with opened(path) as store:
        row = (await store.read(ADA, Reads(user=True))).user
        assert row is not None
        (peer,) = await store.peers(Scope(tenant="acme", domain="coding"), "coding")
        assert peer.row == row
        city, tools = row.fields["city"], row.fields["tools"]
        assert (city.value, city.claims[0].context_id) == ("Graz", "ctx_1")
        assert city.claims[0].span == (0, 4)
        assert tools.value == ["apsw", "anyio"]
        said = [(claim.value, claim.context_id) for claim in tools.claims]
        assert said == [("apsw", "ctx_1"), ("anyio", None), ("anyio", "ctx_1")]


async def test_an_old_row_is_revised_and_both_forms_are_kept(path: Path) -> None:
    async with opened(path) as store:
        row = (await store.read(ADA, Reads(user=True))).user
        assert row is not None
        await keep(store, users=(row.model_copy(update={"revision": 2}),))
        again = (await store.read(ADA, Reads(user=True))).user
        assert again is not None
        assert again.fields == row.fields
        first, second = await store.user_history(ADA)
        assert "said_by" in first
        assert "said_by" not in second
        assert (await store.verify()).ok


async def test_an_old_content_key_still_finds_and_takes_keys_of_its_own(path: Path) -> None:
    same = Fingerprint(content_key="same", keys=(1, 2))
    async with opened(path) as store:
        assert (await store.read(ADA, Reads(alike=same))).alike == (a_context("ctx_1"),)
        await keep(store, fingerprints={"ctx_2": Fingerprint(content_key="x", keys=(2,))})
        seen = await store.read(ADA, Reads(alike=same))
        assert seen.alike == (a_context("ctx_1"), a_context("ctx_2"))
        await keep(store, contexts=(a_context("ctx_1", revision=2),))
        await keep(store, forget=("ctx_2",))
        seen = await store.read(ADA, Reads(alike=same))
        assert seen.alike == (a_context("ctx_1", revision=2),)
        assert (await store.verify()).ok


async def test_an_old_store_takes_the_new_rows(path: Path) -> None:
    async with opened(path) as store:
        await keep(store, sightings=(a_sighting("ctx_1"),), outcomes=(an_outcome("out_1"),))
        await keep(store, tasks=(a_task(),))
    async with opened(path) as store:
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), sightings=True))
        assert seen.sightings == {"ctx_1": (a_sighting("ctx_1"),)}
        assert await store.due() == (a_task(),)
        assert (await store.outcomes(ADA)).outcomes == (an_outcome("out_1"),)
        report = await store.verify()
        assert (report.ok, report.checked) == (True, 10)


async def test_a_damaged_old_row_is_still_told(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE context SET content_key = 'other' WHERE seq = 1")
    connection.close()
    async with opened(path) as store:
        assert (await store.verify()).damaged == ("ctx_1",)


async def test_who_may_only_read_is_told_that_the_file_is_older(path: Path) -> None:
    error = await refusal(SqliteStore(path, clock=always(), read_only=True))
    assert "older lineal" in error.message
    connection = apsw.Connection(str(path))
    assert connection.pragma("user_version") == 1
    connection.close()


def write_second_version(path: Path) -> None:
    """The first version's rows, of which ctx_1 has two keys, a sighting and a task."""
    write_first_version(path)
    connection = apsw.Connection(str(path))
    connection.execute(MIGRATIONS[1])
    connection.pragma("user_version", 2)
    near_keys = struct.pack(">2q", 1, 2)
    times = (None, START_MS, START_MS, START_MS)
    row = ("acme", "ctx_1", "ada", "coding", 1, "fact", *times, "", "same", near_keys)
    connection.execute(
        "UPDATE context SET near_keys = ?, context_digest = ? WHERE seq = 1",
        (near_keys, digest(*row)),
    )
    room_name = ascii(("acme", "ada", "coding")).encode("ascii")
    room = int.from_bytes(blake2b(room_name, digest_size=4).digest()) >> 1
    connection.executemany("INSERT INTO context_key VALUES (?, ?, 1)", [(room, 1), (room, 2)])
    body = a_sighting("ctx_1").model_dump_json()
    sighting = (1, 1, body, digest("acme", "ctx_1", 1, body))
    connection.execute("INSERT INTO sighting VALUES (?, ?, ?, ?)", sighting)
    insert(connection, "task", "acme", "ada", "coding", "extract", "ctx_1", START_MS, 0)
    connection.close()


@pytest.fixture
def second(tmp_path: Path) -> Path:
    path = tmp_path / "second.db"
    write_second_version(path)
    return path


async def test_every_row_of_the_second_version_is_read_as_it_was_written(second: Path) -> None:
    same = Fingerprint(content_key="x", keys=(2,))
    async with opened(second) as store:
        assert (await store.stats(ADA)).schema_version == VERSION
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), alike=same, sightings=True))
        assert seen.contexts == {"ctx_1": a_context("ctx_1")}
        assert seen.alike == (a_context("ctx_1"),)
        assert seen.sightings == {"ctx_1": (a_sighting("ctx_1"),)}
        assert await store.due() == (a_task(kind="extract", context_id="ctx_1"),)
        for projects in (None, (), ("p",)):
            assert (await store.find(ADA, TextQuery(projects=projects))).matched == 2
        assert (await store.find(ADA, TextQuery(as_of=START))).matched == 2
        report = await store.verify()
        assert (report.ok, report.checked) == (True, 9)


async def test_old_rows_of_both_versions_are_withheld_and_given_back(second: Path) -> None:
    names = ("ctx_1", "ctx_2")
    held = Withholding(root="r", context_ids=names, until=START + timedelta(hours=1))
    async with opened(second) as store:
        before = await store.read(ADA, Reads(context_ids=names, sightings=True))
        await keep(store, withhold=held)
        assert (await store.find(ADA, TextQuery(terms=("note",)))).matched == 0
        assert (await store.verify()).ok
    async with opened(second) as store:
        assert len((await store.read(ADA, Reads(withheld_by="r"))).withheld) == 2
        await keep(store, restore=names)
        assert await store.read(ADA, Reads(context_ids=names, sightings=True)) == before
        assert (await store.find(ADA, TextQuery(terms=("note",)))).matched == 2
        moved = a_context("ctx_1", revision=2, project="p")
        await keep(store, contexts=(moved,))
        assert (await store.find(ADA, TextQuery(projects=()))).matched == 1
        assert (await store.verify()).ok


async def test_a_row_that_the_second_version_wrote_keeps_its_digest(second: Path) -> None:
    async with opened(second):
        pass
    connection = apsw.Connection(str(second))
    row = "tenant, context_id, user_id, domain, revision, memory_type, expires_at, occurred_at, "
    row += "created_at, updated_at, tag_lines, content_key"
    kept = connection.execute(f"SELECT {row}, near_keys, context_digest FROM context").fetchall()
    connection.close()
    assert [found[-1] for found in kept] == [digest(*kept[0][:-1]), digest(*kept[1][:-2])]


@pytest.fixture
def third(tmp_path: Path) -> Path:
    """The second version's rows in the third version's tables, the last with a text of its own."""
    path = tmp_path / "third.db"
    write_second_version(path)
    connection = apsw.Connection(str(path))
    connection.execute(MIGRATIONS[2])
    connection.pragma("user_version", 3)
    said = {"session_id": "s", "speaker": "Ada", "project": "p", "content": "The walnut."}
    context = a_context("ctx_2", **said)
    row, body = ContextRow.made("acme", context, Marks()), context.model_dump_json()
    connection.execute(
        "UPDATE context SET project = 'p', context_digest = ? WHERE seq = 2", (row.context_digest,)
    )
    connection.execute(
        "UPDATE context_revision SET body = ?, body_digest = ? WHERE context_seq = 2",
        (body, digest("acme", "ctx_2", 1, body)),
    )
    connection.close()
    return path


async def test_what_the_third_version_kept_is_found_by_words(third: Path) -> None:
    async with opened(third) as store:
        assert (await store.stats(ADA)).schema_version == VERSION
        for word, projects, names in (
            ("walnut", ("p",), ["ctx_2"]),
            ("walnut", (), []),
            ("note", None, ["ctx_1"]),
            ("Ada", None, ["ctx_2"]),
        ):
            page = await store.find(ADA, TextQuery(terms=(word,), projects=projects))
            assert [found.context.context_id for found in page.candidates] == names
        assert await store.speakers(ADA, None) == ("ada",)
        assert (await store.verify()).ok


async def test_what_the_third_version_kept_is_embedded_and_found_by_meaning(third: Path) -> None:
    space = Space("v1", 2)
    async with opened(third) as store:
        batch = await store.claim(space, "one")
        assert batch is not None
        await store.keep_vectors(batch, [(1.0, 0.0), (0.0, 1.0)])
        query = TextQuery(terms=("absent",), meaning=Meaning(space, (0.0, 1.0)))
        page = await store.find(ADA, query)
        assert [found.context.context_id for found in page.candidates] == ["ctx_2"]
        assert (await store.verify()).ok


async def test_the_old_index_of_words_is_gone(third: Path) -> None:
    async with opened(third):
        pass
    connection = apsw.Connection(str(third))
    names = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    connection.close()
    assert [name for (name,) in names if str(name).startswith("context_text")] == []


@pytest.fixture
def fourth(third: Path) -> Path:
    """The third version's rows, as the fourth kept and indexed them."""
    connection = apsw.Connection(str(third))
    migrate(connection, always(), MIGRATIONS[:4])
    assert connection.pragma("user_version") == 4
    connection.close()
    return third


async def test_a_store_of_the_fourth_version_keeps_its_rows_and_has_an_empty_outbox(
    fourth: Path,
) -> None:
    async with opened(fourth) as store:
        assert (await store.stats(ADA)).schema_version == VERSION
        page = await store.find(ADA, TextQuery(terms=("walnut",), projects=("p",)))
        assert [found.context.context_id for found in page.candidates] == ["ctx_2"]
        box = SqliteOutbox(store)
        assert await box.state() == OutboxState()
        assert await box.next_due_in_s() is None
        assert await box.orphans() == ()
        report = await store.verify()
        assert (report.ok, report.checked) == (True, 9)


async def test_a_store_of_the_fourth_version_takes_letters_and_names_of_old_memories(
    fourth: Path,
) -> None:
    whose: dict[str, Any] = {"tenant": "acme", "user_id": "ada", "domain": "coding"}
    told = Counterpart(kind="context", **whose, local_id="ctx_1", remote_id="r1")
    gone = told.model_copy(update={"local_id": "ctx_gone", "remote_id": "r2"})
    times = {"posted_at": START, "due_at": START}
    asks = Letter(letter_id="a", **whose, verb="update", context_id="ctx_2", body="{}", **times)
    async with opened(fourth) as store:
        await keep(store, letters=(asks,), counterparts=(told, gone))
        await keep(store, forget=("ctx_2",))
    async with opened(fourth) as store:
        box = SqliteOutbox(store)
        assert await box.counterpart(ADA, "ctx_1") == told
        assert await box.orphans() == (gone,)
        assert await box.claim_letters("me", held_s=60) == ()
        assert (await store.verify()).ok
