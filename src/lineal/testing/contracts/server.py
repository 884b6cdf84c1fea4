"""What contract servers share: they keep what they were asked, and fail on demand."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import anyio
import uvicorn
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from lineal.testing.contracts.faults import Faults, Seen, cutting

__all__ = ["Contract", "Exchange", "serving"]


@dataclass
class Exchange:
    """A request, and the status and body that it was answered with; status 0: with nothing. Known
    before the client knows it."""

    seen: Seen
    status: int = 0
    body: bytes = b""

    @property
    def answer(self) -> Any:
        """Its JSON; None for something else."""
        return _parsed(self.body)


class Contract:
    """An ASGI application of one contract below `base`.

    allowed: whether a request's headers may do anything; otherwise `shut` is the answer.
    faults: in the place of answers. exchanges: in order of the requests.
    """

    def __init__(
        self,
        routes: list[Route],
        *,
        base: str,
        allowed: Callable[[Mapping[str, str]], bool],
        shut: Callable[[], Response],
        lost: Callable[[], Response],
        faults: Faults | None = None,
    ) -> None:
        self._base = base
        self._allowed = allowed
        self._shut = shut
        # A slash at the end is part of a path: none is added for whoever forgets it.
        self._router = Router(routes, redirect_slashes=False, default=_always(lost))
        self.faults = faults or Faults()
        self.exchanges: list[Exchange] = []

    @property
    def seen(self) -> list[Seen]:
        return [exchange.seen for exchange in self.exchanges]

    def count(self, method: str, path: str) -> int:
        """Requests of that method whose path begins so."""
        return sum(one.method == method and one.path.startswith(path) for one in self.seen)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        seen = self._seen(scope, body)
        exchange = Exchange(seen)
        self.exchanges.append(exchange)

        async def keep(message: Message) -> None:
            exchange.status = message.get("status", exchange.status)
            exchange.body += message.get("body", b"")
            await send(message)

        async def work(answer: Send) -> None:
            await self._answered({**scope, "path": seen.path}, seen, body, answer)

        fault = self.faults.take(seen)
        await (work(keep) if fault is None else fault(work, scope, keep))

    def _seen(self, scope: Scope, body: bytes) -> Seen:
        """The path as it is below the base; encoded, since a name may hold a slash."""
        raw = scope["raw_path"].decode("ascii").partition("?")[0]
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = dict(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True))
        path = raw.removeprefix(self._base)
        return Seen(scope["method"], path, query, headers, _parsed(body))

    async def _answered(self, scope: Scope, seen: Seen, body: bytes, send: Send) -> None:
        if not self._allowed(seen.headers):
            await self._shut()(scope, _whole(body), send)
            return
        await self._router(scope, _whole(body), send)


def _always(make: Callable[[], Response]) -> Callable[[Scope, Receive, Send], Any]:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await make()(scope, receive, send)

    return answer


def _whole(body: bytes) -> Receive:
    """The body once more."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


TICK_S = 0.005
"""Between two looks whether a server is to end: tests start hundreds."""


class _Server(uvicorn.Server):
    """Ends at once: nobody waits for what it was doing."""

    async def main_loop(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - a flag that another thread sets
            await asyncio.sleep(TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()


@asynccontextmanager
async def serving(app: Contract, *, port: int = 0) -> AsyncIterator[str]:
    """The address of the application, on that port of this machine (0: any), in a thread of its
    own. Its connections end with it."""
    # asyncio turns Nagle's wait of 40 ms off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    config = uvicorn.Config(app, http=cutting(), ws="none", lifespan="off", log_config=None)
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await anyio.to_thread.run_sync(thread.join)
        listener.close()
