"""Completing lineage with evidence that came after the write: pure decisions over a snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from lineal.models.changes import Changes, Completed, Snapshot
from lineal.models.context import Context, Sighting
from lineal.models.lineage import Basis, Edge, Evidence, Lineage, ObservedLineage, Relation
from lineal.policy import provenance

__all__ = ["calls_awaiting", "completion"]

Told = TypeVar("Told", Context, Sighting)
Known = Mapping[ObservedLineage, Evidence]
"""What was accounted for at the write → what is known of that call by now."""


def calls_awaiting(snapshot: Snapshot) -> Iterator[ObservedLineage]:
    """The accounts of calls of which more may be known: of the contexts' revisions, their
    sightings, and the user's row."""
    lineages = [row.lineage for rows in snapshot.revisions.values() for row in rows]
    lineages += [one.lineage for seen in snapshot.sightings.values() for one in seen]
    lineages += [snapshot.user.lineage] if snapshot.user else []
    for lineage in lineages:
        if lineage.awaits and lineage.observed is not None:
            yield lineage.observed


def completion(snapshot: Snapshot, known: Known, *, over: bool) -> tuple[Changes, bool]:
    """What is to be kept, and whether something is awaited still.

    over: nothing more is waited for, so nothing awaits any more.
    """
    old = [row for rows in snapshot.revisions.values() for row in rows]
    old_seen = [one for seen in snapshot.sightings.values() for one in seen]
    contexts = [(row, _told(row, known, over)) for row in old]
    sightings = [(one, _told(one, known, over)) for one in old_seen]
    row = snapshot.user
    users = [] if row is None else [(row, _whole(row.lineage, known, over, None))]
    changed = [(was, new) for was, new in contexts if was != new]
    done = Completed(
        contexts=tuple(new for _, new in changed),
        users=tuple(
            row.model_copy(update={"lineage": new}) for row, new in users if row.lineage != new
        ),
        sightings=tuple((was, new) for was, new in sightings if was != new),
        edges=tuple(edge for was, new in changed for edge in _edges(was, new)),
    )
    lineages = [new.lineage for _, new in contexts] + [new.lineage for _, new in sightings]
    awaits = any(lineage.awaits for lineage in [*lineages, *(new for _, new in users)])
    return (Changes() if done == Completed() else Changes(completed=done)), awaits


def _told(row: Told, known: Known, over: bool) -> Told:
    """The revision or sighting with its lineage as whole as it is known; its session too, where the
    one that was supposed turns out to be another."""
    lineage = _whole(row.lineage, known, over, row.context_id)
    supposed = (row.lineage.observed or ObservedLineage()).session_id
    session_id = row.session_id
    if session_id is not None and session_id == supposed and lineage.observed is not None:
        session_id = lineage.observed.session_id
    return row.model_copy(update={"lineage": lineage, "session_id": session_id})


def _whole(lineage: Lineage, known: Known, over: bool, of: str | None) -> Lineage:
    if not lineage.awaits or lineage.observed is None:
        return lineage
    evidence = known.get(lineage.observed)
    whole = provenance.completed(lineage, evidence, of=of) if evidence is not None else lineage
    return whole.model_copy(update={"awaits": False}) if over else whole


def _edges(was: Context, now: Context) -> tuple[Edge, ...]:
    """What a revision had read, by its lineage as it is now; and what was supposed to be read and
    wasn't, but is declared as a source."""
    seen = now.lineage.observed or ObservedLineage()
    supposed = (was.lineage.observed or ObservedLineage()).source_ids
    edges = provenance.edges_of(now.context_id, now.revision, now.lineage.declared, seen)
    uses = (edge for edge in edges if edge.relation is Relation.USED)
    return tuple(e for e in uses if e.basis is Basis.OBSERVED or e.parent_id in supposed)
