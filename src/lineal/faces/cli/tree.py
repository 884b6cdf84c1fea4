"""A lineage graph drawn as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from lineal.faces.cli.moments import date, ending
from lineal.faces.cli.visible import visible_line
from lineal.models.lineage import Basis, Relation, Trace, TraceNode

__all__ = ["trace_trees"]

LABEL_CHARS = 90

_UP = {
    (Relation.WAS_DERIVED_FROM, Basis.DECLARED): "derived from",
    (Relation.WAS_DERIVED_FROM, Basis.OBSERVED): "derived from",
    (Relation.USED, Basis.OBSERVED): "had read",
    (Relation.USED, Basis.DECLARED): "names as a source",
    (Relation.WAS_REVISION_OF, Basis.DECLARED): "revision of",
    (Relation.WAS_REVISION_OF, Basis.OBSERVED): "revision of",
}
_DOWN = {
    (Relation.WAS_DERIVED_FROM, Basis.DECLARED): "source of",
    (Relation.WAS_DERIVED_FROM, Basis.OBSERVED): "source of",
    (Relation.USED, Basis.OBSERVED): "was read before",
    (Relation.USED, Basis.DECLARED): "is named as a source by",
    (Relation.WAS_REVISION_OF, Basis.DECLARED): "revised as",
    (Relation.WAS_REVISION_OF, Basis.OBSERVED): "revised as",
}
_STYLES = {Basis.OBSERVED: "green", Basis.DECLARED: "magenta"}

Step = tuple[str, Basis]
"""How one memory stands to the next, in words, and how that is known."""


def trace_trees(trace: Trace, now: datetime) -> Iterator[RenderableType]:
    """One tree for each direction asked for, and above each of two what it shows."""
    both = trace.direction == "both"
    if trace.direction in ("up", "both"):
        if both:
            yield Text("What it rests on", style="bold")
        yield _Drawing(trace, now, up=True).tree()
    if trace.direction in ("down", "both"):
        if both:
            yield Text("\nWhat rests on it", style="bold")
        yield _Drawing(trace, now, up=False).tree()


class _Drawing:
    """Draws each memory once; where the graph meets itself again, only its id stands."""

    def __init__(self, trace: Trace, now: datetime, *, up: bool) -> None:
        self._root = trace.root
        self._now = now
        self._nodes = {node.context_id: node for node in trace.nodes}
        self._nothing = "rests on nothing known" if up else "nothing known rests on it"
        self._steps: dict[str, dict[str, list[Step]]] = {}
        self._drawn: set[str] = set()
        for edge in trace.edges:
            here, there = (edge.child_id, edge.parent_id) if up else (edge.parent_id, edge.child_id)
            if here == there:
                continue
            steps = self._steps.setdefault(here, {}).setdefault(there, [])
            step = ((_UP if up else _DOWN)[edge.relation, edge.basis], edge.basis)
            if step not in steps:
                steps.append(step)

    def tree(self) -> Tree:
        tree = Tree(self._label(self._root, ()))
        self._drawn.add(self._root)
        if self._root not in self._steps:
            tree.add(Text(self._nothing, style="dim"))
        # Depth is bounded by the trace, but a drawn graph may be narrow and long: no recursion.
        open_branches = [(self._root, tree)]
        while open_branches:
            here, branch = open_branches.pop(0)
            for there, steps in self._steps.get(here, {}).items():
                again = there in self._drawn
                self._drawn.add(there)
                label = self._label(there, steps)
                if again:
                    branch.add(label.append(" (drawn already)", style="dim"))
                else:
                    open_branches.append((there, branch.add(label)))
        return tree

    def _label(self, context_id: str, steps: Sequence[Step]) -> Text:
        label = Text(", ").join(_known(*step) for step in steps)
        if steps:
            label.append(": ", style="dim")
        node = self._nodes.get(context_id)
        shown_id = visible_line(context_id)
        if node is None or node.state != "live":
            state = node.state if node else "left out"
            return label.append(shown_id, style="cyan").append(f" ({state})", style="yellow")
        label.append(visible_line(node.label or "", LABEL_CHARS))
        return label.append(f"\n{self._about(node)} · ", style="dim").append(shown_id, style="cyan")

    def _about(self, node: TraceNode) -> str:
        facts = [node.memory_type, node.source]
        facts += [f"stored {date(node.created_at)}"] if node.created_at else []
        facts += [ending(node.expires_at, self._now)]
        return " · ".join(visible_line(fact) for fact in facts if fact)


def _known(words: str, basis: Basis) -> Text:
    return Text(f"{words} ", style="dim").append(f"({basis.value})", style=_STYLES[basis])
