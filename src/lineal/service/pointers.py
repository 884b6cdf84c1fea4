"""Pointers to memory that is kept elsewhere (U12)."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import anyio

from lineal.errors import LinealError
from lineal.models.user import UpsertUser
from lineal.ports.resolver import Resolver

__all__ = ["Pointers"]

TIMEOUT_S = 10.0
"""How long an upsert waits for what a pointer names."""

NEVER = ("http", "https", "file", "ftp", "data", "javascript")
"""Schemes that anybody could make name anything: never followed, whoever registers for them."""

_log = logging.getLogger("lineal")


class Pointers:
    """Follows a memory_ref where somebody has registered for its scheme; else it is only kept."""

    def __init__(self, resolvers: Mapping[str, Resolver]) -> None:
        self._resolvers = {
            scheme.lower(): one for scheme, one in resolvers.items() if scheme.lower() not in NEVER
        }

    async def followed(self, request: UpsertUser, chars_max: int) -> UpsertUser:
        """The upsert with what its pointer names as its context, unless it brings one itself.

        What can't be had within TIMEOUT_S, is blank or longer than chars_max isn't read; the
        pointer is kept all the same."""
        scheme, colon, _ = (request.memory_ref or "").partition(":")
        resolver = self._resolvers.get(scheme.lower()) if colon else None
        if resolver is None or request.context is not None:
            return request
        text = await self._text(resolver, request.memory_ref or "", scheme)
        if not text.strip() or len(text) > chars_max:
            return request
        return request.model_copy(update={"context": text})

    async def _text(self, resolver: Resolver, memory_ref: str, scheme: str) -> str:
        """Nothing of the pointer is logged but its scheme: the rest may hold anything."""
        try:
            with anyio.fail_after(TIMEOUT_S):
                return await resolver.resolve(memory_ref) or ""
        except (LinealError, TimeoutError, OSError) as error:
            _log.warning("memory_ref %s: not followed (%s)", scheme[:20], type(error).__name__)
            return ""
