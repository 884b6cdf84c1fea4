"""What goes to the terminal: one JSON document for machines, tables for people, errors apart."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from lineal.errors import LinealError
from lineal.faces.cli.visible import visible
from lineal.ports.store import Progress as Report

__all__ = ["console", "counted", "print_json", "progress", "show", "text"]

WIDTH_PIPED = 160
"""Columns when neither a terminal nor COLUMNS says how many there are."""


def print_json(document: Any) -> None:
    """One JSON document on stdout, in ASCII: nothing in it can steer a terminal."""
    with _written():
        click.echo(json.dumps(document, indent=2, ensure_ascii=True))


def show(*parts: RenderableType) -> None:
    """Tables, trees and texts on stdout; without colour unless it is a terminal."""
    out = console()
    for part in parts:
        with _written():
            if out.is_terminal or isinstance(part, Text):
                # Lines of text are the terminal's to wrap, or a pipe's to keep whole.
                out.print(part, soft_wrap=isinstance(part, Text))
            else:
                _show_unpadded(out, part)


def text(stored: str, style: str = "") -> Text:
    """Stored text for a table or a tree: escaped, and never read as markup."""
    return Text(visible(stored), style=style)


def counted(number: int, one: str, many: str) -> str:
    """`1 memory`, `2 memories`."""
    return f"{number} {one if number == 1 else many}"


def console(*, stderr: bool = False) -> Console:
    """A console that reads no markup, emoji codes or highlights into what it prints."""
    stream = sys.stderr if stderr else sys.stdout
    piped = shutil.get_terminal_size(fallback=(WIDTH_PIPED, 0)).columns
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if stream.isatty() else piped,
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


def _show_unpadded(out: Console, part: RenderableType) -> None:
    """A table fills its lines with blanks up to its width, which no reader of a pipe wants."""
    with out.capture() as drawn:
        out.print(part)
    click.echo("\n".join(line.rstrip(" ") for line in drawn.get().split("\n")), nl=False)


@contextmanager
def _written() -> Iterator[None]:
    """Raises LinealError when stdout takes nothing; a reader that went away is left to click."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as failure:
        raise LinealError.unavailable(
            f"The answer can't be written to standard output: {failure.strerror or failure}.",
            retryable=False,
        ) from failure
