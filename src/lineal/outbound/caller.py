"""One client for one service: a request goes out, a bounded answer comes back, or it is said how
far the request came."""

from __future__ import annotations

import json as json_
import logging
import ssl
from collections.abc import Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

import anyio
import httpx
from pydantic import Secret

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.outbound.address import place_of
from lineal.outbound.faults import Away
from lineal.outbound.reply import Reply, Unread, body_of
from lineal.outbound.waiting import wait_s_of

__all__ = ["Caller", "Lost", "Reply"]

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 60.0
"""How long a connection is kept that nobody uses."""

BYTES_MAX = 16 * 2**20
"""Of a whole answer."""

REPEATABLE = ("GET", "HEAD", "PUT", "DELETE")
"""Methods that do the same when they arrive twice (RFC 9110, 9.2.2)."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_CUT = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_LOST = (*_CUT, httpx.ConnectError, OSError)
_IN_A_PATH = "/%:@!$&'()*+,;=~"


class Lost(Away):
    """There was no connection, or it ended before the whole answer was there."""


class Caller:
    """A pool of connections to one service, opened at the first call.

    It goes to this address only: no redirect is followed, no proxy or .netrc of the environment
    used, no cookie kept. TLS is verified. What it says and shows of itself holds neither a header
    nor more of the address than its host.
    """

    def __init__(
        self,
        base: httpx.URL,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        connections_max: int = 8,
        bytes_max: int = BYTES_MAX,
        clock: Clock | None = None,
        name: str = "The service",
    ) -> None:
        """base: as `address_of` gives it. headers: of every request, the key's among them.
        timeout_s: of a call in all. bytes_max: of an answer. clock: for answers that ask to be left
        alone until a time; without it such a wish isn't understood. name: for messages."""
        self._base = base
        self._headers = Secret({**headers, "accept-encoding": "identity"})
        self._timeout_s = timeout_s
        self._connections_max = connections_max
        self._bytes_max = bytes_max
        self._clock = clock
        self._place = f"{name} at {place_of(base)}"
        self._client: httpx.AsyncClient | None = None
        _hush()

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        params: Mapping[str, str | int | bool] | None = None,
        timeout_s: float | None = None,
        safe: bool = False,
    ) -> Reply:
        """The whole answer, whatever its status.

        method: in capitals. path: what comes after the base's; an id in it must be percent-encoded.
        json: JSON values; half a pair of surrogates is sent as U+FFFD. safe: the request does the
        same when it arrives twice, whatever its method.

        A kept connection may have ended meanwhile: the request is then repeated once on a new one,
        if it is safe. Raises Away when there is no whole answer in time: arrived is False when the
        request surely was not sent, None when it may have been read. Raises invalid_request for a
        path that leads elsewhere, ValueError for what JSON can't hold.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        course = _Course()
        request = self._request(method, path, json, params)
        request.extensions |= {
            "trace": course.note,
            # The rest is bounded by the whole, which a byte now and then doesn't move.
            "timeout": httpx.Timeout(None, connect=min(CONNECT_TIMEOUT_S, limit_s)).as_dict(),
        }
        with anyio.move_on_after(limit_s):
            return await self._mapped(request, course, safe=safe or method in REPEATABLE)
        raise Away(
            f"{self._place} did not answer within {limit_s:g} s.",
            arrived=None if course.sent else False,
            answered=course.status,
        )

    async def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _request(
        self,
        method: str,
        path: str,
        json: object | None,
        params: Mapping[str, str | int | bool] | None,
    ) -> httpx.Request:
        try:
            return self._opened().build_request(
                method,
                self._url(path),
                content=None if json is None else _encoded(json),
                headers=None if json is None else {"content-type": "application/json"},
                params=_written(params),
            )
        except httpx.InvalidURL:  # its words may hold the address
            raise LinealError.invalid("path", "What is asked for makes no address.") from None

    async def _mapped(self, request: httpx.Request, course: _Course, *, safe: bool) -> Reply:
        """The client's own errors hold the request: they go no further."""
        try:
            return await self._answered(request, course, safe=safe)
        except Unread as unread:
            raise Away(f"{self._place} {unread}.", answered=course.status) from None
        except (httpx.HTTPError, OSError) as error:  # OSError: TLS that breaks after its handshake
            raise self._lost(error, course) from None

    async def _answered(self, request: httpx.Request, course: _Course, *, safe: bool) -> Reply:
        try:
            return await self._sent(self._opened(), request, course)
        except _CUT:
            if not safe or course.connected or course.status is not None:
                raise
        async with self._new() as fresh:  # other kept connections may have ended too
            return await self._sent(fresh, request, course)

    async def _sent(
        self, client: httpx.AsyncClient, request: httpx.Request, course: _Course
    ) -> Reply:
        response = await client.send(request, stream=True)
        course.status = response.status_code
        try:
            body = await body_of(response, self._bytes_max)
        except Unread:
            if response.is_success:
                raise
            body = b""
        finally:
            await response.aclose()
        now = self._clock.now() if self._clock else None
        wait_s = wait_s_of(response.headers, now)
        return Reply(response.status_code, body, response.headers, wait_s)

    def _lost(self, error: httpx.HTTPError | OSError, course: _Course) -> Away:
        message = f"{self._place} can't be reached ({type(error).__name__})."
        # What was sent before it was repeated may have been read.
        arrived = False if isinstance(error, _NOT_SENT) and not course.sent else None
        kind = Lost if isinstance(error, _LOST) else Away
        return kind(message, arrived=arrived, answered=course.status)

    def _url(self, path: str) -> httpx.URL:
        if {".", ".."} & set(path.split("/")):
            raise LinealError.invalid("path", "A path of '.' or '..' leads elsewhere.")
        below = quote(path.lstrip("/"), safe=_IN_A_PATH, errors="replace")
        return self._base.copy_with(
            raw_path=self._base.raw_path.rstrip(b"/") + b"/" + below.encode("ascii")
        )

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._new()
        return self._client

    def _new(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers.get_secret_value(),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(max_connections=self._connections_max, keepalive_expiry=IDLE_S),
            verify=_tls(),
            trust_env=False,
            follow_redirects=False,
        )


class _Course:
    """How far a request came. connected: over a new connection. sent: some of it, at whichever try.
    status: of the answer begun."""

    def __init__(self) -> None:
        self.connected = False
        self.sent = False
        self.status: int | None = None

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        """The HTTP library's tracing: https://www.encode.io/httpcore/extensions/#trace."""
        self.connected |= event.startswith("connection.")
        self.sent |= event.startswith("http11.")


@cache
def _tls() -> ssl.SSLContext:
    """Costs some 30 ms to make, and belongs to nobody."""
    return httpx.create_ssl_context(trust_env=False)


def _hush() -> None:
    """httpx writes each request's URL at INFO, its query too; httpcore the answer's headers at
    DEBUG, in which a service may repeat the key."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)


def _written(params: Mapping[str, str | int | bool] | None) -> httpx.QueryParams | None:
    """None leaves a URL without its question mark."""
    if params is None:
        return None
    return httpx.QueryParams(
        {name: _clean(value) if isinstance(value, str) else value for name, value in params.items()}
    )


def _encoded(value: object) -> bytes:
    text = json_.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _clean(text).encode()


def _clean(text: str) -> str:
    """What UTF-8 can hold: pairs of surrogates joined, halves as U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
