"""The secrets port: which parts of a text must never be kept."""

from __future__ import annotations

from typing import Protocol

from lineal.models.redaction import Found

__all__ = ["Found", "NotReady", "SecretDetector"]


class NotReady(Exception):
    """The detector must be warmed before it can look at this text."""


class SecretDetector(Protocol):
    """Finds credentials in a text."""

    def find(self, text: str) -> tuple[Found, ...]:
        """The secrets of a text in order, none overlapping another; () if there are none.

        Takes any text, well-formed or not, and keeps nothing of it. Raises LinealError unavailable
        where it can't look, so that nothing is kept unseen."""
        ...

    def warm(self) -> None:
        """Load what finding needs. Slow: for a worker thread."""
        ...
