"""A write is whole or not at all."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from pathlib import Path

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError, Unsupported
from lineal.models.changes import Changes, Fingerprint, Plan, Reads, Scope, Snapshot, StoreStats
from lineal.models.claim import Claim, Claims, FieldValue, ValueSource
from lineal.models.context import MemoryType
from lineal.models.lineage import DeclaredLineage, Lineage, ObservedLineage
from lineal.models.search import TextQuery
from lineal.models.user import Head, HeadInfo, UserRow
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, a_receipt, a_user, an_edge, keep

__all__ = ["StoreWrites"]

FULL_CONTEXT = a_context(
    "ctx_full",
    organization_id="org",
    title="Ein Titel ✓",
    summary="Zusammenfassung: naïve café 東京",
    content="Line one.\n\tLine two — with “quotes”, 🐈 and \u0000 inside.",
    tags=("b", "a", "ü"),
    metadata={"n": 1, "f": 0.5, "t": True, "z": None, "deep": {"l": [1, "two"]}},
    nia_references={"indexed_repositories": ["a/b"], "odd": {"k": 1}},
    edited_files=({"file_path": "x.py", "operation": "created", "odd": 1},),
    source="chat",
    session_id="s1",
    speaker="ada",
    project="lineal",
    agent_source="claude-code/2",
    memory_type=MemoryType.PROCEDURAL,
    lineage=Lineage(
        created_at=START,
        source_ids=("ctx_1", "https://example.org"),
        confidence=0.25,
        derived_from=("ctx_1",),
        tool_calls=("append_context:t1",),
        model_version="m1",
        agent_source="claude-code/2",
        declared=DeclaredLineage(confidence=0.25, derived_from=("ctx_1",)),
        observed=ObservedLineage(tool_calls=("append_context:t1",)),
    ),
)

AGE = Claim(
    value=34,
    source=ValueSource.EXTRACTED,
    origin="append",
    occurred_at=START,
    recorded_at=START,
    context_id="ctx_full",
    span=(2, 4),
    confidence=0.9,
    model_version="rules.v1",
)

FULL_USER = a_user(
    fields={"age": FieldValue(value=34, claims=Claims((AGE,)), standing=(0,), ends_at=START)},
    extras={"odd": [1, {"k": None}]},
    memory_ref="jeanmemory://x",
    heads={"coding": HeadInfo(dim=4, version="v1")},
)

SAME = Fingerprint(content_key="key", keys=(1, 2))
HEAD = Head(name="coding", version="v1", vector=(0.5, -0.5, 0.5, -0.5))


class StoreWrites:
    """Commits, revisions, history, receipts, heads and forgetting."""

    async def test_what_is_committed_is_read_back_whole(self, store: Store) -> None:
        await keep(
            store,
            contexts=(FULL_CONTEXT,),
            users=(FULL_USER,),
            heads=(HEAD,),
            receipt=a_receipt("k", '{"a": "ü"}'),
        )
        seen = await store.read(ADA, Reads(user=True, context_ids=("ctx_full",), receipt="k"))
        assert seen.now == START
        assert seen.contexts == {"ctx_full": FULL_CONTEXT}
        assert seen.user == FULL_USER
        assert seen.receipt == a_receipt("k", '{"a": "ü"}')
        assert seen.tombstones == {}
        assert await store.head(ADA, "coding") == HEAD

    async def test_many_rows_of_a_kind_are_kept_in_one_write(self, store: Store) -> None:
        names = tuple(f"ctx_{n}" for n in range(12))
        twice = tuple(a_context(name, revision=r) for name in names for r in (1, 2))
        people = tuple(a_user(user_id=f"user {n}") for n in range(12))
        await keep(store, contexts=twice, users=people)
        seen = await store.read(ADA, Reads(context_ids=names))
        assert {context.revision for context in seen.contexts.values()} == {2}
        assert len(seen.contexts) == 12
        assert (await store.stats(Scope(tenant="acme"))).users == 12
        await keep(store, forget=names[:11])
        assert set(await store.tombstones(ADA, names)) == set(names[:11])

    async def test_a_read_shows_what_was_asked_for_and_nothing_else(self, store: Store) -> None:
        both = (a_context("ctx_1"), a_context("ctx_2"))
        await keep(store, contexts=both, users=(a_user(),), receipt=a_receipt("k"))
        seen = await store.read(ADA, Reads(context_ids=("ctx_1", "ctx_1", "ctx_9")))
        assert seen == Snapshot(now=START, contexts={"ctx_1": a_context("ctx_1")})

    async def test_a_decision_sees_the_rows_and_its_answer_is_returned(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),), users=(a_user(),))

        def decide(seen: Snapshot) -> Plan[tuple[str, UserRow | None]]:
            return Plan(Changes(), (seen.contexts["ctx_1"].content, seen.user))

        reads = Reads(user=True, context_ids=("ctx_1",))
        assert await store.commit(ADA, reads, decide) == ("The note ctx_1.", a_user())

    @pytest.mark.parametrize("error", [LinealError.conflict("no"), KeyError("a bug")])
    async def test_a_decision_that_raises_keeps_nothing(
        self, store: Store, error: Exception
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        before = await _counts(store)

        def decide(_: Snapshot) -> Plan[None]:
            raise error

        with pytest.raises(type(error)) as raised:
            await store.commit(ADA, Reads(user=True), decide)
        assert raised.value is error
        assert await _counts(store) == before
        await keep(store, contexts=(a_context("ctx_2"),))

    async def test_a_conflict_in_one_row_keeps_none_of_the_others(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"), a_context("ctx_3")))
        with pytest.raises(LinealError) as raised:
            await keep(
                store,
                contexts=(a_context("ctx_2"), a_context("ctx_1")),
                users=(a_user(),),
                edges=(an_edge("ctx_2", "ctx_1"),),
                fingerprints={"ctx_2": SAME},
                heads=(HEAD,),
                forget=("ctx_3",),
                receipt=a_receipt("k"),
            )
        assert raised.value.code is ErrorCode.CONFLICT
        asked = ("ctx_1", "ctx_2", "ctx_3")
        reads = Reads(user=True, context_ids=asked, receipt="k", alike=SAME)
        seen = await store.read(ADA, reads)
        assert sorted(seen.contexts) == ["ctx_1", "ctx_3"]
        assert (seen.user, seen.receipt, seen.alike) == (None, None, ())
        assert await store.edges(ADA, asked, "both") == ()
        assert await store.head(ADA, "coding") is None
        assert (await store.find(ADA, TextQuery())).matched == 2
        assert (await store.find(ADA, TextQuery(terms=("note",)))).matched == 2

    @pytest.mark.parametrize(("present", "offered"), [(0, 2), (1, 1), (1, 3), (2, 2)])
    async def test_a_revision_follows_the_present_one_or_conflicts(
        self, store: Store, present: int, offered: int
    ) -> None:
        for revision in range(1, present + 1):
            await keep(store, contexts=(a_context("ctx_1", revision=revision),))
            await keep(store, users=(a_user(revision=revision),))
        for changes in (
            {"contexts": (a_context("ctx_1", revision=offered, content="wrong"),)},
            {"users": (a_user(revision=offered, extras={"wrong": 1}),)},
        ):
            with pytest.raises(LinealError) as raised:
                await keep(store, **changes)
            assert raised.value.code is ErrorCode.CONFLICT
        assert len(await store.history(ADA, "ctx_1")) == present
        assert len(await store.user_history(ADA)) == present

    @pytest.mark.parametrize("moved", [{"user_id": "grace"}, {"domain": "hiring"}])
    async def test_a_context_never_changes_its_owner(
        self, store: Store, moved: dict[str, str]
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        for scope in (Scope(tenant="acme"), ADA.model_copy(update=moved)):
            with pytest.raises(LinealError) as raised:
                await keep(store, scope, contexts=(a_context("ctx_1", revision=2, **moved),))
            assert raised.value.code is ErrorCode.CONFLICT
        assert await store.history(ADA, "ctx_1") == (a_context("ctx_1"),)

    async def test_history_keeps_every_revision_first_to_last(self, store: Store) -> None:
        texts = [a_context("ctx_1", revision=r, content=f"Version {r}.") for r in (1, 2, 3)]
        rows = [a_user(revision=r, extras={"r": r}) for r in (1, 2, 3)]
        for text, row in zip(texts, rows, strict=True):
            await keep(store, contexts=(text,), users=(row,))
        assert await store.history(ADA, "ctx_1") == tuple(texts)
        kept = await store.user_history(ADA)
        assert [UserRow.model_validate_json(row) for row in kept] == rows
        assert await store.history(ADA, "ctx_2") == ()
        seen = await store.read(ADA, Reads(user=True, context_ids=("ctx_1",)))
        assert (seen.contexts["ctx_1"], seen.user) == (texts[2], rows[2])

    async def test_each_write_counts_in_the_stats(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),), users=(a_user(),))
        await keep(store, contexts=(a_context("ctx_1", revision=2),))
        note = a_context("ctx_2", domain="hiring", memory_type=MemoryType.EPISODIC)
        await keep(store, contexts=(note,), edges=(an_edge("ctx_2", "ctx_1"),))
        await keep(store, Scope(tenant="acme"), contexts=(a_context("ctx_3"),), forget=("ctx_2",))
        stats = await store.stats(Scope(tenant="acme"))
        assert (stats.contexts, stats.users, stats.tombstones, stats.edges) == (2, 1, 1, 1)
        assert (stats.by_type, stats.by_domain) == ({"fact": 2}, {"coding": 2})
        assert (stats.revisions, stats.expired_unswept) == (3, 0)

    async def test_a_receipt_is_found_by_its_key_alone(self, store: Store) -> None:
        await keep(store, receipt=a_receipt("k"))
        assert (await store.read(ADA, Reads(receipt="k"))).receipt == a_receipt("k")
        assert (await store.read(ADA, Reads(receipt="K"))).receipt is None
        assert (await store.read(ADA, Reads())).receipt is None

    async def test_a_second_receipt_under_a_key_is_a_conflict(self, store: Store) -> None:
        await keep(store, receipt=a_receipt("k", "1"))
        with pytest.raises(LinealError) as raised:
            await keep(store, contexts=(a_context("ctx_1"),), receipt=a_receipt("k", "2"))
        assert raised.value.code is ErrorCode.CONFLICT
        seen = await store.read(ADA, Reads(receipt="k", context_ids=("ctx_1",)))
        assert (seen.receipt, seen.contexts) == (a_receipt("k", "1"), {})

    async def test_a_head_is_replaced_by_the_next_of_its_name(self, store: Store) -> None:
        await keep(store, users=(a_user(),), heads=(HEAD,))
        newer = Head(name="coding", version="v2", vector=(1.0, 0.0))
        await keep(store, heads=(newer, Head(name="hiring", version="v2", vector=(0.0, 1.0))))
        assert await store.head(ADA, "coding") == newer
        assert await store.head(ADA, "hiring") is not None
        assert await store.head(ADA, "dating") is None

    async def test_forgetting_takes_content_and_history_and_leaves_a_mark(
        self, store: Store, clock: ManualClock
    ) -> None:
        said = a_receipt("k", '{"context_id": "ctx_1"}')
        note = a_context("ctx_1")
        await keep(store, contexts=(note,), fingerprints={"ctx_1": SAME}, receipt=said)
        await keep(store, contexts=(a_context("ctx_1", revision=2), a_context("ctx_2")))
        edges = (an_edge("ctx_2", "ctx_1"),)
        named = a_receipt("other", '{"context_id": "ctx_2", "source_ids": ["ctx_1"]}')
        await keep(store, edges=edges, receipt=named)
        ended_at = clock.advance(hours=1)
        done = a_receipt("f", '{"context_id": "ctx_1", "forgotten": ["ctx_1"]}')
        await keep(store, Scope(tenant="acme"), forget=("ctx_1",), receipt=done)
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), receipt="k", alike=SAME))
        assert (seen.contexts, seen.alike) == ({}, ())
        assert seen.receipt == said.model_copy(update={"answer": ""})
        mark = seen.tombstones["ctx_1"]
        assert (mark.reason, mark.revision, mark.memory_type) == ("forgotten", 2, "fact")
        assert (mark.created_at, mark.ended_at) == (START, ended_at)
        assert (mark.user_id, mark.domain) == ("ada", "coding")
        assert await store.history(ADA, "ctx_1") == ()
        assert await store.edges(ADA, ("ctx_1",), "down") == edges
        assert (await store.find(ADA, TextQuery(terms=("note",)))).matched == 1
        assert (await store.read(ADA, Reads(receipt="f"))).receipt == done
        assert (await store.read(ADA, Reads(receipt="other"))).receipt == named

    async def test_a_rewritten_row_shows_nothing_of_what_it_was(self, store: Store) -> None:
        old = a_user(memory_ref="canary://ref")
        done = a_receipt("k", '{"memory_ref": "canary://ref"}')
        await keep(store, users=(old,), receipt=done)
        new = a_user(revision=2)
        await keep(store, Scope(tenant="acme"), rewritten=(new,))
        assert (await store.read(ADA, Reads(user=True))).user == new
        assert len(await store.user_history(ADA)) == 1
        assert "canary" not in "".join(await store.user_history(ADA))
        receipt = (await store.read(ADA, Reads(receipt="k"))).receipt
        assert receipt is not None
        assert receipt.answer == ""
        await keep(store, users=(a_user(revision=3),))
        assert len(await store.user_history(ADA)) == 2
        assert (await store.verify()).ok

    async def test_a_row_keeps_only_the_heads_that_it_names(self, store: Store) -> None:
        head = Head(name="coding", version="v1", vector=(0.6, 0.8))
        await keep(store, users=(a_user(heads={"coding": head.info}),), heads=(head,))
        assert await store.head(ADA, "coding") is not None
        await keep(store, users=(a_user(revision=2),))
        assert await store.head(ADA, "coding") is None

    @pytest.mark.parametrize("revision", [1, 2])
    async def test_a_forgotten_id_takes_no_new_revision(self, store: Store, revision: int) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await keep(store, forget=("ctx_1",))
        with pytest.raises(LinealError) as raised:
            await keep(store, contexts=(a_context("ctx_1", revision=revision),))
        assert raised.value.code is ErrorCode.CONFLICT
        assert (await store.read(ADA, Reads(context_ids=("ctx_1",)))).contexts == {}

    async def test_forgetting_an_unknown_id_leaves_no_mark(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),), forget=("ctx_9",))
        assert await store.tombstones(ADA, ("ctx_9", "ctx_1")) == {}

    async def test_opening_again_is_harmless(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await store.open()
        assert (await store.read(ADA, Reads(context_ids=("ctx_1",)))).contexts

    async def test_every_row_verifies_as_it_was_written(self, store: Store) -> None:
        await keep(store, contexts=(FULL_CONTEXT, a_context("ctx_2")), users=(FULL_USER,))
        await keep(store, contexts=(a_context("ctx_2", revision=2),), forget=("ctx_full",))
        told: list[tuple[int, int]] = []
        report = await store.verify(lambda done, total: told.append((done, total)))
        assert report.ok
        assert report.checked >= 2
        assert all(done <= total for done, total in told)

    async def test_a_backup_is_written_once_or_refused(self, store: Store, tmp_path: Path) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        target = tmp_path / "copy"
        try:
            size_bytes = await store.backup(target)
        except Unsupported as refused:
            told = refused
        else:
            assert target.stat().st_size == size_bytes > 0
            with pytest.raises(LinealError):
                await store.backup(target)
            return
        assert told.details["capability"] == Capability.MAINTENANCE
        assert not target.exists()


async def _counts(store: Store) -> StoreStats:
    """Without sizes, which an engine's housekeeping changes when it likes."""
    found = await store.stats(ADA)
    return found.model_copy(update={"size_bytes": 0, "wal_bytes": 0})
