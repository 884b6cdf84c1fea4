"""A trace as boxes and arrows, before it is written in a drawing language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

from lineal.exports.told import Revisions, Written, models_of, writer_of, written
from lineal.models.lineage import Basis, Edge, Lineage, Relation, Trace, TraceNode

__all__ = ["Arrow", "Box", "Drawing", "drawn"]

LINE_CHARS = 72
"""Most of a line in a box."""

Kind = Literal["live", "ended", "external", "revision"]

_WORDS = {
    Relation.WAS_DERIVED_FROM: "derived from",
    Relation.WAS_REVISION_OF: "revision of",
}
_USED = {Basis.OBSERVED: "had read", Basis.DECLARED: "names as a source"}

Place = tuple[str, int | None]
"""A memory, or one revision of it."""


class Box(NamedTuple):
    """key: letters and digits only. lines: texts of one line each, with nothing hidden in them."""

    key: str
    kind: Kind
    lines: tuple[str, ...]


class Arrow(NamedTuple):
    """From what rests to what it rests on, by the boxes' keys."""

    tail: str
    head: str
    words: str
    basis: Basis


class Drawing(NamedTuple):
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawn(trace: Trace, revisions: Revisions) -> Drawing:
    """A box for each memory, source and known earlier revision, in the trace's order."""
    return _Drawing(trace, revisions).done()


class _Drawing:
    """Boxes are named n0, n1, … in the order they are drawn."""

    def __init__(self, trace: Trace, revisions: Revisions) -> None:
        self._edges = trace.edges
        self._nodes = {node.context_id: node for node in trace.nodes}
        self._known = written(trace, revisions)
        self._told = revisions
        self._boxes: dict[Place, Box] = {}

    def done(self) -> Drawing:
        for node in self._nodes.values():
            self._draw((node.context_id, None), *_thing(node, self._writing(node)))
        earlier = [place for place in self._known if self._stands_apart(place)]
        for place in earlier:
            self._draw(place, "revision", _earlier(self._known[place]))
        arrows = dict.fromkeys((*self._succession(earlier), *map(self._arrow, self._edges)))
        return Drawing(tuple(self._boxes.values()), tuple(arrows))

    def _draw(self, place: Place, kind: Kind, lines: Iterable[str]) -> None:
        shown = tuple(filter(None, map(_line, lines)))
        self._boxes[place] = Box(f"n{len(self._boxes)}", kind, shown)

    def _writing(self, node: TraceNode) -> Written | None:
        return None if node.revision is None else self._known[node.context_id, node.revision]

    def _stands_apart(self, place: Place) -> bool:
        """Only the revisions that were asked for, and not the one that the memory's own box is."""
        context_id, number = place
        node = self._nodes.get(context_id)
        told = context_id in self._told and node is not None and node.state == "live"
        return told and node is not None and number != node.revision

    def _succession(self, earlier: Sequence[Place]) -> Iterator[Arrow]:
        """From each memory's box to its latest earlier revision, and on to the first."""
        for context_id, places in groupby(earlier, key=lambda place: place[0]):
            chain = [(context_id, None), *reversed(list(places))]
            for newer, older in pairwise(chain):
                keys = self._boxes[newer].key, self._boxes[older].key
                yield Arrow(*keys, _WORDS[Relation.WAS_REVISION_OF], Basis.OBSERVED)

    def _arrow(self, edge: Edge) -> Arrow:
        revision = self._boxes.get((edge.child_id, edge.revision))
        tail = revision or self._there(edge.child_id)
        words = _WORDS.get(edge.relation) or _USED[edge.basis]
        return Arrow(tail.key, self._there(edge.parent_id).key, words, edge.basis)

    def _there(self, context_id: str) -> Box:
        place = (context_id, None)
        if place not in self._boxes:
            self._draw(place, "ended", (context_id, "left out"))
        return self._boxes[place]


def _thing(node: TraceNode, writing: Written | None) -> tuple[Kind, tuple[str, ...]]:
    if node.state == "external":
        return "external", (node.context_id, "outside this memory")
    if node.state != "live":
        kind = f"{node.memory_type}, " if node.memory_type else ""
        return "ended", (node.context_id, f"{kind}{node.state}")
    facts = [node.memory_type, node.source]
    facts += [f"stored {node.created_at:%Y-%m-%d}"] if node.created_at else []
    about = " · ".join(filter(None, facts))
    account = _account(writing.lineage if writing else None)
    return "live", (node.label or "", about, *account, node.context_id)


def _earlier(one: Written) -> tuple[str, ...]:
    when = f" of {one.at:%Y-%m-%d %H:%M}" if one.at else ""
    return one.label or "", f"revision {one.revision}{when}", *_account(one.lineage)


def _account(lineage: Lineage | None) -> tuple[str, str]:
    """Who wrote it, and with which model, or that it isn't known."""
    writer = writer_of(lineage) if lineage else None
    models = models_of(lineage) if lineage else ()
    known = ", ".join(f"{model.value} ({model.basis.value})" for model in models)
    return f"by {writer or 'unknown'}", f"model {known or 'unknown'}"


def _line(text: str) -> str:
    """One line, cut; what can't be seen is told by its code point."""
    line = " ".join(text.split())
    line = "".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in line)
    return line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 1] + "…"
