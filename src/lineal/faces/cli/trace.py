"""`lineal trace`: the lineage graph around one memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lineal.app import local_call
from lineal.clock import SystemClock
from lineal.errors import ErrorCode, LinealError
from lineal.exports.dot import dot
from lineal.exports.mermaid import mermaid
from lineal.exports.prov import prov_json
from lineal.exports.told import Revisions
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.faces.cli.tree import trace_trees
from lineal.models.changes import Call
from lineal.models.lineage import Trace, TraceLineage
from lineal.models.parse import parse
from lineal.service import Service

__all__ = ["trace"]

_EXPORTS = {"prov-json": prov_json, "dot": dot, "mermaid": mermaid}


@click.command(cls=Command)
@click.argument("context_id", metavar="ID")
@click.option(
    "--up",
    "direction",
    flag_value="up",
    default="up",
    help="Why do we believe this? What it rests on, and its earlier revisions (usual).",
)
@click.option(
    "--down",
    "direction",
    flag_value="down",
    help="What rests on it? What would be in doubt if it were wrong.",
)
@click.option("--both", "direction", flag_value="both", help="Both.")
@click.option("--depth", type=int, default=5, show_default=True, help="Most steps away.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", *_EXPORTS]),
    default="tree",
    show_default=True,
    help="For people; for provenance tools (W3C PROV); for Graphviz; for Markdown pages.",
)
@store_options
def trace(
    context_id: str,
    direction: str,
    depth: int,
    form: str,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Show why the memory ID is believed, or what rests on it.

    Beneath each memory stands who wrote it, with which model, when, and after which tool calls.
    Each relation says how it is known: observed by the server, or declared by who wrote it. What
    nobody knows is said to be unknown.
    """
    if as_json and form != "tree":
        raise click.UsageError("--json is the plain answer; use it without --format.")
    settings = read_settings(home, backend)
    request = parse(
        TraceLineage, {"context_id": context_id, "direction": direction, "depth": depth}
    )

    async def asked(service: Service) -> tuple[Trace, Revisions]:
        call = local_call(settings, "trace_lineage")
        found = await service.trace_lineage(call, request)
        return found, {} if as_json else await _revisions(service, call, found)

    answer, revisions = with_service(settings, asked)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    elif form in _EXPORTS:
        show(text(_EXPORTS[form](answer, revisions)))
    else:
        show(*trace_trees(answer, SystemClock(settings.clock_offset_s).now(), revisions))
    for told in () if as_json else _left_out(answer):
        if form in _EXPORTS:
            click.echo(told, err=True)  # standard output is the document alone
        else:
            show(text(told))


def _left_out(answer: Trace) -> Iterator[str]:
    """What is not in the answer, and how to see it."""
    if answer.truncated:
        left_out = counted(answer.truncated, "memory was", "memories were")
        yield f"{left_out} left out; trace one of these ids, or with a smaller --depth."
    if answer.deeper:
        further = counted(answer.deeper, "memory is", "memories are")
        yield f"At least {further} further away; see them with a larger --depth."


async def _revisions(service: Service, call: Call, found: Trace) -> Revisions:
    """The root's, where it is asked what it rests on and it has more than one."""
    root = next(node for node in found.nodes if node.context_id == found.root)
    if found.direction == "down" or (root.revision or 1) == 1 or root.state != "live":
        return {}
    try:
        return {found.root: await service.history(call, found.root)}
    except LinealError as failure:
        # It has ended meanwhile, or its backend keeps no history: then it stands without.
        if failure.code in (ErrorCode.NOT_FOUND, ErrorCode.UNSUPPORTED):
            return {}
        raise
