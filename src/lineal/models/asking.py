"""Asking a language model something, whoever runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lineal.models.base import Model

__all__ = ["Ask", "Question", "Said"]


class Question(Model):
    """What is asked. system: how to answer. prompt: what about. max_tokens: of the answer."""

    system: str
    prompt: str
    max_tokens: int = 2_000


class Said(Model):
    """What the model said, and which model it was, as it names itself."""

    text: str
    model: str


Ask = Callable[[Question], Awaitable[Said]]
"""Raises LinealError when there is no answer."""
