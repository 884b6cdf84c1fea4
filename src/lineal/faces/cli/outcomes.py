"""`lineal outcomes`: what became of those who were brought together, for learning elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from lineal.app import local_call
from lineal.errors import LinealError
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.groups import Group
from lineal.faces.cli.output import counted
from lineal.models.changes import Outcome
from lineal.service import Service

__all__ = ["outcomes"]


@click.group(cls=Group)
def outcomes() -> None:
    """What became of users who were brought together. Each part takes --json."""


@outcomes.command(cls=Command)
@click.option("--domain", help="Only this domain.  [default: all of them]")
@click.option("--user", help="Only of this user, as user or as candidate.  [default: all of them]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file to make.  [default: standard output]",
)
@store_options
def export(
    domain: str | None,
    user: str | None,
    output: Path | None,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Write one JSON object a line for each outcome, in order of receipt.

    That is so with --json too; with --output, --json tells the count and the path as one document.
    """
    settings = read_settings(home, backend)
    call = local_call(settings, "outcomes")

    async def write(service: Service) -> int:
        with _opened(output) as stream:
            return await _written(service.outcomes(call, domain, user), stream)

    count = with_service(settings, write)
    if output is not None:
        told = f"{counted(count, 'outcome', 'outcomes')} written to {output}."
        click.echo(json.dumps({"outcomes": count, "path": str(output)}) if as_json else told)


async def _written(found: AsyncIterator[Outcome], stream: TextIO) -> int:
    """How many were written, one a line, in ASCII: nothing in them can steer a terminal."""
    count = 0
    async for outcome in found:
        line = json.dumps(outcome.model_dump(mode="json"), ensure_ascii=True)
        click.echo(line, file=stream)
        count += 1
    return count


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    """The file, which must not be there yet, or stdout. Raises LinealError when it takes nothing;
    a reader that went away is left to click."""
    try:
        if path is None:
            yield sys.stdout
        else:
            with _made(path) as stream:
                yield stream
    except BrokenPipeError:
        raise
    except FileExistsError:
        raise LinealError.invalid(
            "output", f"'{path}' is there already; name a file to make."
        ) from None
    except OSError as failure:
        where = "standard output" if path is None else f"'{path}'"
        raise LinealError.unavailable(
            f"The outcomes can't be written to {where}: {failure.strerror or failure}.",
            retryable=False,
        ) from failure


@contextmanager
def _made(path: Path) -> Iterator[TextIO]:
    """A new file, whole or not at all."""
    with path.open("x", encoding="ascii", newline="\n") as stream:
        try:
            yield stream
        except BaseException:
            path.unlink(missing_ok=True)
            raise
