"""One application: the gate, and behind it MCP, REST, and what operators ask for."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from lineal import __version__
from lineal.clock import Clock, monotonic_s
from lineal.errors import ErrorCode, LinealError
from lineal.faces.http.addresses import Addresses, is_loopback
from lineal.faces.http.bodies import BODY_WITHIN_S, Bodies
from lineal.faces.http.callers import Callers
from lineal.faces.http.gate import Gate, Rules
from lineal.faces.http.health import HEALTH_PATH, Health, metrics_route
from lineal.faces.http.issuer import Fetch, Issuer
from lineal.faces.http.mcp import MCP_PATH, access_of, mcp_app, sessions_of
from lineal.faces.http.metrics import Metrics
from lineal.faces.http.rates import Rates
from lineal.faces.http.serving import address_of
from lineal.faces.http.tokens import GRANTS, TOKENS_NAME, Grant, TokenFile
from lineal.faces.rest.access import ALL_SCOPES
from lineal.service import Service

__all__ = ["Limits", "Process", "Resource", "build_app"]

READING: frozenset[Grant] = frozenset(("read",))

CODES = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.INVALID_REQUEST}


@dataclass(frozen=True)
class Limits:
    """What one request, and one caller, may take. per_second: 0: as often as they come.
    body_within_s: for a whole body to come in."""

    body_bytes: int
    per_second: float
    result_chars: int
    body_within_s: float = BODY_WITHIN_S


@dataclass(frozen=True)
class Resource:
    """What an issuer's tokens are for. public_url: without a slash at its end."""

    issuer: str
    public_url: str

    @property
    def audiences(self) -> tuple[str, ...]:
        """The server as a whole, and its MCP address, by which MCP clients name it (RFC 8707)."""
        return self.public_url, f"{self.public_url}/", self.public_url + MCP_PATH

    def metadata(self, path: str) -> str:
        """Where a client learns of the issuer (RFC 9728)."""
        named = self.public_url + (MCP_PATH if path == MCP_PATH else "")
        return str(build_resource_metadata_url(AnyHttpUrl(named)))

    def routes(self) -> list[BaseRoute]:
        return [
            route
            for path in ("", MCP_PATH)
            for route in create_protected_resource_routes(
                AnyHttpUrl(self.public_url + path), [AnyHttpUrl(self.issuer)], list(GRANTS)
            )
        ]


@dataclass(frozen=True)
class Process:
    """By which names the process may be called, and by whom. elapsed_s: seconds that never go
    back."""

    addresses: Addresses
    callers: Callers
    resource: Resource | None
    elapsed_s: Callable[[], float] = monotonic_s

    @classmethod
    def of(
        cls,
        host: str,
        home: Path,
        clock: Clock,
        *,
        tenant: str,
        fetch: Fetch,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        issuer: str | None = None,
        public_url: str | None = None,
        tenant_claim: str = "tenant",
        read_only: bool = False,
    ) -> Process:
        """As the settings have it. Raises invalid_request for one that is wrong, and for an address
        that others reach while nobody would be asked who they are."""
        resource = _resource(issuer, public_url)
        tokens = TokenFile(home / TOKENS_NAME, monotonic_s)
        if not is_loopback(host) and resource is None:
            _check_guarded(host, tokens, clock)
        callers = Callers(
            tokens,
            clock,
            issuer=_issuer(resource, tenant_claim, fetch),
            open_to=tenant if is_loopback(host) else None,
            scopes=READING if read_only else ALL_SCOPES,
        )
        public = [urlsplit(public_url).netloc] if public_url else []
        return cls(Addresses(host, (*public, *hosts), origins), callers, resource)

    def is_open(self) -> bool:
        """Whether anybody is let in. Raises unavailable."""
        return self.callers.is_open()

    def greeting(self, listening: socket) -> Callable[[], None]:
        """Says on stderr where the process listens and how clients connect."""

        def greet() -> None:
            address = address_of(listening).replace("//0.0.0.0:", "//HOST:")
            address = address.replace("//[::]:", "//HOST:")
            token = "" if self.is_open() else " --header 'Authorization: Bearer TOKEN'"
            said = (
                f"lineal {__version__} listens on {address} ({MCP_PATH} and REST). Connect: "
                f"claude mcp add --transport http lineal {address}{MCP_PATH}{token}"
            )
            print(said, file=sys.stderr, flush=True)  # noqa: T201

        return greet


