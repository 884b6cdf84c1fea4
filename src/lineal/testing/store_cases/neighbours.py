"""Who stands beside a context: what was said before and after it in its session lends it words."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import Scope, Withholding
from lineal.models.context import Context
from lineal.models.search import TextQuery
from lineal.models.sheet import Scored, Sheet
from lineal.policy.ranking import PARTS, Weights, ranked
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, keep

__all__ = ["StoreNeighbours"]

MINUTE = timedelta(minutes=1)
NO_PARTS = (0.0,) * len(PARTS)
EVERYBODY = Scope(tenant="acme")


class StoreNeighbours:
    """Within one session of one user, domain and project: by when it happened, then by receipt."""

    async def test_the_words_beside_a_text_find_it_too(self, store: Store) -> None:
        await _keep_talk(store, "a", "b", "walnut", "c", "d")
        assert await _found(store) == {"ctx_1", "ctx_2", "ctx_3"}

    async def test_only_within_a_session(self, store: Store) -> None:
        await keep(
            store,
            contexts=(
                _said(0, "walnut", session_id="one"),
                _said(1, "b", session_id="other"),
                _said(2, "c", session_id=None),
                _said(3, "d", session_id=None),
            ),
        )
        assert await _found(store) == {"ctx_0"}

    async def test_two_away_still_lends_its_words(self, store: Store) -> None:
        await _keep_talk(store, "walnut", "b", "almond")
        assert await _around(store, "almond", "walnut") == {0: (None, 1), 1: (0, 2), 2: (1, None)}
        lent = Weights(session=0, before_previous=1)
        alone = Weights(session=0, before_previous=0)
        assert await _words(store, lent) > await _words(store, alone)

    async def test_what_happened_earlier_stands_before_whenever_it_was_received(
        self, store: Store
    ) -> None:
        for number, minute in ((0, 5), (1, 1), (2, 9), (3, 3)):
            at = START + minute * MINUTE
            await keep(store, contexts=(_said(number, f"walnut {number}", at=at),))
        assert await _order(store) == [1, 3, 0, 2]

    async def test_at_the_same_instant_the_order_of_receipt_counts(self, store: Store) -> None:
        await keep(store, contexts=tuple(_said(n, "walnut", at=START) for n in range(4)))
        assert await _order(store) == [0, 1, 2, 3]
        await keep(store, contexts=(_said(1, "walnut again", at=START, revision=2),))
        assert await _order(store) == [0, 1, 2, 3]

    async def test_one_that_arrives_late_comes_to_lie_between(self, store: Store) -> None:
        await keep(store, contexts=(_said(0, "walnut"), _said(2, "walnut")))
        assert await _order(store) == [0, 2]
        await keep(store, contexts=(_said(1, "walnut"),))
        assert await _order(store) == [0, 1, 2]

    @pytest.mark.parametrize("how", ["forgotten", "withheld", "elsewhere", "swept"])
    async def test_those_around_what_goes_are_beside_each_other(
        self, store: Store, clock: ManualClock, how: str
    ) -> None:
        ends = START + timedelta(hours=1) if how == "swept" else None
        await keep(store, contexts=(_said(0, "walnut"), _said(1, "b", expires_at=ends)))
        await keep(store, contexts=(_said(2, "c"), _said(3, "d")))
        assert await _found(store) == {"ctx_0", "ctx_1"}
        if how == "forgotten":
            await keep(store, forget=("ctx_1",))
        elif how == "withheld":
            until = START + timedelta(hours=1)
            await keep(store, withhold=Withholding(root="r", context_ids=("ctx_1",), until=until))
        elif how == "elsewhere":
            await keep(store, contexts=(_said(1, "b", revision=2, session_id="other"),))
        else:
            clock.advance(hours=2)
            assert (await store.sweep()).contexts == 1
        assert await _found(store) == {"ctx_0", "ctx_2"}
        assert (await store.verify()).ok

    async def test_what_is_given_back_lies_between_its_neighbours_again(self, store: Store) -> None:
        await _keep_talk(store, "walnut", "walnut", "walnut")
        until = START + timedelta(hours=1)
        await keep(store, withhold=Withholding(root="r", context_ids=("ctx_1",), until=until))
        assert await _order(store) == [0, 2]
        await keep(store, restore=("ctx_1",))
        assert await _order(store) == [0, 1, 2]

    async def test_a_revision_moves_with_the_time_it_tells(self, store: Store) -> None:
        await _keep_talk(store, "walnut", "walnut", "walnut")
        late = _said(0, "walnut", at=START + 9 * MINUTE, revision=2)
        await keep(store, contexts=(late,))
        assert await _order(store) == [1, 2, 0]
        assert (await store.verify()).ok

    async def test_what_has_expired_lends_nothing_and_is_beside_nobody(
        self, store: Store, clock: ManualClock
    ) -> None:
        first = _said(0, "walnut", expires_at=START + timedelta(hours=1))
        await keep(store, contexts=(first, _said(1, "b"), _said(2, "c")))
        assert await _found(store) == {"ctx_0", "ctx_1"}
        clock.advance(hours=1)
        assert await _found(store) == set()
        page = await store.find(ADA, TextQuery(terms=("b",)))
        assert {c.context.context_id for c in page.candidates} == {"ctx_1", "ctx_2"}
        assert page.matched == 2

    @pytest.mark.parametrize(
        "apart",
        [{"user_id": "grace"}, {"domain": "hiring"}, {"project": "p"}],
        ids=["user", "domain", "project"],
    )
    async def test_nobody_elses_words_are_lent(self, store: Store, apart: dict[str, Any]) -> None:
        owner = Scope(tenant="acme", user_id=apart.get("user_id", "ada"))
        await keep(store, contexts=(_said(0, "walnut"), _said(2, "c")))
        await keep(store, owner, contexts=(_said(1, "b", **apart),))
        page = await store.find(EVERYBODY, TextQuery(terms=("walnut",)))
        assert {c.context.context_id for c in page.candidates} == {"ctx_0", "ctx_2"}

    async def test_a_neighbour_that_fails_a_filter_lends_words_and_isnt_found(
        self, store: Store
    ) -> None:
        await keep(store, contexts=(_said(0, "walnut"), _said(1, "b", tags=("t",))))
        page = await store.find(ADA, TextQuery(terms=("walnut", "b"), tags=("t",)))
        assert [c.context.context_id for c in page.candidates] == ["ctx_1"]
        assert page.matched == 1

    async def test_speakers_are_named_once_folded_and_in_order(self, store: Store) -> None:
        await keep(
            store,
            contexts=(
                _said(0, "a", speaker="Zoë"),
                _said(1, "b", speaker="ADA"),
                _said(2, "Melanie: hello there"),
                _said(3, "d"),
                _said(4, "e", speaker="ada"),
            ),
        )
        assert await store.speakers(ADA, None) == ("ada", "melanie", "zoë")

    async def test_speakers_are_of_the_scope_and_the_asked_projects(self, store: Store) -> None:
        await keep(store, contexts=(_said(0, "a", speaker="Ann"),))
        await keep(store, contexts=(_said(1, "a", speaker="Bob", project="p"),))
        await keep(store, contexts=(_said(2, "a", speaker="Cem", project="q"),))
        grace = Scope(tenant="acme", user_id="grace", domain="coding")
        await keep(store, grace, contexts=(_said(3, "a", speaker="Dot", user_id="grace"),))
        assert await store.speakers(ADA, ()) == ("ann",)
        assert await store.speakers(ADA, ("p",)) == ("ann", "bob")
        assert await store.speakers(ADA, None) == ("ann", "bob", "cem")
        assert await store.speakers(grace, None) == ("dot",)
        assert await store.speakers(Scope(tenant="evil"), None) == ()

    async def test_who_speaks_no_more_is_not_named(self, store: Store) -> None:
        await keep(store, contexts=(_said(0, "a", speaker="Ann"), _said(1, "a", speaker="Ann")))
        await keep(store, contexts=(_said(0, "a", speaker="Bob", revision=2),))
        assert await store.speakers(ADA, None) == ("ann", "bob")
        await keep(store, forget=("ctx_1",))
        assert await store.speakers(ADA, None) == ("bob",)
        until = START + timedelta(hours=1)
        await keep(store, withhold=Withholding(root="r", context_ids=("ctx_0",), until=until))
        assert await store.speakers(ADA, None) == ()


def _said(number: int, text: str, *, at: datetime | None = None, **values: Any) -> Context:
    """A line of one session, one a minute."""
    when = START + number * MINUTE if at is None else at
    line = {"content": text, "session_id": "s", "occurred_at": when, **values}
    return a_context(f"ctx_{number}", **line)


async def _keep_talk(store: Store, *texts: str) -> None:
    await keep(store, contexts=tuple(_said(n, text) for n, text in enumerate(texts)))


async def _found(store: Store) -> set[str]:
    page = await store.find(ADA, TextQuery(terms=("walnut",)))
    assert page.matched == len(page.candidates)
    return {found.context.context_id for found in page.candidates}


async def _around(store: Store, *terms: str) -> dict[int, tuple[int | None, int | None]]:
    """Who stands before and after what is ranked, by the number in the id: the rank puts the
    store's own numbers in order."""
    sheets: list[Sheet] = []

    def rank(sheet: Sheet) -> list[Scored]:
        sheets.append(sheet)
        return [Scored(number, float(number), NO_PARTS) for number in sorted(sheet.candidates)]

    page = await store.find(ADA, TextQuery(terms=terms), rank)
    names = [int(found.context.context_id[4:]) for found in page.candidates]
    numbers = dict(zip(sorted(sheets[0].candidates), names, strict=True))
    entries = {name: sheets[0].entries[number] for number, name in numbers.items()}
    return {
        name: (_named(entry.previous, numbers), _named(entry.next, numbers))
        for name, entry in entries.items()
    }


def _named(number: int | None, names: dict[int, int]) -> int | None:
    return None if number is None else names.get(number)


async def _order(store: Store) -> list[int]:
    """The session from its first to its last, whose texts all hold the word."""
    around = await _around(store, "walnut")
    (here,) = (number for number, (previous, _) in around.items() if previous is None)
    order: list[int] = []
    place: int | None = here
    while place is not None and place not in order:
        order.append(place)
        place = around[place][1]
    assert len(order) == len(around)
    assert all(around[b][0] == a for a, b in pairwise(order))
    return order


async def _words(store: Store, weights: Weights) -> float:
    """What words give the third text."""
    query = TextQuery(terms=("walnut", "almond"))
    page = await store.find(ADA, query, lambda sheet: ranked(sheet, weights))
    return next(c.parts["words"] for c in page.candidates if c.context.context_id == "ctx_2")
