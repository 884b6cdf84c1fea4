"""`lineal backup`: a copy of the store while it is in use."""

from __future__ import annotations

from pathlib import Path

import click
from rich.filesize import decimal

from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import print_json, progress, show, text

__all__ = ["backup"]


@click.command(cls=Command)
@click.argument("target", type=click.Path(path_type=Path))
@store_options
def backup(target: Path, home: Path | None, backend: str | None, as_json: bool) -> None:
    """Write a consistent copy of the whole store to TARGET, which must not exist yet.

    Servers go on reading and writing meanwhile. To restore, stop them and put the copy in the
    store's place.
    """
    settings = read_settings(home, backend)
    target = target.absolute()
    with progress("Copying", quiet=as_json) as report:
        size = with_service(settings, lambda service: service.backup(target, report))
    if as_json:
        print_json({"target": str(target), "bytes": size})
    else:
        show(text(f"Copied {decimal(size)} to {target}"))
