"""Where a service is, and the key for it, checked before anything is sent."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import httpx
from pydantic import SecretStr

from lineal.errors import LinealError

__all__ = ["Address", "address_of", "bearer_of", "key_of", "place_of"]

PORT_MAX = 65_535


class Address(NamedTuple):
    """A service's address as `address_of` gives it, and what the person calls its settings."""

    url: httpx.URL
    setting: str
    key_setting: str

    @property
    def place(self) -> str:
        return place_of(self.url)


def address_of(
    url: str,
    setting: str,
    *,
    key_setting: str,
    example: str,
    keyed: bool = False,
    below: str = "",
) -> httpx.URL:
    """The base of a service: scheme, host, port and path, without a slash at its end.

    setting, key_setting: what the person calls the address and the key. example: of an address.
    keyed: a key will be sent there, so plain http is taken to this machine only. below: the path of
    a call, which people copy with the address; it is left out.
    Raises invalid_request without the URL, which may hold a secret.
    """
    base = _parsed(url)
    if base.scheme not in ("http", "https") or not base.host:
        raise LinealError.invalid(
            setting, f"{setting} is not an http or https address such as {example}."
        )
    if base.userinfo or base.query or base.fragment:
        raise LinealError.invalid(
            setting,
            f"{setting} holds a user, a query or a fragment. The address is all it takes; a key "
            f"belongs into {key_setting}.",
        )
    if keyed and base.scheme == "http" and not _is_loopback(base.host):
        raise LinealError.invalid(
            setting,
            f"{setting} is a plain http address of another machine: the key in {key_setting} would "
            "go there in clear. Use https, or no key.",
        )
    path = base.raw_path.rstrip(b"?").rstrip(b"/")  # raw: an encoded slash stays one
    path = path.removesuffix(f"/{below}".encode()) if below else path
    return base.copy_with(raw_path=path.rstrip(b"/"), fragment=None)


def key_of(key: str | None, setting: str) -> SecretStr | None:
    """A key that a header can hold, None for an empty one. setting: what the person calls it.

    Raises invalid_request without the key: HTTP's own error would show it.
    """
    value = (key or "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise LinealError.invalid(
            setting, f"{setting} holds characters that no key has. Copy it again."
        )
    return SecretStr(value)


def bearer_of(key: SecretStr | None) -> dict[str, str]:
    """The header of a request with this key; none without."""
    return {} if key is None else {"authorization": f"Bearer {key.get_secret_value()}"}


def place_of(url: httpx.URL) -> str:
    """Scheme, host and port, for messages: a path may hold a secret."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _parsed(url: str) -> httpx.URL:
    """Empty for what is none, or leads nowhere by its port or by a name that DNS can't hold."""
    try:
        base = httpx.URL(url.strip())
        base.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return httpx.URL()
    return base if (base.port or 0) <= PORT_MAX else httpx.URL()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
