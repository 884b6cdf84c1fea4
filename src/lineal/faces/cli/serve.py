"""`lineal serve`: the MCP server over stdio, or MCP and REST over HTTP."""

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
@click.option("--http", is_flag=True, help="MCP and REST over HTTP, for many clients.")
@click.option("--host", "http_host", help="With --http: the address, as LINEAL_HTTP_HOST.")
@click.option(
    "--port",
    "http_port",
    type=click.IntRange(0, 65_535),
    help="With --http: the port, as LINEAL_HTTP_PORT; 0: any that is free.",
)
def serve(read_only: bool, http: bool, **settings: str | int | Path | None) -> None:
    """Serve the memory to an MCP client over stdin and stdout, or to many over HTTP.

    A client starts this; see `lineal init`. It ends when stdin does. With --http it serves until
    it is told to end; `lineal token create` makes the tokens that clients then need.
    """
    if not http and (settings["http_host"], settings["http_port"]) != (None, None):
        raise click.UsageError("--host and --port go with --http")
    # The server reads its settings from the environment, once, after it has answered the lists.
    for name, value in settings.items():
        if value is not None:
            said = value.absolute() if isinstance(value, Path) else value
            os.environ[f"LINEAL_{name.upper()}"] = str(said)
    if http:
        from lineal.app import run_http

        sys.exit(run_http(read_only=read_only))
    from lineal.faces.mcp import front

    sys.exit(front.run(read_only=read_only))
