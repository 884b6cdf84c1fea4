"""No query crosses a tenant's wall, and no name is taken for another."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta

import pytest

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Fingerprint, Reads, Scope, Snapshot
from lineal.models.search import TextQuery
from lineal.models.user import Head
from lineal.ports.store import Store
from lineal.testing.samples import (
    ADA,
    START,
    a_context,
    a_receipt,
    a_sighting,
    a_user,
    an_edge,
    an_outcome,
    keep,
)

__all__ = ["StoreWall"]

EVIL = Scope(tenant="evil", user_id="ada", domain="coding")
SAME = Fingerprint(content_key="key", keys=(1, 2))
HEAD = Head(name="coding", version="v1", vector=(1.0, 0.0))

LOOKALIKES = [
    (Scope(tenant="a", user_id="b:c", domain="d"), Scope(tenant="a:b", user_id="c", domain="d")),
    (Scope(tenant="t", user_id="b:c", domain="d"), Scope(tenant="t", user_id="b", domain="c:d")),
    (Scope(tenant="t", user_id="a/b", domain="d"), Scope(tenant="t/a", user_id="b", domain="d")),
    (
        Scope(tenant="t", user_id="caf\u00e9", domain="d"),
        Scope(tenant="t", user_id="cafe\u0301", domain="d"),
    ),
    (Scope(tenant="t", user_id="ada", domain="d"), Scope(tenant="t", user_id="Ada", domain="d")),
    (Scope(tenant="t", user_id="ada", domain="d"), Scope(tenant="t", user_id="ada ", domain="d")),
    (Scope(tenant="t", user_id="ada", domain="d"), Scope(tenant="T", user_id="ada", domain="d")),
    (Scope(tenant="t", user_id="ada", domain="d"), Scope(tenant="t ", user_id="ada", domain="d")),
    (Scope(tenant="t", user_id="ada", domain="d"), Scope(tenant="t", user_id="ada", domain="D")),
    (Scope(tenant="t", user_id="a_a", domain="d"), Scope(tenant="t", user_id="aba", domain="d")),
    (Scope(tenant="t", user_id="a%", domain="d"), Scope(tenant="t", user_id="aba", domain="d")),
    (Scope(tenant="t", user_id="1", domain="d"), Scope(tenant="t", user_id="01", domain="d")),
    (Scope(tenant="t", user_id="..", domain="d"), Scope(tenant="t", user_id=".", domain="d")),
    (
        Scope(tenant="t", user_id="x" * 10_000, domain="d"),
        Scope(tenant="t", user_id="x" * 9_999, domain="d"),
    ),
    (Scope(tenant="t", user_id="a\x00b", domain="d"), Scope(tenant="t", user_id="a", domain="d")),
    (Scope(tenant="t", user_id="", domain="d"), Scope(tenant="t", user_id=" ", domain="d")),
]


class StoreWall:
    """Two tenants with the same ids and the same users see and touch only their own."""

    async def test_another_tenant_sees_nothing_on_any_path(self, store: Store) -> None:
        await _furnish(store, ADA, "acme's")
        asked = ("ctx_1", "ctx_2", "ctx_3")
        reads = Reads(
            user=True,
            context_ids=asked,
            receipt="k",
            alike=SAME,
            sightings=True,
            descendants_of="ctx_1",
        )
        for scope in (EVIL, Scope(tenant="evil")):
            assert await store.read(scope, reads) == Snapshot(now=START)
            assert (await store.find(scope, TextQuery())).matched == 0
            assert (await store.find(scope, TextQuery(terms=("note",)))).matched == 0
            assert await store.history(scope, "ctx_1") == ()
            assert await store.edges(scope, asked, "both") == ()
            assert await store.tombstones(scope, asked) == {}
            assert await store.head(scope, "coding") is None
            assert await store.user_history(scope) == ()
            assert await store.peers(scope, "coding") == ()
            assert (await store.outcomes(scope)).outcomes == ()
            stats = await store.stats(scope)
            counted = (stats.contexts, stats.users, stats.tombstones, stats.edges, stats.revisions)
            assert counted == (0, 0, 0, 0, 0)
            assert (stats.by_type, stats.by_domain) == ({}, {})

    async def test_two_tenants_keep_the_same_ids_apart(self, store: Store) -> None:
        await _furnish(store, ADA, "acme's")
        await _furnish(store, EVIL, "evil's")
        for scope, owner in ((ADA, "acme's"), (EVIL, "evil's")):
            asked = {"context_ids": ("ctx_1",), "receipt": "k", "alike": SAME}
            seen = await store.read(scope, Reads(user=True, sightings=True, **asked))
            assert seen.contexts["ctx_1"].content == f"{owner} note"
            assert [context.content for context in seen.alike] == [f"{owner} note"]
            assert [sighting.session_id for sighting in seen.sightings["ctx_1"]] == [owner]
            outcomes = (await store.outcomes(scope)).outcomes
            assert [outcome.candidate_id for outcome in outcomes] == [owner]
            (peer,) = await store.peers(scope, "coding")
            assert (peer.row.extras, peer.head) == ({"owner": owner}, HEAD)
            assert seen.user is not None
            assert seen.user.extras == {"owner": owner}
            assert seen.receipt is not None
            assert seen.receipt.answer == f'"{owner}"'
            page = await store.find(scope, TextQuery(terms=("note",)))
            assert {found.context.content for found in page.candidates} == {f"{owner} note"}
            assert (await store.stats(scope)).contexts == 2

    async def test_a_write_can_neither_revise_nor_forget_another_tenants_context(
        self, store: Store
    ) -> None:
        await _furnish(store, ADA, "acme's")
        with pytest.raises(LinealError) as raised:
            await keep(store, EVIL, contexts=(a_context("ctx_1", revision=2),))
        assert raised.value.code is ErrorCode.CONFLICT
        await keep(store, EVIL, contexts=(a_context("ctx_9"),), forget=("ctx_1", "ctx_9"))
        assert len(await store.history(ADA, "ctx_1")) == 1
        assert (await store.read(ADA, Reads(receipt="k"))).receipt is not None
        assert set(await store.tombstones(EVIL, ("ctx_1", "ctx_9"))) == {"ctx_9"}

    async def test_a_sweep_of_all_leaves_each_tenant_its_own_marks(
        self, store: Store, clock: ManualClock
    ) -> None:
        end = START + timedelta(hours=1)
        await keep(store, ADA, contexts=(a_context("ctx_1", expires_at=end),))
        await keep(store, EVIL, contexts=(a_context("ctx_1", content="It stays."),))
        clock.advance(hours=1)
        assert (await store.sweep()).contexts == 1
        assert set(await store.tombstones(ADA, ("ctx_1",))) == {"ctx_1"}
        assert await store.tombstones(EVIL, ("ctx_1",)) == {}
        page = await store.find(EVIL, TextQuery(terms=("stays",)))
        assert page.matched == 1

    @pytest.mark.parametrize("pair", LOOKALIKES, ids=lambda pair: str(pair)[:60])
    async def test_names_that_look_alike_are_not_the_same(
        self, store: Store, pair: tuple[Scope, Scope]
    ) -> None:
        kept = {n: scope for n, scope in enumerate(pair) if await _is_kept(store, scope, n)}
        for number, scope in kept.items():
            seen = await store.read(scope, Reads(user=True, alike=SAME))
            assert seen.user is not None
            assert seen.user.extras == {"number": number}
            assert [context.context_id for context in seen.alike] == [f"ctx_{number}"]
            page = await store.find(scope, TextQuery(terms=("note",)))
            assert [found.context.content for found in page.candidates] == [f"note {number}"]
            head = await store.head(scope, "coding")
            assert head is not None
            assert head.version == f"v{number}"
            assert len(await store.user_history(scope)) == 1

    async def test_a_scope_of_one_user_shows_nothing_of_another(self, store: Store) -> None:
        await _furnish(store, ADA, "ada's")
        grace = Scope(tenant="acme", user_id="grace", domain="coding")
        hiring = Scope(tenant="acme", user_id="ada", domain="hiring")
        for scope in (grace, hiring):
            asked = Reads(user=True, context_ids=("ctx_1", "ctx_3"), alike=SAME)
            seen = await store.read(scope, asked)
            assert (seen.user, seen.alike) == (None, ())
            assert (seen.contexts, seen.tombstones) == ({}, {})
            assert await store.history(scope, "ctx_1") == ()
            assert await store.tombstones(scope, ("ctx_3",)) == {}
            assert (await store.find(scope, TextQuery())).matched == 0
            assert await store.head(scope, "coding") is None

    async def test_a_scope_of_one_user_forgets_nothing_of_another(self, store: Store) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        for other in ({"user_id": "grace"}, {"domain": "hiring"}):
            await keep(store, ADA.model_copy(update=other), forget=("ctx_1",))
            assert len(await store.history(ADA, "ctx_1")) == 1

    async def test_a_wide_scope_shows_every_user_and_domain_behind_the_wall(
        self, store: Store
    ) -> None:
        for number, (user_id, domain) in enumerate(
            (("ada", "coding"), ("ada", "hiring"), ("grace", "coding"))
        ):
            note = a_context(f"ctx_{number}", user_id=user_id, domain=domain)
            await keep(
                store, Scope(tenant="acme", user_id=user_id, domain=domain), contexts=(note,)
            )
        matched = {
            scope: (await store.find(scope, TextQuery(terms=("note",)))).matched
            for scope in (
                Scope(tenant="acme"),
                Scope(tenant="acme", user_id="ada"),
                Scope(tenant="acme", domain="coding"),
                ADA,
            )
        }
        assert list(matched.values()) == [3, 2, 2, 1]
        seen = await store.read(Scope(tenant="acme"), Reads(context_ids=("ctx_0", "ctx_2")))
        assert set(seen.contexts) == {"ctx_0", "ctx_2"}


async def _furnish(store: Store, scope: Scope, owner: str) -> None:
    """Two live notes, a forgotten one, a sighting, an outcome, a user with a head, a receipt."""
    first, second, third = (a_context(f"ctx_{n}", content=f"{owner} note") for n in (1, 2, 3))
    await keep(store, scope, contexts=(third,))
    await keep(
        store,
        scope,
        contexts=(first, second),
        users=(a_user(extras={"owner": owner}),),
        edges=(an_edge("ctx_2", "ctx_1"),),
        fingerprints={"ctx_1": SAME},
        heads=(HEAD,),
        sightings=(a_sighting("ctx_1", session_id=owner),),
        outcomes=(an_outcome("out_1", candidate_id=owner),),
        forget=("ctx_3",),
        receipt=a_receipt("k", f'"{owner}"'),
    )


async def _is_kept(store: Store, scope: Scope, number: int) -> bool:
    """Write as that user; False where the store refuses such a name, which is never merged with
    another."""
    names = {"user_id": scope.user_id, "domain": scope.domain}
    note = a_context(f"ctx_{number}", content=f"note {number}", **names)
    kept = {
        "contexts": (note,),
        "users": (a_user(extras={"number": number}, **names),),
        "fingerprints": {note.context_id: SAME},
        "heads": (Head(name="coding", version=f"v{number}", vector=(1.0,)),),
    }
    try:
        await keep(store, scope, **kept)
    except LinealError as error:
        refused = error
    else:
        return True
    assert refused.code is ErrorCode.INVALID_REQUEST
    assert "\0" in f"{scope.user_id}{scope.domain}"
    return False
