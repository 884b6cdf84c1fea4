"""What a revision's lineage tells, and how each of it is known: for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from lineal.models.context import Context
from lineal.models.lineage import (
    Basis,
    DeclaredLineage,
    Lineage,
    ModelSeen,
    ObservedLineage,
    ToolCall,
    Trace,
    TraceNode,
)

__all__ = [
    "Calls",
    "Made",
    "Revisions",
    "Said",
    "Written",
    "calls_of",
    "models_of",
    "title_of",
    "writer_of",
    "written",
]

Revisions = Mapping[str, tuple[Context, ...]]
"""Memory → its revisions, as far as they were asked for."""

_WHERE = {
    ModelSeen.TRANSCRIPT: "observed in the transcript",
    ModelSeen.HOOK: "observed by a hook",
    ModelSeen.MODEL_SWITCH: "observed when it was switched to",
    ModelSeen.SESSION_START: "observed when the session began",
}


class Said(NamedTuple):
    """A value, and how it is known, as a word and as a phrase."""

    value: str
    basis: Basis
    how: str


class Made(NamedTuple):
    """A tool call by its name in `tool_calls`. seen: what else was seen of it, None: nothing."""

    name: str
    basis: Basis
    seen: ToolCall | None = None

    @property
    def tool(self) -> str:
        """Of an observed call the tool; what was declared is any text, and stays whole."""
        if self.seen is not None:
            return self.seen.tool
        return self.name.partition(":")[0] if self.basis is Basis.OBSERVED else self.name

    @property
    def unnamed(self) -> bool:
        """Whether the call was observed, and its id was not."""
        return self.basis is Basis.OBSERVED and self.name == self.tool


class Calls(NamedTuple):
    """The call that wrote a revision (None: not seen), and those known before it, in order."""

    writing: Made | None
    earlier: tuple[Made, ...]


class Written(NamedTuple):
    """One revision of a memory. lineage, at, label: None where the trace doesn't tell."""

    context_id: str
    revision: int
    lineage: Lineage | None = None
    at: datetime | None = None
    label: str | None = None


def writer_of(lineage: Lineage) -> str | None:
    """`claude-code/2.1.330, sub-agent Explore`; None if nothing is known of who wrote it."""
    seen = lineage.observed or ObservedLineage()
    helper = seen.agent_type or seen.agent_id
    known = (lineage.agent_source, helper and f"sub-agent {helper}")
    return ", ".join(filter(None, known)) or None


def models_of(lineage: Lineage) -> tuple[Said, ...]:
    """The model that was observed, then another one that was declared; () for unknown."""
    seen, declared = _accounts(lineage)
    found: dict[str, Said] = {}
    if seen.model_version:
        how = _WHERE[seen.model_seen] if seen.model_seen else "observed"
        found[seen.model_version] = Said(seen.model_version, Basis.OBSERVED, how)
    for value in filter(None, (declared.model_version, lineage.model_version)):
        found.setdefault(value, Said(value, Basis.DECLARED, "declared"))
    return tuple(found.values())


def calls_of(lineage: Lineage) -> Calls:
    """The tool calls behind a revision: observed ones in order, then what was declared besides.

    The last observed one is the one that wrote it (policy/provenance.py).
    """
    seen, declared = _accounts(lineage)
    known = {call.name: call for call in seen.calls}
    names = dict.fromkeys((*seen.tool_calls, *known))
    made = {name: Made(name, Basis.OBSERVED, known.get(name)) for name in names}
    last = next(reversed(seen.tool_calls or tuple(known)), None)
    writing = made.get(last or "")
    for name in (*(declared.tool_calls or ()), *lineage.tool_calls):
        made.setdefault(name, Made(name, Basis.DECLARED))
    return Calls(writing, tuple(one for one in made.values() if one is not writing))


def title_of(context: Context, most: int = 80) -> str:
    """What a revision is called where there is room for a line: its title, or how it begins."""
    label = context.title or context.content
    return label if len(label) <= most else label[: most - 1] + "…"


def written(trace: Trace, revisions: Revisions) -> dict[tuple[str, int], Written]:
    """(memory, revision) → what is known of it, in the trace's order and then by revision.

    All revisions that the trace or `revisions` names of the trace's memories. Of an ended memory
    only that there were revisions is known.
    """
    found: dict[tuple[str, int], Written] = {}
    for node in trace.nodes:
        if node.state == "live":
            found |= {(one.context_id, one.revision): one for one in _live(node, revisions)}
        elif node.revision is not None:
            found[node.context_id, node.revision] = Written(node.context_id, node.revision)
    for edge in trace.edges:
        found.setdefault((edge.child_id, edge.revision), Written(edge.child_id, edge.revision))
    place = {node.context_id: at for at, node in enumerate(trace.nodes)}
    order = sorted(found, key=lambda key: (place.get(key[0], len(place)), key))
    return {key: found[key] for key in order}


def _accounts(lineage: Lineage) -> tuple[ObservedLineage, DeclaredLineage]:
    """Both accounts. A joined value that stands in neither was told, not seen."""
    return lineage.observed or ObservedLineage(), lineage.declared or DeclaredLineage()


def _live(node: TraceNode, revisions: Revisions) -> Iterator[Written]:
    if node.revision is not None:
        first = node.created_at if node.revision == 1 else None
        yield Written(node.context_id, node.revision, node.lineage, first, node.label)
    for one in revisions.get(node.context_id, ()):
        yield Written(node.context_id, one.revision, one.lineage, one.updated_at, title_of(one))