def build_app(
    connect: Callable[[], Awaitable[Service]],
    rest: Sequence[BaseRoute],
    process: Process,
    limits: Limits,
) -> ASGIApp:
    """The application. connect: leads to the service. rest: the routes of the REST face."""
    elapsed_s, resource = process.elapsed_s, process.resource
    metrics = Metrics()
    access = access_of(connect, result_chars=limits.result_chars)
    mcp, server = mcp_app(access, body_bytes=limits.body_bytes)
    metrics.watch_sessions(lambda: sessions_of(server))
    own = [Health(connect, elapsed_s).route(), metrics_route(metrics, connect)]
    described = resource.routes() if resource else []
    inner = Starlette(
        routes=[*mcp.routes, *own, *described, *rest],
        exception_handlers={HTTPException: _unknown, 500: _defect},
        lifespan=_lifespan_of(mcp),
    )
    rules = Rules(
        addresses=process.addresses,
        callers=process.callers,
        rates=Rates(limits.per_second, elapsed_s) if limits.per_second else None,
        bodies=Bodies(limits.body_bytes, within_s=limits.body_within_s),
        public={HEALTH_PATH, *(str(getattr(route, "path", "")) for route in described)},
        metadata=resource.metadata if resource else lambda _: None,
        elapsed_s=elapsed_s,
    )
    return Gate(inner, rules, metrics)


def _resource(issuer: str | None, public_url: str | None) -> Resource | None:
    if issuer is None:
        return None
    if public_url is None:
        raise LinealError.invalid(
            "LINEAL_PUBLIC_URL",
            "LINEAL_ISSUER is set and LINEAL_PUBLIC_URL is not. The issuer's tokens must be for "
            "this server: name the address that clients know it by, such as "
            "https://memory.example.",
        )
    return Resource(issuer, public_url.rstrip("/").removesuffix(MCP_PATH))


def _issuer(resource: Resource | None, tenant_claim: str, fetch: Fetch) -> Issuer | None:
    if resource is None:
        return None
    return Issuer(
        resource.issuer,
        audiences=resource.audiences,
        tenant_claim=tenant_claim,
        fetch=fetch,
        elapsed_s=monotonic_s,
    )


def _check_guarded(host: str, tokens: TokenFile, clock: Clock) -> None:
    if not any(token.is_live(clock.now()) for token in tokens.listed()):
        raise LinealError.invalid(
            "LINEAL_HTTP_HOST",
            f"{host} can be reached by other machines, and nobody would be asked who they are. "
            "Make a token first (`lineal token create`), set LINEAL_ISSUER, or listen on "
            "127.0.0.1.",
        )


def _lifespan_of(
    mcp: Starlette,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """The SDK's own: it holds the sessions."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with mcp.router.lifespan_context(mcp):
            yield

    return lifespan


async def _unknown(request: Request, failure: Exception) -> Response:
    """What no route answers, in the errors' envelope."""
    status = failure.status_code if isinstance(failure, HTTPException) else 404
    headers = failure.headers if isinstance(failure, HTTPException) else None
    said = "There is nothing at this address." if status == 404 else "This can't be done here."
    error = LinealError(CODES.get(status, ErrorCode.INVALID_REQUEST), said)
    return JSONResponse(error.body(), status_code=status, headers=dict(headers or {}))


async def _defect(request: Request, failure: Exception) -> Response:
    """A defect of ours: its traceback goes to the log, its words to nobody."""
    error = LinealError(
        ErrorCode.INTERNAL, "This failed inside lineal. The server's log has the details."
    )
    return JSONResponse(error.body(), status_code=500)
