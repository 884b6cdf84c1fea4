"""Who calls by REST, and how the face reaches the service."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from starlette.requests import Request

from lineal.errors import ErrorCode, LinealError
from lineal.models.base import Model
from lineal.models.changes import Call
from lineal.models.lineage import Evidence
from lineal.service import Service

__all__ = ["ALL_SCOPES", "PRINCIPAL", "Principal", "RestAccess", "ServiceAccess", "principal_of"]

ScopeName = Literal["read", "write", "erase"]

ALL_SCOPES: frozenset[ScopeName] = frozenset(("read", "write", "erase"))

PRINCIPAL = "lineal.principal"
"""Where the gate puts the principal in the ASGI scope, before any route runs."""

READING = ("search_context", "get_context", "get_user", "match_users", "schema")
"""Tools that only read."""

_PRODUCT = re.compile(r"([A-Za-z0-9._+-]{1,80})(?:/([A-Za-z0-9._+-]{1,80}))?(?![^\s;(])")
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Principal(Model):
    """Whoever a request comes from: behind which wall, and what they may do. name: of the token,
    for logs and sessions; never a secret."""

    tenant: str
    scopes: frozenset[ScopeName]
    name: str = "local"


class RestAccess(Protocol):
    """The way from a request to the service."""

    async def service(self) -> Service:
        """The service. Raises LinealError unavailable, saying why and what to do."""
        ...

    def call(self, request: Request, tool: str) -> Call:
        """Who calls, with what the request shows of its origin. Raises unauthorized without a
        principal."""
        ...


class ServiceAccess:
    """Reaches the service that `connect` gives; a call is of the principal that the gate found."""

    def __init__(self, connect: Callable[[], Awaitable[Service]]) -> None:
        self._connect = connect

    async def service(self) -> Service:
        return await self._connect()

    def call(self, request: Request, tool: str) -> Call:
        principal = principal_of(request)
        name, version = _client(request.headers.get("user-agent", ""))
        session_id = _whole(_SESSION, request.headers.get("x-session-id"))
        return Call(
            tenant=principal.tenant,
            evidence=Evidence(
                tool=tool,
                client_name=name,
                client_version=version,
                session_id=session_id,
                traceparent=_whole(_TRACEPARENT, request.headers.get("traceparent")),
            ),
            session=_session(principal, session_id, tool),
            read_only="write" not in principal.scopes,
        )


def principal_of(request: Request) -> Principal:
    """Whom the gate let in. Raises unauthorized where no gate did: a request nobody looked at is
    nobody's."""
    principal = request.scope.get(PRINCIPAL)
    if not isinstance(principal, Principal):
        raise LinealError(
            ErrorCode.UNAUTHORIZED,
            "This request names nobody. Send a token: Authorization: Bearer.",
        )
    return principal


def _session(principal: Principal, session_id: str | None, tool: str) -> str:
    """Our own name of the session. Requests that name none have nothing in common: what they read
    is never a source of what they write (L4), so these two go by names of their own."""
    if session_id is None:
        return "rest:reads" if tool in READING else "rest:writes"
    return f"rest:{principal.name}:{session_id}"


def _client(user_agent: str) -> tuple[str | None, str | None]:
    """Name and version of the first product that a client names itself by."""
    found = _PRODUCT.match(user_agent)
    return (found[1], found[2]) if found else (None, None)


def _whole(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None
