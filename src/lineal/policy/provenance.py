"""Joining what was observed and what was declared into one true lineage."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lineal.models.lineage import (
    Basis,
    DeclaredLineage,
    Edge,
    Evidence,
    Lineage,
    ObservedLineage,
    Relation,
    ToolCall,
)

__all__ = [
    "CALLS_TOLD_MAX",
    "READS_MAX",
    "asked_of",
    "basis_of",
    "brief",
    "completed",
    "edges_of",
    "inherited",
    "joined",
    "observed",
]

READS_MAX = 32
"""How many of a session's latest reads stand in a write's source_ids."""

CALLS_TOLD_MAX = 8
"""Of how many of a prompt's latest calls more is kept than the name."""


def observed(evidence: Evidence, *, of: str | None = None) -> ObservedLineage:
    """What a request shows of a write made by it; `of`: the memory changed, no source of itself.

    A tool call is named "<tool>:<tool_use_id>", and by the tool alone when the client sent no id:
    the call was seen, its id was not. The write's own call is the last one.
    """
    calls = evidence.calls or (
        ToolCall(id=evidence.tool_use_id, tool=evidence.tool, input_hash=evidence.input_hash),
    )
    told = calls if evidence.tool_use_id or evidence.awaits or len(calls) > 1 else ()
    return ObservedLineage(
        agent_source=agent_source(evidence),
        model_version=evidence.model_version,
        model_seen=evidence.model_seen,
        tool_calls=(*evidence.earlier_calls, *(call.name for call in calls)),
        calls=told[-CALLS_TOLD_MAX:],
        source_ids=tuple(i for i in evidence.read_ids if i != of)[-READS_MAX:],
        session_id=evidence.session_id,
        prompt_id=evidence.prompt_id,
        agent_id=evidence.agent_id,
        agent_type=evidence.agent_type,
        entrypoint=evidence.entrypoint,
        traceparent=evidence.traceparent,
    )


def asked_of(seen: ObservedLineage) -> Evidence | None:
    """What to ask of later for a call that was accounted for so; None for one without a name."""
    name, _, version = (seen.agent_source or "").partition("/")
    own = seen.calls[-1] if seen.calls else None
    if own is None:
        return None
    return Evidence(
        tool=own.tool,
        client_name=name or None,
        client_version=version or None,
        tool_use_id=own.id,
        input_hash=own.input_hash,
        session_id=seen.session_id,
        entrypoint=seen.entrypoint,
        traceparent=seen.traceparent,
        read_ids=seen.source_ids,
        calls=seen.calls,
        earlier_calls=seen.tool_calls[: -len(seen.calls)],
        model_version=seen.model_version,
        model_seen=seen.model_seen,
        prompt_id=seen.prompt_id,
        agent_id=seen.agent_id,
        agent_type=seen.agent_type,
    )


def completed(lineage: Lineage, evidence: Evidence, *, of: str | None = None) -> Lineage:
    """The lineage of a revision with what is known by now of the call that wrote it.

    A session's later evidence also takes back what was only supposed: reads that turn out to be
    an earlier prompt's (L4).
    """
    old = lineage.observed or ObservedLineage()
    new = observed(evidence, of=of).model_copy(update={"agent_source": old.agent_source})
    whole = joined(lineage.declared, new, lineage.created_at, awaits=evidence.awaits)
    return whole.model_copy(update={"extractor": lineage.extractor})


def inherited(declared: DeclaredLineage | None) -> DeclaredLineage | None:
    """What a declaration still says of a later revision that came without one: what the content
    rests on, but not by which calls and model this revision was written."""
    if declared is None:
        return None
    return declared.model_copy(update={"tool_calls": None, "model_version": None})


def agent_source(evidence: Evidence) -> str | None:
    """ "claude-code/2.1.330", the name alone, or None when the client said nothing of itself."""
    if not evidence.client_name:
        return None
    if not evidence.client_version:
        return evidence.client_name
    return f"{evidence.client_name}/{evidence.client_version}"


def joined(
    declared: DeclaredLineage | None,
    seen: ObservedLineage,
    created_at: datetime,
    *,
    awaits: bool = False,
) -> Lineage:
    """Both accounts in one: observed single values win, lists hold the observed first (L2)."""
    said = declared or DeclaredLineage()
    return Lineage(
        created_at=created_at,
        source_ids=_union(seen.source_ids, said.source_ids),
        confidence=said.confidence,
        derived_from=_union((), said.derived_from),
        tool_calls=_union(seen.tool_calls, said.tool_calls),
        model_version=seen.model_version or said.model_version,
        agent_source=seen.agent_source,
        awaits=awaits,
        declared=declared,
        observed=seen,
    )


def _union(first: Iterable[str], second: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *(second or ()))))


def edges_of(
    context_id: str,
    revision: int,
    declared: DeclaredLineage | None,
    seen: ObservedLineage,
) -> tuple[Edge, ...]:
    """The graph's edges of one revision: declared derivations and sources, observed reads.

    Read is not derived: a read is PROV's weaker `used` (L4). Nothing rests on itself.
    """
    said = declared or DeclaredLineage()
    rests: dict[tuple[str, Relation], Basis] = {}
    for parent in seen.source_ids:
        rests.setdefault((parent, Relation.USED), Basis.OBSERVED)
    for parent in said.source_ids or ():
        rests.setdefault((parent, Relation.USED), Basis.DECLARED)
    for parent in said.derived_from or ():
        rests.setdefault((parent, Relation.WAS_DERIVED_FROM), Basis.DECLARED)
    return tuple(
        Edge(
            child_id=context_id,
            revision=revision,
            parent_id=parent,
            relation=relation,
            basis=basis,
        )
        for (parent, relation), basis in rests.items()
        if parent != context_id
    )


def brief(lineage: Lineage) -> dict[str, Any]:
    """What a search hit says of its lineage: what is known, and how, and nothing that isn't."""
    names = ("agent_source", "model_version", "confidence")
    lists = ("tool_calls", "source_ids", "derived_from")
    known: dict[str, Any] = {name: getattr(lineage, name) for name in (*names, *lists)}
    shown = {name: value for name, value in known.items() if value not in (None, ())}
    return {**shown, "declared": _only_declared(lineage)} if lineage.declared else shown


def basis_of(lineage: Lineage) -> dict[str, Basis]:
    """How each known value is known; a list that holds both is observed and says the rest there."""
    said = (lineage.declared or DeclaredLineage()).model_dump(exclude_none=True)
    seen = (lineage.observed or ObservedLineage()).model_dump(exclude_defaults=True)
    names = ("agent_source", "model_version", "tool_calls", "source_ids")
    basis = {name: Basis.OBSERVED for name in names if name in seen}
    declared = (*names[1:], "derived_from", "confidence")
    return {**{n: Basis.DECLARED for n in declared if said.get(n) not in (None, ())}, **basis}


def _only_declared(lineage: Lineage) -> list[str]:
    said = (lineage.declared or DeclaredLineage()).model_dump(exclude_none=True)
    seen = (lineage.observed or ObservedLineage()).model_dump(exclude_defaults=True)
    return [name for name in said if name not in seen]
