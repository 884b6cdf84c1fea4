"""`lineal serve`: the MCP server over stdio."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from lineal.faces.cli.base import Command

__all__ = ["serve"]


@click.command(cls=Command)
@click.option("--read-only", is_flag=True, help="Register no tool that writes.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data directory, in place of LINEAL_HOME.",
)
@click.option("--backend", metavar="URL", help="What the tools forward to, as LINEAL_BACKEND.")
@click.option("--user", help="user_id of calls that name none, as LINEAL_USER.")
@click.option("--domain", help="domain of calls that name none, as LINEAL_DOMAIN.")
@click.option("--tenant", help="The wall around this memory, as LINEAL_TENANT.")
def serve(read_only: bool, **settings: str | Path | None) -> None:
    """Serve the memory to an MCP client over stdin and stdout.

    A client starts this; see `lineal init`. It ends when stdin does.
    """
    # The server reads its settings from the environment, once, after it has answered the lists.
    for name, value in settings.items():
        if value is not None:
            said = value.absolute() if isinstance(value, Path) else value
            os.environ[f"LINEAL_{name.upper()}"] = str(said)
    from lineal.faces.mcp import front

    sys.exit(front.run(read_only=read_only))
