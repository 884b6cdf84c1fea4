"""A lineage graph drawn as a tree, with what is known of who wrote each memory, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from lineal.exports.told import Revisions, title_of
from lineal.faces.cli.accounts import STYLES, account
from lineal.faces.cli.moments import date, ending, minute
from lineal.faces.cli.visible import visible_line
from lineal.models.context import Context
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
_NONE: Revisions = MappingProxyType({})

Step = tuple[str, Basis]
"""How one memory stands to the next, in words, and how that is known."""


def trace_trees(
    trace: Trace, now: datetime, revisions: Revisions = _NONE
) -> Iterator[RenderableType]:
    """One tree for each direction asked for, and above each of two what it shows.

    revisions: of the root, whose earlier ones then stand in the tree of what it rests on.
    """
    both = trace.direction == "both"
    if trace.direction in ("up", "both"):
        if both:
            yield Text("What it rests on", style="bold")
        yield _Drawing(trace, now, revisions, up=True).tree()
    if trace.direction in ("down", "both"):
        if both:
            yield Text("\nWhat rests on it", style="bold")
        yield _Drawing(trace, now, _NONE, up=False).tree()


class _Drawing:
    """Draws each memory once; where the graph meets itself again, only its id stands."""

    def __init__(self, trace: Trace, now: datetime, revisions: Revisions, *, up: bool) -> None:
        self._root = trace.root
        self._now = now
        self._nodes = {node.context_id: node for node in trace.nodes}
        self._told = {one.revision: one for one in revisions.get(trace.root, ())}
        self._nothing = "rests on nothing known" if up else "nothing known rests on it"
        self._steps = _steps(trace, up=up)
        self._drawn: set[str] = set()

    def tree(self) -> Tree:
        tree = Tree(self._label(self._root, ()))
        self._drawn.add(self._root)
        earlier = self._earlier()
        for one in earlier:
            tree.add(_revision(one))
        if self._root not in self._steps and not earlier:
            tree.add(Text(self._nothing, style="dim"))
        # Depth is bounded by the trace, but a drawn graph may be narrow and long: no recursion.
        open_branches = [(self._root, tree)]
        while open_branches:
            here, branch = open_branches.pop(0)
            for there, steps in self._steps.get(here, {}).items():
                again = there in self._drawn
                self._drawn.add(there)
                label = self._label(there, steps, again=again)
                if again:
                    branch.add(label.append(" (drawn already)", style="dim"))
                else:
                    open_branches.append((there, branch.add(label)))
        return tree

    def _earlier(self) -> Sequence[Context]:
        """The root's revisions before the drawn one, latest first."""
        node = self._nodes.get(self._root)
        drawn = (node.revision if node and node.state == "live" else None) or 0
        return [self._told[number] for number in sorted(self._told, reverse=True) if number < drawn]

    def _label(self, context_id: str, steps: Sequence[Step], *, again: bool = False) -> Text:
        label = _stepped(steps)
        node = self._nodes.get(context_id)
        shown_id = visible_line(context_id)
        if node is None or node.state != "live":
            state = node.state if node else "left out"
            return label.append(shown_id, style="cyan").append(f" ({state})", style="yellow")
        label.append(visible_line(node.label or "", LABEL_CHARS))
        label.append(f"\n{self._about(node)} · ", style="dim").append(shown_id, style="cyan")
        return label if again else _with(label, account(node.lineage, self._when(node)))

    def _about(self, node: TraceNode) -> str:
        facts = [node.memory_type, node.source]
        facts += [f"stored {date(node.created_at)}"] if node.created_at else []
        facts += [ending(node.expires_at, self._now)]
        return " · ".join(visible_line(fact) for fact in facts if fact)

    def _when(self, node: TraceNode) -> str:
        """Which revision it is, if not the first; when that was written is known of the root's."""
        if node.revision is None or node.revision == 1:
            return ""
        told = self._told.get(node.revision) if node.context_id == self._root else None
        return f"revision {node.revision}{f' of {minute(told.updated_at)}' if told else ''} "


def _steps(trace: Trace, *, up: bool) -> Mapping[str, Mapping[str, Sequence[Step]]]:
    """Here → there → how they stand to each other, each way once."""
    found: dict[str, dict[str, list[Step]]] = {}
    for edge in trace.edges:
        here, there = (edge.child_id, edge.parent_id) if up else (edge.parent_id, edge.child_id)
        if here == there:
            continue
        steps = found.setdefault(here, {}).setdefault(there, [])
        step = ((_UP if up else _DOWN)[edge.relation, edge.basis], edge.basis)
        if step not in steps:
            steps.append(step)
    return found


def _revision(one: Context) -> Text:
    label = _stepped([(_UP[Relation.WAS_REVISION_OF, Basis.OBSERVED], Basis.OBSERVED)])
    label.append(visible_line(title_of(one), LABEL_CHARS))
    return _with(
        label, account(one.lineage, f"revision {one.revision} of {minute(one.updated_at)} ")
    )


def _with(label: Text, more: Text) -> Text:
    more.stylize_before("dim")
    return label.append("\n").append_text(more)


def _stepped(steps: Sequence[Step]) -> Text:
    label = Text(", ").join(_known(*step) for step in steps)
    return label.append(": ", style="dim") if steps else label


def _known(words: str, basis: Basis) -> Text:
    return Text(f"{words} ", style="dim").append(f"({basis.value})", style=STYLES[basis])
