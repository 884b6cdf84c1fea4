"""The only reader of time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "from_ms", "monotonic_s", "to_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(at: datetime) -> int:
    """Milliseconds since 1970-01-01T00:00Z, rounded down. Raises ValueError on a naive time."""
    if at.tzinfo is None:
        raise ValueError("a time without offset")
    since = at - _EPOCH  # a division of timedeltas takes four times as long
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def from_ms(ms: int) -> datetime:
    """The aware UTC time of `ms` milliseconds since 1970. Raises OverflowError past year 9999."""
    return _EPOCH + timedelta(milliseconds=ms)


def monotonic_s() -> float:
    """Seconds that never go back, from an arbitrary start: for measuring idleness, never stored."""
    return time.monotonic()


class Clock(Protocol):
    """Hands out the present; everything else takes time as an argument."""

    def now(self) -> datetime:
        """Aware UTC, whole milliseconds: the precision that stores keep."""
        ...


class SystemClock:
    """The machine's wall clock, moved by a fixed offset when one is configured."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_ms = int(offset_s * 1000)

    def now(self) -> datetime:
        return from_ms(time.time_ns() // 1_000_000 + self._offset_ms)


class ManualClock:
    """A clock that moves only when told; no test sleeps."""

    def __init__(self, start: datetime) -> None:
        self._now = from_ms(to_ms(start))

    def now(self) -> datetime:
        return self._now

    def advance(self, **delta: float) -> datetime:
        """Move by timedelta(**delta), backwards too; returns the new present."""
        self._now = from_ms(to_ms(self._now + timedelta(**delta)))
        return self._now
