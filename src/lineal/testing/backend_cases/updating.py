"""update_context and history as every backend does them (N1-N23)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.context import ContextAnswer, MemoryType
from lineal.models.lineage import DeclaredLineage
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import CONTENT, Caller, needs

__all__ = ["BackendUpdates"]

UPDATERS = 20

SENT: dict[str, Any] = {
    "title": "A new title",
    "summary": "A new summary of it.",
    "content": "The walnut was planted where the almond stood, years before anyone asked.",
    "tags": ("new", "x"),
    "metadata": {"new": True},
    "nia_references": {"indexed_repositories": ["a/b"], "odd": {"k": 1}},
    "edited_files": ({"file_path": "y.py", "operation": "deleted", "odd": 1},),
    "memory_type": MemoryType.PROCEDURAL,
    "ttl_seconds": 60,
    "lineage": DeclaredLineage(confidence=0.5),
}

FOLLOWS: dict[str, set[str]] = {"memory_type": {"expires_at"}, "ttl_seconds": {"expires_at"}}
"""What else a field's change may change; always revision, updated_at and lineage."""


class BackendUpdates:
    """Only what is sent changes; every revision is kept; an ended memory stays ended."""

    @pytest.mark.parametrize("field", list(SENT))
    async def test_n1_only_what_is_sent_changes(
        self, backend: Backend, ada: Caller, clock: ManualClock, field: str
    ) -> None:
        before = await _stored(backend, ada)
        clock.advance(minutes=1)
        after = await ada.update(before.id, **{field: SENT[field]})
        moved = {name for name in type(after).model_fields if _differs(before, after, name)}
        assert moved - {"revision", "updated_at", "lineage", "forwarded"} <= {field} | FOLLOWS.get(
            field, set()
        )
        if field not in ("lineage", "ttl_seconds"):
            assert getattr(after, field) == SENT[field]

    async def test_n23_the_answer_is_the_whole_context(self, backend: Backend, ada: Caller) -> None:
        before = await _stored(backend, ada)
        after = await ada.update(before.id, **SENT)
        assert _itself(after) == _itself(await ada.get(before.id))
        assert await ada.get(before.id, revision=1) == before

    @pytest.mark.parametrize(
        ("sent", "life"),
        [
            ({"title": "Nothing of time"}, timedelta(seconds=100)),
            ({"memory_type": MemoryType.SCRATCHPAD}, timedelta(seconds=10 + 3_600)),
            ({"memory_type": MemoryType.EPISODIC}, timedelta(seconds=10 + 604_800)),
            ({"memory_type": MemoryType.FACT}, None),
            ({"ttl_seconds": 5}, timedelta(seconds=10 + 5)),
            ({"ttl_seconds": 9, "memory_type": MemoryType.FACT}, timedelta(seconds=10 + 9)),
            ({"ttl_seconds": None}, timedelta(seconds=10 + 604_800)),
            ({"ttl_seconds": None, "memory_type": MemoryType.FACT}, None),
        ],
        ids=lambda value: str(value),
    )
    async def test_n7_to_n13_how_long_it_lives_from_now(
        self,
        backend: Backend,
        ada: Caller,
        clock: ManualClock,
        sent: dict[str, Any],
        life: timedelta | None,
    ) -> None:
        needs(backend, Capability.TTL)
        began = clock.now()
        stored = await _stored(backend, ada, memory_type=MemoryType.EPISODIC, ttl_seconds=100)
        clock.advance(seconds=10)
        answer = await ada.update(stored.id, **sent)
        assert answer.expires_at == (None if life is None else began + life)

    async def test_n12_a_life_of_nothing_ends_at_once(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.TTL)
        stored = await _stored(backend, ada)
        await ada.update(stored.id, ttl_seconds=0)
        await _not_found(ada.get(stored.id))

    async def test_n14_an_update_never_revives_what_has_ended(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.TTL)
        stored = await _stored(backend, ada, ttl_seconds=60)
        clock.advance(seconds=60)
        await _not_found(ada.update(stored.id, ttl_seconds=3_600))
        await _not_found(ada.get(stored.id))

    async def test_n14_an_update_never_revives_what_was_forgotten(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.FORGET)
        stored = await _stored(backend, ada)
        await ada.forget(stored.id)
        await _not_found(ada.update(stored.id, title="Back again"))
        await _not_found(ada.history(stored.id))

    async def test_n15_an_unknown_id_is_not_found(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.UPDATE)
        await _not_found(ada.update("ctx_unknown", title="Whatever"))

    async def test_n16_lists_and_objects_are_replaced_whole(
        self, backend: Backend, ada: Caller
    ) -> None:
        stored = await _stored(backend, ada, tags=("a", "b"), metadata={"a": 1, "b": {"c": 2}})
        after = await ada.update(stored.id, tags=("c",), metadata={"b": {"d": 3}})
        assert (after.tags, after.metadata) == (("c",), {"b": {"d": 3}})
        await ada.update(stored.id, edited_files=SENT["edited_files"])
        emptied = await ada.update(stored.id, tags=(), metadata={}, edited_files=())
        assert (emptied.tags, emptied.metadata, emptied.edited_files) == ((), {}, ())

    async def test_n17_each_revision_keeps_its_own_lineage(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.HISTORY)
        declared = DeclaredLineage(confidence=0.5, model_version="m1")
        stored = await _stored(backend, ada, lineage=declared)
        clock.advance(hours=1)
        await ada.update(stored.id, lineage=DeclaredLineage(derived_from=("ctx_x",)))
        first, second = await ada.history(stored.id)
        assert (first.lineage.confidence, first.lineage.model_version) == (0.5, "m1")
        assert (second.lineage.confidence, second.lineage.model_version) == (None, None)
        assert second.lineage.derived_from == ("ctx_x",)
        assert first.lineage.created_at == second.lineage.created_at == stored.created_at

    async def test_n18_who_and_when_first_never_change(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        stored = await _stored(backend, ada)
        later = clock.advance(days=1)
        after = await ada.update(stored.id, title="Later on")
        kept = ("id", "user_id", "organization_id", "agent_source", "created_at", "domain")
        assert [getattr(after, name) for name in kept] == [getattr(stored, name) for name in kept]
        assert (after.updated_at, after.revision) == (later, 2)

    async def test_n19_null_is_not_sent(self, backend: Backend, ada: Caller) -> None:
        stored = await _stored(backend, ada, title="It stays", tags=("kept",))
        after = await ada.update(stored.id, title=None, tags=None, summary="Only this changed.")
        assert (after.title, after.tags) == ("It stays", ("kept",))

    async def test_n21_references_and_files_keep_their_unknown_keys(
        self, backend: Backend, ada: Caller
    ) -> None:
        stored = await _stored(backend, ada)
        rich = {"indexed_repositories": [{"repo": "a/b", "odd": 1}], "web_searches": ["q"]}
        after = await ada.update(stored.id, nia_references=rich)
        assert after.nia_references == rich

    async def test_n22_search_follows_at_once(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.SEARCH)
        stored = await _stored(backend, ada)
        assert await ada.found("manifest") == [stored.id]
        await ada.update(stored.id, content=SENT["content"])
        assert await ada.found("manifest") == []
        assert await ada.found("walnut") == [stored.id]

    async def test_an_unexpected_revision_is_a_conflict_and_changes_nothing(
        self, backend: Backend, ada: Caller
    ) -> None:
        stored = await _stored(backend, ada)
        with pytest.raises(LinealError) as raised:
            await ada.update(stored.id, title="Too late", expected_revision=2)
        assert raised.value.code is ErrorCode.CONFLICT
        assert await ada.get(stored.id) == stored

    async def test_of_many_updates_of_one_revision_exactly_one_wins(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.HISTORY)
        stored = await _stored(backend, ada)
        outcomes: list[str] = []

        async def update(number: int) -> None:
            try:
                answer = await ada.update(stored.id, title=f"Title {number}", expected_revision=1)
                outcomes.append(f"{answer.title}")
            except LinealError as refused:
                outcomes.append(refused.code)

        async with anyio.create_task_group() as tasks:
            for number in range(UPDATERS):
                tasks.start_soon(update, number)
        assert outcomes.count(ErrorCode.CONFLICT) == UPDATERS - 1
        history = await ada.history(stored.id)
        assert [revision.revision for revision in history] == [1, 2]
        assert history[1].title in outcomes

    async def test_a_past_revision_is_read_by_its_number(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.HISTORY)
        stored = await _stored(backend, ada)
        await ada.update(stored.id, content=SENT["content"])
        assert (await ada.get(stored.id, revision=1)).content == CONTENT
        assert (await ada.get(stored.id, revision=2)).content == SENT["content"]
        await _not_found(ada.get(stored.id, revision=3))

    async def test_a_repeated_update_makes_one_revision(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.IDEMPOTENCY, Capability.HISTORY)
        stored = await _stored(backend, ada)
        first = await ada.update(stored.id, title="Once", idempotency_key="k")
        assert await ada.update(stored.id, title="Once", idempotency_key="k") == first
        assert len(await ada.history(stored.id)) == 2


async def _stored(backend: Backend, ada: Caller, **values: Any) -> ContextAnswer:
    """A stored context of ada, as get_context shows it."""
    needs(backend, Capability.USERS, Capability.UPDATE, Capability.GET)
    await ada.upsert()
    return await ada.get((await ada.append(**values)).context_id)


def _itself(answer: ContextAnswer) -> ContextAnswer:
    """The context alone, not how the call that shows it came about."""
    return answer.model_copy(update={"forwarded": None})


async def _not_found(call: Any) -> None:
    with pytest.raises(LinealError) as raised:
        await call
    assert raised.value.code is ErrorCode.NOT_FOUND


def _differs(before: ContextAnswer, after: ContextAnswer, name: str) -> bool:
    return bool(getattr(before, name) != getattr(after, name))
