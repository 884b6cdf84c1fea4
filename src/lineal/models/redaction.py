"""What was found to be a secret, and what is said of it once it is gone."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from lineal.models.base import Model

__all__ = ["Found", "Redacted"]


class Found(NamedTuple):
    """A secret in a text: its kind, and [start, end) in code points."""

    kind: str
    start: int
    end: int


class Redacted(Model):
    """One secret that was taken out; nothing of its value.

    field: where it was, such as "content" or "metadata.env[2]". start: its first code point in the
    text as it was sent; None for the name of a key.
    """

    field: str
    kind: str
    start: Annotated[int, Field(ge=0)] | None = None
