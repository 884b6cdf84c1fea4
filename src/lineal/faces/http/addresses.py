"""By which names the server may be called, and from which pages: what stands against a web page
that reaches for a server on its reader's machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from lineal.errors import LinealError

__all__ = ["Addresses", "is_loopback"]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")

_PORTS = {"http": 80, "https": 443}

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound
"""Addresses to listen on that are nobody's name."""


class Addresses:
    """The allow-lists. bound: what is listened on; hosts: further names, with or without a port;
    origins: pages such as https://notes.example. Raises invalid_request for one that is none."""

    def __init__(self, bound: str, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        named = [] if bound in _EVERYWHERE else [_bracketed(bound)]
        self._hosts = frozenset(_checked_host(host.lower()) for host in (*named, *hosts))
        self._origins = frozenset(_checked_origin(page.lower()) for page in origins)

    def may_be_called(self, host: str | None) -> bool:
        """Whether a Host header is one of ours. The port is not looked at unless it was named: it
        differs behind a forwarded port, and a page that was rebound can't choose the name."""
        found = _HOST.fullmatch((host or "").lower())
        if found is None:
            return False
        return is_loopback(found[1]) or not self._hosts.isdisjoint((found[0], found[1]))

    def is_listed(self, origin: str) -> bool:
        """Whether a page was allowed by name: it may also read the answers."""
        return origin.lower() in self._origins

    def may_call(self, origin: str | None, port: int | None) -> bool:
        """Whether a request of this Origin may come in. None: not from a page at all."""
        if origin is None or self.is_listed(origin):
            return True
        found = _ORIGIN.fullmatch(origin.lower())
        if found is None:  # `null`: a file, a sandboxed frame, a redirect
            return False
        own = int(found[3]) if found[3] else _PORTS[found[1]]
        return is_loopback(found[2]) and own == port


def is_loopback(name: str) -> bool:
    """Whether a host name or a literal address can only be this machine."""
    bare = name.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _bracketed(bound: str) -> str:
    return f"[{bound}]" if ":" in bound else bound


def _checked_host(host: str) -> str:
    if _HOST.fullmatch(host) is None:
        raise LinealError.invalid(
            "LINEAL_HTTP_HOSTS",
            f"LINEAL_HTTP_HOSTS holds '{host[:100]}', which is no host name. Names are such as "
            "memory.example or memory.example:8765, separated by commas; there is no wildcard.",
        )
    return host


def _checked_origin(page: str) -> str:
    page = page.removesuffix("/")
    if _ORIGIN.fullmatch(page) is None:
        raise LinealError.invalid(
            "LINEAL_HTTP_ORIGINS",
            f"LINEAL_HTTP_ORIGINS holds '{page[:100]}', which is no origin. Origins are such as "
            "https://notes.example, separated by commas; there is no wildcard.",
        )
    return page
