"""The gate before everything: which requests go further, and as whose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import NamedTuple

import anyio
import anyio.lowlevel
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineal.errors import STATUS, ErrorCode, LinealError
from lineal.faces.http.addresses import Addresses
from lineal.faces.http.bodies import Bodies, Gone
from lineal.faces.http.callers import Caller, Callers
from lineal.faces.http.metrics import Metrics
from lineal.faces.http.rates import Allowance, Rates
from lineal.faces.http.refusals import Headers, Refusal, answer
from lineal.faces.rest.access import PRINCIPAL

__all__ = ["CALLER", "Gate", "Rules"]

CALLER = "lineal.caller"
"""Where the caller's own key is in the ASGI scope, beside the principal."""

READABLE = b"Mcp-Session-Id, Retry-After, WWW-Authenticate, X-RateLimit-Limit, \
X-RateLimit-Remaining, X-RateLimit-Reset, Allow"
"""Headers of an answer that a page which was allowed by name may read."""

PREFLIGHT_S = b"600"
METHODS = b"GET, POST, PUT, DELETE, OPTIONS"
TAKEN = b"authorization, content-type, idempotency-key, last-event-id, mcp-method, mcp-name, \
mcp-protocol-version, mcp-session-id, traceparent, x-session-id"
"""Headers that such a page may send."""

_audit = logging.getLogger("lineal.audit")


class Rules(NamedTuple):
    """What the gate goes by. rates: None: as often as they come. public: paths that nobody needs a
    token for. metadata: where a path's authorization is described, None: nowhere.
    elapsed_s: seconds that never go back."""

    addresses: Addresses
    callers: Callers
    rates: Rates | None
    bodies: Bodies
    public: Collection[str]
    metadata: Callable[[str], str | None]
    elapsed_s: Callable[[], float]


