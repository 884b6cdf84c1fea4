"""Carrying everything to a database, and back into a file."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import LiteralString

import anyio
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from tests.postgres.cluster import SUPERUSER, Cluster
from tests.postgres.emptying import emptied
from tests.postgres.writers import opened
from tests.unit.stores.test_archive_sqlite import Step, steps

from lineal.clock import Clock, ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.archive import (
    ContextRecord,
    DamagedRecord,
    EdgeRecord,
    Header,
    OutcomeRecord,
    ReceiptRecord,
    Record,
    TaskRecord,
    TombstoneRecord,
    UserRecord,
)
from lineal.models.changes import Scope, Tombstone
from lineal.models.context import Context
from lineal.models.search import CandidatePage, TextQuery
from lineal.models.sheet import Meaning
from lineal.models.user import UserRow
from lineal.ports.store import Store
from lineal.stores.postgres.outgoing import PAGE, RUN_BYTES, WINDOW
from lineal.stores.sqlite import SqliteStore
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
from lineal.testing.store_cases.archive import SPACE, StoreArchive, body_of, exported, fill, loaded

EVIL = ADA.model_copy(update={"tenant": "evil"})


class TestPostgresArchive(StoreArchive):
    """Each store has a database of its own."""

    @pytest.fixture(autouse=True)
    def server(self, cluster: Cluster) -> None:
        self.cluster = cluster

    @asynccontextmanager
    async def another(self, clock: Clock, directory: Path) -> AsyncIterator[Store]:
        dsn = self.cluster.new_database()
        async with opened(dsn, clock=clock, pool_max=2) as store:
            yield store
        self.cluster.drop_database(dsn)

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(START)

    @pytest.fixture
    async def store(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
        async with self.another(clock, tmp_path / "store") as store:
            yield store


# From a file to a database, and back.


@asynccontextmanager
async def filed(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock=clock)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def carried(there: Store, back: Store, records: Sequence[Record], size: int = 3) -> None:
    """Through `there` to `back`: each keeps all of it, and is whole."""
    lines = body_of(records)
    for store in (there, back):
        assert await loaded(store, records, size) == len(lines)
        records = await exported(store)
        assert body_of(records) == lines
        assert (await store.verify()).ok


async def found(store: Store) -> list[CandidatePage]:
    """By words, by meaning, and without any, behind both walls."""
    meaning = Meaning(SPACE, (1.0, 0.0, 0.0, 0.0))
    queries = (
        TextQuery(terms=("granite", "velvet", "almonds")),
        TextQuery(terms=("granite",), meaning=meaning),
        TextQuery(),
    )
    return [await store.find(Scope(tenant=t), q) for t in ("acme", "evil") for q in queries]


async def test_what_goes_through_a_database_comes_back_byte_for_byte(
    postgres_dsn: str, tmp_path: Path
) -> None:
    clock = ManualClock(START)
    async with (
        filed(tmp_path / "origin.db", clock) as origin,
        opened(postgres_dsn, clock=clock) as there,
        filed(tmp_path / "back.db", clock) as back,
    ):
        await fill(origin, clock)
        await carried(there, back, await exported(origin))
        assert await found(there) == await found(back) == await found(origin)


async def test_a_database_exports_the_same_lines_as_a_file_with_the_same_history(
    postgres_dsn: str, tmp_path: Path
) -> None:
    lines = []
    async with opened(postgres_dsn, clock=(own := ManualClock(START))) as store:
        await fill(store, own)
        lines.append(body_of(await exported(store)))
    async with filed(tmp_path / "m.db", own := ManualClock(START)) as store:
        await fill(store, own)
        lines.append(body_of(await exported(store)))
    assert lines[0] == lines[1]


async def test_a_memory_longer_than_memory_should_hold_comes_back_byte_for_byte(
    postgres_dsn: str, tmp_path: Path
) -> None:
    """It is read in windows: revisions, sightings and all."""
    clock, long = ManualClock(START), "x" * (RUN_BYTES // 50)
    async with (
        filed(tmp_path / "origin.db", clock) as origin,
        opened(postgres_dsn, clock=clock) as there,
        filed(tmp_path / "back.db", clock) as back,
    ):
        await keep(origin, contexts=(a_context("ctx_0"),))
        for revision in range(1, 2 * WINDOW + 2):
            context = a_context("ctx_1", revision=revision, content=f"{long} {revision}")
            await keep(origin, contexts=(context,))
        seen = (a_sighting("ctx_1", source=str(number)) for number in range(WINDOW + 1))
        await keep(origin, sightings=tuple(seen), contexts=(a_context("ctx_2"),))
        await _embedded(origin)
        records = await exported(origin)
        kinds = [record.kind for record in records]
        assert (kinds.count("vector"), kinds.count("context")) == (3, 2 + 5)
        await carried(there, back, records)


async def _embedded(store: Store) -> None:
    while (batch := await store.claim(SPACE, "one")) is not None:
        await store.keep_vectors(batch, [(0.5, -0.5, 0.25, -0.25)] * len(batch.items))


MANY = PAGE + 7


def many() -> list[Record]:
    """More than a page of each kind, in the order of an archive."""
    names = [f"ctx_{number:05}" for number in range(MANY)]
    records: list[Record] = [_of(a_context(name, project=name[-1])) for name in names]
    records += [TombstoneRecord(tenant="acme", mark=_mark(f"gone_{name}")) for name in names]
    edges = (an_edge(child, parent) for child in names[:3] for parent in names)
    records += [EdgeRecord(tenant="acme", edge=edge) for edge in edges]
    records += [_user(a_user(user_id=f"user_{name}")) for name in names]
    outcomes = (an_outcome(f"out_{name}", user_id=f"user_{name[-1]}") for name in reversed(names))
    records += [OutcomeRecord(tenant="acme", body=each.model_dump_json()) for each in outcomes]
    records += [TaskRecord(task=a_task(kind="extract", context_id=name)) for name in names]
    receipts = (a_receipt(f"key_{name}") for name in names)
    shown = {"contexts": tuple(names[:2]), "users": (("ada", "coding"), ("ada", "dating"))}
    records += [ReceiptRecord(tenant="acme", receipt=each, **shown) for each in receipts]
    return records


def _of(context: Context) -> ContextRecord:
    body = context.model_dump_json(exclude_defaults=True)
    name = context.context_id
    return ContextRecord(tenant="acme", context_id=name, revision=1, bodies=(body,))


def _user(user: UserRow) -> UserRecord:
    of = {"tenant": "acme", "user_id": user.user_id, "domain": user.domain}
    return UserRecord(**of, revision=1, first=1, bodies=(user.model_dump_json(),))


def _mark(name: str) -> Tombstone:
    return Tombstone(
        context_id=name,
        user_id="ada",
        domain="coding",
        reason="expired",
        memory_type="fact",
        revision=1,
        created_at=START,
        ended_at=START,
    )


async def test_more_than_a_page_of_every_kind_keeps_its_order(postgres_dsn: str) -> None:
    records = many()
    async with opened(postgres_dsn, clock=ManualClock(START)) as store:
        assert await loaded(store, records, size=400) == len(records)
        told = await exported(store)
        assert body_of(told) == body_of([told[0], *records])
        assert isinstance(told[0], Header)
        assert told[0].memories == MANY
        assert (await store.verify()).ok
        assert await loaded(store, records, size=400) == 0


async def test_parts_of_one_memory_may_come_in_one_batch(postgres_dsn: str) -> None:
    """It is one memory, which waits for its vector."""
    said = [a_context("ctx_1", revision=n, content=f"Granite {n}.") for n in (1, 2, 3)]
    bodies = tuple(context.model_dump_json(exclude_defaults=True) for context in said)
    parts = [
        ContextRecord(tenant="acme", context_id="ctx_1", revision=3, first=first, bodies=some)
        for first, some in ((1, bodies[:1]), (2, bodies[1:]))
    ]
    async with opened(postgres_dsn, clock=ManualClock(START)) as store:
        await keep(store, contexts=(a_context("ctx_0"),))
        await _embedded(store)
        assert (await store.load(parts)).kept == {"context": 2}
        assert await store.unembedded(SPACE) == 1
        assert await store.history(ADA, "ctx_1") == (*said,)
        shown = await store.find(ADA, TextQuery(terms=("granite",)))
        assert [each.context.content for each in shown.candidates] == ["Granite 3."]
        assert (await store.verify()).ok


async def test_an_export_of_many_tenants_has_them_by_code_points(postgres_dsn: str) -> None:
    tenants = ("Zeta", "alpha", "zeta", "été", "東", "🐈")
    async with opened(postgres_dsn, clock=ManualClock(START)) as store:
        for tenant in reversed(tenants):
            scope = ADA.model_copy(update={"tenant": tenant})
            await keep(store, scope, contexts=(a_context("ctx_1"),))
        records = await exported(store)
        assert [r.tenant for r in records if isinstance(r, ContextRecord)] == [*tenants]
        assert getattr(records[0], "memories", None) == len(tenants)


# The export's transaction.


BUSY = "FROM pg_stat_activity WHERE datname = %s AND xact_start IS NOT NULL"
"""Connections to a database that are in a transaction."""


async def test_an_export_that_is_left_early_leaves_no_transaction_behind(
    cluster: Cluster, postgres_dsn: str
) -> None:
    clock, name = ManualClock(START), conninfo_to_dict(postgres_dsn)["dbname"]
    async with opened(postgres_dsn, clock=clock) as store:
        await fill(store, clock)
        async with aclosing(begun(store)) as walk:
            await anext(walk)
            assert cluster.sql(f"SELECT count(*) {BUSY}", name) == [(1,)]
        cluster.wait_until(f"SELECT NOT EXISTS (SELECT {BUSY})", name)


async def test_an_export_whose_connection_is_cut_says_that_it_is_not_whole(
    cluster: Cluster, postgres_dsn: str
) -> None:
    clock, name = ManualClock(START), conninfo_to_dict(postgres_dsn)["dbname"]
    async with opened(postgres_dsn, clock=clock) as store:
        await fill(store, clock)
        async with aclosing(begun(store)) as walk:
            await anext(walk)
            assert cluster.sql(f"SELECT pg_terminate_backend(pid) {BUSY}", name) == [(True,)]
            with pytest.raises(LinealError) as caught:
                _ = [record async for record in walk]
        assert caught.value.code is ErrorCode.UNAVAILABLE


async def begun(store: Store) -> AsyncGenerator[Record, None]:
    async with aclosing(store.export()) as walk:  # type: ignore[type-var]
        async for record in walk:
            yield record


async def test_a_closed_store_exports_and_takes_in_nothing(postgres_dsn: str) -> None:
    async with opened(postgres_dsn, clock=ManualClock(START)) as store:
        records = await exported(store)
    with pytest.raises(LinealError, match="closed"):
        await exported(store)
    with pytest.raises(LinealError, match="closed"):
        await store.load(records)


# What is a database's own.


async def test_an_import_is_of_one_tenant_at_a_time(postgres_dsn: str) -> None:
    clock = ManualClock(START)
    async with opened(postgres_dsn, clock=clock) as store:
        await fill(store, clock)
        records = await exported(store)
        with pytest.raises(LinealError, match="several tenants"):
            await store.load(records)


async def test_a_read_only_store_exports_and_takes_nothing_in(postgres_dsn: str) -> None:
    clock = ManualClock(START)
    async with opened(postgres_dsn, clock=clock) as store:
        await fill(store, clock)
        records = await exported(store)
    async with opened(postgres_dsn, clock=clock, read_only=True) as store:
        assert body_of(await exported(store)) == body_of(records)
        with pytest.raises(LinealError, match="read-only"):
            await loaded(store, records)


async def test_an_empty_database_takes_the_language_over_and_a_full_one_keeps_its_own(
    cluster: Cluster, postgres_dsn: str, tmp_path: Path
) -> None:
    clock = ManualClock(START)
    german = SqliteStore(tmp_path / "m.db", clock=clock, language="german")
    await german.open()
    await keep(german, contexts=(a_context("ctx_1", content="Die Häuser."),))
    records = await exported(german)
    await german.close()
    second = cluster.new_database()
    for dsn, language in ((second, "english"), (postgres_dsn, "german")):
        async with opened(dsn, clock=clock) as store:
            if language == "english":
                await keep(store, EVIL, contexts=(a_context("ctx_0"),))
            await store.load(records)
            assert getattr((await exported(store))[0], "language", None) == language
            assert (await store.verify()).ok
    cluster.drop_database(second)


# Damage.


FIRST = "(SELECT seq FROM lineal.context WHERE tenant_id = 'acme' AND context_id = 'ctx_1')"
DAMAGE: dict[LiteralString, str] = {
    "UPDATE lineal.context SET occurred_at = 0 WHERE context_id = 'ctx_1' AND": "ctx_1",
    f"UPDATE lineal.context_revision SET body = '{{}}' WHERE context_seq = {FIRST} AND": "ctx_1",
    "DELETE FROM lineal.context_revision WHERE number = 2 AND": "ctx_1",
    "UPDATE lineal.edge SET basis = 'observed' WHERE parent_id = 'far' AND": "ctx_1",
    "UPDATE lineal.sighting SET sighting_body = '{}' WHERE sighting_number = 2 AND": "ctx_1",
    "UPDATE lineal.user_row SET revision = 9 WHERE user_id = 'ada' AND": "ada",
    "UPDATE lineal.user_revision SET body = '{}' WHERE number = 2 AND": "ada",
    "DELETE FROM lineal.user_revision WHERE number = 2 AND": "ada",
    "UPDATE lineal.head SET version = 'v9' WHERE": "ada",
    "UPDATE lineal.outcome SET outcome_body = '{}' WHERE outcome_body ~ 'out_1' AND": "ada",
    "UPDATE lineal.task SET tries = 9 WHERE kind = 'head' AND": "ada",
    "UPDATE lineal.receipt SET answer = 'x' WHERE": "receipt k1",
    "UPDATE lineal.tombstone SET revision = 9 WHERE": "ctx_forgotten",
    f"UPDATE lineal.embedding SET numbers = '[1,2]' WHERE vector_seq = {FIRST} AND": "ctx_1",
    f"UPDATE lineal.embedding SET numbers = '[1,2,0.5,4]' WHERE vector_seq = {FIRST} AND": "ctx_1",
}
"""A change to acme's rows, and what is named."""


