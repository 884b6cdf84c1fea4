"""A trace as W3C PROV, in PROV-JSON.

An entity for each memory and each source outside; one for each revision that the trace names, a
specialization of its memory. An activity for the tool call that wrote a revision, informed by the
calls before it. Agents are the client, its sub-agents, and the models. Every relation says by
`lineal:basis` how it is known; a specialization, which may bear no attributes, is so by definition.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lineal.exports import names
from lineal.exports.document import Document, Value
from lineal.exports.names import Name, term
from lineal.exports.told import Made, Revisions, Written, calls_of, models_of, written
from lineal.models.lineage import (
    Basis,
    Edge,
    Lineage,
    ObservedLineage,
    Relation,
    ToolCall,
    Trace,
    TraceNode,
)

__all__ = ["prov_json"]

SOFTWARE = Name("prov:SoftwareAgent")
REVISION = Name("prov:Revision")


def prov_json(trace: Trace, revisions: Revisions) -> str:
    """The document, in ASCII; equal for equal traces."""
    writing = _Writing(trace, revisions)
    for node in trace.nodes:
        writing.node(node)
    for one in writing.known.values():
        writing.revision(one)
    writing.succession()
    for edge in trace.edges:
        writing.edge(edge)
    return writing.document.text()


class _Writing:
    """Puts a trace into a document, part by part."""

    def __init__(self, trace: Trace, revisions: Revisions) -> None:
        self.document = Document()
        self.known = written(trace, revisions)
        self._outside = {node.context_id for node in trace.nodes if node.state == "external"}

    def node(self, node: TraceNode) -> None:
        about: dict[str, Value] = {
            "prov:type": term("Source" if node.state == "external" else "Memory"),
            "prov:label": node.label,
            "lineal:id": node.context_id,
            "lineal:state": node.state,
            "lineal:memory_type": node.memory_type,
            "lineal:source": node.source,
            "lineal:project": node.project,
            "lineal:created_at": node.created_at,
            "lineal:expires_at": node.expires_at,
        }
        self.document.element("entity", self._thing(node.context_id), about)

    def revision(self, one: Written) -> None:
        name = self.document.element("entity", _revision(one), _about(one))
        ends = {"prov:specificEntity": name, "prov:generalEntity": self._thing(one.context_id)}
        self.document.relation("specializationOf", ends, None)
        if one.lineage is not None:
            self._lineage(one, one.lineage)

    def succession(self) -> None:
        """Each revision of which the one before is known, too, is a revision of that."""
        for (context_id, number), one in self.known.items():
            before = self.known.get((context_id, number - 1))
            if before is not None:
                self._derived(_revision(one), _revision(before), Basis.OBSERVED, REVISION)

    def edge(self, edge: Edge) -> None:
        child = self.known[edge.child_id, edge.revision]
        parent = self._thing(edge.parent_id)
        if edge.relation is Relation.USED:
            self._used(child, parent, edge.basis)
        else:
            revised = edge.relation is Relation.WAS_REVISION_OF
            self._derived(_revision(child), parent, edge.basis, REVISION if revised else None)

    def _thing(self, context_id: str) -> Name:
        outside = context_id in self._outside
        return names.source(context_id) if outside else names.memory(context_id)

    def _derived(self, new: Name, old: Name, basis: Basis, kind: Name | None) -> None:
        ends = {"prov:generatedEntity": new, "prov:usedEntity": old, "prov:type": kind}
        self.document.relation("wasDerivedFrom", ends, basis)

    def _used(self, child: Written, parent: Name, basis: Basis) -> None:
        if child.lineage is None:
            self._generated(child)
        ends = {"prov:activity": _activity(child), "prov:entity": parent}
        self.document.relation("used", ends, basis)

    def _generated(self, one: Written) -> None:
        """That a revision was written is always observed: the store itself did it."""
        activity = self.document.element("activity", _activity(one), {"prov:type": term("Write")})
        ends: dict[str, Value] = {
            "prov:entity": _revision(one),
            "prov:activity": activity,
            "prov:time": one.at,
        }
        self.document.relation("wasGeneratedBy", ends, Basis.OBSERVED)

    def _lineage(self, one: Written, lineage: Lineage) -> None:
        """By which activity a revision came to be, who did it, and what was done before."""
        activity = _activity(one)
        writing, earlier = calls_of(lineage)
        if writing is not None:
            self.document.element("activity", activity, _call(writing))
        self._generated(one)
        self.document.element("activity", activity, _session(lineage))
        self._agents(_revision(one), activity, lineage)
        self._models(activity, lineage)
        for call in earlier:
            before = self.document.element("activity", _before(one, call), _call(call))
            ends = {"prov:informed": activity, "prov:informant": before}
            self.document.relation("wasInformedBy", ends, call.basis)

    def _agents(self, revision: Name, activity: Name, lineage: Lineage) -> None:
        client, helper = self._client(lineage), self._helper(lineage)
        for agent in filter(None, (client, helper)):
            ends = {"prov:activity": activity, "prov:agent": agent}
            self.document.relation("wasAssociatedWith", ends, Basis.OBSERVED)
        if client or helper:
            made = {"prov:entity": revision, "prov:agent": helper or client}
            self.document.relation("wasAttributedTo", made, Basis.OBSERVED)
        if client and helper:
            chain = {"prov:delegate": helper, "prov:responsible": client, "prov:activity": activity}
            self.document.relation("actedOnBehalfOf", chain, Basis.OBSERVED)

    def _models(self, activity: Name, lineage: Lineage) -> None:
        where = lineage.observed.model_seen if lineage.observed else None
        for said in models_of(lineage):
            about = {"prov:type": SOFTWARE, "lineal:model_version": said.value}
            ends = {
                "prov:activity": activity,
                "prov:agent": self.document.element("agent", names.model(said.value), about),
                "prov:role": term("Model"),
                "lineal:model_seen": where if said.basis is Basis.OBSERVED else None,
            }
            self.document.relation("wasAssociatedWith", ends, said.basis)

    def _client(self, lineage: Lineage) -> Name | None:
        source = lineage.agent_source
        about = {"prov:type": SOFTWARE, "lineal:agent_source": source}
        return self.document.element("agent", names.agent(source), about) if source else None

    def _helper(self, lineage: Lineage) -> Name | None:
        """The sub-agent, by its id, or by its type alone where that is all there is."""
        seen = lineage.observed or ObservedLineage()
        key = seen.agent_id or seen.agent_type
        if not key:
            return None
        about = {
            "prov:type": SOFTWARE,
            "lineal:agent_id": seen.agent_id,
            "lineal:agent_type": seen.agent_type,
        }
        return self.document.element("agent", names.helper(seen.session_id or "", key), about)


def _revision(one: Written) -> Name:
    return names.revision(one.context_id, one.revision)


def _activity(one: Written) -> Name:
    """The call that wrote a revision, by its id; a call without one is this revision's alone."""
    writing = calls_of(one.lineage).writing if one.lineage else None
    if writing is None or writing.unnamed:
        return names.write(one.context_id, one.revision)
    return names.call(writing.name)


