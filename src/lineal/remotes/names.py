"""What tenants and users are called at a remote, which knows no tenants."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

__all__ = ["Person", "name_of", "person_of", "segment"]

PREFIX = "lineal:"
"""Begins the names that hold a tenant. A user whose own id begins so gets such a name too."""


class Person(NamedTuple):
    """A user behind their wall."""

    tenant: str
    user_id: str


def name_of(person: Person, home_tenant: str) -> str:
    """The user's own id in the home tenant, "lineal:<tenant>:<user>" in others; never the same for
    two people."""
    if person.tenant == home_tenant and not person.user_id.startswith(PREFIX):
        return person.user_id
    return f"{PREFIX}{_quoted(person.tenant)}:{_quoted(person.user_id)}"


def person_of(name: str, home_tenant: str) -> Person | None:
    """Whom a name stands for; None for one that `name_of` never gives."""
    if not name.startswith(PREFIX):
        return Person(home_tenant, name)
    tenant, _, user_id = name.removeprefix(PREFIX).partition(":")
    try:
        person = Person(_unquoted(tenant), _unquoted(user_id))
    except UnicodeDecodeError:
        return None
    return person if name_of(person, home_tenant) == name else None


def segment(text: str) -> str:
    """One segment of a path: "." and ".." would be taken for directories unless they are quoted."""
    return text.replace(".", "%2E") if text in (".", "..") else _quoted(text)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogatepass")
