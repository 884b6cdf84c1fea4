"""The remotes that lineal knows by name, where they are, and how each wants its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import SecretStr

from lineal.clock import Clock, SystemClock
from lineal.errors import LinealError
from lineal.outbound.address import address_of, key_of, place_of
from lineal.outbound.caller import Caller
from lineal.ports.remote import Remote
from lineal.remotes.jean import Jean
from lineal.remotes.line import Line
from lineal.remotes.mem0 import Mem0
from lineal.remotes.mem0_server import mem0_server
from lineal.remotes.nia import Nia

__all__ = ["REMOTES", "remote_of"]

KEY = "LINEAL_REMOTE_KEY"
URL = "LINEAL_REMOTE_URL"


class Known(NamedTuple):
    """make: of a line and the home tenant. url: where it is, None where everybody has their own.
    header, prefix: how the key is sent. keyless: it may be open."""

    make: Callable[[Line, str], Remote]
    url: str | None
    header: str = "Authorization"
    prefix: str = "Bearer "
    keyless: bool = False


REMOTES: Mapping[str, Known] = {
    "jean": Known(
        lambda line, home: Jean(line, home_tenant=home), "https://api.jeantechnologies.com/v1"
    ),
    "nia": Known(lambda line, home: Nia(line), "https://apigcp.trynia.ai/v2"),
    "mem0": Known(
        lambda line, home: Mem0(line, home_tenant=home), "https://api.mem0.ai", prefix="Token "
    ),
    "mem0-server": Known(
        lambda line, home: mem0_server(line, home_tenant=home), None, "X-API-Key", "", True
    ),
}


def remote_of(
    scheme: str,
    url: str | None,
    key: SecretStr | None,
    *,
    home_tenant: str,
    timeout_s: float,
    clock: Clock | None = None,
) -> Remote:
    """scheme: one of REMOTES. url: None for the service's own address. home_tenant: whose users go
    by their own ids there. clock: for services that say until when to leave them alone.
    Raises invalid_request, naming the setting, for an unknown service, a missing or unusable
    address or key; never with either in it."""
    known = _known(scheme)
    secret = key_of(key.get_secret_value() if key else None, KEY)
    base = address_of(
        _url(scheme, known, url),
        URL,
        key_setting=KEY,
        example=known.url or "http://localhost:8000",
        keyed=secret is not None,
    )
    if secret is None and not known.keyless and base.host not in LOOPBACK:
        raise LinealError.invalid(KEY, f"{KEY} is not set; '{scheme}' asks for a key.")
    headers = {known.header: known.prefix + secret.get_secret_value()} if secret else {}
    clock = clock or SystemClock()
    caller = Caller(base, headers, timeout_s=timeout_s, clock=clock, name=scheme)
    line = Line(caller, scheme, place_of(base), timeout_s=timeout_s, key=secret)
    return known.make(line, home_tenant)


LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""A stand-in on this machine may be open."""


def _known(scheme: str) -> Known:
    known = REMOTES.get(scheme)
    if known is None:
        names = ", ".join(REMOTES)
        message = f"'{scheme[:40]}' is no backend that lineal knows; it knows {names}."
        raise LinealError.invalid("LINEAL_BACKEND", message)
    return known


def _url(scheme: str, known: Known, url: str | None) -> str:
    address = (url or "").strip() or known.url
    if address is None:
        message = f"{URL} is not set; '{scheme}' is a server of your own: say where it is."
        raise LinealError.invalid(URL, message)
    return address
