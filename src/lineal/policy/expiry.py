"""When a memory ends, and whether a clock can be believed."""

from __future__ import annotations

from datetime import datetime, timedelta

from lineal.models.base import Instant, Model
from lineal.models.changes import Life
from lineal.models.context import MemoryType

__all__ = ["DEFAULT_LIFE_S", "ClockMark", "advance", "ends_at", "is_live", "life_of", "present"]

DEFAULT_LIFE_S: dict[MemoryType, int | None] = {
    MemoryType.SCRATCHPAD: 3_600,
    MemoryType.EPISODIC: 7 * 86_400,
    MemoryType.FACT: None,
    MemoryType.PROCEDURAL: None,
}
"""Seconds a memory of each type lives unless a ttl_seconds says otherwise; None: for good."""

JUMP_MAX = timedelta(hours=24)
"""A step of the clock between two writes beyond this is not believed at once."""

TRUST_AFTER = timedelta(hours=24)
"""Once the store has run this long past a jump, the clock is believed again."""

LEAP_MAX = timedelta(days=60)
"""A step beyond this while the clock isn't believed starts the wait anew: a machine may well be
switched off for a month, but a clock that leaps twice has proved nothing."""


def life_of(
    memory_type: MemoryType | None, ttl_seconds: int | None, *, ttl_sent: bool, kept: bool
) -> Life:
    """What memory_type and ttl_seconds ask for (N7-N13).

    kept: the write changes something that has an expiry, so that neither sent leaves it alone and
    a null ttl alone asks for the stored type's default; otherwise the type's default applies.
    """
    if ttl_seconds is not None:
        return Life(seconds=ttl_seconds)
    if memory_type is None and kept:
        return Life(type_default=True) if ttl_sent else Life(keep=True)
    return Life(seconds=DEFAULT_LIFE_S[memory_type or MemoryType.FACT])


def ends_at(
    life: Life,
    now: datetime,
    present_end: datetime | None = None,
    memory_type: MemoryType = MemoryType.FACT,
) -> datetime | None:
    """The expires_at that `life` gives at `now`; present_end is what `keep` keeps, memory_type
    the one whose default `type_default` asks for."""
    if life.keep:
        return present_end
    seconds = DEFAULT_LIFE_S[memory_type] if life.type_default else life.seconds
    return None if seconds is None else now + timedelta(seconds=seconds)


def is_live(expires_at: datetime | None, now: datetime) -> bool:
    """Live while now < expires_at; from that instant on it is gone."""
    return expires_at is None or now < expires_at


class ClockMark(Model):
    """A store's own record of time. high: the latest time believed. ahead: where the clock jumped
    to, when it jumped further than JUMP_MAX past `high` and is not believed yet; seen: the latest
    time seen since then."""

    high: Instant
    ahead: Instant | None = None
    seen: Instant | None = None

    def trusts(self, wall: datetime) -> bool:
        """Whether content may be taken out for good by this clock."""
        return self.ahead is None and wall - self.high <= JUMP_MAX


def present(mark: ClockMark | None, wall: datetime) -> datetime:
    """The store's now: the wall clock, but never before a time already believed."""
    return wall if mark is None else max(wall, mark.high)


def advance(mark: ClockMark | None, wall: datetime) -> ClockMark:
    """The record after a write at `wall`.

    A small step forward is believed. A jump beyond JUMP_MAX is noted in `ahead` and believed once
    the clock has run TRUST_AFTER past it without another leap; a clock that comes back within
    reach of `high` takes the note away. A clock behind `high` changes nothing: what has ended
    stays ended.
    """
    if mark is None:
        return ClockMark(high=wall)
    if wall <= mark.high + JUMP_MAX:
        return ClockMark(high=max(wall, mark.high))
    seen = mark.seen or mark.ahead
    if mark.ahead is None or seen is None or wall < mark.ahead or wall - seen > LEAP_MAX:
        return ClockMark(high=mark.high, ahead=wall, seen=wall)
    if wall - mark.ahead >= TRUST_AFTER:
        return ClockMark(high=wall)
    return ClockMark(high=mark.high, ahead=mark.ahead, seen=max(wall, seen))
