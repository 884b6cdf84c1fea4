"""The command `lineal`: which commands there are, each loaded only when it is called."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TextIO

import click

from lineal import __version__

__all__ = ["cli", "main"]

COMMANDS: Mapping[str, str] = {
    "serve": "Serve the memory to an MCP client over stdin and stdout, or over HTTP.",
    "token": "Make, list and revoke the tokens of `serve --http`.",
    "init": "Put lineal into a client's configuration.",
    "hook": "Take down one event of a client's hook, from stdin.",
    "demo": "Watch the main job on a real conversation, in a temporary store.",
    "doctor": "Check the installation, with a real round trip.",
    "search": "Find memories by plain words and by meaning.",
    "show": "Show one memory, or a past revision of it.",
    "trace": "Draw what a memory rests on, or what rests on it.",
    "history": "List every revision of a memory.",
    "forget": "Take out a memory, and what was derived from it.",
    "match": "Find users who suit a user, with the reasons.",
    "outcomes": "Export what became of those who were brought together.",
    "schema": "List, show, check and try the domains' schemas.",
    "outbox": "See and settle what waits for a remote backend.",
    "sweep": "Take out what has expired, now.",
    "reindex": "Make what search goes by anew, where it is missing.",
    "stats": "Count what is stored.",
    "backup": "Copy the store while it is in use.",
    "export": "Write all that is kept to one file, for another store.",
    "import": "Take in what `export` wrote.",
    "verify": "Check every row of the store.",
    "postgres": "Plan how a PostgreSQL database is spread over machines.",
}
"""Name → one line of help. The module faces/cli/<name>.py holds the command `<name>`."""

MODULES: Mapping[str, str] = {"import": "load"}
"""Of a command whose name no module and no function can have."""


class Commands(click.Group):
    """Lists without importing: a command's module comes with what it needs, and that takes time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = MODULES.get(cmd_name, cmd_name)
        module = importlib.import_module(f"lineal.faces.cli.{name}")
        command = getattr(module, name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.{cmd_name} is not a command")
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with _usage_errors(args):
            return super().make_context(info_name, args, parent, **extra)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        with _usage_errors(args):
            return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="lineal")
def cli() -> None:
    """A memory for AI agents that knows where each thing came from and when it ends.

    Settings are environment variables; `lineal doctor` shows them all.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0: done, 1: it failed, 2: it was called wrongly."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        if sys.stderr is None:
            sys.stderr = nowhere
        if sys.stdout is None:
            # A store opened now would get its number, and be written to as if it were it.
            return _failed("Standard output is closed, so there is nowhere to answer.")
        for stream in (sys.stdout, sys.stderr):
            # A pipe on Windows may have no sign for what a memory holds; show its number then.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            cli.main(arguments, prog_name="lineal")
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
        except OSError as failure:
            return _failed(f"The answer can't be written: {failure.strerror or failure}.")
        finally:
            for stream in (sys.stdout, sys.stderr):
                _let_go(stream, nowhere)


def _usage_errors(arguments: Sequence[str]) -> AbstractContextManager[None]:
    from lineal.faces.cli.usage import for_machines, usage_errors

    return usage_errors(as_json=for_machines(arguments))


def _failed(why: str) -> int:
    with contextlib.suppress(OSError):
        click.echo(f"error: {why}", err=True)
    return 1


def _let_go(stream: TextIO, nowhere: TextIO) -> None:
    """What couldn't be written isn't tried again when Python ends, which would say so at length."""
    try:
        stream.flush()
    except OSError:
        os.dup2(nowhere.fileno(), stream.fileno())
