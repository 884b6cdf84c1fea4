"""How long a service asks to be left alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["WAIT_S_MAX", "wait_s_of"]

WAIT_S_MAX = 3_600.0
"""No service is believed that wants to be left alone for longer."""

SINCE_1970 = 10**8
"""Seconds from which on a number is a time since 1970, not one from now."""


def wait_s_of(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """0 to WAIT_S_MAX seconds from `now`; None where nothing usable is said.

    From Retry-After (RFC 9110: seconds, or an HTTP date), else X-RateLimit-Reset, which has no
    standard: seconds from now, seconds since 1970, or a date as HTTP or RFC 3339 writes it.
    headers: by lower-case names, or by any case. now: aware; without it only seconds from now are
    understood.
    """
    wait_s = _until(headers.get("retry-after", ""), now)
    if wait_s is None:
        wait_s = _until(headers.get("x-ratelimit-reset", ""), now, counted=True)
    return None if wait_s is None else min(max(wait_s, 0.0), WAIT_S_MAX)


def _until(text: str, now: datetime | None, *, counted: bool = False) -> float | None:
    """Seconds. counted: a large number is one since 1970."""
    number = _number(text)
    if number is None:
        at = _time(text)
        return None if at is None or now is None else (at - now).total_seconds()
    if not counted or number <= SINCE_1970:
        return number
    return None if now is None else number - now.timestamp()


def _number(text: str) -> float | None:
    try:
        number = float(text) if text.isascii() else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _time(text: str) -> datetime | None:
    """Aware; None for what is no time, or of no known offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _http_date(text)
    return at if at.tzinfo else None


def _http_date(text: str) -> datetime | None:
    """HTTP's dates are of UTC, also where they don't say so."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
