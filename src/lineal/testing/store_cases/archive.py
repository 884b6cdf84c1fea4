"""Carrying all that is kept from one store to another."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from lineal.clock import Clock, ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.archive import BODIES_CHARS, Header, Record, VectorRecord, tenant_of
from lineal.models.changes import Fingerprint, Reads, Scope, Snapshot, Withholding
from lineal.models.context import MemoryType
from lineal.models.search import CandidatePage, TextQuery
from lineal.models.sheet import Meaning, Pieces, Space
from lineal.models.user import Head
from lineal.policy.archiving import Tally, line_of
from lineal.ports.store import Store
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

__all__ = ["StoreArchive", "body_of", "exported", "fill", "loaded"]

EVIL = ADA.model_copy(update={"tenant": "evil"})
GRACE = ADA.model_copy(update={"user_id": "grace"})
SPACE = Space("letters.v1", 4)
IN_BATCHES_OF = 3


async def exported(
    store: Store, tenant: str | None = None, *, vectors: bool = True
) -> list[Record]:
    return [record async for record in store.export(tenant, vectors=vectors)]


def body_of(records: Sequence[Record]) -> list[bytes]:
    """The lines behind the header: the same for stores that keep the same."""
    return [line_of(record) for record in records[1:]]


async def loaded(store: Store, records: Sequence[Record], size: int = IN_BATCHES_OF) -> int:
    """How many were kept, of one tenant at a time."""
    kept = 0
    for _, of_one in groupby(records, tenant_of):
        part = list(of_one)
        for start in range(0, len(part), size):
            done = await store.load(part[start : start + size])
            kept += sum(done.kept.values())
    return kept


async def fill(store: Store, clock: ManualClock) -> None:
    """Something of every kind behind two walls; what has expired isn't swept."""
    await keep(store, GRACE, users=(a_user(user_id="grace"),))
    await _user_with_a_past(store)
    await _contexts(store)
    await keep(store, EVIL, contexts=(a_context("ctx_1", content="Another's granite."),))
    await keep(store, EVIL, contexts=(a_context("ctx_gone"),), receipt=a_receipt("k1"))
    await _embedded(store)
    held = Withholding(root="ctx_root", context_ids=("ctx_held",), until=_at(days=3))
    await keep(store, withhold=held)
    await keep(store, EVIL, forget=("ctx_gone",))
    clock.advance(hours=2)
    await keep(store, forget=("ctx_forgotten",))


async def _user_with_a_past(store: Store) -> None:
    for revision in (1, 2, 3):
        head = Head(name="coding", version=f"v{revision}", vector=(0.6, 0.8))
        user = a_user(revision=revision, heads={"coding": head.info}, updated_at=_at(revision))
        await keep(store, users=(user,), heads=(head,))
    await keep(store, outcomes=(an_outcome("out_2"), an_outcome("out_1", candidate_id="lin")))
    await keep(store, tasks=(a_task(), a_task(kind="extract", context_id="ctx_2")))


async def _contexts(store: Store) -> None:
    """Out of the order of their ids."""
    said = {"session_id": "s", "speaker": "Ada"}
    await keep(store, contexts=(a_context("ctx_2", content="Walnut doors.", **said),))
    first = a_context("ctx_1", content="Velvet curtains in May?", tags=("b", "a"), project="p")
    print_of = {"ctx_1": Fingerprint(content_key="0" * 32, keys=(2**62, 7))}
    await keep(
        store, contexts=(first,), fingerprints=print_of, receipt=a_receipt("k1", '{"shown": 1}')
    )
    for revision in (2, 3):
        content, at = f"Velvet and granite, {revision}.", _at(revision)
        again = a_context("ctx_1", revision=revision, content=content, updated_at=at, project="q")
        await keep(store, contexts=(again,))
    await keep(store, sightings=(a_sighting("ctx_1"), a_sighting("ctx_1", source="doc")))
    await keep(store, contexts=(a_context("ctx_held", content="Almonds withheld.", **said),))
    await keep(store, sightings=(a_sighting("ctx_held"),))
    ends = a_context("ctx_ends", memory_type=MemoryType.SCRATCHPAD, expires_at=_at(60))
    await keep(store, contexts=(ends, a_context("ctx_forgotten", content="Granite dust.", **said)))
    edges = (an_edge("ctx_1", "ctx_2"), an_edge("ctx_forgotten", "ctx_1"), an_edge("ctx_1", "far"))
    await keep(store, edges=edges)


async def _embedded(store: Store) -> None:
    """One of them has no vector, as an empty text has none."""
    while (batch := await store.claim(SPACE, "one", limit=2)) is not None:
        empty = [item.context.context_id == "ctx_2" for item in batch.items]
        made = [(0.0,) * 4 if each else (0.5, -0.5, 0.5, -0.5) for each in empty]
        pieces = [Pieces((3, 500), bytes(range(8))) for _ in batch.items]
        await store.keep_vectors(batch, made, pieces)


def _at(minutes: int = 0, *, days: int = 0) -> datetime:
    return START + timedelta(minutes=minutes, days=days)


