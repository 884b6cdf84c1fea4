"""`lineal sweep`: take out what has expired."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, print_json, show
from lineal.faces.cli.visible import visible
from lineal.models.changes import SweepReport

__all__ = ["sweep"]


@click.command(cls=Command)
@click.option("--accept-clock", is_flag=True, help="The clock is right, however far it jumped.")
@store_options
def sweep(accept_clock: bool, home: Path | None, backend: str | None, as_json: bool) -> None:
    """Take out of the file what has expired; no read has shown it since it did.

    A server does this by itself. It refuses after the clock jumped by more than a day.
    """
    settings = read_settings(home, backend)
    report = with_service(settings, lambda service: service.sweep(accept_clock=accept_clock))
    if as_json:
        print_json(report.model_dump(mode="json"))
    elif report.refused is None:
        show(Text(_swept(report)))
    else:
        click.echo(f"error: Nothing was swept. {visible(_with_way_out(report.refused))}", err=True)
    if report.refused is not None:
        sys.exit(1)


def _swept(report: SweepReport) -> str:
    contexts = counted(report.contexts, "memory", "memories")
    users = counted(report.users, "user row", "user rows")
    return f"Swept {contexts}, {users} and {counted(report.receipts, 'receipt', 'receipts')}."


def _with_way_out(refused: str) -> str:
    """A store may say itself how it is confirmed that the clock is right."""
    if "--accept-clock" in refused:
        return refused
    return f"{refused} If the clock is right, run `lineal sweep --accept-clock`."
