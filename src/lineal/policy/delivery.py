"""When to try again what couldn't be delivered."""

from __future__ import annotations

__all__ = ["KEY_WAIT_S", "WAIT_FIRST_S", "WAIT_MAX_S", "wait_s"]

WAIT_FIRST_S = 1.0
"""Before the second attempt, where the remote asks for nothing else."""

WAIT_MAX_S = 300.0
"""Between two attempts: a remote that was away for a night is noticed within five minutes."""

KEY_WAIT_S = 60.0
"""After a refused key: a person has to act, and each attempt counts against the key."""


def wait_s(tries: int, asked_s: float | None, chance: float) -> float:
    """Seconds until the next attempt: what the remote asks for, or else twice the wait before,
    of which half is left to chance (in [0, 1)), so that many processes don't come at once.

    tries: attempts that have failed, from 1."""
    if asked_s is not None:
        return asked_s * (1 + chance / 10)  # never sooner than asked
    full = min(WAIT_FIRST_S * 2.0 ** min(tries - 1, 20), WAIT_MAX_S)
    return full / 2 + chance * full / 2
