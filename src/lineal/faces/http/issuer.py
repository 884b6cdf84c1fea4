"""An OAuth issuer's access tokens: JWTs, held against the keys that the issuer publishes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio
import jwt
from jwt.types import Options
from pydantic_core import from_json

from lineal.errors import ErrorCode, LinealError
from lineal.faces.http.addresses import is_loopback
from lineal.faces.http.tokens import GRANTS, Grant
from lineal.models.base import Model
from lineal.policy.limits import is_plain

__all__ = ["ALGORITHMS", "Claimed", "Fetch", "Issuer", "WrongToken"]

Fetch = Callable[[str], Awaitable[bytes]]
"""The body of an address that answers 200. Raises LinealError unavailable."""

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Signatures by a key that only the issuer has. Never none, and never HS*: there the published key
would be the secret."""

KEY_TYPES = ("RSA", "EC", "OKP")

KEYS_S = 600.0
"""How long published keys are believed."""

KEYS_AGAIN_S = 30.0
"""How often an unknown key's id may make us ask again."""

SKEW = timedelta(seconds=30)
"""How far two machines' clocks may be apart."""

TIMES = ("exp", "nbf")

TENANT_CHARS_MAX = 256

OPTIONS: Options = {
    "require": ["exp", "iss", "aud"],
    "verify_exp": False,  # checked here instead, by the clock that was handed in
    "verify_nbf": False,
    "verify_iat": False,
}


class WrongToken(Exception):
    """A token that isn't one of the issuer's for us, now. The reason is for the log only."""


class Claimed(Model):
    """What a token says. holder: one party of this issuer, for good. name: for the log. ends_at:
    with what two clocks may be apart."""

    tenant: str
    scopes: frozenset[Grant]
    holder: str
    name: str
    ends_at: datetime


class Issuer:
    """Verifies tokens of one issuer.

    audiences: a token must be for one of them. tenant_claim: names the tenant. fetch: brings the
    issuer's documents. elapsed_s: seconds that never go back. Raises invalid_request for an issuer
    that isn't https.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audiences: Sequence[str],
        tenant_claim: str,
        fetch: Fetch,
        elapsed_s: Callable[[], float],
    ) -> None:
        if not _is_secure(issuer):
            raise LinealError.invalid(
                "LINEAL_ISSUER",
                "LINEAL_ISSUER must be an https address, such as https://login.example.",
            )
        self._issuer = issuer
        self._audiences = list(audiences)
        self._tenant_claim = tenant_claim
        self._fetch = fetch
        self._elapsed_s = elapsed_s
        self._keys: list[dict[str, Any]] = []
        self._asked_s = float("-inf")
        self._asking = anyio.Lock()

    async def verified(self, token: str, now: datetime) -> Claimed:
        """What the token says. Raises WrongToken, forbidden for one without a tenant, unavailable
        when the issuer's keys can't be had."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as wrong:
            raise WrongToken("it is no JWT") from wrong
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise WrongToken("its algorithm isn't taken")
        key = await self._key(header.get("kid"), str(algorithm))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[str(algorithm)],
                audience=self._audiences,
                issuer=self._issuer,
                options=OPTIONS,
            )
        except jwt.PyJWTError as wrong:
            raise WrongToken(type(wrong).__name__) from wrong
        return self._claimed(claims, _end_of(claims, now))

    def _claimed(self, claims: Mapping[str, Any], ends_at: datetime) -> Claimed:
        tenant = claims.get(self._tenant_claim)
        if not isinstance(tenant, str) or not _is_name(tenant):
            raise LinealError(
                ErrorCode.FORBIDDEN,
                f"The token names no tenant in its claim '{self._tenant_claim}'. The issuer has to "
                "put it there, or LINEAL_TENANT_CLAIM has to name another claim.",
            )
        parties = [str(claims.get(name, "")) for name in ("sub", "client_id", "azp")]
        name = next((party for party in parties if party), "issuer's token")
        holder = "\n".join((self._issuer, *parties))
        return Claimed(
            tenant=tenant,
            scopes=_scopes(claims),
            holder=holder,
            name=name[:100],
            ends_at=ends_at,
        )

    async def _key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        found = _suiting(await self._published(KEYS_S), kid, algorithm)
        if found is None:
            found = _suiting(await self._published(KEYS_AGAIN_S), kid, algorithm)
        if found is None:
            raise WrongToken("its key is unknown")
        try:
            return jwt.PyJWK.from_dict(found, algorithm=algorithm)
        except (jwt.PyJWTError, ValueError, TypeError) as wrong:
            raise WrongToken("its key doesn't fit its algorithm") from wrong

    async def _published(self, age_max_s: float) -> list[dict[str, Any]]:
        """The issuer's keys, asked for again when they are older. One caller asks for all."""
        async with self._asking:
            if self._elapsed_s() - self._asked_s >= age_max_s:
                keys = _object(await self._fetch(await self._keys_url())).get("keys")
                self._keys = [key for key in keys or () if isinstance(key, dict)]
                self._asked_s = self._elapsed_s()
        return self._keys

    async def _keys_url(self) -> str:
        """Where the keys lie, by the issuer's own description of itself."""
        said = LinealError.unavailable("")
        for address in _descriptions(self._issuer):
            try:
                document = _object(await self._fetch(address))
            except LinealError as failure:
                said = failure
                continue
            if document.get("issuer") != self._issuer:
                raise _unfit("describes itself under another name")
            keys_url = str(document.get("jwks_uri", ""))
            if not _is_secure(keys_url):
                raise _unfit("publishes its keys at no https address")
            return keys_url
        raise said


