"""What says the same, or nearly the same, is found again."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import ALIKE_MAX, Fingerprint, Reads, Scope
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, keep

__all__ = ["StoreAlike"]

HOUR = timedelta(hours=1)
HIGHEST = 2**63 - 1


class StoreAlike:
    """Fingerprints: equal texts, near ones, their order, their bound, and whose they are."""

    async def test_equal_content_is_found_by_its_key_in_order_of_receipt(
        self, store: Store
    ) -> None:
        for name in ("ctx_2", "ctx_1", "ctx_3"):
            await _note(store, name, "other" if name == "ctx_3" else "same")
        assert await _alike(store, "same") == ["ctx_2", "ctx_1"]
        assert await _alike(store, "nothing") == []

    async def test_the_whole_present_context_is_shown(self, store: Store) -> None:
        await _note(store, "ctx_1", "same", 1)
        changed = a_context("ctx_1", revision=2, content="Said otherwise.")
        await keep(store, contexts=(changed,))
        asked = Fingerprint(content_key="x", keys=(1,))
        assert (await store.read(ADA, Reads(alike=asked))).alike == (changed,)

    async def test_nobody_who_did_not_ask_sees_what_is_alike(self, store: Store) -> None:
        await _note(store, "ctx_1", "same", 1)
        assert (await store.read(ADA, Reads())).alike == ()

    async def test_a_shared_key_finds_what_is_nearly_the_same(self, store: Store) -> None:
        await _note(store, "ctx_1", "one", 1, 2, 3)
        await _note(store, "ctx_2", "two", 4)
        assert await _alike(store, "three", 3, 9) == ["ctx_1"]
        assert await _alike(store, "three", 9) == []
        assert await _alike(store, "three") == []

    @pytest.mark.parametrize("key", [0, 1, 2**31, 2**32, 2**53 + 1, HIGHEST])
    async def test_every_number_of_the_range_is_a_key(self, store: Store, key: int) -> None:
        await _note(store, "ctx_1", "one", key)
        await _note(store, "ctx_2", "two", key ^ 1)
        assert await _alike(store, "three", key) == ["ctx_1"]

    async def test_a_key_named_twice_counts_once(self, store: Store) -> None:
        await _note(store, "ctx_1", "one", 1, 2)
        await _note(store, "ctx_2", "two", 3, 3, 3)
        assert await _alike(store, "three", 3, 3, 3, 1, 2) == ["ctx_1", "ctx_2"]

    async def test_equal_comes_before_most_shared_comes_before_newest(self, store: Store) -> None:
        await _note(store, "ctx_one_key_old", "a", 1)
        await _note(store, "ctx_equal_old", "same", 1, 2, 3)
        await _note(store, "ctx_three_keys", "b", 1, 2, 3)
        await _note(store, "ctx_two_keys", "c", 1, 2)
        await _note(store, "ctx_one_key_new", "d", 3)
        await _note(store, "ctx_equal_new", "same")
        assert await _alike(store, "same", 1, 2, 3) == [
            "ctx_equal_old",
            "ctx_equal_new",
            "ctx_three_keys",
            "ctx_two_keys",
            "ctx_one_key_new",
            "ctx_one_key_old",
        ]

    async def test_never_more_are_shown_than_the_bound(self, store: Store) -> None:
        for number in range(ALIKE_MAX + 4):
            await _note(store, f"ctx_near_{number:02}", f"text {number}", 1)
        near = await _alike(store, "same", 1)
        assert near == [f"ctx_near_{n:02}" for n in range(ALIKE_MAX + 3, 3, -1)]
        for number in range(ALIKE_MAX + 4):
            await _note(store, f"ctx_same_{number:02}", "same", 1)
        equal = await _alike(store, "same", 1)
        assert equal == [f"ctx_same_{n:02}" for n in range(ALIKE_MAX)]

    async def test_the_newest_are_found_however_many_share_a_key(self, store: Store) -> None:
        marks = {f"ctx_{n:03}": Fingerprint(content_key=f"{n}", keys=(1, 2)) for n in range(300)}
        await keep(store, contexts=tuple(map(a_context, marks)), fingerprints=marks)
        assert await _alike(store, "x", 1, 2) == [f"ctx_{n}" for n in range(299, 299 - 16, -1)]

    @pytest.mark.parametrize(
        "other",
        [
            Scope(tenant="evil", user_id="ada", domain="coding"),
            Scope(tenant="acme", user_id="grace", domain="coding"),
            Scope(tenant="acme", user_id="ada", domain="hiring"),
        ],
    )
    async def test_nothing_alike_is_found_across_tenants_users_or_domains(
        self, store: Store, other: Scope
    ) -> None:
        await _note(store, "ctx_1", "same", 1, 2)
        assert await _alike(store, "same", 1, 2, scope=other) == []
        await _note(store, "ctx_2", "same", 1, 2, scope=other)
        assert await _alike(store, "same", 1, 2) == ["ctx_1"]
        assert await _alike(store, "same", 1, 2, scope=other) == ["ctx_2"]

    async def test_only_the_asked_projects_and_none_count_before_the_bound(
        self, store: Store
    ) -> None:
        for n in range(ALIKE_MAX + 2):
            await _note(store, f"ctx_{n}", "same", 1, project="there")
        await _note(store, "ctx_here", "same", 1, project="here")
        await _note(store, "ctx_none", "same", 1)
        asked = Fingerprint(content_key="same", keys=(1,))
        found = (await store.read(ADA, Reads(alike=asked, alike_in=("here",)))).alike
        assert [context.context_id for context in found] == ["ctx_here", "ctx_none"]
        assert len(await _alike(store, "same", 1)) == ALIKE_MAX

    async def test_a_scope_of_many_users_finds_nothing_alike(self, store: Store) -> None:
        await _note(store, "ctx_1", "same", 1)
        for wide in (Scope(tenant="acme"), Scope(tenant="acme", user_id="ada")):
            assert await _alike(store, "same", 1, scope=wide) == []

    @pytest.mark.parametrize("swept", [False, True])
    async def test_what_has_expired_is_alike_to_nothing(
        self, store: Store, clock: ManualClock, swept: bool
    ) -> None:
        await _note(store, "ctx_equal", "same", 1, expires_at=START + HOUR)
        await _note(store, "ctx_near", "other", 1, expires_at=START + HOUR)
        await _note(store, "ctx_live", "other still", 1)
        assert await _alike(store, "same", 1) == ["ctx_equal", "ctx_live", "ctx_near"]
        clock.advance(hours=1)
        if swept:
            await store.sweep()
        assert await _alike(store, "same", 1) == ["ctx_live"]
        assert (await store.verify()).ok

    async def test_what_is_forgotten_is_alike_to_nothing(self, store: Store) -> None:
        await _note(store, "ctx_1", "same", 1, 2)
        await _note(store, "ctx_2", "same", 1, 2)
        await keep(store, forget=("ctx_1",))
        assert await _alike(store, "same", 1, 2) == ["ctx_2"]
        assert (await store.verify()).ok

    async def test_a_revision_without_a_fingerprint_keeps_the_old_one(self, store: Store) -> None:
        await _note(store, "ctx_1", "same", 1)
        await keep(store, contexts=(a_context("ctx_1", revision=2),))
        assert await _alike(store, "same") == ["ctx_1"]
        assert await _alike(store, "x", 1) == ["ctx_1"]

    @pytest.mark.parametrize("revision", [None, 2])
    async def test_a_new_fingerprint_takes_the_place_of_the_old_one(
        self, store: Store, revision: int | None
    ) -> None:
        await _note(store, "ctx_1", "old", 1, 2, 3)
        new = {"ctx_1": Fingerprint(content_key="new", keys=(3, 4))}
        revised = (a_context("ctx_1", revision=revision),) if revision else ()
        await keep(store, contexts=revised, fingerprints=new)
        assert await _alike(store, "old", 1, 2) == []
        for content_key, keys in (("new", ()), ("x", (3,)), ("x", (4,))):
            assert await _alike(store, content_key, *keys) == ["ctx_1"]
        assert (await store.verify()).ok

    async def test_a_text_that_became_short_is_found_by_no_key(self, store: Store) -> None:
        await _note(store, "ctx_1", "old", 1, 2)
        await keep(store, fingerprints={"ctx_1": Fingerprint(content_key="new")})
        assert await _alike(store, "x", 1, 2) == []
        assert await _alike(store, "new") == ["ctx_1"]
        assert (await store.verify()).ok

    async def test_a_fingerprint_of_an_unknown_context_is_kept_nowhere(self, store: Store) -> None:
        await keep(store, fingerprints={"ctx_9": Fingerprint(content_key="same", keys=(1,))})
        assert await _alike(store, "same", 1) == []
        await keep(store, contexts=(a_context("ctx_9"),))
        assert await _alike(store, "same", 1) == []


async def _note(
    store: Store, name: str, content_key: str, *keys: int, scope: Scope = ADA, **values: Any
) -> None:
    owner = {"user_id": scope.user_id, "domain": scope.domain}
    marks = {name: Fingerprint(content_key=content_key, keys=keys)}
    note = a_context(name, **owner, **values)
    await keep(store, scope, contexts=(note,), fingerprints=marks)


async def _alike(store: Store, content_key: str, *keys: int, scope: Scope = ADA) -> list[str]:
    asked = Fingerprint(content_key=content_key, keys=keys)
    seen = await store.read(scope, Reads(alike=asked))
    return [context.context_id for context in seen.alike]
