"""append_context, search and get as every backend does them (A1-A3, A10, E4)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.context import MemoryType
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import CONTENT, Caller, needs

__all__ = ["BackendAppends"]

CALLS = 20


class BackendAppends:
    """A context goes to a user who exists, once per idempotency key."""

    async def test_a2_an_unknown_user_is_refused_and_not_created(
        self, backend: Backend, ada: Caller
    ) -> None:
        for _ in range(2):
            with pytest.raises(LinealError) as raised:
                await ada.append()
            assert raised.value.code is ErrorCode.NOT_FOUND
            assert "upsert_user" in raised.value.message
        needs(backend, Capability.USERS)
        with pytest.raises(LinealError):
            await ada.user()

    async def test_a2_a_user_of_another_domain_is_unknown_here(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        await ada.upsert()
        with pytest.raises(LinealError) as raised:
            await Caller(backend, domain="other").append()
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_a1_a_default_user_is_made_at_first_use(
        self, backend: Backend, ada: Caller
    ) -> None:
        first = await ada.append_provisioned("The first thing this agent noted for itself.")
        second = await ada.append_provisioned("Another thing entirely, about harbour cranes.")
        assert first.context_id != second.context_id
        needs(backend, Capability.USERS)
        assert (await ada.user()).user_id == "ada"

    async def test_a3_the_answer_says_what_was_stored_and_until_when(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL)
        await ada.upsert()
        answer = await ada.append(memory_type=MemoryType.EPISODIC)
        assert (answer.user_id, answer.domain) == ("ada", "notes")
        assert answer.memory_type is MemoryType.EPISODIC
        assert answer.expires_at == clock.now() + timedelta(days=7)
        assert answer.lineage.created_at == clock.now()
        assert (answer.fields_updated, answer.embeddings_refreshed) == ((), False)
        assert answer.duplicate_of is None

    async def test_what_was_appended_is_read_back_as_it_came(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.GET)
        await ada.upsert()
        parts = {
            "source": "chat",
            "title": "Ein Titel",
            "summary": "Was darin steht, in einem Satz.",
            "tags": ("b", "a"),
            "metadata": {"n": 1, "deep": {"l": [1.5, None, "ü"]}},
            "session_id": "s1",
            "speaker": "ada",
        }
        answer = await ada.append(
            "Zeile 1\n\tZeile 2 — “naïve” 東京 🐈, long enough to keep.", **parts
        )
        kept = await ada.get(answer.context_id)
        assert {name: getattr(kept, name) for name in parts} == parts
        assert kept.content.startswith("Zeile 1\n\tZeile 2")
        assert (kept.id, kept.revision) == (answer.context_id, 1)

    async def test_a10_an_event_happened_when_it_is_said_or_else_now(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.GET)
        await ada.upsert()
        unsaid = await ada.append()
        earlier = datetime(2020, 2, 29, 23, 59, 59, 999_000, tzinfo=UTC)
        said = await ada.append("The harbour froze over that winter.", occurred_at=earlier)
        assert (await ada.get(unsaid.context_id)).occurred_at == clock.now()
        kept = await ada.get(said.context_id)
        assert (kept.occurred_at, kept.created_at) == (earlier, clock.now())

    async def test_a_search_finds_by_words_filters_and_age(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.SEARCH)
        await ada.upsert()
        walnut = (await ada.append("The walnut tree was felled.", tags=("garden",))).context_id
        kind = MemoryType.PROCEDURAL
        almond = (await ada.append("Roast an almond slowly.", memory_type=kind)).context_id
        assert await ada.found("walnut") == [walnut]
        assert set(await ada.found("walnut almond")) == {walnut, almond}
        assert await ada.found("quartz") == []
        assert await ada.found("?!") == []
        assert await ada.found(tags=("garden",)) == [walnut]
        assert await ada.found(memory_types=(kind,)) == [almond]
        assert await ada.found("walnut", memory_types=(kind,)) == []
        assert await ada.found() == [almond, walnut]

    async def test_a_search_says_how_many_it_left_out(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.USERS, Capability.SEARCH)
        await ada.upsert()
        for subject in ("granite", "velvet", "copper"):
            await ada.append(f"A lantern made of {subject}.")
        answer = await ada.search("lantern", limit=2)
        assert (len(answer.hits), answer.more) == (2, 1)
        assert [hit.score for hit in answer.hits] == sorted(
            (hit.score for hit in answer.hits), reverse=True
        )

    async def test_a_search_stays_with_its_user_and_domain(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.SEARCH)
        grace, elsewhere = Caller(backend, user_id="grace"), Caller(backend, domain="other")
        for caller in (ada, grace, elsewhere):
            await caller.upsert()
        mine = (await ada.append()).context_id
        assert await ada.found("manifest") == [mine]
        assert await grace.found("manifest") == []
        assert await elsewhere.found("manifest") == []

    async def test_no_verb_crosses_a_tenants_wall(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.USERS)
        await ada.upsert()
        context_id = (await ada.append()).context_id
        evil = Caller(backend, tenant="evil")
        calls: dict[Capability, Callable[[], Awaitable[object]]] = {
            Capability.GET: lambda: evil.get(context_id),
            Capability.UPDATE: lambda: evil.update(context_id, title="Mine now"),
            Capability.FORGET: lambda: evil.forget(context_id),
            Capability.HISTORY: lambda: evil.history(context_id),
            Capability.LINEAGE: lambda: evil.trace(context_id),
            Capability.USERS: evil.user,
        }
        for capability, call in calls.items():
            if backend.capabilities[capability] == "refused":
                continue
            with pytest.raises(LinealError) as raised:
                await call()
            assert raised.value.code is ErrorCode.NOT_FOUND, capability
        if backend.capabilities[Capability.SEARCH] != "refused":
            assert await evil.found() == []
            assert await ada.found() == [context_id]

    async def test_a_repeated_request_is_done_once(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.USERS, Capability.IDEMPOTENCY, Capability.SEARCH)
        await ada.upsert()
        first = await ada.append(idempotency_key="k1")
        assert await ada.append(idempotency_key="k1") == first
        assert await ada.found() == [first.context_id]
        evil = Caller(backend, tenant="evil")
        await evil.upsert()
        assert (await evil.append(idempotency_key="k1")).context_id != first.context_id

    async def test_a_key_used_for_another_request_is_a_conflict(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.IDEMPOTENCY, Capability.SEARCH)
        await ada.upsert()
        first = await ada.append(idempotency_key="k1")
        with pytest.raises(LinealError) as raised:
            await ada.append("Something else altogether was said here.", idempotency_key="k1")
        assert raised.value.code is ErrorCode.CONFLICT
        assert await ada.found() == [first.context_id]

    async def test_many_requests_with_one_key_at_once_are_done_once(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS, Capability.IDEMPOTENCY, Capability.SEARCH)
        await ada.upsert()
        ids: list[str] = []

        async def append() -> None:
            ids.append((await ada.append(idempotency_key="k1")).context_id)

        async with anyio.create_task_group() as tasks:
            for _ in range(CALLS):
                tasks.start_soon(append)
        assert (len(ids), len(set(ids))) == (CALLS, 1)
        assert await ada.found() == [ids[0]]

    async def test_e4_what_was_answered_is_there_after_a_restart(
        self, backend: Backend, ada: Caller, reopened: Backend | None
    ) -> None:
        needs(backend, Capability.USERS, Capability.GET)
        if reopened is None:
            pytest.skip("nothing of this backend outlives its process")
        await ada.upsert(fields={"known": True})
        context_id = (await ada.append()).context_id
        await backend.close()
        await reopened.open()
        again = Caller(reopened)
        assert (await again.get(context_id)).content == CONTENT
        assert (await again.user()).extras == {"known": True}
        await reopened.close()
