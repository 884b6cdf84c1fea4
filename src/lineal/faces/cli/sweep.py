"""`lineal sweep`: take out what has expired."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import print_json, show, text

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
        show(
            Text(
                f"Swept {report.contexts} memories, {report.users} user rows and "
                f"{report.receipts} receipts."
            )
        )
    if report.refused is not None:
        if not as_json:
            show(
                text(
                    f"Nothing was swept: {report.refused} If the clock is right, "
                    "run `lineal sweep --accept-clock`."
                )
            )
        sys.exit(1)
