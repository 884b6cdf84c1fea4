"""`lineal import`: what `lineal export` wrote, taken into the configured store."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import anyio
import click
from rich.table import Table

from lineal.app import open_service
from lineal.errors import LinealError
from lineal.faces.cli.base import Command, read_settings, store_options
from lineal.faces.cli.output import counted, print_json, progress, show, text
from lineal.models.archive import Loaded, Record
from lineal.policy.archiving import LINE_MAX_BYTES, LinesRead, batches, cut_off, damaged_line
from lineal.ports.store import Progress
from lineal.service import Service
from lineal.settings import Settings

__all__ = ["load"]

STDIN = Path("-")

GZIP = b"\x1f\x8b"
"""How compressed files begin, whatever they are called."""


class Taken(NamedTuple):
    """What was read, and what became of it, by kind."""

    read: LinesRead
    kept: Counter[str]
    there: Counter[str]


@click.command("import", cls=Command)
@click.argument(
    "source", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@store_options
def load(source: Path, home: Path | None, backend: str | None, as_json: bool) -> None:
    """Take in SOURCE, which `lineal export` wrote; `-` for standard input.

    Servers go on meanwhile. What is there already is passed over, so an import that was
    interrupted goes on when it is run again; where something else is there under the same id, it
    stops and says which.
    """
    settings = read_settings(home, backend)
    with progress("Importing", quiet=as_json) as report, _opened(source) as stream:
        taken = anyio.run(_take_in, settings, stream, report)
    if as_json:
        print_json(_document(source, taken))
    else:
        _show(taken)


async def _take_in(settings: Settings, stream: BinaryIO, report: Progress) -> Taken:
    """A store is made where there is none yet, but only for an archive that begins as one."""
    taken = Taken(LinesRead(), Counter(), Counter())
    waiting = batches(taken.read, _lines(stream))
    first = next(waiting)
    async with open_service(settings) as service:
        _add(taken, await service.load(first), report)
        await _rest(service, waiting, taken, report)
    return taken


async def _rest(
    service: Service, waiting: Iterator[list[Record]], taken: Taken, report: Progress
) -> None:
    for batch in waiting:
        _add(taken, await service.load(batch), report)


def _add(taken: Taken, done: Loaded, report: Progress) -> None:
    taken.kept.update(done.kept)
    taken.there.update(done.there)
    header = taken.read.header
    if header is not None:
        report(min(taken.read.counts.get("context", 0), header.memories), header.memories)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Each with its line feed; the last one without where the file is cut off within it."""
    number = 0
    try:
        while line := stream.readline(LINE_MAX_BYTES):
            number += 1
            yield line
    except EOFError as failure:  # compressed, and cut off
        raise cut_off(number) from failure
    except (gzip.BadGzipFile, zlib.error) as failure:
        raise damaged_line(number + 1, "it can't be unpacked") from failure


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    """Unpacked, where it is compressed. Raises LinealError for what can't be read."""
    try:
        raw = sys.stdin.buffer if source == STDIN else source.open("rb")
        with BufferedReader(cast(RawIOBase, raw)) as plain:
            packed = plain.peek(len(GZIP)).startswith(GZIP)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if packed else plain
    except OSError as failure:
        where = "Standard input" if source == STDIN else f"'{source}'"
        raise LinealError.unavailable(
            f"{where} can't be read: {failure.strerror or failure}.", retryable=False
        ) from failure


def _document(source: Path, taken: Taken) -> dict[str, object]:
    header = taken.read.header
    return {
        "source": str(source),
        "header": None if header is None else header.model_dump(mode="json"),
        "kinds": {
            kind: {"read": read, "kept": kept, "already_there": there}
            for kind, read, kept, there in _rows(taken)
        },
        "left_out": [damaged.name for damaged in taken.read.left_out],
    }


def _show(taken: Taken) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "read", "kept", "already there"):
        table.add_column(name, justify="right" if name else "left")
    for row in _rows(taken):
        table.add_row(*map(str, row))
    show(table)
    left_out = taken.read.left_out
    if left_out:
        rows = counted(len(left_out), "row was", "rows were")
        show(text(f"{rows} left out when this was exported, because of damage:"))
        show(*(text(damaged.name) for damaged in left_out))


def _rows(taken: Taken) -> Iterator[tuple[str, int, int, int]]:
    """Kind, read, kept, already there; of those that are memories."""
    for kind, read in sorted(taken.read.counts.items()):
        if kind not in ("header", "damaged"):
            yield kind, read, taken.kept[kind], taken.there[kind]
