"""How often a user's vector may be made anew (A8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

__all__ = ["WINDOW", "allowed", "allowed_at", "noted"]

WINDOW = timedelta(minutes=1)
"""Over which refreshes are counted."""


def allowed(refreshed_at: Sequence[datetime], now: datetime, per_minute: int) -> bool:
    """Whether one more refresh at `now` stays within the limit, for this user and domain."""
    return sum(now - WINDOW < at for at in refreshed_at) < per_minute


def allowed_at(refreshed_at: Sequence[datetime], now: datetime, per_minute: int) -> datetime:
    """The first instant from `now` on at which a refresh is allowed; where writes may make none
    at all, when a window has passed."""
    if allowed(refreshed_at, now, per_minute):
        return now
    return sorted(refreshed_at)[-per_minute] + WINDOW if per_minute else now + WINDOW


def noted(refreshed_at: Sequence[datetime], now: datetime, per_minute: int) -> tuple[datetime, ...]:
    """The times to keep after a refresh at `now`: those that the next decision looks at."""
    return (*sorted(refreshed_at)[-max(per_minute - 1, 0) :], now)[-per_minute:]
