"""A trace as a Mermaid flowchart."""

from __future__ import annotations

import re

from lineal.exports.drawing import Arrow, Box, drawn
from lineal.exports.told import Revisions
from lineal.models.lineage import Basis, Trace

__all__ = ["mermaid"]

_FRAMES = {
    "live": ('["', '"]'),
    "ended": ('["', '"]:::ended'),
    "external": ('(["', '"])'),
    "revision": ('["', '"]:::revision'),
}
_LINES = {Basis.OBSERVED: "-->", Basis.DECLARED: "-.->"}

_CLASSES = (
    "  classDef ended stroke-dasharray:4,opacity:0.7",
    "  classDef revision stroke-dasharray:1,opacity:0.9",
)

_SAFE = re.compile(r"[^\W_]|[ ,…·→()/]|(?<=[^\W_])[-_](?=[^\W_])")
"""What stands for itself: letters, digits, a few signs, and - or _ within a word."""


def mermaid(trace: Trace, revisions: Revisions) -> str:
    """The flowchart; arrows lead to what a memory rests on, dashed where that is declared only."""
    drawing = drawn(trace, revisions)
    parts = (*map(_box, drawing.boxes), *map(_arrow, drawing.arrows))
    return "\n".join(["flowchart TD", *parts, *_CLASSES])


def _box(box: Box) -> str:
    begin, end = _FRAMES[box.kind]
    return f"  {box.key}{begin}{'<br/>'.join(map(_escaped, box.lines))}{end}"


def _arrow(arrow: Arrow) -> str:
    said = _escaped(f"{arrow.words} ({arrow.basis.value})")
    return f'  {arrow.tail} {_LINES[arrow.basis]}|"{said}"| {arrow.head}'


def _escaped(line: str) -> str:
    """For a quoted label: every sign with a meaning in Mermaid, in Markdown or in HTML as a code.

    What isn't known to be harmless is a code, so that no word of the language, comment, directive,
    link or formula can begin within a label.
    """
    return "".join(
        sign if _SAFE.match(line, place) else f"#{ord(sign)};" for place, sign in enumerate(line)
    )