def _descriptions(issuer: str) -> tuple[str, str]:
    """RFC 8414 puts its path before the issuer's own, OpenID Connect behind it."""
    parts = urlsplit(issuer)
    own = parts.path.rstrip("/")
    oauth = f"/.well-known/oauth-authorization-server{own}"
    openid = f"{own}/.well-known/openid-configuration"
    return urlunsplit((*parts[:2], oauth, "", "")), urlunsplit((*parts[:2], openid, "", ""))


def _suiting(keys: Sequence[dict[str, Any]], kid: object, algorithm: str) -> dict[str, Any] | None:
    """The key of that id; without an id, the only one there is."""
    usable = [
        key
        for key in keys
        if key.get("kty") in KEY_TYPES
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    ]
    named = [key for key in usable if key.get("kid") == kid] if kid is not None else usable
    return named[0] if len(named) == 1 else None


def _end_of(claims: Mapping[str, Any], now: datetime) -> datetime:
    """When it ends. Raises WrongToken for one that has, or that hasn't begun."""
    try:
        ends_at, begins_at = (now.fromtimestamp(claims.get(name, 0), UTC) for name in TIMES)
    except (TypeError, ValueError, OverflowError, OSError):
        raise WrongToken("its times are none") from None
    if now >= ends_at + SKEW:
        raise WrongToken("it has expired")
    if now < begins_at - SKEW:
        raise WrongToken("it isn't valid yet")
    return ends_at + SKEW


def _scopes(claims: Mapping[str, Any]) -> frozenset[Grant]:
    """Ours among `scope` (RFC 9068: words) or `scp` (words or a list); others are passed over."""
    said = claims.get("scope", claims.get("scp", ""))
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    return frozenset(grant for grant in GRANTS if grant in words)


def _is_name(tenant: str) -> bool:
    return 0 < len(tenant) <= TENANT_CHARS_MAX and is_plain(tenant)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = from_json(body)
    except ValueError:
        raise _unfit("answers something else than JSON") from None
    if not isinstance(found, dict):
        raise _unfit("answers something else than a JSON object")
    return found


def _is_secure(url: str) -> bool:
    """Whether nobody on the way could answer in its place."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    return bool(parts.hostname) and (parts.scheme == "https" or plain)


def _unfit(what: str) -> LinealError:
    return LinealError.unavailable(f"The issuer (LINEAL_ISSUER) {what}.", retryable=False)
