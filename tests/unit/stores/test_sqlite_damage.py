"""Damage on disk is found: on reading, or by verify (checks 19 and 20)."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Fingerprint, Reads, Scope, Withholding
from lineal.models.context import Sighting
from lineal.models.search import TextQuery
from lineal.models.user import Head
from lineal.stores.rows.words import hashed
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.entries import token
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

from .sqlite_rooms import always, note, opened, read

NAMES = tuple(f"ctx_{number}" for number in range(30))
SHARED = (0x1111, 0x2222, 0x4444)
"""Keys of the first, second and third ten: fewer than are shown. No flipped bit, of a value or of
how a record says its size, makes one the other, so that what is alike can only become less."""
FLIPS = 200
HELD = Withholding(root="r", context_ids=("ctx_held",), until=START + timedelta(hours=1))


async def fill(path: Path) -> None:
    """Thirty notes with history, edges, receipts, sightings and keys, a user row with a head, two
    tombstones, an outcome and a task for each note, and a note that is withheld."""
    async with opened(path) as store:
        head = Head(name="coding", version="v1", vector=(0.6, 0.8) * 16)
        await keep(store, users=(a_user(extras={"city": "Graz"}),), heads=(head,))
        for number, name in enumerate(NAMES):
            text = f"walnut {name} and almond velvet granite " * 20
            receipt = a_receipt(name, f'{{"id": "{name}", "content": "{text}"}}')
            edge = an_edge(name, NAMES[0])
            first = a_context(
                name, content=text, title=f"Title of {name}", tags=("a", "b"), project="p"
            )
            await keep(store, contexts=(first,), edges=(edge,), receipt=receipt)
            mark = {name: Fingerprint(content_key=name, keys=(SHARED[number // 10],))}
            left = a_task(kind="extract", context_id=name)
            await keep(store, fingerprints=mark, sightings=(a_sighting(name),))
            await keep(store, outcomes=(an_outcome(name),), tasks=(left,))
            second = first.model_copy(update={"revision": 2, "content": f"{text} again"})
            await keep(store, contexts=(second,))
        await keep(store, contexts=(a_context("ctx_gone"), a_context("ctx_gone_too")))
        await keep(store, forget=("ctx_gone", "ctx_gone_too"))
        await keep(store, contexts=(a_context("ctx_held", content="poison"),))
        await keep(store, withhold=HELD)


async def ask(store: SqliteStore, answers: dict[str, Any]) -> bool:
    """Ask everything, each question by itself; whether damage was admitted to any of them."""
    questions: dict[str, Any] = {
        **{name: lambda name=name: read(store, name) for name in (*NAMES, "ctx_gone")},
        **{f"history {name}": lambda name=name: store.history(ADA, name) for name in NAMES[:5]},
        **{
            f"receipt {name}": lambda name=name: store.read(ADA, Reads(receipt=name))
            for name in NAMES[:5]
        },
        "newest": lambda: store.find(ADA, TextQuery(projects=("p",))),
        "past": lambda: store.find(ADA, TextQuery(as_of=START)),
        "held": lambda: read(store, "ctx_held"),
        "edges": lambda: store.edges(ADA, NAMES, "both"),
        "user": lambda: store.read(ADA, Reads(user=True)),
        "user history": lambda: store.user_history(ADA),
        "head": lambda: store.head(ADA, "coding"),
        "peers": lambda: store.peers(ADA, "coding"),
        "outcomes": lambda: store.outcomes(ADA),
        "due": lambda: store.due(),
        "alike": lambda: store.read(
            ADA, Reads(alike=Fingerprint(content_key="ctx_2", keys=SHARED[:1]))
        ),
        **{
            f"sightings {name}": lambda name=name: store.read(
                ADA, Reads(context_ids=(name,), sightings=True)
            )
            for name in NAMES[:5]
        },
    }
    admitted = False
    for name, question in questions.items():
        try:
            answers[name] = await question()
        except LinealError as error:
            admitted = is_admission(error)
    return admitted


async def told_of_damage(path: Path, answers: dict[str, Any]) -> bool:
    """Whether opening, reading or verifying says so."""
    store = SqliteStore(path, clock=always())
    try:
        await store.open()
    except LinealError as error:
        return is_admission(error)
    try:
        admitted = await ask(store, answers)
        return not (await store.verify()).ok or admitted
    finally:
        await store.close()


def is_admission(error: LinealError) -> bool:
    """Damage is told as `unavailable`; any other failure is a bug."""
    assert error.code is ErrorCode.UNAVAILABLE, repr(error)
    return True


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


@pytest.mark.slow
async def test_no_flipped_bit_changes_an_answer_unnoticed(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - for repetition
    chance = random.Random(seed)
    whole, path = tmp_path / "whole.db", tmp_path / "m.db"
    await fill(whole)
    shutil.copy(whole, path)
    true: dict[str, Any] = {}
    assert not await told_of_damage(path, true)
    noticed = 0
    for _ in range(FLIPS):
        shutil.copy(whole, path)
        bit = chance.randrange(whole.stat().st_size * 8)
        flip(path, bit)
        answers: dict[str, Any] = {}
        found = await told_of_damage(path, answers)
        changed = [name for name, answer in answers.items() if answer != true[name]]
        if changed:
            assert found, f"bit {bit} changed {changed}"
        for name in changed:
            kept = memories(true)
            assert is_less(answers[name], true[name], kept), f"bit {bit}: {name} is {answers[name]}"
        noticed += found
    assert noticed > FLIPS / 4


def memories(true: dict[str, Any]) -> tuple[Any, ...]:
    """Every memory as it is."""
    return tuple(true[name].contexts[name] for name in NAMES)


def is_less(answer: Any, true: Any, kept: tuple[Any, ...]) -> bool:
    """Whether the answer holds nothing that isn't true: a lost row is noticed, a wrong one is not
    to be shown at all. A damaged index may lead to another memory that is `kept`, as it is: it is
    compared word for word before it counts as alike."""
    if isinstance(true, tuple):
        return set(map(repr, answer)) <= set(map(repr, true))
    if hasattr(true, "candidates"):
        return is_less(answer.candidates, true.candidates, kept)
    if hasattr(true, "contexts"):
        shown = [*answer.contexts.values(), answer.user, answer.receipt, *_all(answer.sightings)]
        known = [*true.contexts.values(), true.user, true.receipt, None, *_all(true.sightings)]
        if true.receipt is not None:
            # When the row of its context is lost, a receipt stands as after that context's end.
            known.append(true.receipt.model_copy(update={"answer": ""}))
        return all(value in known for value in shown) and is_less(answer.alike, kept, kept)
    if hasattr(true, "outcomes"):
        return is_less(answer.outcomes, true.outcomes, kept)
    return answer is None


def _all(sightings: dict[str, tuple[Sighting, ...]]) -> list[Sighting]:
    return [sighting for each in sightings.values() for sighting in each]


COLUMNS = [
    ("context", "user_id", "'eve'"),
    ("context", "expires_at", "9999999999999"),
    ("context", "memory_type", "'procedural'"),
    ("context_revision", "body", "replace(body, 'walnut', 'poison')"),
    ("edge", "parent_id", "'ctx_other'"),
    ("head", "vector", "zeroblob(length(vector))"),
    ("receipt", "answer", "'{}'"),
    ("tombstone", "reason", "'expired'"),
    ("user_revision", "body", "replace(body, 'Graz', 'Linz')"),
    ("user_row", "expires_at", "9999999999999"),
    ("meta", "high_at", "0"),
    ("context", "near_keys", "NULL"),
    ("context", "near_keys", "zeroblob(16)"),
    ("context", "project", "'q'"),
    ("context", "project", "NULL"),
    ("context", "held_until", "9999999999999"),
    ("context", "held_root", "'other'"),
    ("context", "held_at", "NULL"),
    ("sighting", "sighting_body", "replace(sighting_body, 'chat', 'poison')"),
    ("sighting", "sighting_number", "sighting_number + 1"),
    ("outcome", "outcome_body", "replace(outcome_body, 'accepted', 'rejected')"),
    ("outcome", "candidate_id", "'eve'"),
    ("task", "due_at", "0"),
    ("task", "tries", "7"),
]


@pytest.mark.parametrize(("table", "column", "value"), COLUMNS)
async def test_a_changed_value_is_never_shown_and_always_found(
    tmp_path: Path, table: str, column: str, value: str
) -> None:
    path = tmp_path / "m.db"
    await fill(path)
    connection = apsw.Connection(str(path))
    connection.execute(f"UPDATE {table} SET {column} = {value}")
    connection.close()
    async with opened(path) as store:
        answers: dict[str, Any] = {}
        assert await ask(store, answers)
        assert "poison" not in repr(answers)
        assert not (await store.verify()).ok


async def test_a_damaged_index_of_alike_texts_leads_through_no_wall(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    mark = Fingerprint(content_key="same", keys=(1,))
    others = [{"tenant": "evil"}, {"user_id": "grace"}, {"domain": "hiring"}]
    async with opened(path) as store:
        for number, other in enumerate(others):
            scope = ADA.model_copy(update=other)
            name, owner = f"ctx_{number}", {"user_id": scope.user_id, "domain": scope.domain}
            note_ = a_context(name, **owner)
            await keep(store, scope, contexts=(note_,), fingerprints={name: mark})
        await keep(store, contexts=(a_context("ctx_mine"),), fingerprints={"ctx_mine": mark})
    connection = apsw.Connection(str(path))
    room = connection.execute("SELECT room FROM context_key WHERE key_seq = 4").get
    for seq in (1, 2, 3):
        connection.execute("UPDATE context_key SET room = ? WHERE key_seq = ?", (room, seq))
    connection.close()
    async with opened(path) as store:
        seen = await store.read(ADA, Reads(alike=mark))
        assert [context.context_id for context in seen.alike] == ["ctx_mine"]
        assert not (await store.verify()).ok


async def test_a_damaged_list_of_outcomes_leads_through_no_wall(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await keep(store, outcomes=(an_outcome("out_1"),))
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE outcome SET tenant = 'evil'")
    connection.close()
    async with opened(path) as store:
        with pytest.raises(LinealError, match="damaged"):
            await store.outcomes(Scope(tenant="evil"))


async def test_a_language_that_nobody_wrote_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    await fill(path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE lexicon SET language = 'ejglish'")
    connection.close()
    with pytest.raises(LinealError, match="damaged") as caught:
        await SqliteStore(path, clock=always()).open()
    assert caught.value.code is ErrorCode.UNAVAILABLE


async def test_a_damaged_memory_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
        await note(store, "ctx_2")
    connection = apsw.Connection(str(path))
    connection.execute(
        "UPDATE context_revision SET body = replace(body, 'note', 'moat') WHERE context_seq = 1"
    )
    connection.close()
    async with opened(path) as store:
        with pytest.raises(LinealError, match=r"ctx_1.*damaged.*lineal verify.*backup") as caught:
            await read(store, "ctx_1")
        assert not caught.value.retryable
        assert caught.value.details["context_id"] == "ctx_1"
        assert "ctx_2" in (await read(store, "ctx_2")).contexts
        report = await store.verify()
        assert report.damaged == ("ctx_1",)
        assert not report.ok


MISFITS = [
    ("INSERT INTO entry_text (entry_text) VALUES ('delete-all')", "full-text"),
    ("DELETE FROM context_revision WHERE number = 1", "revisions"),
    ("DELETE FROM context WHERE context_id = 'ctx_3'", "belong to no memory"),
    ("DELETE FROM receipt WHERE idempotency_key = 'ctx_3'", "receipt"),
    ("DELETE FROM user_row", "user row"),
    ("DELETE FROM context_key WHERE near_key = 0x1111 AND key_seq = 3", "index of alike texts"),
    ("UPDATE context_key SET near_key = 2 WHERE near_key = 0x1111 AND key_seq = 3", "alike texts"),
    ("INSERT INTO context_key VALUES (1, 2, 3)", "index of alike texts"),
    ("INSERT INTO context_key VALUES (1, 2, 999)", "belong to no memory"),
    ("UPDATE sighting SET sighted_seq = 999 WHERE sighted_seq = 3", "sightings"),
]


@pytest.mark.parametrize(("statement", "problem"), MISFITS)
async def test_verify_tells_what_does_not_fit_together(
    tmp_path: Path, statement: str, problem: str
) -> None:
    path = tmp_path / "m.db"
    await fill(path)
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    connection.close()
    async with opened(path) as store:
        assert problem in " ".join((await store.verify()).problems)


async def test_words_in_the_index_that_no_memory_has_are_found(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    await fill(path)
    connection = apsw.Connection(str(path))
    known, poison = token(1, hashed("walnut")), token(1, hashed("poison"))
    connection.execute(
        "INSERT INTO entry_text (entry_text, rowid, words) VALUES ('delete', 1, ?)", (known,)
    )
    connection.execute("INSERT INTO entry_text (rowid, words) VALUES (1, ?)", (poison,))
    connection.close()
    async with opened(path) as store:
        assert "full-text index" in " ".join((await store.verify()).problems)


async def test_verify_tells_its_progress(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    seen: list[tuple[int, int]] = []
    async with opened(path) as store:
        await keep(store, contexts=tuple(a_context(f"ctx_{n}") for n in range(1200)))
        report = await store.verify(lambda done, total: seen.append((done, total)))
    assert report.checked == 1200
    assert seen[0] == (500, 1200)
    assert seen[-1] == (1200, 1200)


@pytest.mark.parametrize("kept", [0.5, 0.9])
async def test_a_truncated_file_is_told_and_left_as_it_is(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "m.db"
    await fill(path)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * kept))
    size = path.stat().st_size
    assert await told_of_damage(path, {})
    assert path.stat().st_size == size


async def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    await fill(path)
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(random.Random(1).randbytes(4096))
    assert await told_of_damage(path, {})
