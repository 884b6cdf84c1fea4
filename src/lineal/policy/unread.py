"""A write's answer for who may write and not read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from lineal.models.base import Model
from lineal.models.context import ContextAnswer
from lineal.models.user import UserAnswer

__all__ = ["unread"]

A = TypeVar("A", bound=Model)

UNREAD: Mapping[str, object] = {
    "title": None,
    "summary": None,
    "content": "",
    "tags": (),
    "metadata": {},
    "nia_references": None,
    "edited_files": (),
    "sightings": (),
}
"""What of a context is not shown."""


def unread(answer: A) -> A:
    """The answer without what was stored before it."""
    match answer:
        case UserAnswer():
            return answer.model_copy(update={"fields": {}, "derived": {}, "extras": None})
        case ContextAnswer():
            return answer.model_copy(update=UNREAD)
    return answer
