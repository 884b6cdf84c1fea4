"""What is known of how a memory was written, in a few short lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from lineal.exports.told import Made, calls_of, models_of, writer_of
from lineal.faces.cli.visible import visible_line
from lineal.models.lineage import Basis, Lineage

__all__ = ["STYLES", "account"]

STYLES = {Basis.OBSERVED: "green", Basis.DECLARED: "magenta"}

CALLS_SHOWN = 4
"""Of the calls up to a write the latest; a prompt may have made dozens."""

DECLARED_SHOWN = 3

NAME_CHARS = 40

SEPARATOR = " · "


def account(lineage: Lineage | None, when: str = "") -> Text:
    """Who wrote it, with which model, after which tool calls: a line each, as far as it is known.

    What isn't known is said to be unknown, in the first line. when: stands before it.
    """
    writer = writer_of(lineage) if lineage else None
    models = _models(lineage) if lineage else Text()
    tools = _tools(lineage) if lineage else Text()
    unknown = [
        f"{word} unknown" for word, known in (("model", models), ("tools", tools)) if not known
    ]
    first = Text(SEPARATOR.join([f"{when}by {visible_line(writer or 'unknown')}", *unknown]))
    lines = [line for line in (first, models, tools) if line]
    if lineage and lineage.confidence is not None:
        lines[1 if models else 0].append_text(_confidence(lineage.confidence))
    if lineage and lineage.awaits:
        first.append(f"{SEPARATOR}awaiting more")
    return Text("\n", style="dim").join(lines)


def _models(lineage: Lineage) -> Text:
    models = [_known(visible_line(said.value), said.how, said.basis) for said in models_of(lineage)]
    return Text("model ").append_text(Text(", ").join(models)) if models else Text()


def _confidence(confidence: float) -> Text:
    return Text(SEPARATOR).append_text(
        _known(f"confidence {confidence:g}", "declared", Basis.DECLARED)
    )


def _tools(lineage: Lineage) -> Text:
    """The observed calls, up to the one that wrote it, and then those that are only declared."""
    writing, earlier = calls_of(lineage)
    seen = [call for call in earlier if call.basis is Basis.OBSERVED]
    seen += [writing] if writing else []
    said = [call for call in earlier if call.basis is Basis.DECLARED]
    parts = [_chain(seen[-CALLS_SHOWN:], len(seen), " → ", Basis.OBSERVED)] if seen else []
    parts += [_chain(said[:DECLARED_SHOWN], len(said), ", ", Basis.DECLARED)] if said else []
    return Text("tools ").append_text(Text(SEPARATOR).join(parts)) if parts else Text()


def _chain(shown: Sequence[Made], of: int, between: str, basis: Basis) -> Text:
    left = [f"{of - len(shown)} more"] if of > len(shown) else []
    told = [_call(call) for call in shown]
    words = [*left, *told] if basis is Basis.OBSERVED else [*told, *left]
    return _known(between.join(words), basis.value, basis)


def _call(call: Made) -> str:
    """`Bash git · 0.1 s · ok`, as far as it is known."""
    name, seen = visible_line(call.tool, NAME_CHARS), call.seen
    if seen is None:
        return name
    facts = [f"{name} {visible_line(seen.label, NAME_CHARS)}" if seen.label else name]
    facts += [] if seen.duration_ms is None else [_lasted(seen.duration_ms)]
    facts += [] if seen.ok is None else ["ok" if seen.ok else "failed"]
    return SEPARATOR.join(facts)


def _lasted(duration_ms: int) -> str:
    """40 ms, 0.1 s, 12 s."""
    if duration_ms < 95:
        return f"{duration_ms} ms"
    seconds = duration_ms / 1_000
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def _known(words: str, how: str, basis: Basis) -> Text:
    return Text(f"{words} ").append(f"({how})", style=STYLES[basis])
