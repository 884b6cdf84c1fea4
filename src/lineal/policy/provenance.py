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
)

__all__ = ["READS_MAX", "brief", "edges_of", "joined", "observed"]

READS_MAX = 32
"""How many of a session's latest reads stand in a write's source_ids."""


def observed(evidence: Evidence, *, of: str | None = None) -> ObservedLineage:
    """What a request shows of a write made by it; `of`: the memory changed, no source of itself.

    A tool call is named "<tool>:<tool_use_id>", and by the tool alone when the client sent no id:
    the call was seen, its id was not.
    """
    call = f"{evidence.tool}:{evidence.tool_use_id}" if evidence.tool_use_id else evidence.tool
    return ObservedLineage(
        agent_source=agent_source(evidence),
        tool_calls=(call,),
        source_ids=tuple(i for i in evidence.read_ids if i != of)[-READS_MAX:],
        session_id=evidence.session_id,
        traceparent=evidence.traceparent,
    )


def agent_source(evidence: Evidence) -> str | None:
    """ "claude-code/2.1.330", the name alone, or None when the client said nothing of itself."""
    if not evidence.client_name:
        return None
    if not evidence.client_version:
        return evidence.client_name
    return f"{evidence.client_name}/{evidence.client_version}"


def joined(
    declared: DeclaredLineage | None, seen: ObservedLineage, created_at: datetime
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


def _only_declared(lineage: Lineage) -> list[str]:
    said = (lineage.declared or DeclaredLineage()).model_dump(exclude_none=True)
    seen = (lineage.observed or ObservedLineage()).model_dump(exclude_defaults=True)
    return [name for name in said if name not in seen]