@pytest.mark.parametrize("statement", DAMAGE)
async def test_a_damaged_row_is_named_and_the_rest_is_told(
    postgres_dsn: str, tmp_path: Path, statement: LiteralString
) -> None:
    clock = ManualClock(START)
    async with opened(postgres_dsn, clock=clock) as store:
        await fill(store, clock)
        with psycopg.connect(postgres_dsn, user=SUPERUSER) as connection:
            changed = connection.execute(statement + " tenant_id = 'acme'").rowcount
        assert changed == 1 or "context_revision" in statement
        records = await exported(store)
    assert left_out(records) == {DAMAGE[statement]}
    async with filed(tmp_path / "copy.db", clock) as copy:
        await loaded(copy, records)
        assert (await copy.verify()).ok
        assert set(body_of(await exported(copy))) < set(body_of(records))


def left_out(records: Sequence[Record]) -> set[str]:
    assert {r.tenant for r in records if isinstance(r, DamagedRecord)} == {"acme"}
    return {r.name for r in records if isinstance(r, DamagedRecord)}


# Any history.


@pytest.fixture(scope="module")
def places(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Two databases, which each example empties first."""
    dsns = cluster.new_database(), cluster.new_database()
    yield dsns
    for dsn in dsns:
        cluster.drop_database(dsn)


@pytest.mark.slow
@settings(max_examples=max(1, settings().max_examples // 4))
@given(history=st.lists(steps, max_size=25), size=st.integers(1, 9), stop=st.integers(0, 20))
def test_any_history_is_the_same_in_a_file_and_in_databases(
    places: tuple[str, str], history: list[Step], size: int, stop: int
) -> None:
    for dsn in places:
        emptied(dsn)
    with tempfile.TemporaryDirectory() as directory:
        anyio.run(_everywhere, places, Path(directory), history, size, stop)


async def _everywhere(
    places: tuple[str, str], directory: Path, history: list[Step], size: int, stop: int
) -> None:
    """Written alike here and there; carried from the file to a database, interrupted once, and
    back to a file."""
    clock, same = ManualClock(START), ManualClock(START)
    async with (
        filed(directory / "m.db", clock) as origin,
        filed(directory / "back.db", clock) as back,
        opened(places[0], clock=same, pool_max=2) as twin,
        opened(places[1], clock=clock, pool_max=2) as copy,
    ):
        await _done(history, origin, clock)
        await _done(history, twin, same)
        plain = [body_of(await exported(store, vectors=False)) for store in (origin, twin)]
        assert plain[0] == plain[1]
        records = await exported(origin)
        before = await loaded(copy, records[: stop * size], size)
        assert before + await loaded(copy, records, size) == len(records) - 1
        await loaded(back, await exported(copy))
        assert body_of(await exported(copy)) == body_of(records)
        assert body_of(await exported(back)) == body_of(records)
        clock.advance(hours=3)
        for store in (origin, copy, back):
            await _swept(store)
        assert body_of(await exported(copy)) == body_of(await exported(origin))
        assert body_of(await exported(back)) == body_of(await exported(origin))


async def _done(history: list[Step], store: Store, clock: ManualClock) -> None:
    for do in history:
        with suppress(LinealError):  # a step that the store refuses is no step
            await do(store, clock)


async def _swept(store: Store) -> None:
    await store.sweep()
    report = await store.verify()
    # Edges are written here of what was never kept.
    assert [each for each in report.problems if "edges" not in each] == []
    assert report.damaged == ()
