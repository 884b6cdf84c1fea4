"""`lineal hook`: its help alone. lineal.capture.hook does the work, before click is imported."""

from __future__ import annotations

from pathlib import Path

import click

from lineal.faces.cli.base import Command

__all__ = ["hook"]


@click.command(cls=Command)
@click.argument("client_name", metavar="CLIENT", type=click.Choice(["claude-code", "cursor"]))
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data directory, in place of LINEAL_HOME.",
)
def hook(client_name: str, home: Path | None) -> None:
    """Take down one event of CLIENT's hook, from stdin: claude-code or cursor.

    For clients to call; `lineal init` tells them. Kept are ids, names of tools and models, and
    times: no prompt, no tool's input and none of its output. Nothing is printed but the `{}` that
    Cursor wants to hear, and the exit code is always 0, whatever happens.
    """
