"""How a revision came to be: what was declared, what was observed, and the graph of both."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from lineal.models.base import Instant, Model

__all__ = [
    "Basis",
    "DeclaredLineage",
    "Direction",
    "Edge",
    "Evidence",
    "Lineage",
    "ObservedLineage",
    "Relation",
    "Trace",
    "TraceLineage",
    "TraceNode",
]

Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)]
Reference = Annotated[str, Field(min_length=1, max_length=512)]
References = Annotated[tuple[Reference, ...], Field(max_length=256)]


class Basis(StrEnum):
    """How a value of lineage is known."""

    OBSERVED = "observed"
    DECLARED = "declared"


class Relation(StrEnum):
    """How one memory stands to another; the names are W3C PROV's."""

    WAS_DERIVED_FROM = "was_derived_from"
    USED = "used"
    WAS_REVISION_OF = "was_revision_of"


def _absent(value: object) -> bool:
    return value is None or value == ()


NotSaid = Field(default=None, exclude_if=_absent)
"""Left out where it is written down, since not said is not the same as unknown."""


class DeclaredLineage(Model):
    """What the caller says of its own write. Absent is None: not said."""

    source_ids: References | None = NotSaid
    confidence: Confidence | None = NotSaid
    derived_from: References | None = NotSaid
    tool_calls: References | None = NotSaid
    model_version: Annotated[str, Field(min_length=1, max_length=200)] | None = NotSaid


class ObservedLineage(Model):
    """What the server saw of a write. Empty or None: it saw nothing of it."""

    agent_source: str | None = NotSaid
    model_version: str | None = NotSaid
    tool_calls: tuple[str, ...] = Field(default=(), exclude_if=_absent)
    source_ids: tuple[str, ...] = Field(default=(), exclude_if=_absent)
    session_id: str | None = NotSaid
    traceparent: str | None = NotSaid


class Evidence(Model):
    """What one request shows of its origin, before it is joined into lineage.

    tool: the verb called. tool_use_id: the client's own id of the call, if it sends one.
    read_ids: contexts that this session read through this server before this call, oldest first.
    """

    tool: str
    client_name: str | None = None
    client_version: str | None = None
    tool_use_id: str | None = None
    session_id: str | None = None
    traceparent: str | None = None
    read_ids: tuple[str, ...] = ()


class Lineage(Model):
    """One revision's lineage: the joined values, and both accounts they came from.

    Joined: an observed single value wins over a declared one, lists hold the observed first and
    then what was declared besides. None or [] is unknown, never a guess. `created_at` is the time
    of the first revision and stays. extractor: what read values of a user out of the text.
    """

    created_at: Instant
    source_ids: tuple[str, ...] = ()
    confidence: float | None = None
    derived_from: tuple[str, ...] = ()
    tool_calls: tuple[str, ...] = ()
    model_version: str | None = None
    agent_source: str | None = None
    extractor: str | None = NotSaid
    declared: DeclaredLineage | None = NotSaid
    observed: ObservedLineage | None = NotSaid


class Edge(Model):
    """child rests on parent; `parent_id` may be the id of something outside this memory."""

    child_id: str
    revision: Annotated[int, Field(ge=1)]
    parent_id: str
    relation: Relation
    basis: Basis


Direction = Literal["up", "down", "both"]


class TraceLineage(Model):
    """Ask what a memory rests on (up), what rests on it (down), or both."""

    context_id: Annotated[str, Field(min_length=1, max_length=200)]
    direction: Direction = "up"
    depth: Annotated[int, Field(ge=1, le=32, strict=True)] = 5


class TraceNode(Model):
    """One memory in a trace. state: live | expired | forgotten | external (not a memory of ours).

    label: the start of its title or content, only for a live one. depth: steps from the root.
    """

    context_id: str
    state: Literal["live", "expired", "forgotten", "external"]
    depth: int
    label: str | None = NotSaid
    memory_type: str | None = NotSaid
    source: str | None = NotSaid
    revision: int | None = NotSaid
    created_at: Instant | None = NotSaid
    expires_at: Instant | None = NotSaid
    lineage: Lineage | None = NotSaid


class Trace(Model):
    """A part of the lineage graph around `root`, breadth first.

    truncated: how many further nodes were left out for the size limit, 0 if none.
    """

    root: str
    direction: Direction
    depth: int
    nodes: tuple[TraceNode, ...]
    edges: tuple[Edge, ...]
    truncated: int = 0
