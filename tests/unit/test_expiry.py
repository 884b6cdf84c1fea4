"""When a memory ends, and which clock is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.changes import Life
from lineal.models.context import MemoryType
from lineal.policy.expiry import (
    DEFAULT_LIFE_S,
    JUMP_MAX,
    TRUST_AFTER,
    ClockMark,
    advance,
    ends_at,
    is_live,
    life_of,
    present,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
TICK = timedelta(milliseconds=1)

TYPES = st.sampled_from(MemoryType)
TTLS = st.integers(min_value=0, max_value=3_155_760_000)


def after(seconds: int | None) -> datetime | None:
    return None if seconds is None else NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("scratchpad", 3_600), ("episodic", 604_800), ("fact", None), ("procedural", None)],
)
def test_each_type_has_its_default_life(kind: str, seconds: int | None) -> None:
    """N7"""
    life = life_of(MemoryType(kind), None, ttl_sent=False, kept=False)
    assert ends_at(life, NOW) == after(seconds)


def test_every_type_has_a_default() -> None:
    """N7"""
    assert set(DEFAULT_LIFE_S) == set(MemoryType)


def test_a_write_without_type_is_a_fact_for_good() -> None:
    """N7, U16"""
    assert ends_at(life_of(None, None, ttl_sent=False, kept=False), NOW) is None


@given(kind=st.none() | TYPES, ttl=TTLS, kept=st.booleans(), sent=st.booleans())
def test_a_ttl_overrides_every_default(
    kind: MemoryType | None, ttl: int, kept: bool, sent: bool
) -> None:
    """N8, N11"""
    life = life_of(kind, ttl, ttl_sent=sent, kept=kept)
    assert ends_at(life, NOW, LATER, kind or MemoryType.FACT) == NOW + timedelta(seconds=ttl)


@given(kind=TYPES, end=st.none() | st.just(LATER))
def test_neither_sent_leaves_the_expiry_alone(kind: MemoryType, end: datetime | None) -> None:
    """N9"""
    assert ends_at(life_of(None, None, ttl_sent=False, kept=True), NOW, end, kind) == end


@given(kind=TYPES, end=st.none() | st.just(LATER), sent=st.booleans())
def test_a_type_alone_gives_its_default_from_now(
    kind: MemoryType, end: datetime | None, sent: bool
) -> None:
    """N10, and N13 when a null ttl comes with it."""
    life = life_of(kind, None, ttl_sent=sent, kept=True)
    assert ends_at(life, NOW, end, kind) == after(DEFAULT_LIFE_S[kind])


def test_a_ttl_of_zero_has_ended_at_once() -> None:
    """N12"""
    end = ends_at(life_of(MemoryType.FACT, 0, ttl_sent=True, kept=True), NOW)
    assert end == NOW
    assert not is_live(end, NOW)


@given(stored=TYPES, end=st.none() | st.just(LATER))
def test_a_null_ttl_sent_gives_the_stored_types_default_from_now(
    stored: MemoryType, end: datetime | None
) -> None:
    """N13"""
    life = life_of(None, None, ttl_sent=True, kept=True)
    assert ends_at(life, NOW, end, stored) == after(DEFAULT_LIFE_S[stored])


def test_a_null_ttl_on_a_new_memory_is_its_types_default() -> None:
    """N7, N13"""
    life = life_of(MemoryType.SCRATCHPAD, None, ttl_sent=True, kept=False)
    assert ends_at(life, NOW) == NOW + timedelta(hours=1)


def test_the_longest_ttl_still_has_a_date() -> None:
    assert ends_at(Life(seconds=3_155_760_000), NOW) is not None


def test_a_memory_is_gone_from_the_instant_it_expires() -> None:
    """T1"""
    assert is_live(NOW, NOW - TICK)
    assert not is_live(NOW, NOW)
    assert not is_live(NOW, NOW + TICK)


def test_a_memory_without_end_is_always_live() -> None:
    """T1"""
    assert is_live(None, datetime.max.replace(tzinfo=UTC))


def test_the_first_write_believes_the_clock() -> None:
    assert advance(None, NOW) == ClockMark(high=NOW)
    assert present(None, NOW) == NOW


@pytest.mark.parametrize("step", [timedelta(0), TICK, timedelta(hours=1), JUMP_MAX])
def test_a_small_step_forward_is_believed(step: timedelta) -> None:
    mark = advance(ClockMark(high=NOW), NOW + step)
    assert mark == ClockMark(high=NOW + step)
    assert ClockMark(high=NOW).trusts(NOW + step)


@pytest.mark.parametrize("jump", [JUMP_MAX + TICK, timedelta(days=3_652)])
def test_a_jump_beyond_a_day_is_noted_and_not_believed(jump: timedelta) -> None:
    """Nothing is taken out for good by such a clock."""
    before = ClockMark(high=NOW)
    assert not before.trusts(NOW + jump)
    after_jump = advance(before, NOW + jump)
    assert after_jump == ClockMark(high=NOW, ahead=NOW + jump, seen=NOW + jump)
    assert not after_jump.trusts(NOW + jump)


def test_a_jump_only_hides_and_the_corrected_clock_shows_again() -> None:
    end, jumped = NOW + timedelta(days=30), NOW + timedelta(days=3_652)
    mark = advance(ClockMark(high=NOW), jumped)
    assert not is_live(end, present(mark, jumped))
    corrected = NOW + timedelta(hours=2)
    mark = advance(mark, corrected)
    assert mark == ClockMark(high=corrected)
    assert mark.trusts(corrected)
    assert is_live(end, present(mark, corrected))


def test_a_jumped_clock_is_believed_after_it_has_run_for_a_day() -> None:
    jumped = NOW + timedelta(days=400)
    mark = advance(ClockMark(high=NOW), jumped)
    almost = jumped + TRUST_AFTER - TICK
    assert advance(mark, almost).ahead == jumped
    assert not advance(mark, almost).trusts(almost)
    believed = advance(mark, jumped + TRUST_AFTER)
    assert believed == ClockMark(high=jumped + TRUST_AFTER)
    assert believed.trusts(jumped + TRUST_AFTER)


def test_a_clock_that_leaps_twice_has_proved_nothing() -> None:
    first = advance(ClockMark(high=NOW), NOW + timedelta(days=3_652))
    second = advance(first, NOW + timedelta(days=7_304))
    assert not second.trusts(NOW + timedelta(days=7_304))
    assert second.high == NOW


def test_a_machine_switched_off_for_weeks_is_believed_in_the_end() -> None:
    mark = ClockMark(high=NOW)
    for week in range(1, 5):
        mark = advance(mark, NOW + timedelta(weeks=week))
    assert mark.trusts(NOW + timedelta(weeks=4))


def test_a_nearer_jump_takes_the_place_of_a_further_one() -> None:
    """The day of trust is counted from where the clock came to stand."""
    far, near = NOW + timedelta(days=400), NOW + timedelta(days=3)
    mark = advance(advance(ClockMark(high=NOW), far), near)
    assert mark == ClockMark(high=NOW, ahead=near, seen=near)


@pytest.mark.parametrize("back", [TICK, timedelta(hours=5), timedelta(days=400)])
def test_a_clock_that_goes_back_changes_nothing(back: timedelta) -> None:
    """T4"""
    mark = ClockMark(high=NOW)
    assert present(mark, NOW - back) == NOW
    assert advance(mark, NOW - back) == mark
    assert mark.trusts(NOW - back)


HOURS = st.integers(min_value=-20_000, max_value=20_000)


@given(walls=st.lists(HOURS, min_size=1, max_size=30), end_hour=HOURS)
def test_what_has_ended_by_a_believed_time_stays_ended(walls: list[int], end_hour: int) -> None:
    """T4: whatever the clock does afterwards."""
    end = NOW + timedelta(hours=end_hour)
    mark: ClockMark | None = None
    ended = False
    for hour in walls:
        wall = NOW + timedelta(hours=hour)
        if ended:
            assert not is_live(end, present(mark, wall))
        mark = advance(mark, wall)
        ended = ended or not is_live(end, mark.high)


@given(walls=st.lists(HOURS, min_size=1, max_size=30))
def test_the_believed_time_never_goes_back_and_never_passes_the_clock(walls: list[int]) -> None:
    mark: ClockMark | None = None
    highest = -20_001
    for hour in walls:
        wall, highest = NOW + timedelta(hours=hour), max(highest, hour)
        before, mark = mark, advance(mark, wall)
        assert mark.high <= NOW + timedelta(hours=highest)
        assert before is None or before.high <= mark.high
        assert present(mark, wall) >= mark.high
        assert mark.ahead is None or mark.ahead > mark.high + JUMP_MAX


@given(steps=st.lists(st.integers(min_value=-40, max_value=24), max_size=40))
def test_with_small_steps_the_believed_time_is_the_latest_seen(steps: list[int]) -> None:
    """The oracle: max."""
    mark = advance(None, NOW)
    seen = NOW
    for step in steps:
        wall = seen + timedelta(hours=step)
        mark = advance(mark, wall)
        seen = max(seen, wall)
        assert mark == ClockMark(high=seen)
