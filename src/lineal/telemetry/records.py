"""Memories as the conventions show them, `gen_ai.memory.records`: where content is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from opentelemetry.util.types import AnyValue
from pydantic_core import to_json

__all__ = ["CONTENT_CHARS_MAX", "RECORDS_MAX", "Record", "records"]

RECORDS_MAX = 20
"""Records told of one call; the count tells how many there were."""

CONTENT_CHARS_MAX = 4_000
"""Characters told of one record; an exporter's batch is not the place for a whole document."""


class Record(NamedTuple):
    """One memory. content: its text, or a row's values. score: of a search, higher is better."""

    id: str
    content: str | dict[str, Any]
    score: float | None = None


def records(found: Iterable[Record]) -> list[AnyValue]:
    """The first RECORDS_MAX, each {"id", "content"[, "score"]}, contents cut to their bound."""
    return [_shown(record) for record, _ in zip(found, range(RECORDS_MAX), strict=False)]


def _shown(record: Record) -> AnyValue:
    shown: dict[str, AnyValue] = {"id": record.id, "content": _bounded(record.content)}
    return shown if record.score is None else {**shown, "score": record.score}


def _bounded(content: str | dict[str, Any]) -> str:
    """A row's values as JSON text: their depth is the caller's, and would have no bound else."""
    text = content if isinstance(content, str) else to_json(content, fallback=str).decode()
    return text[:CONTENT_CHARS_MAX]
