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
    "ModelSeen",
    "ObservedLineage",
    "Relation",
    "ToolCall",
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


class ModelSeen(StrEnum):
    """Where it was seen which model made a call, the surest first."""

    TRANSCRIPT = "transcript"
    HOOK = "hook"
    MODEL_SWITCH = "model_switch"
    SESSION_START = "session_start"


class ToolCall(Model):
    """One call of a tool by an agent, as far as it was seen; never its input or its output.

    id: the client's own, None where it has none. at: when it was made. ok: how it ended, None while
    that isn't known. input_hash: of its input as canonical JSON, 32 hex digits. label: a word for
    it that can't be personal, such as a program's or a file's name, at most 40 characters.
    """

    id: str | None = NotSaid
    tool: str
    at: Instant | None = NotSaid
    duration_ms: int | None = NotSaid
    ok: bool | None = NotSaid
    input_hash: str | None = NotSaid
    label: str | None = NotSaid

    @property
    def name(self) -> str:
        """ "<tool>:<id>", as it stands in tool_calls; the tool alone where the id isn't known."""
        return self.tool if self.id is None else f"{self.tool}:{self.id}"


class ObservedLineage(Model):
    """What the server saw of a write. Empty or None: it saw nothing of it.

    model_seen: where the model was seen. agent_id, agent_type: of the sub-agent that made the
    call, None for the session's own agent. prompt_id: the client's id of the prompt that the call
    belongs to. calls: what is known of the latest of tool_calls.
    """

    agent_source: str | None = NotSaid
    model_version: str | None = NotSaid
    model_seen: ModelSeen | None = NotSaid
    tool_calls: tuple[str, ...] = Field(default=(), exclude_if=_absent)
    calls: tuple[ToolCall, ...] = Field(default=(), exclude_if=_absent)
    source_ids: tuple[str, ...] = Field(default=(), exclude_if=_absent)
    session_id: str | None = NotSaid
    prompt_id: str | None = NotSaid
    agent_id: str | None = NotSaid
    agent_type: str | None = NotSaid
    entrypoint: str | None = NotSaid
    traceparent: str | None = NotSaid


class Evidence(Model):
    """What is known of a call's origin when it comes, before it is joined into lineage.

    tool: the verb called. tool_use_id: the client's own id of the call, if it sends one.
    input_hash: of its arguments (ToolCall). read_ids: contexts that this session read through this
    server before this call, since its prompt began where that is known, oldest first.
    calls: the latest of the same prompt and agent, this one last, as far as they were seen.
    earlier_calls: names of those before them, as they stand in tool_calls.
    awaits: more may be known of this call soon.
    """

    tool: str
    client_name: str | None = None
    client_version: str | None = None
    tool_use_id: str | None = None
    input_hash: str | None = None
    session_id: str | None = None
    entrypoint: str | None = None
    traceparent: str | None = None
    read_ids: tuple[str, ...] = ()
    model_version: str | None = None
    model_seen: ModelSeen | None = None
    prompt_id: str | None = None
    agent_id: str | None = None
    agent_type: str | None = None
    calls: tuple[ToolCall, ...] = ()
    earlier_calls: tuple[str, ...] = ()
    awaits: bool = False


class Lineage(Model):
    """One revision's lineage: the joined values, and both accounts they came from.

    Joined: an observed single value wins over a declared one, lists hold the observed first and
    then what was declared besides. None or [] is unknown, never a guess. `created_at` is the time
    of the first revision and stays. extractor: what read values of a user out of the text.
    awaits: evidence of this call is still looked for and may be added.
    """

    created_at: Instant
    source_ids: tuple[str, ...] = ()
    confidence: float | None = None
    derived_from: tuple[str, ...] = ()
    tool_calls: tuple[str, ...] = ()
    model_version: str | None = None
    agent_source: str | None = None
    extractor: str | None = NotSaid
    awaits: bool = Field(default=False, exclude_if=lambda value: not value)
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
    basis: how each known value of its lineage is known.
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
    project: str | None = NotSaid
    lineage: Lineage | None = NotSaid
    basis: dict[str, Basis] = Field(default_factory=dict, exclude_if=lambda value: not value)


class Trace(Model):
    """A part of the lineage graph around `root`, breadth first.

    truncated: how many further nodes were left out for the size limit, 0 if none. deeper: how many
    are one step further than `depth`, at least.
    """

    root: str
    direction: Direction
    depth: int
    nodes: tuple[TraceNode, ...]
    edges: tuple[Edge, ...]
    truncated: int = 0
    deeper: int = Field(default=0, exclude_if=lambda value: not value)
