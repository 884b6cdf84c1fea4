"""Names of things in PROV documents: valid whatever an id holds, and reversible."""

from __future__ import annotations

from urllib.parse import quote

__all__ = [
    "NAMESPACE",
    "PREFIX",
    "Name",
    "agent",
    "call",
    "helper",
    "memory",
    "model",
    "revision",
    "source",
    "term",
    "unnamed",
    "write",
]

PREFIX = "lineal"
NAMESPACE = "urn:lineal:"


class Name(str):
    """A qualified name: `lineal:kind/part` or with more parts.

    Each part is percent-encoded but for ASCII letters, digits, `_` and `-`, so that a part never
    holds a slash and `urllib.parse.unquote` gives it back.
    """

    __slots__ = ()


def term(word: str) -> Name:
    """A word of our own vocabulary: `lineal:Memory`."""
    return Name(f"{PREFIX}:{word}")


def memory(context_id: str) -> Name:
    return _name("memory", context_id)


def source(source_id: str) -> Name:
    """Of something outside this memory."""
    return _name("source", source_id)


def revision(context_id: str, number: int) -> Name:
    return _name("revision", context_id, str(number))


def call(name: str) -> Name:
    """Of a tool call, by its name in `tool_calls`."""
    return _name("call", name)


def unnamed(context_id: str, number: int, tool: str) -> Name:
    """Of a call before the write of a revision, whose id isn't known."""
    return _name("call-before", context_id, str(number), tool)


def write(context_id: str, number: int) -> Name:
    """Of the write of a revision by a call whose id isn't known."""
    return _name("write", context_id, str(number))


def agent(agent_source: str) -> Name:
    return _name("agent", agent_source)


def helper(session_id: str, agent_id: str) -> Name:
    """Of a sub-agent; session_id "" where it isn't known."""
    return _name("sub-agent", session_id, agent_id)


def model(version: str) -> Name:
    return _name("model", version)


def _name(kind: str, *parts: str) -> Name:
    return Name(f"{PREFIX}:{kind}/{'/'.join(map(_encoded, parts))}")


def _encoded(part: str) -> str:
    """A dot may not end a name in PROV-N, and `~` is another sign in Turtle: both are encoded."""
    return quote(part, safe="", errors="surrogatepass").replace(".", "%2E").replace("~", "%7E")
