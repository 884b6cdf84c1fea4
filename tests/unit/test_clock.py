"""Time is read in one place, in whole milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.clock import ManualClock, SystemClock, from_ms, to_ms
from lineal.models.base import rfc3339

START = datetime(2026, 3, 1, 12, tzinfo=UTC)

ZONES = st.builds(
    lambda minutes: timezone(timedelta(minutes=minutes)),
    st.integers(min_value=-23 * 60, max_value=23 * 60),
)
TIMES = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    max_value=datetime(9990, 1, 1),  # noqa: DTZ001
    timezones=ZONES,
)


@given(at=TIMES)
def test_a_time_goes_to_milliseconds_and_back_losing_less_than_one(at: datetime) -> None:
    back = from_ms(to_ms(at))
    assert back.utcoffset() == timedelta(0)
    assert timedelta(0) <= at - back < timedelta(milliseconds=1)


@given(ms=st.integers(min_value=-2_000_000_000_000, max_value=200_000_000_000_000))
def test_milliseconds_go_to_a_time_and_back(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


def test_a_time_without_offset_has_no_place_in_time() -> None:
    with pytest.raises(ValueError, match="without offset"):
        to_ms(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_the_system_clock_is_aware_and_whole_milliseconds() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert now.microsecond % 1000 == 0


def test_the_system_clock_is_moved_by_its_offset() -> None:
    before = SystemClock().now()
    moved = SystemClock(offset_s=-86_400.0).now()
    after = SystemClock().now()
    assert before <= moved + timedelta(days=1) <= after


def test_a_manual_clock_stands_still_until_it_is_told() -> None:
    clock = ManualClock(START)
    assert clock.now() == clock.now() == START
    assert clock.advance(hours=1, milliseconds=5) == clock.now()
    assert clock.now() - START == timedelta(hours=1, milliseconds=5)


def test_a_manual_clock_goes_back_too() -> None:
    clock = ManualClock(START)
    clock.advance(days=-400)
    assert clock.now() == START - timedelta(days=400)


def test_an_instant_is_written_in_utc_with_a_z() -> None:
    """U14: RFC 3339, UTC, Z."""
    east = datetime(2026, 5, 17, 18, 1, 9, tzinfo=timezone(timedelta(hours=-4)))
    assert rfc3339(east) == "2026-05-17T22:01:09Z"
    assert rfc3339(east.replace(microsecond=5_000)) == "2026-05-17T22:01:09.005Z"


@given(at=TIMES)
def test_what_is_written_reads_as_the_same_millisecond(at: datetime) -> None:
    assert datetime.fromisoformat(rfc3339(from_ms(to_ms(at)))) == from_ms(to_ms(at))
