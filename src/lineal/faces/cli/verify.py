"""`lineal verify`: every row against its hash, and the engine's own check."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from lineal.errors import LinealError
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, print_json, progress, show, text

__all__ = ["verify"]

_ADVICE, _THEN = "Run `lineal verify` to see how much is affected, then restore", "Restore"


@click.command(cls=Command)
@store_options
def verify(home: Path | None, backend: str | None, as_json: bool) -> None:
    """Check every row of the store; exit 1 when something is damaged."""
    settings = read_settings(home, backend)
    try:
        with progress("Checking", quiet=as_json) as report:
            found = with_service(settings, lambda service: service.verify(report))
    except LinealError as failure:
        raise _without_itself(failure) from failure
    if as_json:
        print_json({**found.model_dump(mode="json"), "ok": found.ok})
    elif found.ok:
        show(Text(f"{counted(found.checked, 'row', 'rows')} checked, none damaged."))
    else:
        show(
            Text(f"{counted(found.checked, 'row', 'rows')} checked.", style="red"),
            *(text(f"damaged: {row}") for row in found.damaged),
            *(text(f"problem: {problem}") for problem in found.problems),
            Text("Copy the file away before anything else, and restore from a backup."),
        )
    if not found.ok:
        sys.exit(1)


def _without_itself(failure: LinealError) -> LinealError:
    """What is said of a damaged store, less the advice to run this."""
    told = failure.message.replace(_ADVICE, _THEN)
    return LinealError(failure.code, told, details=failure.details, retryable=failure.retryable)
