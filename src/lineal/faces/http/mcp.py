"""MCP over streamable HTTP: one server for all callers, each request behind its own wall."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request

from lineal.faces.http.gate import CALLER
from lineal.faces.mcp.access import AccessOf
from lineal.faces.mcp.server import build_shared_server
from lineal.faces.rest.access import principal_of
from lineal.models.project import Project
from lineal.service import Service

__all__ = ["MCP_PATH", "Connect", "RequestAccess", "access_of", "mcp_app", "sessions_of"]

MCP_PATH = "/mcp"

SESSIONS_MAX = 2_000
"""Open sessions of the older protocol; each keeps a task and what its client said of itself."""

SESSION_HEADER = "mcp-session-id"

OWN_HEADER = "x-session-id"
"""As over REST; for the newer protocol, which has no sessions."""

Connect = Callable[[], Awaitable[Service]]


@dataclass(frozen=True)
class RequestAccess:
    """One request's way in. What the process's environment tells is of another program than the
    client, so nothing of it is told of a call."""

    connect: Connect
    tenant: str
    name: str
    scopes: frozenset[str]
    session: str
    result_chars: int
    client_session_id: str | None = None
    entrypoint: str | None = None
    project: Project | None = None
    hears_hooks: bool = False

    async def service(self) -> Service:
        return await self.connect()


def access_of(connect: Connect, *, result_chars: int) -> AccessOf:
    """Whose a request is: the gate's principal's. Raises unauthorized where it found none."""

    def found(ctx: ServerRequestContext[Any, Any]) -> RequestAccess:
        request = ctx.request
        if not isinstance(request, Request):
            raise TypeError("a message that came with no request")
        principal = principal_of(request)
        return RequestAccess(
            connect=connect,
            tenant=principal.tenant,
            name=principal.name,
            scopes=principal.scopes,
            session=_session(request),
            result_chars=result_chars,
        )

    return found


def mcp_app(access: AccessOf, *, body_bytes: int) -> tuple[Starlette, Server[Any]]:
    """The SDK's application, whose lifespan must be entered, and its server. It stands behind the
    gate, which has looked at Host and Origin already."""
    server = build_shared_server(access)
    app = server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        max_request_body_size=body_bytes,
        max_sessions=SESSIONS_MAX,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return app, server


def sessions_of(server: Server[Any]) -> int:
    """Sessions that are open now. The SDK has no public name for it."""
    return len(server.session_manager._server_instances)


def _session(request: Request) -> str:
    """Our own name of the session: of the protocol's id, which is as good as a key and is kept
    nowhere; else of the id that a caller gives its own. "" where a request names none: several
    agents may share a token."""
    named, own = request.headers.get(SESSION_HEADER), request.headers.get(OWN_HEADER)
    if not named and not own:
        return ""
    known_by = f"session\n{named}" if named else f"caller\n{request.scope[CALLER]}\n{own}"
    return "http:" + hashlib.sha256(known_by.encode("utf-8", "surrogatepass")).hexdigest()[:16]
