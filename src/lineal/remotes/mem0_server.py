"""A Mem0 server of one's own: the same memories at other addresses, stored at once."""

from __future__ import annotations

from typing import Any

from lineal.remotes.line import Line
from lineal.remotes.mem0 import Ask, Dialect, Mem0

__all__ = ["SERVER", "mem0_server"]


def _listed(user: str | None, page: int, size: int) -> Ask:
    """All of a user's in one list; it knows no pages."""
    return Ask("GET", "/memories", params={"user_id": user} if user else None)


def _searched(user: str | None, question: str, limit: int) -> Ask:
    """The user by both ways that releases know."""
    sent: dict[str, Any] = {"query": question, "top_k": limit}
    if user:
        sent |= {"user_id": user, "filters": {"user_id": user}}
    return Ask("POST", "/search", sent)


SERVER = Dialect(
    name="mem0-server",
    add="/memories",
    memory="/memories/{}",
    event="/memories/{}",
    listed=_listed,
    searched=_searched,
)
"""It leaves no events: what it answers is stored."""


def mem0_server(line: Line, *, home_tenant: str) -> Mem0:
    return Mem0(line, home_tenant=home_tenant, dialect=SERVER, waits_s=())
