"""What an answer says of the backend that it was forwarded to."""

from __future__ import annotations

from pydantic import Field

from lineal.models.base import Model

__all__ = ["Forwarded"]

Unsaid = Field(default=None, exclude_if=lambda value: value is None)


class Forwarded(Model):
    """How an answer came about at a backend that forwards.

    emulated: what of it the remote can't do, and lineal does beside it. queued: the id of the
    letter that waits in the outbox; reason: why it does. note: what else is to be known.
    """

    backend: str
    emulated: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    queued: str | None = Unsaid
    reason: str | None = Unsaid
    note: str | None = Unsaid
