"""`lineal history`: every revision of one memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import click
from rich import box
from rich.table import Table

from lineal.app import local_call
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.moments import minute
from lineal.faces.cli.output import print_json, show, text
from lineal.models.context import Context

__all__ = ["history"]

_COMPARED = (
    "title",
    "summary",
    "content",
    "tags",
    "metadata",
    "nia_references",
    "edited_files",
    "memory_type",
    "expires_at",
)
"""What an update can change (N1); the rest never does (N18)."""


@click.command(cls=Command)
@click.argument("context_id", metavar="ID")
@store_options
def history(context_id: str, home: Path | None, backend: str | None, as_json: bool) -> None:
    """List the revisions of the memory ID: when, by whom, and what changed."""
    settings = read_settings(home, backend)
    call = local_call(settings, "history")
    revisions = with_service(settings, lambda service: service.history(call, context_id))
    if as_json:
        print_json({"revisions": [revision.model_dump(mode="json") for revision in revisions]})
    else:
        show(_table(revisions))


def _table(revisions: Sequence[Context]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("revision", justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("by", overflow="fold")
    table.add_column("what changed", overflow="fold")
    told = ["first written", *(", ".join(_changes(*pair)) for pair in pairwise(revisions))]
    for revision, change in zip(revisions, told, strict=True):
        by = [revision.lineage.agent_source, revision.lineage.model_version]
        table.add_row(
            str(revision.revision),
            minute(revision.updated_at),
            text(" · ".join(filter(None, by)) or "unknown"),
            text(change or "nothing but its lineage"),
        )
    return table


def _changes(old: Context, new: Context) -> Iterator[str]:
    for name in _COMPARED:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name == "content":
            yield f"content ({len(before)} → {len(after)} characters)"
        elif name == "memory_type":
            yield f"memory_type ({before.value} → {after.value})"
        else:
            yield name
