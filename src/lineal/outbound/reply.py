"""What a service answers, read as far as is safe."""

from __future__ import annotations

from typing import NamedTuple

import httpx

__all__ = ["Reply", "Unread", "body_of"]


class Reply(NamedTuple):
    """A whole answer, of any status.

    body: raw, b"" where an error's is compressed or too long: its status says enough.
    headers: by names of any case. wait_s: how long the service asks to be left alone, 0-3,600.
    """

    status: int
    body: bytes
    headers: httpx.Headers
    wait_s: float | None = None


class Unread(ValueError):
    """A body that can't be taken. Its words go on after "The service ..."."""


async def body_of(response: httpx.Response, bytes_max: int) -> bytes:
    """Raw: a packed body could unpack to anything. Raises Unread for more than `bytes_max`, at its
    announcement if there is one, and for one that is packed."""
    too_much = f"sends more than {bytes_max} bytes"
    if int(response.headers.get("content-length", "0")) > bytes_max:
        raise Unread(too_much)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > bytes_max:
            raise Unread(too_much)
    if body and response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unread("sends a compressed answer, which was not asked for")
    return bytes(body)