async def _found(store: Store) -> list[CandidatePage]:
    """By words, by meaning, and without any."""
    meaning = Meaning(SPACE, (1.0, 0.0, 0.0, 0.0), 1.0, Pieces((3,), bytes((127, 0, 0, 0))))
    asked = (
        TextQuery(terms=("granite", "walnut")),
        TextQuery(terms=("granite",), meaning=meaning),
        TextQuery(),
    )
    return [await store.find(Scope(tenant=t), query) for t in ("acme", "evil") for query in asked]


async def _read(store: Store) -> list[Snapshot]:
    ids = ("ctx_1", "ctx_2", "ctx_held", "ctx_ends", "ctx_forgotten", "ctx_gone")
    like = Fingerprint(content_key="1" * 32, keys=(7,))
    reads = Reads(user=True, context_ids=ids, sightings=True, revisions=5, alike=like, receipt="k1")
    return [await store.read(scope, reads) for scope in (ADA, EVIL, GRACE)]


async def _told(store: Store) -> list[object]:
    ends = {"size_bytes": 0, "wal_bytes": 0}
    stats = [await store.stats(Scope(tenant=tenant)) for tenant in ("acme", "evil")]
    return [
        await store.history(ADA, "ctx_1"),
        await store.edges(ADA, ("ctx_1",), "both"),
        await store.user_history(ADA),
        await store.head(ADA, "coding"),
        [peer[:2] for peer in await store.peers(ADA, "coding")],
        (await store.outcomes(Scope(tenant="acme"))).outcomes,
        await store.due(),
        await store.speakers(Scope(tenant="acme"), None),
        [each.model_copy(update=ends) for each in stats],
    ]


async def _entries(store: Store) -> int:
    """How many contexts the index holds, swept or not."""
    stats = [await store.stats(Scope(tenant=tenant)) for tenant in ("acme", "evil")]
    return sum(each.contexts + each.expired_unswept for each in stats)


