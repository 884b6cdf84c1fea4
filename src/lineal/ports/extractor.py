"""The extractor port: typed values out of plain words."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from pydantic import Field

from lineal.models.asking import Ask
from lineal.models.base import Model
from lineal.models.schema import Schema

__all__ = ["Extracted", "Extraction", "Extractor"]


class Extraction(Model):
    """One value read from a text; of a list field, one member.

    denied: the text says that this value does not, or no longer, hold.
    span: [start, end) in code points, where it says so. confidence in [0, 1].
    """

    field: str
    value: str | int | float | bool
    span: tuple[int, int]
    confidence: float
    denied: bool = False


class Extracted(Model):
    """All that was read from a text. model_version: which extractor, in which version, read it.

    again: a better extractor could not be asked; it should be, later. why: what it said of that.
    """

    finds: tuple[Extraction, ...] = ()
    model_version: str
    again: bool = False
    why: str | None = Field(default=None, exclude=True)


class Extractor(Protocol):
    """Reads a text against a schema; never invents: each value has its place in the text."""

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        """Every value found, of fields that aren't derived, each one that the schema takes.

        occurred_at: what "yesterday" is counted from. ask: the client's own model, if it lends it.
        """
        ...
