"""Identifiers: unguessable, sortable by nothing, safe in a URL."""

from __future__ import annotations

import base64
import itertools
import secrets
from typing import Protocol

__all__ = ["Ids", "RandomIds", "SequentialIds", "letter_id"]


class Ids(Protocol):
    """Where new identifiers come from."""

    def context(self) -> str:
        """A new context id, `ctx_…`, never handed out before."""
        ...

    def outcome(self) -> str:
        """The same of an outcome, `out_…`."""
        ...


def letter_id() -> str:
    """A new id of a letter, `let_…`: for people, never for a client to ask with."""
    return "let_" + _token()


class RandomIds:
    """128 random bits each: an id can't be guessed, so it can be shown."""

    def context(self) -> str:
        return "ctx_" + _token()

    def outcome(self) -> str:
        return "out_" + _token()


class SequentialIds:
    """ctx_1, ctx_2, …, and out_1, …: for tests that read better with known names."""

    def __init__(self) -> None:
        self._contexts = itertools.count(1)
        self._outcomes = itertools.count(1)

    def context(self) -> str:
        return f"ctx_{next(self._contexts)}"

    def outcome(self) -> str:
        return f"out_{next(self._outcomes)}"


def _token() -> str:
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()
