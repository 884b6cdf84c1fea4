"""Who calls: a request's Authorization header into the party behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from lineal.clock import Clock
from lineal.errors import ErrorCode, LinealError
from lineal.faces.http.issuer import Claimed, Issuer, WrongToken
from lineal.faces.http.tokens import PREFIX, Grant, Token, TokenFile, live_token
from lineal.faces.rest.access import ALL_SCOPES, Principal

__all__ = ["Caller", "Callers"]

TOKEN_CHARS_MAX = 16_384
"""A longer one is not looked at."""


class Caller(NamedTuple):
    """One party. key: its own, the same at each of its requests; never shown.

    token: of this server's, if it came with one. ends_at: of an issuer's token.
    """

    key: str
    principal: Principal
    token: Token | None = None
    ends_at: datetime | None = None


class Callers:
    """Knows every party that may call.

    tokens: of this server. issuer: whose tokens are taken too. open_to: the tenant of whoever calls
    while there are neither; None: nobody is let in without a token. scopes: what this server allows
    at most.
    """

    def __init__(
        self,
        tokens: TokenFile,
        clock: Clock,
        *,
        issuer: Issuer | None,
        open_to: str | None,
        scopes: frozenset[Grant] = ALL_SCOPES,
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._issuer = issuer
        self._scopes = scopes
        self._anybody = None if issuer is not None or open_to is None else _anybody(open_to)

    async def caller(self, sent: Sequence[str]) -> Caller:
        """Who sent these Authorization headers. Raises unauthorized, forbidden for a token without
        a tenant, and unavailable when it can't be known."""
        found = await self._found(sent)
        scopes = found.principal.scopes & self._scopes
        return found._replace(principal=found.principal.model_copy(update={"scopes": scopes}))

    def is_open(self) -> bool:
        """Whether anybody is let in. Raises unavailable."""
        return self._opened() is not None

    async def _found(self, sent: Sequence[str]) -> Caller:
        anybody = self._opened()
        if anybody is not None:
            return anybody
        secret = _bearer(sent)
        if secret is None:
            raise _unauthorized("A token is needed: 'Authorization: Bearer …'.")
        if secret.startswith(PREFIX) or self._issuer is None:
            return self._ours(secret)
        return await self._issuers(self._issuer, secret)

    def is_still(self, caller: Caller) -> bool:
        """Whether a caller may go on with what it was let in for: a stream may outlive its token.
        Nobody may while it can't be known."""
        try:
            return self._is_known(caller)
        except LinealError:
            return False

    def _is_known(self, caller: Caller) -> bool:
        now = self._clock.now()
        if caller.token is not None:
            return caller.token.is_live(now) and caller.token.digest in self._tokens.known()
        if caller.ends_at is not None:
            return now < caller.ends_at
        return self.is_open()

    def _opened(self) -> Caller | None:
        """Anybody, until there has been a token file. It stays shut when the last token is revoked,
        or the file goes: nobody's memory is opened by taking something away."""
        if self._anybody is not None and self._tokens.exists():
            self._anybody = None
        return self._anybody

    def _ours(self, secret: str) -> Caller:
        token = live_token(self._tokens.known(), secret, self._clock.now())
        if token is None:
            raise _unauthorized("The token is unknown, expired or revoked.")
        principal = Principal(tenant=token.tenant, scopes=token.scopes, name=token.name)
        return Caller(token.id, principal, token=token)

    async def _issuers(self, issuer: Issuer, secret: str) -> Caller:
        try:
            claimed: Claimed = await issuer.verified(secret, self._clock.now())
        except WrongToken:
            raise _unauthorized("The token isn't a valid one of the issuer's for here.") from None
        principal = Principal(tenant=claimed.tenant, scopes=claimed.scopes, name=claimed.name)
        key = f"{claimed.holder}\n{claimed.tenant}"
        return Caller(key, principal, ends_at=claimed.ends_at)


def _anybody(tenant: str) -> Caller:
    """Whoever reaches a server on loopback, which has no tokens."""
    return Caller("local", Principal(tenant=tenant, scopes=ALL_SCOPES))


def _bearer(sent: Sequence[str]) -> str | None:
    """The token; None where there is none. Raises unauthorized for what is something else."""
    if not sent:
        return None
    scheme, _, secret = sent[0].partition(" ")
    secret = secret.strip()
    if len(sent) > 1 or scheme.lower() != "bearer" or not 0 < len(secret) <= TOKEN_CHARS_MAX:
        raise _unauthorized("The Authorization header isn't 'Bearer' and one token.")
    return secret


def _unauthorized(message: str) -> LinealError:
    return LinealError(ErrorCode.UNAUTHORIZED, message)
