"""What goes wrong with an answer, to be asked for by a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Message, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from lineal.models.base import rfc3339

__all__ = [
    "Fault",
    "Faults",
    "Seen",
    "answering",
    "busy",
    "busy_until",
    "cut_after",
    "cut_before",
    "cut_within",
    "cutting",
    "detailed",
    "drip",
    "enveloped",
    "flat",
    "listed",
    "not_json",
    "slow",
]

Work = Callable[[Send], Awaitable[None]]
"""Does what was asked and sends its answer."""

Fault = Callable[[Work, Scope, Send], Awaitable[None]]
"""Answers in the place of the work, or lets it be done first."""


class Seen(NamedTuple):
    """A request as it came. path: encoded, below the contract's base. headers: lower-case names."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    json: Any


class Faults:
    """Taken in turn: each once, by the first request that it is meant for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str, Fault]] = []

    def add(self, method: str, path: str, *faults: Fault) -> None:
        """For the next requests of that method whose path begins so."""
        self._waiting += [(method, path, fault) for fault in faults]

    def take(self, seen: Seen) -> Fault | None:
        for at, (method, path, fault) in enumerate(self._waiting):
            if seen.method == method and seen.path.startswith(path):
                del self._waiting[at]
                return fault
        return None


def answering(status: int, body: object = b"", **headers: str) -> Fault:
    """This answer and no work. body: bytes, or a JSON value. headers: with _ for -."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def fault(work: Work, scope: Scope, send: Send) -> None:
        await Response(raw, status, named, "application/json")(scope, _nothing, send)

    return fault


def enveloped(status: int, code: str, message: str, details: object = None) -> Fault:
    """{"error": {code, message, details}}."""
    return answering(
        status, {"error": {"code": code, "message": message, "details": details or {}}}
    )


def listed(*loc: str | int, msg: str = "Field required") -> Fault:
    """A 422 as FastAPI gives it."""
    return answering(422, {"detail": [{"loc": list(loc), "msg": msg, "type": "missing"}]})


def detailed(status: int, detail: object) -> Fault:
    """{"detail": a text or an object}."""
    return answering(status, {"detail": detail})


def flat(status: int, error: str) -> Fault:
    """{"error": a text, "status"}."""
    return answering(status, {"error": error, "status": status})


def not_json(status: int = 200) -> Fault:
    return answering(status, b"<html>Welcome</html>", content_type="text/html")


def busy(seconds: int, *, header: str = "retry_after", status: int = 429) -> Fault:
    """Leave me alone for so long. header: with _ for -."""
    return answering(status, {"detail": "Too many requests"}, **{header: str(seconds)})


def busy_until(at: datetime, *, header: str = "retry_after") -> Fault:
    """Leave me alone until then: an HTTP date in Retry-After, else RFC 3339; no JSON in it."""
    text = format_datetime(at, usegmt=True) if header == "retry_after" else rfc3339(at)
    return answering(429, b"Slow down.", **{header: text})


async def cut_before(work: Work, scope: Scope, send: Send) -> None:
    """The connection ends, and nothing was done."""
    await _cut(scope)


async def cut_after(work: Work, scope: Scope, send: Send) -> None:
    """All was done, and the connection ends before an answer."""
    await work(_unheard)
    await _cut(scope)


async def cut_within(work: Work, scope: Scope, send: Send) -> None:
    """All was done, and the connection ends in the middle of the answer."""
    await work(_unheard)
    await _begin(send)
    await send({"type": "http.response.body", "body": b'{"', "more_body": True})
    await _cut(scope)


async def drip(work: Work, scope: Scope, send: Send) -> None:
    """A byte now and then, until nobody listens."""
    await _begin(send)
    while tuple(scope["client"]) in OPEN:
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.02)


def slow(seconds: float) -> Fault:
    """All is done, and the answer comes so much later."""

    async def fault(work: Work, scope: Scope, send: Send) -> None:
        held: list[Message] = []
        await work(_into(held))
        await asyncio.sleep(seconds)
        for message in held:
            await send(message)

    return fault


class Connection(NamedTuple):
    """One that is open, and what is set when it isn't any more."""

    transport: asyncio.Transport
    ended: asyncio.Event


OPEN: dict[tuple[str, int], Connection] = {}
"""Connections by their client's address: ASGI has no word for cutting one."""


def cutting() -> type[asyncio.Protocol]:
    """A protocol whose connections can be cut."""
    return _Cutting


class _Cutting(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        OPEN[_client_of(transport)] = Connection(transport, asyncio.Event())
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        OPEN.pop(_client_of(self.transport)).ended.set()


def _client_of(transport: asyncio.Transport) -> tuple[str, int]:
    host, port = transport.get_extra_info("peername")
    return host, port


async def _cut(scope: Scope) -> None:
    """Returns when the server has noticed, so that it doesn't answer instead."""
    connection = OPEN[tuple(scope["client"])]
    connection.transport.abort()
    await connection.ended.wait()


async def _begin(send: Send) -> None:
    length = (b"content-length", b"100000")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})


async def _unheard(message: Message) -> None:
    """An answer that goes nowhere."""


def _into(held: list[Message]) -> Send:
    async def send(message: Message) -> None:
        held.append(message)

    return send


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
