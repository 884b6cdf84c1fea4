"""`lineal export`: all that is kept, as one file that another store can take in."""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import click

from lineal.errors import LinealError
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, progress
from lineal.faces.cli.visible import visible
from lineal.models.archive import DamagedRecord, Header, Record
from lineal.policy.archiving import Tally, line_of
from lineal.ports.store import Progress
from lineal.service import Service

__all__ = ["export"]

STDOUT = Path("-")

COMPRESSION = 6
"""Of gzip: a higher one takes several times as long for a few per cent."""


class Written(NamedTuple):
    """What went into the file. content_hash: see models/archive.py. left_out: what was damaged."""

    counts: dict[str, int]
    content_hash: str
    left_out: tuple[str, ...]


@click.command(cls=Command)
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--tenant", help="Only what is behind this wall.  [default: all of them]")
@click.option("--no-vectors", is_flag=True, help="They are made anew where it is imported.")
@click.option("--skip-damaged", is_flag=True, help="Write the rest, and say what was left out.")
@store_options
def export(
    target: Path,
    tenant: str | None,
    no_vectors: bool,
    skip_damaged: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Write all that is kept to TARGET as JSON lines: compressed where it ends with .gz, `-` for
    standard output.

    It is of one instant; servers go on reading and writing meanwhile. Whoever has the file can
    read every memory in it; it is made readable by you alone. `lineal import` takes it in.
    """
    settings = read_settings(home, backend)

    async def write(service: Service) -> Written:
        with _opened(target) as stream:
            writing = _Writing(stream, report, skip_damaged=skip_damaged)
            return await writing.all_of(service.export(tenant, vectors=not no_vectors), tenant)

    with progress("Exporting", quiet=as_json) as report:
        done = with_service(settings, write)
    _tell(target, done, as_json)


class _Writing:
    """Records on their way into a stream."""

    def __init__(self, stream: BinaryIO, report: Progress, *, skip_damaged: bool) -> None:
        self._stream = stream
        self._report = report
        self._skip_damaged = skip_damaged
        self._tally = Tally()
        self._left_out: list[str] = []
        self._total = 0

    async def all_of(self, records: AsyncIterator[Record], tenant: str | None) -> Written:
        """Raises unavailable at the first damaged row unless these are skipped, and not_found
        for a tenant of whom nothing is kept."""
        async for record in records:
            self._put(record)
        if tenant is not None and sum(self._tally.counts.values()) <= 1:
            raise LinealError.not_found(
                f"Nothing is kept behind the wall '{tenant}'; `--tenant` takes a LINEAL_TENANT.",
                tenant=tenant,
            )
        end = self._tally.end()
        self._stream.write(line_of(end))
        return Written(end.counts, end.content_hash, tuple(self._left_out))

    def _put(self, record: Record) -> None:
        if isinstance(record, DamagedRecord):
            self._note(record)
        line = line_of(record)
        self._stream.write(line)
        self._tally.add(record, line)
        if isinstance(record, Header):
            self._total = record.memories
        memories = self._tally.counts["context"]
        if record.kind == "context" and memories % 100 == 0:
            self._report(min(memories, self._total), self._total)

    def _note(self, record: DamagedRecord) -> None:
        if not self._skip_damaged:
            raise LinealError.unavailable(
                f"'{record.name}' is damaged on disk ({record.what}). No file was written: "
                "restore a backup, or say --skip-damaged to export the rest.",
                retryable=False,
                name=record.name,
                what=record.what,
            )
        self._left_out.append(record.name)


@contextmanager
def _opened(target: Path) -> Iterator[BinaryIO]:
    """Where the lines go. Raises LinealError when it takes nothing; a reader that went away is
    left to click."""
    try:
        if target == STDOUT:
            stream = sys.stdout.buffer
            yield stream
            stream.flush()
        else:
            with _whole(target) as file:
                yield file
    except BrokenPipeError:
        raise
    except OSError as failure:
        where = "standard output" if target == STDOUT else f"'{target}'"
        raise LinealError.unavailable(
            f"The archive can't be written to {where}: {failure.strerror or failure}.",
            retryable=False,
        ) from failure


@contextmanager
def _whole(target: Path) -> Iterator[BinaryIO]:
    """A file that is there under its name when it is whole, and not at all otherwise."""
    part = target.with_name(f"{target.name}.part")
    _refuse_taken(target, f"'{target}' is there already; name a file to make.")
    _refuse_taken(
        part, f"'{part}' is there: another export is writing it, or one was killed; remove it then."
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(part, flags, 0o600), "wb") as file:
        try:
            with _packed(target, file) as stream:
                yield stream
            file.flush()
            os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def _packed(target: Path, file: BinaryIO) -> Iterator[BinaryIO]:
    """Without a name and a time in it, so that the same archive is the same file."""
    if target.suffix != ".gz":
        yield file
        return
    with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed:
        yield cast(BinaryIO, packed)


def _refuse_taken(path: Path, message: str) -> None:
    if path.exists() or path.is_symlink():
        raise LinealError.invalid("target", message, target=str(path))


def _tell(target: Path, done: Written, as_json: bool) -> None:
    """Beside standard output, where that holds the archive."""
    aside = target == STDOUT
    if as_json:
        document = {"target": str(target), **done._asdict()}
        click.echo(json.dumps(document, indent=2), err=aside)
        return
    memories = counted(done.counts.get("context", 0), "record of a memory", "records of memories")
    records = counted(sum(done.counts.values()), "record", "records")
    click.echo(visible(f"{records} written to {target}, {memories} among them."), err=aside)
    for name in done.left_out:
        click.echo(visible(f"left out, damaged: {name}"), err=aside)
