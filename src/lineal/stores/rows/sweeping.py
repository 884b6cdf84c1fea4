"""What sweeps say, whatever the engine."""

from __future__ import annotations

from datetime import datetime

from lineal.models.base import rfc3339
from lineal.models.changes import SweepReport
from lineal.policy.expiry import ClockMark

__all__ = ["added", "refusal"]


def added(one: SweepReport, other: SweepReport) -> SweepReport:
    """Both together; refused if either was."""
    return SweepReport(
        contexts=one.contexts + other.contexts,
        users=one.users + other.users,
        receipts=one.receipts + other.receipts,
        refused=one.refused or other.refused,
    )


def refusal(mark: ClockMark, wall: datetime) -> str:
    return (
        f"The clock says {rfc3339(wall)}, but the store last believed {rfc3339(mark.high)}. "
        "Nothing is taken out for good by a clock that jumped; if it is right, run "
        "`lineal sweep --accept-clock`."
    )
