"""Identifiers: unguessable, sortable by nothing, safe in a URL."""

from __future__ import annotations

import base64
import itertools
import secrets
from typing import Protocol

__all__ = ["Ids", "RandomIds", "SequentialIds"]


class Ids(Protocol):
    """Where new identifiers come from."""

    def context(self) -> str:
        """A new context id, `ctx_…`, never handed out before."""
        ...


class RandomIds:
    """128 random bits each: an id can't be guessed, so it can be shown."""

    def context(self) -> str:
        token = base64.b32encode(secrets.token_bytes(16)).decode("ascii")
        return "ctx_" + token.rstrip("=").lower()


class SequentialIds:
    """ctx_1, ctx_2, …: for tests that read better with known names."""

    def __init__(self) -> None:
        self._counter = itertools.count(1)

    def context(self) -> str:
        return f"ctx_{next(self._counter)}"
