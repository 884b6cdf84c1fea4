"""`lineal stats`: what is stored, counted."""

from __future__ import annotations

from pathlib import Path

import click
from rich.filesize import decimal
from rich.table import Table

from lineal.app import local_call
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import print_json, show, text
from lineal.models.changes import StoreStats

__all__ = ["stats"]


@click.command(cls=Command)
@store_options
def stats(home: Path | None, backend: str | None, as_json: bool) -> None:
    """Count what is live, what has ended, and how much room it takes."""
    settings = read_settings(home, backend)
    call = local_call(settings, "stats")
    found = with_service(settings, lambda service: service.stats(call))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        show(_table(found))


def _table(found: StoreStats) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("memories", _count(found.contexts, found.by_type))
    table.add_row("by domain", _count(None, found.by_domain))
    table.add_row("revisions", str(found.revisions))
    table.add_row("user rows", str(found.users))
    table.add_row("lineage edges", str(found.edges))
    table.add_row("ended, marks kept", str(found.tombstones))
    table.add_row("ended, not swept yet", str(found.expired_unswept))
    table.add_row("size", f"{decimal(found.size_bytes)} + {decimal(found.wal_bytes)} log")
    table.add_row("engine", text(f"{found.engine}, store schema {found.schema_version}"))
    return table


def _count(total: int | None, parts: dict[str, int]) -> str:
    told = text(", ".join(f"{name} {count}" for name, count in sorted(parts.items()))).plain
    return told or "–" if total is None else f"{total}" + (f" ({told})" if told else "")
