"""An issuer's access tokens: only its own, for here, now, signed with a key that it publishes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.http.serving import Seconds, ask, bearer, manual, new_token

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.faces.http.app import Limits, Process, build_app
from lineal.faces.http.issuer import Claimed, Issuer, WrongToken
from lineal.faces.rest.access import PRINCIPAL, principal_of
from lineal.service import Service

ISSUER = "https://login.example/team"
HERE = "https://memory.example"
DESCRIBED = "https://login.example/.well-known/oauth-authorization-server/team"
OPENID = "https://login.example/team/.well-known/openid-configuration"
KEYS = "https://login.example/keys"

RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def published(**more: Any) -> list[dict[str, Any]]:
    rs = json.loads(RSAAlgorithm.to_jwk(RSA.public_key()))
    es = json.loads(ECAlgorithm.to_jwk(EC.public_key()))
    ed = json.loads(OKPAlgorithm.to_jwk(ED.public_key()))
    return [{**rs, "kid": "rs", **more}, {**es, "kid": "es"}, {**ed, "kid": "ed"}]


@dataclass
class At:
    """An issuer that answers from here, and what was asked of it."""

    documents: dict[str, Any] = field(
        default_factory=lambda: {
            DESCRIBED: {"issuer": ISSUER, "jwks_uri": KEYS},
            KEYS: {"keys": published()},
        }
    )
    clock: ManualClock = field(default_factory=manual)
    elapsed: Seconds = field(default_factory=Seconds)
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.documents:
            raise LinealError.unavailable("404")
        said = self.documents[url]
        return said if isinstance(said, bytes) else json.dumps(said).encode()

    def issuer(self) -> Issuer:
        return Issuer(
            ISSUER,
            audiences=(HERE, f"{HERE}/mcp"),
            tenant_claim="org",
            fetch=self.fetch,
            elapsed_s=self.elapsed,
        )

    def claims(self, **more: Any) -> dict[str, Any]:
        now_s = int(self.clock.now().timestamp())
        usual = {"iss": ISSUER, "aud": HERE, "exp": now_s + 600, "sub": "u-1", "org": "acme"}
        said = {**usual, "scope": "openid read write", **more}
        return {name: value for name, value in said.items() if value is not ...}

    def token(self, key: Any = RSA, alg: str = "RS256", kid: str | None = "rs", **more: Any) -> str:
        headers = {"kid": kid} if kid is not None else {}
        return jwt.encode(self.claims(**more), key, algorithm=alg, headers=headers)

    async def verified(self, token: str) -> Claimed:
        return await self.issuer().verified(token, self.clock.now())


@pytest.fixture
def at() -> At:
    return At()


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


# --- taken ---


@pytest.mark.parametrize(
    ("key", "alg", "kid"),
    [(RSA, "RS256", "rs"), (RSA, "PS512", "rs"), (EC, "ES256", "es"), (ED, "EdDSA", "ed")],
)
async def test_a_token_of_the_issuers_is_taken(at: At, key: Any, alg: str, kid: str) -> None:
    claimed = await at.verified(at.token(key, alg, kid))
    assert (claimed.tenant, claimed.name) == ("acme", "u-1")
    assert claimed.scopes == {"read", "write"}


async def test_it_may_be_for_the_mcp_address_or_for_several(at: At) -> None:
    for audience in (f"{HERE}/mcp", ["https://else.example", HERE]):
        assert (await at.verified(at.token(aud=audience))).tenant == "acme"


async def test_scopes_may_be_a_list_and_others_are_passed_over(at: At) -> None:
    said = at.token(scope=..., scp=["erase", "admin", "*"])
    assert (await at.verified(said)).scopes == {"erase"}
    assert (await at.verified(at.token(scope=...))).scopes == frozenset()
    assert (await at.verified(at.token(scope={"read": 1}))).scopes == frozenset()


async def test_an_issuer_that_only_speaks_openid_is_found(at: At) -> None:
    at.documents[OPENID] = at.documents.pop(DESCRIBED)
    assert (await at.verified(at.token())).tenant == "acme"
    assert at.asked == [DESCRIBED, OPENID, KEYS]


async def test_two_parties_are_two_holders(at: At) -> None:
    tokens = [at.token(), at.token(sub="u-2"), at.token(client_id="c"), at.token(azp="c")]
    assert len({(await at.verified(token)).holder for token in tokens}) == 4


# --- not taken ---


WRONG: dict[str, Callable[[At], str]] = {
    "another audience": lambda at: at.token(aud="https://else.example"),
    "an audience that begins alike": lambda at: at.token(aud=f"{HERE}.evil.example"),
    "no audience": lambda at: at.token(aud=...),
    "expired": lambda at: at.token(exp=int(at.clock.now().timestamp()) - 31),
    "no end": lambda at: at.token(exp=...),
    "an end that is no time": lambda at: at.token(exp="2099-01-01"),
    "an end without end": lambda at: at.token(exp=10**400),
    "not yet": lambda at: at.token(nbf=int(at.clock.now().timestamp()) + 60),
    "another issuer": lambda at: at.token(iss="https://evil.example"),
    "an issuer that begins alike": lambda at: at.token(iss=f"{ISSUER}/"),
    "no issuer": lambda at: at.token(iss=...),
    "another's key under a known id": lambda at: at.token(OTHER_RSA),
    "an unknown key": lambda at: at.token(OTHER_RSA, kid="theirs"),
    "no key's id where there are several": lambda at: at.token(kid=None),
    "a key of another kind": lambda at: at.token(EC, "ES256", "rs"),
    "no signature": lambda at: at.token(None, "none"),
    "a changed claim": lambda at: changed(at.token(), at.claims(org="other")),
    "the public key as a secret": lambda at: hs256(at, pem(RSA)),
    "the published key as a secret": lambda at: hs256(at, json.dumps(published()[0]).encode()),
    "a key that it brings along": lambda at: jwt.encode(
        at.claims(),
        OTHER_RSA,
        algorithm="RS256",
        headers={"kid": "x", "jwk": json.loads(RSAAlgorithm.to_jwk(OTHER_RSA.public_key()))},
    ),
    "a key at an address of its own": lambda at: jwt.encode(
        at.claims(), OTHER_RSA, algorithm="RS256", headers={"kid": "x", "jku": "https://evil"}
    ),
    "an unknown critical header": lambda at: jwt.encode(
        at.claims(), RSA, algorithm="RS256", headers={"kid": "rs", "crit": ["x"], "x": 1}
    ),
    "no JWT": lambda at: "a.b.c",
    "nothing": lambda at: "...",
    "one part": lambda at: "token",
    "a list": lambda at: f"{part({'alg': 'RS256', 'kid': 'rs'})}.W10.AA",
}


def changed(token: str, claims: dict[str, Any]) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{part(claims)}.{signature}"


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hs256(at: At, secret: bytes) -> str:
    """By hand: the library refuses to make such a token."""
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rs'})}.{part(at.claims())}"
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize("name", WRONG)
async def test_any_other_token_is_not_taken(at: At, name: str) -> None:
    with pytest.raises(WrongToken):
        await at.verified(WRONG[name](at))


async def test_a_symmetric_key_that_is_published_by_mistake_is_not_used(at: At) -> None:
    secret = b"s" * 32
    encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    at.documents[KEYS] = {"keys": [{"kty": "oct", "kid": "rs", "k": encoded}]}
    with pytest.raises(WrongToken):
        await at.verified(hs256(at, secret))


async def test_a_key_for_something_else_is_not_used(at: At) -> None:
    for more in ({"use": "enc"}, {"alg": "RS512"}):
        at.documents[KEYS] = {"keys": published(**more)}
        with pytest.raises(WrongToken):
            await at.verified(at.token())


@pytest.mark.parametrize("tenant", [..., "", 7, None, ["acme"], "x" * 257, "a\u200bb", " acme"])
async def test_a_token_without_a_tenant_is_forbidden(at: At, tenant: Any) -> None:
    with pytest.raises(LinealError) as caught:
        await at.verified(at.token(org=tenant))
    assert caught.value.code is ErrorCode.FORBIDDEN
    assert "'org'" in caught.value.message


# --- keys ---


async def test_keys_are_asked_for_once_in_ten_minutes(at: At) -> None:
    issuer = at.issuer()
    for _ in range(3):
        await issuer.verified(at.token(), at.clock.now())
    assert at.asked == [DESCRIBED, KEYS]
    at.elapsed.now_s += 599
    await issuer.verified(at.token(), at.clock.now())
    assert len(at.asked) == 2
    at.elapsed.now_s += 1
    await issuer.verified(at.token(), at.clock.now())
    assert len(at.asked) == 4


async def test_a_new_key_is_found_and_unknown_ones_make_no_storm(at: At) -> None:
    issuer = at.issuer()
    await issuer.verified(at.token(), at.clock.now())
    at.documents[KEYS] = {"keys": published(kid="new")}
    at.elapsed.now_s += 30
    assert (await issuer.verified(at.token(kid="new"), at.clock.now())).tenant == "acme"
    asked = len(at.asked)
    for number in range(20):
        with pytest.raises(WrongToken):
            await issuer.verified(at.token(kid=f"k-{number}"), at.clock.now())
    assert len(at.asked) == asked


@pytest.mark.parametrize(
    "documents",
    [
        {},
        {DESCRIBED: {"issuer": "https://evil.example", "jwks_uri": KEYS}},
        {DESCRIBED: {"issuer": ISSUER}},
        {DESCRIBED: {"issuer": ISSUER, "jwks_uri": "http://login.example/keys"}},
        {DESCRIBED: {"issuer": ISSUER, "jwks_uri": KEYS}, KEYS: b"<html>"},
        {DESCRIBED: b"[]"},
    ],
)
async def test_an_issuer_that_is_not_itself_lets_nobody_in(
    at: At, documents: dict[str, Any]
) -> None:
    at.documents = documents
    with pytest.raises(LinealError) as caught:
        await at.verified(at.token())
    assert caught.value.code is ErrorCode.UNAVAILABLE


def test_an_issuer_that_anybody_could_answer_for_is_refused() -> None:
    for address in ("http://login.example", "login.example", "ftp://login.example"):
        with pytest.raises(LinealError, match="https"):
            Issuer(
                address,
                audiences=(HERE,),
                tenant_claim="org",
                fetch=At().fetch,
                elapsed_s=Seconds(),
            )


# --- at the gate ---


async def nothing() -> Service:
    raise LinealError.unavailable("no service here")


async def who(request: Request) -> JSONResponse:
    principal = principal_of(request)
    assert request.scope[PRINCIPAL] is principal
    return JSONResponse({"tenant": principal.tenant, "scopes": sorted(principal.scopes)})


def process_of(at: At, home: Path, **more: Any) -> Process:
    settings = {"issuer": ISSUER, "public_url": f"{HERE}/", "tenant_claim": "org", **more}
    return Process.of("127.0.0.1", home, at.clock, tenant="local", fetch=at.fetch, **settings)


async def test_both_kinds_of_tokens_are_taken_and_nobody_without(at: At, tmp_path: Path) -> None:
    limits = Limits(body_bytes=1_000, per_second=0, result_chars=8_000)
    app = build_app(nothing, [Route("/who", who)], process_of(at, tmp_path), limits)
    host = ("host", "memory.example")

    async def told(secret: str | None) -> tuple[int, bytes, str]:
        headers = [host, *bearer(secret).items()]
        sent = await ask(app, path="/who", headers=headers)
        return sent.status, sent.body, sent.headers.get("www-authenticate", "")

    metadata = f'resource_metadata="{HERE}/.well-known/oauth-protected-resource"'
    assert (await told(None))[::2] == (401, f'Bearer realm="lineal", {metadata}')
    wrong = await told(at.token(aud="https://else.example"))
    assert wrong[::2] == (401, f'Bearer realm="lineal", error="invalid_token", {metadata}')
    status, body, _ = await told(at.token())
    assert (status, json.loads(body)) == (200, {"tenant": "acme", "scopes": ["read", "write"]})
    ours = new_token(tmp_path, "own", ("read",), clock=at.clock)
    at.clock.advance(seconds=1)
    assert (await told(at.token(org=...)))[0] == 403
    fresh = build_app(nothing, [Route("/who", who)], process_of(at, tmp_path), limits)
    sent = await ask(fresh, path="/who", headers=[host, *bearer(ours.secret).items()])
    assert json.loads(sent.body) == {"tenant": "own", "scopes": ["read"]}


@pytest.mark.parametrize(("path", "resource"), [("", HERE), ("/mcp", f"{HERE}/mcp")])
async def test_clients_learn_of_the_issuer(
    at: At, tmp_path: Path, path: str, resource: str
) -> None:
    limits = Limits(body_bytes=1_000, per_second=0, result_chars=8_000)
    app = build_app(nothing, [], process_of(at, tmp_path), limits)
    place = f"/.well-known/oauth-protected-resource{path}"
    sent = await ask(app, path=place, headers=[("host", "memory.example")])
    assert sent.status == 200
    told = json.loads(sent.body)
    assert told["resource"].rstrip("/") == resource
    assert told["authorization_servers"] == [ISSUER]
    assert told["scopes_supported"] == ["read", "write", "erase"]


def test_an_issuer_without_an_address_of_ours_is_refused(at: At, tmp_path: Path) -> None:
    with pytest.raises(LinealError, match="LINEAL_PUBLIC_URL"):
        process_of(at, tmp_path, public_url=None)
