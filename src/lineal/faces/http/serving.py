"""The process: a socket, uvicorn on it, and an end within two seconds."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS

from lineal.errors import LinealError

__all__ = ["address_of", "listen", "serve_app"]

HEAD_WITHIN_S = 10.0
"""A request's head that takes longer is dripped. Also how long the rest of a body that was refused
is read and thrown away, so that its sender gets to see the answer."""

KEEP_ALIVE_S = 5
HEAD_BYTES_MAX = 32_768
"""Of a request's line and headers together."""

CONNECTIONS_MAX = 800
"""Open at once, streams among them; a process may often have no more than 1,024 files open."""

BACKLOG = 512
END_WITHIN_S = 1
"""For answers that are being given when we are told to end; what is left is cancelled."""

TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any that is free. Raises unavailable."""
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, proto)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError as failure:
        raise LinealError.unavailable(
            f"{host}:{port} can't be listened on: {failure.strerror or failure}. Another program "
            "may be there already: name another port with --port, or 0 for any that is free.",
            retryable=False,
        ) from failure
    return listening


def address_of(listening: socket.socket) -> str:
    """http://host:port, with the real port."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve_app(
    app: ASGIApp,
    listening: socket.socket,
    ready: Callable[[], None],
    *,
    head_within_s: float = HEAD_WITHIN_S,
) -> None:
    """Serve until SIGTERM or SIGINT, then end within two seconds; the socket is closed. ready:
    called once requests are answered."""

    class Own(Impatient):
        within_s = head_within_s

    config = uvicorn.Config(
        app,
        http=Own,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whoever connects could say that it is somebody else
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=END_WITHIN_S,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        limit_concurrency=CONNECTIONS_MAX,
        backlog=BACKLOG,
    )
    with listening:
        await _Server(config, ready).serve(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's, which tells when it is there, and ends without dying of the signal."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Impatient(H11Protocol):
    """Gives a head `within_s` seconds to come in: uvicorn itself would wait for ever."""

    within_s = HEAD_WITHIN_S
    _timer: asyncio.TimerHandle | None = None
    _has_answered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._settle()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        self._has_answered = True
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _settle(self) -> None:
        """The time runs from the connection, or the last answer, until a head is there."""
        if self._is_answering():
            self._stop()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self.within_s, self._too_slow)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if not self._has_answered:
            self.transport.write(TOO_SLOW)
        self.transport.close()
