"""The address and the key of an embeddings endpoint, checked before anything is sent."""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from lineal.errors import LinealError

__all__ = ["address_of", "key_of"]


def address_of(url: str) -> httpx.URL:
    """Where texts go. Raises invalid_request, without the URL: it may hold a secret."""
    try:
        base = httpx.URL(url.strip())
    except httpx.InvalidURL:
        base = httpx.URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise LinealError.invalid(
            "LINEAL_EMBED_URL",
            "LINEAL_EMBED_URL is not an http or https address such as http://localhost:11434/v1.",
        )
    if base.userinfo or base.query or base.fragment:
        raise LinealError.invalid(
            "LINEAL_EMBED_URL",
            "LINEAL_EMBED_URL holds a user, a query or a fragment. The address is all it takes; a "
            "key belongs into LINEAL_EMBED_KEY.",
        )
    path = base.path.rstrip("/").removesuffix("/embeddings")
    return base.copy_with(path=f"{path}/embeddings")


def key_of(key: str | None) -> SecretStr | None:
    """A key that a header can hold. Raises invalid_request without it: HTTP's own error would
    show it."""
    value = (key or "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise LinealError.invalid(
            "LINEAL_EMBED_KEY", "LINEAL_EMBED_KEY holds characters that no key has. Copy it again."
        )
    return SecretStr(value)
