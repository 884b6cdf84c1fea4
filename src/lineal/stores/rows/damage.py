"""What a row means that isn't what was written."""

from __future__ import annotations

from lineal.errors import LinealError

__all__ = ["RESTORE", "damaged"]

RESTORE = (
    "Nothing was changed. Run `lineal verify` to see how much is affected, "
    "then restore a backup or move the file away."
)


def damaged(what: str, **details: str) -> LinealError:
    """what: the subject of the sentence, naming an id; never content."""
    return LinealError.unavailable(
        f"{what} is damaged on disk. {RESTORE}", retryable=False, **details
    )
