"""A lineage graph drawn as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text
from rich.tree import Tree

from lineal.faces.cli.moments import date, ending
from lineal.faces.cli.visible import visible_line
from lineal.models.lineage import Relation, Trace, TraceNode

__all__ = ["trace_trees"]

LABEL_CHARS = 90

_UP = {
    Relation.WAS_DERIVED_FROM: "derived from",
    Relation.USED: "had read",
    Relation.WAS_REVISION_OF: "revision of",
}
_DOWN = {
    Relation.WAS_DERIVED_FROM: "source of",
    Relation.USED: "read before",
    Relation.WAS_REVISION_OF: "revised as",
}


def trace_trees(trace: Trace, now: datetime) -> Iterator[Tree]:
    """One tree for each direction asked for: `up` what it rests on, `down` what rests on it."""
    if trace.direction in ("up", "both"):
        yield _Drawing(trace, now, up=True).tree()
    if trace.direction in ("down", "both"):
        yield _Drawing(trace, now, up=False).tree()


class _Drawing:
    """Draws each memory once; where the graph meets itself again, only its id stands."""

    def __init__(self, trace: Trace, now: datetime, *, up: bool) -> None:
        self._root = trace.root
        self._now = now
        self._nodes = {node.context_id: node for node in trace.nodes}
        self._words = _UP if up else _DOWN
        self._steps: dict[str, dict[str, list[str]]] = {}
        self._drawn: set[str] = set()
        for edge in trace.edges:
            here, there = (edge.child_id, edge.parent_id) if up else (edge.parent_id, edge.child_id)
            if here == there:
                continue
            words = self._steps.setdefault(here, {}).setdefault(there, [])
            word = self._words[edge.relation]
            if word not in words:
                words.append(word)

    def tree(self) -> Tree:
        tree = Tree(self._label(self._root, ()))
        self._drawn.add(self._root)
        # Depth is bounded by the trace, but a drawn graph may be narrow and long: no recursion.
        open_branches = [(self._root, tree)]
        while open_branches:
            here, branch = open_branches.pop(0)
            for there, words in self._steps.get(here, {}).items():
                again = there in self._drawn
                self._drawn.add(there)
                label = self._label(there, tuple(words))
                if again:
                    branch.add(label.append(" (drawn already)", style="dim"))
                else:
                    open_branches.append((there, branch.add(label)))
        return tree

    def _label(self, context_id: str, words: tuple[str, ...]) -> Text:
        label = Text()
        if words:
            label.append(", ".join(words) + " ", style="dim")
        node = self._nodes.get(context_id)
        shown_id = visible_line(context_id)
        if node is None or node.state != "live":
            state = node.state if node else "left out"
            return label.append(shown_id, style="cyan").append(f" {state}", style="yellow")
        label.append(visible_line(node.label or "", LABEL_CHARS))
        return label.append(f"\n{self._about(node)} · ", style="dim").append(shown_id, style="cyan")

    def _about(self, node: TraceNode) -> str:
        facts = [node.memory_type, node.source]
        facts += [date(node.created_at)] if node.created_at else []
        facts += [ending(node.expires_at, self._now)]
        return " · ".join(visible_line(fact) for fact in facts if fact)
