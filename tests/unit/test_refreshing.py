"""A vector is made anew so often and no more (A8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lineal.policy.refreshing import WINDOW, allowed, allowed_at, noted
from lineal.testing.samples import START

TIMES = st.lists(st.integers(0, 200), max_size=12).map(
    lambda seconds: [START + timedelta(seconds=s) for s in sorted(seconds)]
)
LIMITS = st.integers(1, 5)


def refreshes(wanted_at: list[datetime], per_minute: int) -> list[datetime]:
    """When a head was really made, if it was wanted then."""
    made: list[datetime] = []
    kept: tuple[datetime, ...] = ()
    for now in wanted_at:
        if allowed(kept, now, per_minute):
            made.append(now)
            kept = noted(kept, now, per_minute)
    return made


@given(wanted_at=TIMES, per_minute=LIMITS)
def test_no_minute_has_more_refreshes_than_are_allowed(
    wanted_at: list[datetime], per_minute: int
) -> None:
    made = refreshes(wanted_at, per_minute)
    for last in made:
        assert sum(last - WINDOW < at <= last for at in made) <= per_minute


@given(wanted_at=TIMES, per_minute=LIMITS)
def test_none_is_refused_that_the_limit_would_allow(
    wanted_at: list[datetime], per_minute: int
) -> None:
    made = refreshes(wanted_at, per_minute)
    for now in set(wanted_at) - set(made):
        assert sum(now - WINDOW < at <= now for at in made) == per_minute


@given(refreshed_at=TIMES, per_minute=LIMITS)
def test_it_is_allowed_from_the_said_instant_on_and_no_sooner(
    refreshed_at: list[datetime], per_minute: int
) -> None:
    now = START + timedelta(seconds=200)
    due = allowed_at(refreshed_at, now, per_minute)
    assert now <= due <= now + WINDOW
    assert allowed(refreshed_at, due, per_minute)
    if due > now:
        assert not allowed(refreshed_at, due - timedelta(milliseconds=1), per_minute)


@given(refreshed_at=TIMES, per_minute=LIMITS)
def test_only_times_that_count_are_kept(refreshed_at: list[datetime], per_minute: int) -> None:
    now = START + timedelta(seconds=200)
    kept = noted(refreshed_at, now, per_minute)
    assert kept[-1] == now
    assert len(kept) <= per_minute


def test_a_refresh_counts_for_a_minute_and_not_at_its_end() -> None:
    assert not allowed((START,), START + WINDOW - timedelta(milliseconds=1), 1)
    assert allowed((START,), START + WINDOW, 1)


def test_where_writes_may_make_none_they_are_made_a_minute_later() -> None:
    """The sweeper makes them."""
    assert not allowed((), START, 0)
    assert allowed_at((), START, 0) == START + WINDOW