def _before(one: Written, call: Made) -> Name:
    if call.unnamed:
        return names.unnamed(one.context_id, one.revision, call.name)
    return names.call(call.name)


def _about(one: Written) -> dict[str, Value]:
    """Attributes of a revision. A confidence is what somebody declares, never an observation."""
    about: dict[str, Value] = {
        "prov:type": term("Revision"),
        "lineal:id": one.context_id,
        "lineal:revision": one.revision,
    }
    if one.lineage is not None:
        declared = None if one.lineage.confidence is None else Basis.DECLARED.value
        about["lineal:confidence"] = one.lineage.confidence
        about["lineal:confidence_basis"] = declared
        about["lineal:extractor"] = one.lineage.extractor
        about["lineal:awaits"] = one.lineage.awaits or None
    return about


def _call(call: Made) -> dict[str, Value]:
    about: dict[str, Value] = {
        "prov:type": term("ToolCall"),
        "lineal:name": call.name,
        "lineal:tool": call.tool if call.basis is Basis.OBSERVED else None,
    }
    return about if call.seen is None else {**about, **_seen(call.seen)}


def _seen(call: ToolCall) -> dict[str, Value]:
    return {
        "prov:startTime": call.at,
        "prov:endTime": _ended(call),
        "lineal:duration_ms": call.duration_ms,
        "lineal:ok": call.ok,
        "lineal:label": call.label,
        "lineal:input_hash": call.input_hash,
    }


def _ended(call: ToolCall) -> datetime | None:
    if call.at is None or call.duration_ms is None:
        return None
    try:
        return call.at + timedelta(milliseconds=call.duration_ms)
    except OverflowError:  # a duration that a client can only have made up
        return None


def _session(lineage: Lineage) -> dict[str, Value]:
    seen = lineage.observed or ObservedLineage()
    return {
        "lineal:session_id": seen.session_id,
        "lineal:prompt_id": seen.prompt_id,
        "lineal:entrypoint": seen.entrypoint,
        "lineal:traceparent": seen.traceparent,
    }
