"""Vectors on disk: measured exactly on small shelves, found by their signs on large ones."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from lineal.clock import SystemClock
from lineal.models.changes import Withholding
from lineal.models.search import TextQuery
from lineal.models.sheet import EmbedBatch, Meaning, Scored, Sheet, Space
from lineal.policy.ranking import PARTS
from lineal.stores.sqlite import SqliteStore, vectors
from lineal.testing.faults import kill_hard
from lineal.testing.samples import ADA, START, a_context, keep

from .sqlite_rooms import files_of, note, opened, other_process, told

DIM = 64
SPACE = Space("random.v1", DIM)
MANY = vectors.EXACT_MAX + 1_200
"""More than one block of codes."""

HELD = Withholding(root="r", context_ids=("ctx_1",), until=START + timedelta(hours=1))

Vectors = np.ndarray[Any, np.dtype[np.float32]]


def units(number: int, seed: int = 0) -> Vectors:
    """(number, DIM), each of length 1, ten around each of some topics: row n is of topic
    n // 10."""
    topics = np.random.default_rng(1).normal(size=(-(-number // 10), DIM))
    near = np.random.default_rng(seed + 2).normal(size=(number, DIM))
    rows = np.repeat(topics, 10, axis=0)[:number] + near / 2
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


async def claimed(store: SqliteStore, limit: int = 64) -> EmbedBatch:
    batch = await store.claim(SPACE, "one", limit=limit)
    assert batch is not None
    return batch


async def embed(store: SqliteStore, rows: Sequence[Sequence[float]] | Vectors) -> EmbedBatch:
    """All that waits, each with its row."""
    batch = await claimed(store, limit=len(rows))
    await store.keep_vectors(batch, [tuple(map(float, row)) for row in rows])
    return batch


async def fill(store: SqliteStore, number: int) -> Vectors:
    """So many notes of one shelf, each with a vector of its own: row n is of ctx_n."""
    await keep(store, contexts=tuple(a_context(f"ctx_{n}") for n in range(number)))
    rows = units(number)
    await embed(store, rows)
    return rows


def rows_of(path: Path, statement: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def count(path: Path, table: str) -> int:
    ((number,),) = rows_of(path, f"SELECT count(*) FROM {table}")
    return int(number)


async def nearest(store: SqliteStore, question: Vectors, most: int) -> list[int]:
    """Numbers of the notes most alike, the best first."""
    meaning = Meaning(SPACE, tuple(map(float, question)))
    page = await store.find(ADA, TextQuery(terms=("absent",), meaning=meaning), by_likeness)
    return [int(found.context.context_id[4:]) for found in page.candidates][:most]


def by_likeness(sheet: Sheet) -> list[Scored]:
    entries = [sheet.entries[number] for number in sheet.candidates]
    likeness = {entry.number: entry.likeness or -1.0 for entry in entries}
    order = sorted(likeness, key=lambda number: -likeness[number])
    return [Scored(number, likeness[number], (0.0,) * len(PARTS)) for number in order]


def exact(rows: Vectors, question: Vectors, most: int, without: Sequence[int] = ()) -> list[int]:
    order = np.argsort(-(rows @ question)).tolist()
    return [number for number in order if number not in without][:most]


async def recall(store: SqliteStore, rows: Vectors, without: Sequence[int] = ()) -> float:
    """Of the ten nearest by all numbers, how many are found, over 20 questions about what is
    there. without: what is gone, from the first on."""
    shares = []
    questions = units(len(rows), seed=1)[len(without) :]
    for question in questions[:: len(questions) // 20]:
        found = set(await nearest(store, question, 10))
        shares.append(len(found & set(exact(rows, question, 10, without))) / 10)
    return sum(shares) / len(shares)


async def test_a_small_shelf_is_measured_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        rows = await fill(store, 300)
        assert await recall(store, rows) >= 0.99  # 8 bits of each number
        assert (await store.verify()).ok
    assert (count(path, "vector"), count(path, "code")) == (300, 0)


async def test_a_large_shelf_is_found_by_its_signs(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        rows = await fill(store, MANY)
        assert rows_of(path, "SELECT count(*) FROM vector WHERE place < 0") == [(0,)]
        assert rows_of(path, "SELECT filled, in_use FROM code ORDER BY block") == [
            (vectors.BLOCK, vectors.BLOCK),
            (vectors.BLOCK, vectors.BLOCK),
            (MANY - 2 * vectors.BLOCK, MANY - 2 * vectors.BLOCK),
        ]
        assert await recall(store, rows) >= 0.98
        await _forgotten_one_is_gone(store, path, rows)
        await _a_block_without_codes_is_gone(store, path, rows)


async def _forgotten_one_is_gone(store: SqliteStore, path: Path, rows: Vectors) -> None:
    """Its place is zeroed, and is given to nobody else."""
    await keep(store, forget=("ctx_7",))
    ((numbers, signs),) = rows_of(path, "SELECT numbers, signs FROM code WHERE block = 0")
    assert numbers[7 * 8 : 8 * 8] == bytes(8)
    assert signs[7 * DIM // 8 : 8 * DIM // 8] == bytes(DIM // 8)
    assert 7 not in await nearest(store, rows[7], 10)
    changed = a_context("ctx_8", content="changed", revision=2)
    await keep(store, contexts=(changed,))
    assert 8 not in await nearest(store, rows[8], 10)
    await embed(store, rows[8:9])
    assert (await nearest(store, rows[8], 1)) == [8]
    assert (await store.verify()).ok


async def _a_block_without_codes_is_gone(store: SqliteStore, path: Path, rows: Vectors) -> None:
    first = tuple(f"ctx_{n}" for n in range(vectors.BLOCK))
    await keep(store, forget=first)
    assert rows_of(path, "SELECT block FROM code ORDER BY block") == [(1,), (2,)]
    assert count(path, "vector") == MANY - vectors.BLOCK
    assert await recall(store, rows, range(vectors.BLOCK)) >= 0.98
    assert (await store.verify()).ok


@pytest.mark.parametrize("how", ["forgotten", "withheld", "changed"])
async def test_of_what_goes_no_vector_is_left_in_any_file(tmp_path: Path, how: str) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await fill(store, 3)
        ((packed,),) = rows_of(path, "SELECT packed FROM vector WHERE vector_seq = 2")
        assert holds(path, packed)
        if how == "forgotten":
            await keep(store, forget=("ctx_1",))
        elif how == "withheld":
            await keep(store, withhold=HELD)
        else:
            await keep(store, contexts=(a_context("ctx_1", content="changed", revision=2),))
        assert rows_of(path, "SELECT vector_seq FROM vector ORDER BY 1") == [(1,), (3,)]
        await keep(store, forget=("ctx_2",))  # what is forgotten takes the log along
        assert not holds(path, packed)


def holds(path: Path, data: bytes) -> bool:
    """Whether a file holds these bytes. Another process looks: reading them in this one would drop
    SQLite's locks."""
    pattern = "".join(f"\\x{byte:02x}" for byte in data)
    grep = ["/bin/grep", "--text", "--binary-files=text", "-lP", f"(?s){pattern}"]
    found = subprocess.run([*grep, *files_of(path)], capture_output=True, env={"LC_ALL": "C"})
    return bool(found.stdout)


async def test_forgetting_leaves_nothing_in_any_table_of_the_index(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        said: dict[str, Any] = {"content": "Ada: a walnut?", "session_id": "s", "tags": ("t",)}
        await note(store, "ctx_1", **said)
        await embed(store, units(1))
        await keep(store, contexts=(a_context("ctx_1", revision=2, **{**said, "content": "b"}),))
        await keep(store, forget=("ctx_1",))
        for table in ("entry", "speaker", "vector", "code", "embed_again", "pieces"):
            assert count(path, table) == 0, table
        assert rows_of(path, "SELECT entries, own_words, head_words FROM shelf") == [(0, 0, 0)]
        connection = apsw.Connection(str(path))
        connection.execute("CREATE VIRTUAL TABLE temp.kept USING fts5vocab(main, entry_text, row)")
        assert connection.execute("SELECT term FROM kept").fetchall() == []
        connection.close()
        assert (await store.verify()).ok


DAMAGE = [
    ("DELETE FROM entry WHERE entry_seq = 2", "full-text"),
    ("UPDATE entry SET entry_words = substr(entry_words, 7) WHERE entry_seq = 2", "full-text"),
    ("UPDATE entry SET traits = traits + 1 WHERE entry_seq = 2", "full-text"),
    ("UPDATE entry SET entry_speaker = 'eve' WHERE entry_seq = 2", "speakers"),
    ("UPDATE entry SET entry_shelf = 2 WHERE entry_seq = 2", "another's shelf"),
    ("UPDATE entry SET next_seq = NULL WHERE entry_seq = 2", "neighbours"),
    ("UPDATE entry SET previous_seq = NULL WHERE entry_seq = 2", "neighbours"),
    ("UPDATE entry SET previous_seq = NULL, next_seq = NULL", "neighbours"),
    ("UPDATE entry SET next_seq = 4 WHERE entry_seq = 2", "neighbours"),
    ("UPDATE shelf SET entries = entries + 1 WHERE shelf_id = 1", "shelves"),
    ("UPDATE shelf SET own_words = 0 WHERE shelf_id = 1", "shelves"),
    ("UPDATE shelf SET project = 'x' WHERE shelf_id = 1", "another's shelf"),
    ("DELETE FROM shelf WHERE shelf_id = 1", "another's shelf"),
    ("DELETE FROM speaker", "speakers"),
    ("UPDATE speaker SET speaks_in = 9", "speakers"),
    ("INSERT INTO speaker VALUES (1, 'eve', 1)", "speakers"),
    ("INSERT INTO vector VALUES (1, 1, 99, -1, x'00')", "vectors"),
    ("UPDATE vector SET vector_shelf = 2 WHERE vector_seq = 2", "vectors"),
    ("UPDATE vector SET place = 7 WHERE vector_seq = 2", "signs"),
    ("INSERT INTO code VALUES (1, 1, 1, 0, 1, 1, x'00', x'00')", "signs"),
]


@pytest.mark.parametrize(("statement", "problem"), DAMAGE)
async def test_damage_to_the_index_is_found(tmp_path: Path, statement: str, problem: str) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        talk = [
            a_context(f"ctx_{n}", session_id="s", speaker="Ada", content=f"walnut {n} running")
            for n in range(3)
        ]
        await keep(store, contexts=(*talk, a_context("ctx_3", project="p")))
        await embed(store, units(4))
        assert (await store.verify()).ok
    rows_of(path, statement)
    async with opened(path) as store:
        assert problem in " ".join((await store.verify()).problems)


@pytest.mark.parametrize("statement", ["DELETE FROM code", "UPDATE code SET filled = 9"])
async def test_lost_codes_are_found(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await fill(store, vectors.EXACT_MAX + 1)
    rows_of(path, statement)
    async with opened(path) as store:
        assert "signs" in " ".join((await store.verify()).problems)


async def test_who_is_killed_before_it_keeps_vectors_loses_none(tmp_path: Path) -> None:
    """Another process embeds when the minute is over."""
    path = tmp_path / "m.db"
    async with opened(path, SystemClock()) as store:
        await keep(store, contexts=tuple(a_context(f"ctx_{n}") for n in range(3)))
    with other_process("claims", path, SPACE.version, DIM) as process:
        assert told(process) == 3
        kill_hard(process)  # type: ignore[arg-type]
    async with opened(path, SystemClock()) as store:
        assert await store.claim(SPACE, "one") is None
    async with opened(path, SystemClock(offset_s=61)) as store:
        await embed(store, units(3))
        assert await store.unembedded(SPACE) == 0
        assert (await store.verify()).ok


async def test_of_spaces_that_are_dropped_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await fill(store, vectors.EXACT_MAX + 1)
        await keep(store, contexts=(a_context("ctx_0", content="changed", revision=2),))
        await store.drop_other_vectors(Space("other", 4))
        for table in ("vector", "code", "embed_again", "pieces"):
            assert count(path, table) == 0, table
        assert rows_of(path, "SELECT space_version FROM space") == [("other",)]
        assert (await store.verify()).ok


async def test_vectors_are_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        rows = await fill(store, 5)
    async with opened(path) as store:
        assert await nearest(store, rows[3], 1) == [3]
        assert await store.unembedded(SPACE) == 0


async def test_a_hash_that_two_words_share_is_no_syntax_and_no_error(tmp_path: Path) -> None:
    """32 bits: "plumless" and "buckeroo" have the same."""
    async with opened(tmp_path / "m.db") as store:
        await note(store, "ctx_1", content="plumless buckeroo")
        await note(store, "ctx_2", content="buckeroo")
        assert (await store.find(ADA, TextQuery(terms=("plumless buckeroo",)))).matched == 2
        assert (await store.verify()).ok
        await keep(store, forget=("ctx_1",))
        assert (await store.verify()).ok
