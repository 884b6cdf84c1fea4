"""Times as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["ago", "date", "day", "ending", "minute", "span"]

_UNITS = (("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def date(at: datetime) -> str:
    """2026-03-02, in UTC as stored."""
    return at.strftime("%Y-%m-%d")


def minute(at: datetime) -> str:
    """2026-03-02 09:14, in UTC as stored."""
    return at.strftime("%Y-%m-%d %H:%M")


def span(length: timedelta) -> str:
    """The largest unit that all but fits, rounded: 3 d, 59 min, 0 s; 6.99 days are 7 d."""
    seconds = abs(length).total_seconds()
    name, size = next((unit for unit in _UNITS if seconds >= unit[1] * 0.95), _UNITS[-1])
    return f"{round(seconds / size)} {name}"


def ago(at: datetime, now: datetime) -> str:
    """`3 d ago`, or `in 3 d` for what is said of a time to come."""
    return f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"


def day(at: datetime, now: datetime) -> str:
    """`today`, or `2026-03-02, 264 d ago`."""
    return "today" if date(at) == date(now) else f"{date(at)}, {ago(at, now)}"


def ending(expires_at: datetime | None, now: datetime) -> str:
    """How long a memory has: `for good`, `6 d left`, `ended`."""
    if expires_at is None:
        return "for good"
    return f"{span(expires_at - now)} left" if now < expires_at else "ended"
