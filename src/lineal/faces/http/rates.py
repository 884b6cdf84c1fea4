"""How often one caller may call: a bucket of tokens each."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Allowance", "Rates"]

SAVED_S = 2.0
"""A caller that was quiet may catch up on so many seconds at once."""

CALLERS_MAX = 10_000
"""Buckets that are kept; the one longest unused goes first, and would be full again anyway."""


class Allowance(NamedTuple):
    """One caller's bucket after a request.

    limit: what a full one holds. remaining: requests left now. reset_s: seconds until it is full.
    wait_s: seconds until the next request may come, 0 where this one may.
    """

    limit: int
    remaining: int
    reset_s: int
    wait_s: int = 0

    def headers(self) -> list[tuple[bytes, bytes]]:
        """As answers carry them; Retry-After only where the request was refused."""
        told = [
            (b"x-ratelimit-limit", self.limit),
            (b"x-ratelimit-remaining", self.remaining),
            (b"x-ratelimit-reset", self.reset_s),
        ]
        if self.wait_s:
            told.append((b"retry-after", self.wait_s))
        return [(name, b"%d" % number) for name, number in told]


class Rates:
    """Each caller's bucket, filled at `per_second` up to two seconds' worth, one at least.

    per_second: > 0. elapsed_s: seconds that never go back.
    """

    def __init__(self, per_second: float, elapsed_s: Callable[[], float]) -> None:
        self._per_second = per_second
        self._full = max(1.0, per_second * SAVED_S)
        self._elapsed_s = elapsed_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> Allowance:
        """Count one request of this caller's."""
        now_s = self._elapsed_s()
        held, then_s = self._buckets.get(caller, (self._full, now_s))
        held = min(self._full, held + (now_s - then_s) * self._per_second)
        wait_s = 0 if held >= 1 else max(1, math.ceil((1 - held) / self._per_second))
        left = held if wait_s else held - 1
        self._buckets[caller] = (left, now_s)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        reset_s = math.ceil((self._full - left) / self._per_second)
        return Allowance(int(self._full), int(left), reset_s, wait_s)
