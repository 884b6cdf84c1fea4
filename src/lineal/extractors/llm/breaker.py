"""A circuit breaker: what has failed again and again is left alone for a while."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Breaker"]

FAILURES_MAX = 3
"""In a row, before the pause."""

PAUSE_S = 60.0


class Breaker:
    """monotonic: seconds that never go back. After a pause one try is let through; the others wait
    for how it ends."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        failures_max: int = FAILURES_MAX,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._monotonic = monotonic
        self._failures_max = failures_max
        self._pause_s = pause_s
        self._failures = 0
        self._until_s = 0.0

    def lets_through(self) -> bool:
        """Whether to try now; whoever is let through says how it went."""
        if self._failures < self._failures_max:
            return True
        now_s = self._monotonic()
        if now_s < self._until_s:
            return False
        self._until_s = now_s + self._pause_s
        return True

    def failed(self) -> None:
        self._failures += 1
        self._until_s = self._monotonic() + self._pause_s

    def worked(self) -> None:
        self._failures = 0