class StoreArchive:
    """What one store exports another takes in, and is the same store then."""

    def make_store(self, clock: Clock, directory: Path) -> Store:
        """A new, empty, unopened store that takes its time from `clock`."""
        raise NotImplementedError

    @asynccontextmanager
    async def another(self, clock: Clock, directory: Path) -> AsyncIterator[Store]:
        """An empty store in a directory that isn't there yet."""
        store = self.make_store(clock, directory)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def copy(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
        async with self.another(clock, tmp_path / "copy") as store:
            yield store

    async def test_a_copy_exports_what_the_original_exports(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        records = await exported(store)
        assert await loaded(copy, records) == len(records) - 1
        assert body_of(await exported(copy)) == body_of(records)
        assert (await copy.verify()).ok
        assert (await store.verify()).ok

    async def test_every_kind_is_in_it_and_its_lines_are_counted(
        self, store: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        tally = Tally()
        for record in await exported(store):
            tally.add(record, line_of(record))
        counts = tally.end().counts
        assert counts == {
            **{"header": 1, "context": 5, "sighting": 3, "vector": counts["vector"]},
            **{"tombstone": 2, "edge": 3, "user": 2, "head": 1},
            **{"outcome": 2, "task": 2, "receipt": 2},
        }
        assert counts["vector"] >= 2

    async def test_a_copy_answers_as_the_original(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        await loaded(copy, await exported(store))
        assert await _found(copy) == await _found(store)
        assert await _read(copy) == await _read(store)
        assert await _told(copy) == await _told(store)

    async def test_what_is_withheld_can_be_given_back_in_a_copy(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        await loaded(copy, await exported(store))
        for each in (store, copy):
            seen = await each.read(ADA, Reads(withheld_by="ctx_root"))
            assert [context.context_id for context in seen.withheld] == ["ctx_held"]
            await keep(each, restore=("ctx_held",))
        assert await _found(copy) == await _found(store)
        assert (await copy.verify()).ok

    async def test_what_has_expired_is_swept_in_a_copy(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        records = await exported(store)
        await loaded(copy, records)
        assert (await copy.sweep()).contexts == (await store.sweep()).contexts == 1
        assert body_of(await exported(copy)) == body_of(await exported(store))
        assert await loaded(copy, records) == 0

    async def test_loading_again_keeps_nothing_twice(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        records = await exported(store)
        await loaded(copy, records)
        assert await loaded(copy, records, size=500) == 0
        assert body_of(await exported(copy)) == body_of(records)

    async def test_an_interrupted_import_goes_on_from_any_batch(
        self, clock: ManualClock, store: Store, tmp_path: Path
    ) -> None:
        await fill(store, clock)
        records = await exported(store)
        for stop in range(0, len(records), IN_BATCHES_OF):
            async with self.another(clock, tmp_path / str(stop)) as copy:
                before = await loaded(copy, records[:stop])
                assert (await copy.verify()).ok
                after = await loaded(copy, records)
                assert before + after == len(records) - 1
                assert body_of(await exported(copy)) == body_of(records)

    async def test_a_context_of_many_revisions_is_carried_in_parts(
        self, store: Store, copy: Store
    ) -> None:
        """Each part leaves a context that is whole as of a revision."""
        long = "x" * (BODIES_CHARS // 2)
        for revision in range(1, 6):
            context = a_context("ctx_1", revision=revision, content=f"{long} {revision}")
            await keep(store, contexts=(context,))
        records = await exported(store)
        firsts = [record.first for record in records if record.kind == "context"]
        assert len(firsts) > 1
        for record in records:
            await copy.load([record])
            assert (await copy.verify()).ok
        assert body_of(await exported(copy)) == body_of(records)

    async def test_a_user_of_many_revisions_keeps_the_latest(
        self, store: Store, copy: Store
    ) -> None:
        for revision in range(1, 70):
            await keep(store, users=(a_user(revision=revision),))
        records = await exported(store)
        assert await loaded(copy, records) == 1
        assert await copy.user_history(ADA) == await store.user_history(ADA)
        assert (await copy.verify()).ok

    async def test_one_tenants_export_holds_nothing_of_another(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        records = await exported(store, "evil")
        assert all(b'"acme"' not in line for line in body_of(records))
        await loaded(copy, records)
        assert (await copy.stats(Scope(tenant="acme"))).contexts == 0
        assert (await copy.stats(Scope(tenant="evil"))).contexts == 1

    async def test_without_vectors_they_wait_to_be_made_in_the_copy(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        records = await exported(store, vectors=False)
        assert not any(isinstance(record, VectorRecord) for record in records)
        await loaded(copy, records)
        assert await store.unembedded(SPACE) == 0
        assert await copy.unembedded(SPACE) == await _entries(copy) > 1

    async def test_with_vectors_only_those_without_one_wait(
        self, store: Store, copy: Store, clock: ManualClock
    ) -> None:
        await fill(store, clock)
        records = await exported(store)
        await loaded(copy, records)
        vectors = sum(isinstance(record, VectorRecord) for record in records)
        assert await copy.unembedded(SPACE) == await _entries(copy) - vectors == 1
        await _embedded(copy)
        assert await copy.unembedded(SPACE) == 0
        assert body_of(await exported(copy)) == body_of(records)

    async def test_something_else_under_the_same_id_is_a_conflict_that_names_it(
        self, store: Store, copy: Store
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"), a_context("ctx_2")))
        await keep(copy, contexts=(a_context("ctx_2", content="Something else."),))
        before = body_of(await exported(copy))
        with pytest.raises(LinealError, match="'ctx_2'") as caught:
            await copy.load(await exported(store))
        assert caught.value.code is ErrorCode.CONFLICT
        assert body_of(await exported(copy)) == before

    async def test_what_was_forgotten_is_not_brought_back(self, store: Store, copy: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        records = await exported(store)
        await copy.load(records)
        await keep(copy, forget=("ctx_1",))
        with pytest.raises(LinealError, match="'ctx_1'"):
            await copy.load(records)
        await keep(store, forget=("ctx_1",))
        assert await loaded(copy, await exported(store)) == 0

    async def test_a_memory_that_was_changed_meanwhile_is_a_conflict(
        self, store: Store, copy: Store
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),), users=(a_user(),))
        records = await exported(store)
        await copy.load(records)
        await keep(copy, contexts=(a_context("ctx_1", revision=2),))
        with pytest.raises(LinealError, match="'ctx_1'"):
            await copy.load(records)

    async def test_the_stores_time_is_never_before_the_origins(
        self, store: Store, tmp_path: Path
    ) -> None:
        """What had ended there has ended here, though this clock is behind."""
        await keep(store, contexts=(a_context("ctx_1", expires_at=START),))
        clock = ManualClock(START - timedelta(hours=1))
        async with self.another(clock, tmp_path / "behind") as behind:
            await behind.load(await exported(store))
            assert (await behind.read(ADA, Reads())).now == START
            assert not (await behind.read(ADA, Reads(context_ids=("ctx_1",)))).contexts

    async def test_a_time_that_cant_be_believed_is_refused(
        self, store: Store, tmp_path: Path
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        clock = ManualClock(START - timedelta(days=2))
        async with self.another(clock, tmp_path / "behind") as behind:
            with pytest.raises(LinealError, match="clock"):
                await behind.load(await exported(store))
            assert (await exported(behind))[1:] == []

    async def test_a_header_says_whose_and_of_when_it_is(self, store: Store) -> None:
        header = (await exported(store, "acme", vectors=False))[0]
        assert isinstance(header, Header)
        told = (header.tenant, header.vectors, header.made_at, header.memories)
        assert told == ("acme", False, START, 0)
        assert header.clock.high == START

    async def test_it_is_of_one_instant(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        walk = store.export()
        records = [await anext(walk)]
        await keep(store, contexts=(a_context("ctx_2"),), forget=("ctx_1",))
        records += [record async for record in walk]
        assert [record.context_id for record in records if record.kind == "context"] == ["ctx_1"]
