"""`lineal trace`: the lineage graph around one memory."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from lineal.app import local_call
from lineal.clock import SystemClock
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, print_json, show
from lineal.faces.cli.tree import trace_trees
from lineal.models.lineage import TraceLineage
from lineal.models.parse import parse

__all__ = ["trace"]


@click.command(cls=Command)
@click.argument("context_id", metavar="ID")
@click.option("--up", "direction", flag_value="up", default="up", help="What it rests on (usual).")
@click.option("--down", "direction", flag_value="down", help="What rests on it.")
@click.option("--both", "direction", flag_value="both", help="Both.")
@click.option("--depth", type=int, default=5, show_default=True, help="Most steps away.")
@store_options
def trace(
    context_id: str,
    direction: str,
    depth: int,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Draw where the memory ID came from, or what came of it.

    Each relation says how it is known: observed by the server, or declared by who wrote it.
    """
    settings = read_settings(home, backend)
    request = parse(
        TraceLineage, {"context_id": context_id, "direction": direction, "depth": depth}
    )
    call = local_call(settings, "trace_lineage")
    answer = with_service(settings, lambda service: service.trace_lineage(call, request))
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    show(*trace_trees(answer, SystemClock(settings.clock_offset_s).now()))
    if answer.truncated:
        left_out = counted(answer.truncated, "memory was", "memories were")
        show(Text(f"{left_out} left out; trace one of these ids, or with a smaller --depth."))
