"""Our REST face on a socket, open to whoever comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from lineal.faces.rest.access import ALL_SCOPES, PRINCIPAL, Principal, ServiceAccess
from lineal.faces.rest.routes import routes
from lineal.service import Service

__all__ = ["serving_rest"]


@contextmanager
def serving_rest(service: Service) -> Iterator[str]:
    """The address, while it is served by a thread of its own."""

    async def connect() -> Service:
        return service

    app = Starlette(routes=routes(ServiceAccess(connect)))
    config = uvicorn.Config(_open_to_all(app), port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: anyio.run(server.serve), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _open_to_all(app: ASGIApp) -> ASGIApp:
    async def opened(scope: Scope, receive: Receive, send: Send) -> None:
        scope[PRINCIPAL] = Principal(tenant="local", scopes=ALL_SCOPES)
        await app(scope, receive, send)

    return opened
