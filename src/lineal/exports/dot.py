"""A trace as a graph for Graphviz."""

from __future__ import annotations

from lineal.exports.drawing import Arrow, Box, drawn
from lineal.exports.told import Revisions
from lineal.models.lineage import Basis, Trace

__all__ = ["dot"]

_HEAD = """digraph lineage {
  node [shape=box, style=rounded, fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];"""

_SHAPES = {
    "live": "",
    "ended": ', style="rounded,dashed", color=gray',
    "external": ", shape=note, style=solid",
    "revision": ", color=gray",
}
_LINES = {Basis.OBSERVED: "color=darkgreen", Basis.DECLARED: "color=magenta4, style=dashed"}


def dot(trace: Trace, revisions: Revisions) -> str:
    """The graph in the DOT language; arrows lead to what a memory rests on."""
    drawing = drawn(trace, revisions)
    return "\n".join([_HEAD, *map(_box, drawing.boxes), *map(_arrow, drawing.arrows), "}"])


def _box(box: Box) -> str:
    label = r"\n".join(map(_escaped, box.lines))
    return f'  {box.key} [label="{label}"{_SHAPES[box.kind]}];'


def _arrow(arrow: Arrow) -> str:
    said = f"{arrow.words} ({arrow.basis.value})"
    return f'  {arrow.tail} -> {arrow.head} [label="{said}", {_LINES[arrow.basis]}];'


def _escaped(line: str) -> str:
    r"""For a quoted string: `\N` and the like would be read as a node's name, `&lt;` as a sign."""
    return line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
