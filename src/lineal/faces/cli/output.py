"""What goes to the terminal: one JSON document for machines, tables for people, errors apart."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lineal.faces.cli.visible import visible
from lineal.ports.store import Progress as Report

__all__ = ["console", "print_json", "progress", "show", "text"]

WIDTH_PIPED = 160
"""Columns when nobody's terminal says how many there are."""


def print_json(document: Any) -> None:
    """One JSON document on stdout, in ASCII: nothing in it can steer a terminal."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=True))


def show(*parts: RenderableType) -> None:
    """Tables, trees and texts on stdout; without colour unless it is a terminal."""
    out = console()
    for part in parts:
        # Lines of text are the terminal's to wrap, or a pipe's to keep whole.
        out.print(part, soft_wrap=isinstance(part, Text))


def text(stored: str, style: str = "") -> Text:
    """Stored text for a table or a tree: escaped, and never read as markup."""
    return Text(visible(stored), style=style)


def console(*, stderr: bool = False) -> Console:
    """A console that reads no markup, emoji codes or highlights into what it prints."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if stream.isatty() else WIDTH_PIPED,
    )


@contextmanager
def progress(label: str, *, quiet: bool) -> Iterator[Report]:
    """A bar on stderr while people look; yields what long work reports (done, total) to."""
    err = console(stderr=True)
    bar = Progress(
        TextColumn(label, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    )
    with bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report
