"""A receipt: that a write with an idempotency key was done."""

from __future__ import annotations

from lineal.models.base import Instant, Model

__all__ = ["Receipt"]


class Receipt(Model):
    """That a write with this idempotency key was done, and what was answered.

    request_hash tells a repeated request from another one under the same key. answer: JSON; "" when
    what it showed has ended since, so that a late repetition neither shows it nor does it again.
    """

    key: str
    verb: str
    request_hash: str
    answer: str
    recorded_at: Instant