class Gate:
    """ASGI: looks at each request from the outside in. Nothing of the application runs for one
    that is refused."""

    def __init__(self, app: ASGIApp, rules: Rules, metrics: Metrics) -> None:
        self._app = app
        self._rules = rules
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counting = self._counting(scope, send)
        try:
            await self._let_in(scope, receive, counting)
        except Refusal as refusal:
            await answer(counting, refusal, self._to_pages(scope))
        except Gone:
            return

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check_addresses(scope)
        if _is_preflight(scope):
            await self._preflight(scope, send)
            return
        further = self._to_pages(scope)
        if scope["path"] in self._rules.public:
            await self._app(scope, receive, _with(further, send))
            return
        caller = await self._caller(scope)
        further += self._allowed(caller)
        _introduce(scope, caller)
        async with self._rules.bodies.read(scope, receive) as whole:
            await self._run(scope, whole, _with(further, send), caller)

    async def _run(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """Run the application until it has answered, or its caller may no longer hear it."""
        with anyio.CancelScope() as running:

            async def still(message: Message) -> None:
                if message.get("more_body") and not self._rules.callers.is_still(caller):
                    running.cancel()
                    await anyio.lowlevel.checkpoint()
                if message.get("status") == STATUS[ErrorCode.FORBIDDEN]:
                    _note_denied(scope, caller)
                await send(message)

            await self._app(scope, receive, still)

    def _check_addresses(self, scope: Scope) -> None:
        """Raises Refusal for a Host that isn't ours, or a page that may not call."""
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        addresses = self._rules.addresses
        if len(hosts) != 1 or not addresses.may_be_called(hosts[0]):
            raise Refusal(
                ErrorCode.FORBIDDEN,
                "This server doesn't answer to that name (Host). LINEAL_HTTP_HOSTS lists further "
                "ones.",
            )
        port = (scope.get("server") or (None, None))[1]
        if len(origins) > 1 or not addresses.may_call(next(iter(origins), None), port):
            raise Refusal(
                ErrorCode.FORBIDDEN,
                "A page of that origin may not call. LINEAL_HTTP_ORIGINS lists those that may.",
            )

    async def _preflight(self, scope: Scope, send: Send) -> None:
        """A browser asks whether a page may call: only one that was allowed by name."""
        allowed = self._to_pages(scope)
        if not allowed:
            raise Refusal(
                ErrorCode.FORBIDDEN,
                "Pages of that origin may not call. LINEAL_HTTP_ORIGINS lists those that may.",
            )
        headers = [
            *allowed,
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", TAKEN),
            (b"access-control-max-age", PREFLIGHT_S),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body"})

    def _to_pages(self, scope: Scope) -> Headers:
        """What lets a page that was allowed by name read the answer; [] for any other."""
        origins = _values(scope, b"origin")
        if len(origins) != 1 or not self._rules.addresses.is_listed(origins[0]):
            return []
        return [
            (b"access-control-allow-origin", origins[0].encode("latin-1")),
            (b"access-control-expose-headers", READABLE),
            (b"vary", b"Origin"),
        ]

    async def _caller(self, scope: Scope) -> Caller:
        """Raises Refusal for a request of nobody's."""
        sent = _values(scope, b"authorization")
        try:
            return await self._rules.callers.caller(sent)
        except LinealError as error:
            if sent and error.code in (ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN):
                _audit.warning("refused a token from %s: %s", _address(scope), error.message)
            stranger = error.code is ErrorCode.UNAUTHORIZED
            headers = [self._challenge(scope, wrong=bool(sent))] if stranger else []
            raise Refusal.of(error, headers) from None

    def _challenge(self, scope: Scope, *, wrong: bool) -> tuple[bytes, bytes]:
        """RFC 6750; where to learn of the issuer: RFC 9728."""
        parts = ['Bearer realm="lineal"']
        if wrong:
            parts.append('error="invalid_token"')
        metadata = self._rules.metadata(scope["path"])
        if metadata is not None:
            parts.append(f'resource_metadata="{metadata}"')
        return b"www-authenticate", ", ".join(parts).encode("latin-1")

    def _allowed(self, caller: Caller) -> Headers:
        """What is told of the caller's rate. Raises Refusal when it is used up."""
        if self._rules.rates is None:
            return []
        allowance = self._rules.rates.take(caller.key)
        if allowance.wait_s:
            raise _too_often(allowance)
        return allowance.headers()

    def _counting(self, scope: Scope, send: Send) -> Send:
        began_s = self._rules.elapsed_s()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                took_s = self._rules.elapsed_s() - began_s
                self._metrics.answered(scope, message["status"], took_s)
            await send(message)

        return counting


def _introduce(scope: Scope, caller: Caller) -> None:
    """Tell the application who calls; the SDK holds each session against its own word for it."""
    principal = caller.principal
    scope[PRINCIPAL] = principal
    scope[CALLER] = caller.key
    scopes = sorted(principal.scopes)
    token = AccessToken(token="", client_id=caller.key, scopes=scopes)
    scope["user"] = AuthenticatedUser(token)


def _note_denied(scope: Scope, caller: Caller) -> None:
    """A line of who was denied what: the route, not the address, which holds ids."""
    route = getattr(scope.get("route"), "path", "an unknown route")
    _audit.warning(
        "denied %s %s to %r: the token's scopes don't allow it",
        scope["method"],
        route,
        caller.principal.name,
    )


def _too_often(allowance: Allowance) -> Refusal:
    return Refusal(
        ErrorCode.RATE_LIMITED,
        f"Too many requests. Try again in {allowance.wait_s} s.",
        headers=allowance.headers(),
        retryable=True,
    )


def _with(further: Headers, send: Send) -> Send:
    """A `send` that adds these headers to the answer."""
    if not further:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *further]}
        await send(message)

    return sending


def _is_preflight(scope: Scope) -> bool:
    asks = bool(_values(scope, b"access-control-request-method"))
    return scope["method"] == "OPTIONS" and asks


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "somewhere"
