"""A request's body, read whole before anything runs: bounded in size, in time, and all together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.types import Message, Receive, Scope

from lineal.errors import ErrorCode
from lineal.faces.http.refusals import Refusal

__all__ = ["BODY_WITHIN_S", "Bodies", "Gone"]

BODY_WITHIN_S = 30.0
"""A body that takes longer is dripped, by a bad line or on purpose."""

ALL_BYTES = 128 * 2**20
"""Bytes of bodies that are held at once, over all requests."""

BUSY_S = b"1"


class Gone(Exception):
    """The client went away before its body was there: nobody waits for an answer."""


class Bodies:
    """Reads bodies of at most `each_max` bytes within `within_s` seconds, and holds at most
    `all_max` bytes of them at once."""

    def __init__(
        self, each_max: int, *, within_s: float = BODY_WITHIN_S, all_max: int = ALL_BYTES
    ) -> None:
        self._each_max = each_max
        self._within_s = within_s
        self._all_max = max(all_max, each_max)
        self._held = 0

    @asynccontextmanager
    async def read(self, scope: Scope, receive: Receive) -> AsyncIterator[Receive]:
        """A `receive` that gives the whole body, held until the end. Raises Refusal 413, 408 or
        503, or Gone."""
        announced = _announced(scope)
        if announced == 0:  # no body: what is received next is the client's going
            yield receive
            return
        if announced is not None and announced > self._each_max:
            raise self._too_long()
        body = bytearray()
        try:
            await self._gather(body, receive)
            yield _replayed(bytes(body), receive)
        finally:
            self._held -= len(body)

    async def _gather(self, body: bytearray, receive: Receive) -> None:
        with anyio.move_on_after(self._within_s):
            while await self._more(body, receive):
                pass
            return
        raise Refusal(
            ErrorCode.INVALID_REQUEST,
            f"The body didn't come within {self._within_s:g} seconds.",
            status=408,
            headers=[(b"connection", b"close")],
        )

    async def _more(self, body: bytearray, receive: Receive) -> bool:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message.get("body", b"")
        if len(body) + len(part) > self._each_max:
            raise self._too_long()
        if self._held + len(part) > self._all_max:
            raise Refusal(
                ErrorCode.UNAVAILABLE,
                "Too much is being sent at once. Try again in a moment.",
                headers=[(b"retry-after", BUSY_S)],
                retryable=True,
            )
        body.extend(part)
        self._held += len(part)
        return bool(message.get("more_body", False))

    def _too_long(self) -> Refusal:
        return Refusal(
            ErrorCode.INVALID_REQUEST,
            f"The body is longer than {self._each_max} bytes. Send less, or raise "
            "LINEAL_BODY_BYTES.",
            status=413,
        )


def _announced(scope: Scope) -> int | None:
    """Bytes of the body by its Content-Length, 0 where there is none; None: in chunks."""
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
