"""Carrying everything from one SQLite store to another, whole or damaged."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.clock import Clock, ManualClock
from lineal.errors import LinealError
from lineal.models.archive import (
    ContextRecord,
    DamagedRecord,
    EdgeRecord,
    Record,
    VectorRecord,
    tenant_of,
)
from lineal.models.changes import Fingerprint, Reads, Scope, Withholding
from lineal.models.user import Head
from lineal.policy.archiving import BATCH_RECORDS, LinesRead, Tally, batches, line_of
from lineal.ports.store import Store
from lineal.stores.sqlite import SqliteStore, exporting
from lineal.testing.samples import (
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
from lineal.testing.store_cases.archive import SPACE, StoreArchive, body_of, exported, fill, loaded


class TestSqliteArchive(StoreArchive):
    def make_store(self, clock: Clock, directory: Path) -> Store:
        return SqliteStore(directory / "m.db", clock=clock)

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    async def store(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
        async with self.another(clock, tmp_path / "store") as store:
            yield store


# Damage.


async def damaged(path: Path, *statements: str) -> list[Record]:
    """What is exported of a full store, once somebody has meddled with its file."""
    clock = ManualClock(START)
    store = SqliteStore(path, clock=clock)
    await store.open()
    await fill(store, clock)
    await store.close()
    with closing(apsw.Connection(str(path))) as file:
        for statement in statements:
            file.execute(statement)
    await store.open()
    records = await exported(store)
    await store.close()
    return records


def left_out(records: list[Record]) -> set[tuple[str, str]]:
    return {(r.tenant, r.name) for r in records if isinstance(r, DamagedRecord)}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE context SET occurred_at = 0 WHERE context_id = 'ctx_1' AND tenant = 'acme'",
        "UPDATE context_revision SET body = replace(body, 'granite', 'gravel') WHERE number = 2",
        "DELETE FROM context_revision WHERE number = 2",
    ],
)
async def test_a_damaged_memory_is_named_and_nothing_of_it_is_told(
    tmp_path: Path, statement: str
) -> None:
    records = await damaged(tmp_path / "m.db", statement)
    assert left_out(records) == {("acme", "ctx_1")}
    of_acme = [r for r in records if getattr(r, "tenant", "") == "acme"]
    assert "ctx_1" not in {getattr(r, "context_id", "") for r in of_acme}
    assert "ctx_1" not in {r.edge.child_id for r in of_acme if isinstance(r, EdgeRecord)}
    assert "ctx_1" in {r.context_id for r in records if isinstance(r, ContextRecord)}


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE edge SET basis = 'observed' WHERE parent_id = 'far'", "ctx_1"),
        ("UPDATE sighting SET sighting_body = '{}' WHERE sighting_number = 2", "ctx_1"),
        ("UPDATE user_row SET revision = 9 WHERE user_id = 'ada'", "ada"),
        ("UPDATE user_revision SET body = '{}' WHERE number = 2", "ada"),
        ("UPDATE head SET version = 'v9'", "ada"),
        ("UPDATE outcome SET outcome_body = '{}' WHERE outcome_seq = 1", "ada"),
        ("UPDATE task SET tries = 9 WHERE kind = 'head'", "ada"),
        ("UPDATE receipt SET answer = 'x' WHERE tenant = 'acme'", "receipt k1"),
        ("UPDATE tombstone SET revision = 9 WHERE tenant = 'acme'", "ctx_forgotten"),
        ("UPDATE vector SET packed = x'00' WHERE vector_seq = 2", "ctx_1"),
    ],
)
async def test_any_other_damaged_row_is_named_and_the_rest_is_told(
    tmp_path: Path, statement: str, name: str
) -> None:
    records = await damaged(tmp_path / "m.db", statement)
    assert left_out(records) == {("acme", name)}
    copy = SqliteStore(tmp_path / "copy.db", clock=ManualClock(START + timedelta(hours=2)))
    await copy.open()
    await loaded(copy, records)
    assert (await copy.verify()).ok
    assert set(body_of(await exported(copy))) < set(body_of(records))
    await copy.close()


async def test_a_store_that_cant_be_read_through_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    await damaged(path)
    with closing(apsw.Connection(str(path))) as looking:
        root: int = looking.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'edge'").get
        size: int = looking.pragma("page_size")
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    store = SqliteStore(path, clock=ManualClock(START))
    await store.open()
    with pytest.raises(LinealError, match="damaged"):
        await exported(store)
    await store.close()


# Lines.


def lines_of(records: list[Record]) -> list[bytes]:
    tally = Tally()
    for record in records:
        tally.add(record, line_of(record))
    return [line_of(record) for record in (*records, tally.end())]


async def whole(tmp_path: Path) -> list[bytes]:
    return lines_of(await damaged(tmp_path / "m.db"))


def read_all(lines: list[bytes]) -> LinesRead:
    read = LinesRead()
    for _ in batches(read, lines):
        pass
    return read


async def test_lines_read_back_are_the_records_that_were_written(tmp_path: Path) -> None:
    records = await damaged(tmp_path / "m.db")
    read = LinesRead()
    handed = [record for batch in batches(read, lines_of(records)) for record in batch]
    assert handed == records
    assert read.header == records[0]


async def test_no_byte_of_any_line_can_change_unseen(tmp_path: Path) -> None:
    lines = await whole(tmp_path)
    for number, line in enumerate(lines):
        for place in range(0, len(line), 7):
            changed = bytes([line[place] ^ 1])
            wrong = [*lines[:number], line[:place] + changed + line[place + 1 :]]
            with pytest.raises(
                LinealError, match=f"(?i)line {number + 1}[ .]|not an archive|newer"
            ):
                read_all([*wrong, *lines[number + 1 :]])


async def test_a_line_that_is_missing_or_stands_twice_or_elsewhere_is_seen(tmp_path: Path) -> None:
    lines = await whole(tmp_path)
    moved = [lines[0], lines[2], lines[1], *lines[3:]]
    for wrong in ([*lines[:3], *lines[4:]], [*lines[:3], *lines[2:]], moved, [*lines, lines[-1]]):
        with pytest.raises(LinealError, match="damaged"):
            read_all(wrong)


async def test_an_archive_that_is_cut_off_says_where(tmp_path: Path) -> None:
    lines = await whole(tmp_path)
    for stop in range(1, len(lines)):
        with pytest.raises(LinealError, match=f"cut off after line {stop}"):
            read_all(lines[:stop])
        with pytest.raises(LinealError, match=f"cut off after line {stop + 1}"):
            read_all([*lines[:stop], lines[stop][:-1]])
    with pytest.raises(LinealError, match="not an archive"):
        read_all([])


async def test_a_newer_version_is_refused_before_anything_is_kept(tmp_path: Path) -> None:
    lines = await whole(tmp_path)
    newer = lines[0].replace(b'"version":1', b'"version":2')
    with pytest.raises(LinealError, match="newer lineal") as caught:
        read_all([newer])
    assert caught.value.details["version"] == "2"


def test_what_stands_before_a_damaged_line_is_handed_over_first() -> None:
    records = [line_of(an_archived(f"ctx_{n}")) for n in range(BATCH_RECORDS + 5)]
    read = LinesRead()
    handed = batches(read, [HEADER, *records, b"{}\n"])
    assert [len(next(handed)), len(next(handed))] == [BATCH_RECORDS, 6]
    with pytest.raises(LinealError, match="damaged"):
        next(handed)


async def test_a_batch_is_of_one_tenant(tmp_path: Path) -> None:
    handed = list(batches(LinesRead(), await whole(tmp_path)))
    walls = [{tenant_of(record) for record in batch} - {None} for batch in handed]
    assert walls == [{"acme"}, {"evil"}]


def an_archived(context_id: str) -> ContextRecord:
    body = a_context(context_id).model_dump_json()
    return ContextRecord(tenant="acme", context_id=context_id, revision=1, bodies=(body,))


async def _header() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        store = SqliteStore(Path(directory) / "m.db", clock=ManualClock(START))
        await store.open()
        header = line_of((await exported(store))[0])
        await store.close()
    return header


HEADER = anyio.run(_header)


@pytest.mark.parametrize(
    "changed",
    [
        {"context_id": "ctx_2"},
        {"first": 2},
        {"bodies": ("{}",)},
        {"bodies": ("no json",)},
        {"bodies": (a_context("ctx_1", revision=2).model_dump_json(),)},
    ],
)
async def test_a_record_that_contradicts_itself_is_refused(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    store = SqliteStore(tmp_path / "m.db", clock=ManualClock(START))
    await store.open()
    with pytest.raises(LinealError, match="contradicts itself"):
        await store.load([an_archived("ctx_1").model_copy(update=changed)])
    assert (await exported(store))[1:] == []
    await store.close()


async def test_a_vector_of_another_length_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "m.db", clock=ManualClock(START))
    await store.open()
    wrong = VectorRecord(
        tenant="acme", context_id="ctx_1", revision=1, space="s", dim=4, packed=bytes(4)
    )
    with pytest.raises(LinealError, match="contradicts itself"):
        await store.load([an_archived("ctx_1"), wrong])
    await store.close()


# What is SQLite's own.


async def test_an_empty_store_takes_the_language_over_and_a_full_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    german = SqliteStore(tmp_path / "m.db", clock=clock, language="german")
    await german.open()
    await keep(german, contexts=(a_context("ctx_1", content="Die Häuser."),))
    records = await exported(german)
    full = SqliteStore(tmp_path / "full.db", clock=clock)
    empty = SqliteStore(tmp_path / "empty.db", clock=clock)
    for store, language in ((full, "english"), (empty, "german")):
        await store.open()
        if store is full:
            await keep(store, contexts=(a_context("ctx_0"),))
        await store.load(records)
        header = (await exported(store))[0]
        assert getattr(header, "language", None) == language
        assert (await store.verify()).ok
        await store.close()
    await german.close()


async def test_an_export_looks_up_what_belongs_to_a_context(tmp_path: Path) -> None:
    """Whatever SQLite supposes of a store: a walk through it for each context never ends."""
    await damaged(tmp_path / "m.db")
    statements = [s for s in vars(exporting).values() if isinstance(s, str) and "_seq = ?" in s]
    assert len(statements) > 3
    with closing(apsw.Connection(str(tmp_path / "m.db"))) as file:
        for statement in statements:
            plan = file.execute(f"EXPLAIN QUERY PLAN {statement}", (1,))
            walks = [told for told in (str(step[3]) for step in plan) if told.startswith("SCAN")]
            assert [walk for walk in walks if not walk.startswith("SCAN space")] == []


async def test_a_read_only_store_exports_and_takes_nothing_in(tmp_path: Path) -> None:
    records = await damaged(tmp_path / "m.db")
    store = SqliteStore(tmp_path / "m.db", clock=ManualClock(START), read_only=True)
    await store.open()
    assert body_of(await exported(store)) == body_of(records)
    with pytest.raises(LinealError, match="read-only"):
        await store.load(records)
    await store.close()


# Any history.

Step = Callable[[Store, ManualClock], Coroutine[Any, Any, None]]

IDS = ("ctx_3", "ctx_1", "ctx_2")
names = st.sampled_from(IDS)
scopes = st.builds(
    Scope,
    tenant=st.sampled_from(("acme", "evil")),
    user_id=st.sampled_from(("ada", "grace")),
    domain=st.just("coding"),
)


async def _write(
    store: Store, clock: ManualClock, scope: Scope, name: str, life_s: int | None, said: str
) -> None:
    seen = (await store.read(scope, Reads(context_ids=(name,)))).contexts.get(name)
    now = (await store.read(scope, Reads())).now
    context = a_context(
        name,
        user_id=scope.user_id,
        revision=1 + (seen.revision if seen else 0),
        content=said,
        session_id="s",
        project=said[:1],
        expires_at=None if life_s is None else now + timedelta(seconds=life_s),
        updated_at=now,
    )
    prints = {name: Fingerprint(content_key=said[:4] * 8, keys=(len(said), life_s or 0))}
    receipt = a_receipt(f"{name}{said}{life_s}{scope.user_id}", recorded_at=now)
    await keep(store, scope, contexts=(context,), fingerprints=prints, receipt=receipt)


async def _user(store: Store, clock: ManualClock, scope: Scope, life_s: int | None) -> None:
    seen = await store.read(scope, Reads(user=True))
    head = Head(name="coding", version="v1", vector=(1.0, 0.25))
    user = a_user(
        user_id=scope.user_id,
        revision=1 + (seen.user.revision if seen.user else 0),
        heads={"coding": head.info},
        expires_at=None if life_s is None else seen.now + timedelta(seconds=life_s),
    )
    await keep(store, scope, users=(user,), heads=(head,))


async def _others(store: Store, clock: ManualClock, scope: Scope, name: str, number: int) -> None:
    await keep(
        store,
        scope,
        sightings=(a_sighting(name, source=str(number)),),
        edges=(an_edge(name, IDS[number % 3]),),
        outcomes=(an_outcome(f"{name}{number}", user_id=scope.user_id),),
        tasks=(a_task(tenant=scope.tenant, user_id=scope.user_id, context_id=name, tries=number),),
    )


async def _change(store: Store, clock: ManualClock, scope: Scope, **changes: Any) -> None:
    await keep(store, scope, **changes)


async def _withhold(store: Store, clock: ManualClock, scope: Scope, name: str) -> None:
    until = (await store.read(scope, Reads())).now + timedelta(hours=1)
    await keep(store, scope, withhold=Withholding(root="r", context_ids=(name,), until=until))


async def _wait(store: Store, clock: ManualClock, seconds: int) -> None:
    clock.advance(seconds=seconds)


async def _sweep(store: Store, clock: ManualClock) -> None:
    await store.sweep()


async def _embed(store: Store, clock: ManualClock, limit: int) -> None:
    batch = await store.claim(SPACE, "one", limit=limit)
    if batch is not None:
        made = [(0.5, 0.5, -0.5, len(i.context.content) % 2 / 2) for i in batch.items]
        await store.keep_vectors(batch, made)


def step(do: Callable[..., Coroutine[Any, Any, None]], **values: Any) -> st.SearchStrategy[Step]:
    return st.builds(partial, st.just(do), **values)


lives_s = st.sampled_from((None, 0, 60, 7_200))
steps = st.one_of(
    step(
        _write,
        scope=scopes,
        name=names,
        life_s=lives_s,
        said=st.sampled_from(("walnut", "almond velvet", "granite")),
    ),
    step(_user, scope=scopes, life_s=lives_s),
    step(_others, scope=scopes, name=names, number=st.integers(0, 5)),
    step(_change, scope=scopes, forget=st.tuples(names)),
    step(_change, scope=scopes, restore=st.tuples(names)),
    step(_withhold, scope=scopes, name=names),
    step(_wait, seconds=st.sampled_from((1, 61, 4_000, -30))),
    step(_sweep),
    step(_embed, limit=st.integers(1, 3)),
)


@settings(max_examples=max(1, settings().max_examples // 4))
@given(history=st.lists(steps, max_size=25), size=st.integers(1, 9), stop=st.integers(0, 20))
def test_a_copy_of_any_history_is_the_same_store(history: list[Step], size: int, stop: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        anyio.run(_carried, Path(directory), history, size, stop)


async def _carried(directory: Path, history: list[Step], size: int, stop: int) -> None:
    """Interrupted once, and then from the beginning."""
    clock = ManualClock(START)
    store, copy = (SqliteStore(directory / n, clock=clock) for n in ("m.db", "copy.db"))
    await store.open()
    await copy.open()
    for do in history:
        with suppress(LinealError):  # a step that the store refuses is no step
            await do(store, clock)
    records = await exported(store)
    before = await loaded(copy, records[: stop * size], size)
    assert before + await loaded(copy, records, size) == len(records) - 1
    assert body_of(await exported(copy)) == body_of(records)
    clock.advance(hours=3)
    for each in (store, copy):
        await each.sweep()
        report = await each.verify()
        # Edges are written here of what was never kept.
        assert [each for each in report.problems if "edges" not in each] == []
        assert report.damaged == ()
    assert body_of(await exported(copy)) == body_of(await exported(store))
    await store.close()
    await copy.close()
