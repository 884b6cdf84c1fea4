"""The REST routes, served without the rest of the process: in this one, or over a socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from lineal.app import open_service
from lineal.errors import ErrorCode, LinealError
from lineal.faces.rest.access import ALL_SCOPES, PRINCIPAL, Principal, ScopeName, ServiceAccess
from lineal.faces.rest.answers import failed
from lineal.faces.rest.routes import routes
from lineal.service import Service
from lineal.settings import Settings

__all__ = ["Gate", "app_of", "client_of", "opened", "served", "settings_of"]

TOKEN = "of-the-tests"  # noqa: S105 - no secret, just a word
START_WITHIN_S = 20.0


class Gate:
    """Lets everybody in as `principal`; with a token, whoever sends it."""

    def __init__(self, app: ASGIApp, principal: Principal | None, token: str | None = None) -> None:
        self._app = app
        self._principal = principal
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        sent = headers.get(b"authorization", b"").decode("latin-1")
        if scope["type"] == "http" and self._token and sent != f"Bearer {self._token}":
            refusal = LinealError(ErrorCode.UNAUTHORIZED, "Send a token.")
            await failed(refusal)(scope, receive, send)
            return
        if self._principal is not None:
            scope[PRINCIPAL] = self._principal
        await self._app(scope, receive, send)


def app_of(
    service: Service | LinealError,
    *,
    tenant: str = "local",
    scopes: frozenset[ScopeName] = ALL_SCOPES,
    known: bool = True,
    token: str | None = None,
) -> Gate:
    """The routes over a service, or over one that can't be opened. known: the gate names whoever
    calls."""

    async def connect() -> Service:
        if isinstance(service, LinealError):
            raise service
        return service

    app = Starlette(routes=routes(ServiceAccess(connect)))
    principal = Principal(tenant=tenant, scopes=scopes, name="tests") if known else None
    return Gate(app, principal, token)


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://lineal.test")


def settings_of(home: Path, **more: Any) -> Settings:
    """A memory of its own, without vectors, by names that no environment can change."""
    plain: dict[str, Any] = {
        "home": home,
        "backend": "sqlite",
        "embedder": "none",
        "capture": "off",
        "user": None,
        "domain": None,
    }
    return Settings(**{**plain, **more})


@asynccontextmanager
async def opened(home: Path, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the routes over a memory in `home`."""
    async with open_service(settings_of(home, **more)) as service, client_of(app_of(service)) as c:
        yield c


@contextmanager
def served(home: Path, *, token: str | None = None, **more: Any) -> Iterator[str]:
    """The routes over a socket, in a thread of their own; the address to call."""
    # asyncio turns Nagle's wait of 40 ms off only where the protocol is named.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=lambda: anyio.run(_serve, settings_of(home, **more), token, listening, ready, done),
        daemon=True,
    )
    thread.start()
    assert ready.wait(START_WITHIN_S)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        done.set()
        thread.join(START_WITHIN_S)


async def _serve(
    settings: Settings,
    token: str | None,
    listening: socket.socket,
    ready: threading.Event,
    done: threading.Event,
) -> None:
    async with open_service(settings) as service, anyio.create_task_group() as tasks:
        config = uvicorn.Config(app_of(service, token=token), log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        tasks.start_soon(server.serve, [listening])
        ready.set()  # who connects from now on waits in the socket's queue
        await anyio.to_thread.run_sync(done.wait)
        server.should_exit = True
