"""The extractor port: typed values out of plain words."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from lineal.models.base import Model
from lineal.models.schema import Schema

__all__ = ["Extraction", "Extractor"]


class Extraction(Model):
    """One value read from a text. span: [start, end) in code points. confidence in [0, 1]."""

    field: str
    value: str | int | float | bool | tuple[str, ...]
    span: tuple[int, int]
    confidence: float


class Extractor(Protocol):
    """Reads a text against a schema; never invents: each value has its place in the text."""

    @property
    def model_version(self) -> str:
        """Which extractor, in which version; goes into a value's provenance."""
        ...

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime | None
    ) -> tuple[Extraction, ...]: ...
