"""What became of two users who were brought together."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import Scope
from lineal.models.lineage import Lineage
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, a_user, an_outcome, keep

__all__ = ["StoreOutcomes"]

ACME = Scope(tenant="acme")


class StoreOutcomes:
    """Outcomes are only ever added to, and read in order of receipt."""

    async def test_an_outcome_is_read_back_whole(self, store: Store) -> None:
        whole = an_outcome(
            "out_1",
            candidate_id="gr\u00e4ce 🐈",
            outcome="rejected",
            weight=0.5,
            score=-0.25,
            lineage=Lineage(created_at=START, source_ids=("ctx_1",)),
        )
        await keep(store, outcomes=(whole,))
        assert (await store.outcomes(ACME)).outcomes == (whole,)
        assert (await store.verify()).ok

    async def test_outcomes_come_page_by_page_in_order_of_receipt(self, store: Store) -> None:
        await keep(store, outcomes=tuple(an_outcome(f"out_{n}") for n in range(4)))
        await keep(store, ADA.model_copy(update={"tenant": "evil"}), outcomes=(an_outcome("no"),))
        await keep(store, outcomes=(an_outcome("out_4"),))
        seen, after = [], 0
        for size in (2, 2, 1):
            page = await store.outcomes(ACME, after=after, limit=2)
            assert len(page.outcomes) == size
            seen += [outcome.outcome_id for outcome in page.outcomes]
            after = page.after
        assert seen == [f"out_{n}" for n in range(5)]
        end = await store.outcomes(ACME, after=after, limit=2)
        assert (end.outcomes, end.after) == ((), after)
        await keep(store, outcomes=(an_outcome("out_5"),))
        later = await store.outcomes(ACME, after=end.after)
        assert [outcome.outcome_id for outcome in later.outcomes] == ["out_5"]

    async def test_nobody_sees_another_tenants_outcomes(self, store: Store) -> None:
        await keep(store, outcomes=(an_outcome("out_1"),))
        for scope in (Scope(tenant="evil"), ADA.model_copy(update={"tenant": "evil"})):
            page = await store.outcomes(scope)
            assert (page.outcomes, page.after) == ((), 0)

    @pytest.mark.parametrize(
        ("scope", "expected"),
        [
            (Scope(tenant="acme"), ["ag", "ga", "gl", "aa", "ag_hiring"]),
            (Scope(tenant="acme", user_id="ada"), ["ag", "ga", "aa", "ag_hiring"]),
            (Scope(tenant="acme", user_id="lin"), ["gl"]),
            (Scope(tenant="acme", domain="coding"), ["ag", "ga", "gl", "aa"]),
            (ADA, ["ag", "ga", "aa"]),
            (Scope(tenant="acme", user_id="Ada"), []),
        ],
    )
    async def test_a_user_is_found_on_either_side_and_once(
        self, store: Store, scope: Scope, expected: list[str]
    ) -> None:
        sides = {"ag": ("ada", "grace"), "ga": ("grace", "ada"), "gl": ("grace", "lin")}
        for name, (user, candidate) in {**sides, "aa": ("ada", "ada")}.items():
            await keep(store, outcomes=(an_outcome(name, user_id=user, candidate_id=candidate),))
        await keep(store, outcomes=(an_outcome("ag_hiring", domain="hiring"),))
        page = await store.outcomes(scope)
        assert [outcome.outcome_id for outcome in page.outcomes] == expected
        paged, after = [], 0
        for _ in expected:
            one = await store.outcomes(scope, after=after, limit=1)
            paged += [outcome.outcome_id for outcome in one.outcomes]
            after = one.after
        assert paged == expected

    async def test_an_outcome_outlives_what_is_forgotten_or_ends(
        self, store: Store, clock: ManualClock
    ) -> None:
        end = START + timedelta(hours=1)
        await keep(store, users=(a_user(expires_at=end),), contexts=(a_context("ctx_1"),))
        await keep(store, outcomes=(an_outcome("out_1"),))
        await keep(store, forget=("ctx_1",))
        clock.advance(hours=2)
        await store.sweep()
        assert len((await store.outcomes(ACME)).outcomes) == 1
