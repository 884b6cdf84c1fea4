"""The users of a domain, one page after another, and what is kept of each."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lineal.clock import ManualClock
from lineal.models.changes import USER_REVISIONS_MAX, Reads, Scope
from lineal.models.user import Head, UserRow
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_user, keep

__all__ = ["StorePeers"]

HOUR = timedelta(hours=1)
CODING = Scope(tenant="acme", domain="coding")


class StorePeers:
    """Peers in order of first receipt, behind the wall, and the bound on a row's past."""

    async def test_peers_come_page_by_page_in_order_of_first_receipt(self, store: Store) -> None:
        names = ["zoe", "ada", "lin", "bob", "eve"]
        for name in names:
            await _person(store, name)
        await _person(store, "zoe", revision=2)
        seen, after = [], 0
        for size in (2, 2, 1, 0):
            page = await store.peers(CODING, "coding", after=after, limit=2)
            assert len(page) == size
            seen += [peer.row.user_id for peer in page]
            after = page[-1].after if page else after
        assert seen == names
        await _person(store, "new")
        later = await store.peers(CODING, "coding", after=after)
        assert [peer.row.user_id for peer in later] == ["new"]

    async def test_a_peer_is_shown_with_its_present_row_and_the_head_asked_for(
        self, store: Store
    ) -> None:
        coding = Head(name="coding", version="v1", vector=(0.5, -0.5))
        other = Head(name="hiring", version="v2", vector=(1.0, 0.0))
        await _person(store, "ada", heads=(coding, other))
        await _person(store, "ada", revision=2, heads=(coding, other), extras={"city": "Graz"})
        await _person(store, "lin")
        ada, lin = await store.peers(CODING, "coding")
        assert (ada.row.extras, ada.row.revision, ada.head) == ({"city": "Graz"}, 2, coding)
        assert (lin.row.user_id, lin.head) == ("lin", None)
        assert [peer.head for peer in await store.peers(CODING, "hiring")] == [other, None]
        assert [peer.head for peer in await store.peers(CODING, "absent")] == [None, None]

    async def test_only_the_live_are_peers_and_they_fill_the_page(
        self, store: Store, clock: ManualClock
    ) -> None:
        for name in ("a", "b", "c", "d", "e"):
            await _person(store, name, expires_at=START + HOUR if name in "abd" else None)
        assert len(await store.peers(CODING, "coding")) == 5
        clock.advance(hours=1)
        first = await store.peers(CODING, "coding", limit=1)
        assert [peer.row.user_id for peer in first] == ["c"]
        both = await store.peers(CODING, "coding", limit=2)
        assert [peer.row.user_id for peer in both] == ["c", "e"]
        await store.sweep()
        assert await store.peers(CODING, "coding") == both
        await _person(store, "a")
        again = await store.peers(CODING, "coding")
        assert [peer.row.user_id for peer in again] == ["c", "e", "a"]

    async def test_nobody_sees_peers_of_another_tenant_or_domain(self, store: Store) -> None:
        await _person(store, "ada")
        await _person(store, "lin", Scope(tenant="acme", user_id="lin", domain="hiring"))
        await _person(store, "eve", Scope(tenant="evil", user_id="eve", domain="coding"))
        assert [peer.row.user_id for peer in await store.peers(CODING, "coding")] == ["ada"]
        evil = Scope(tenant="evil", domain="coding")
        assert [peer.row.user_id for peer in await store.peers(evil, "coding")] == ["eve"]
        assert await store.peers(Scope(tenant="evil", domain="hiring"), "coding") == ()

    async def test_a_scope_of_one_user_names_its_domain_and_one_of_no_domain_nothing(
        self, store: Store
    ) -> None:
        await _person(store, "ada")
        await _person(store, "lin")
        assert len(await store.peers(ADA, "coding")) == 2
        assert await store.peers(Scope(tenant="acme"), "coding") == ()

    async def test_the_latest_revisions_of_a_row_are_kept(self, store: Store) -> None:
        every = [a_user(revision=r, extras={"r": r}) for r in range(1, USER_REVISIONS_MAX + 11)]
        for row in every[:USER_REVISIONS_MAX]:
            await keep(store, users=(row,))
        assert len(await store.user_history(ADA)) == USER_REVISIONS_MAX
        for row in every[USER_REVISIONS_MAX:]:
            await keep(store, users=(row,))
        kept = [UserRow.model_validate_json(body) for body in await store.user_history(ADA)]
        assert kept == every[10:]
        assert (await store.read(ADA, Reads(user=True))).user == every[-1]
        assert (await store.verify()).ok
        last = every[-1].model_copy(update={"revision": every[-1].revision + 1})
        await keep(store, rewritten=(last,))
        assert len(await store.user_history(ADA)) == 1
        assert (await store.verify()).ok


async def _person(
    store: Store,
    name: str,
    scope: Scope | None = None,
    heads: tuple[Head, ...] = (),
    **values: Any,
) -> None:
    """A revision of that user's row, with heads that the row names."""
    scope = scope or Scope(tenant="acme", user_id=name, domain="coding")
    named = {head.name: head.info for head in heads}
    row = a_user(user_id=name, domain=scope.domain, heads=named, **values)
    await keep(store, scope, users=(row,), heads=heads)
