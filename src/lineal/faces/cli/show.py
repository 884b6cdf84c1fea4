"""`lineal show`: one memory, whole, with its lineage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table

from lineal.app import local_call
from lineal.clock import SystemClock
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.moments import ending, minute
from lineal.faces.cli.output import print_json, text
from lineal.faces.cli.output import show as show_parts
from lineal.models.context import ContextAnswer, GetContext
from lineal.models.lineage import Lineage, ObservedLineage
from lineal.models.parse import parse
from lineal.policy.provenance import basis_of

__all__ = ["lineage_rows", "show"]

CHARS_MAX = 2_000_000
"""A person who asks for one memory gets all of it."""


@click.command(cls=Command)
@click.argument("context_id", metavar="ID")
@click.option("--revision", type=int, help="As this revision had it; 1 is the first.")
@click.option("--as-of", metavar="TIME", help="As it was known then: 2026-05-17T22:00:00Z.")
@store_options
def show(
    context_id: str,
    revision: int | None,
    as_of: str | None,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Show the memory ID with everything that is known of it."""
    settings = read_settings(home, backend)
    request = parse(
        GetContext,
        {
            "context_id": context_id,
            "revision": revision,
            "as_of": as_of,
            "max_chars": CHARS_MAX,
        },
    )
    call = local_call(settings, "get_context")
    answer = with_service(settings, lambda service: service.get_context(call, request))
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    now = SystemClock(settings.clock_offset_s).now()
    ends = ending(answer.expires_at, now)
    for name, value in (*_rows(answer), ("ends", ends), *lineage_rows(answer.lineage)):
        table.add_row(name, text(value))
    show_parts(table, text(f"\n{answer.content}"))


def _rows(answer: ContextAnswer) -> Iterator[tuple[str, str]]:
    yield "id", answer.id
    yield "revision", f"{answer.revision} of {minute(answer.updated_at)}"
    yield "whose", f"{answer.user_id} · {answer.domain}"
    yield "type", answer.memory_type.value
    yield "when", f"{minute(answer.occurred_at)}, stored {minute(answer.created_at)}"
    for name in ("title", "summary", "source", "speaker", "session_id", "project"):
        value = getattr(answer, name)
        if value:
            yield name, value
    if answer.tags:
        yield "tags", ", ".join(answer.tags)
    for name in ("metadata", "nia_references", "edited_files"):
        value = getattr(answer, name)
        if value:
            yield name, json.dumps(value, ensure_ascii=False)


def lineage_rows(lineage: Lineage) -> Iterator[tuple[str, str]]:
    """What is known of where a revision came from; what isn't known has no row."""
    known = basis_of(lineage)
    seen = lineage.observed or ObservedLineage()
    if lineage.agent_source:
        sub_agent = f", sub-agent {seen.agent_type or seen.agent_id}" if seen.agent_id else ""
        yield "agent", f"{lineage.agent_source}{sub_agent}"
    if lineage.model_version:
        place = f" in its {seen.model_seen.value}" if seen.model_seen else ""
        yield "model", f"{lineage.model_version} ({known['model_version'].value}{place})"
    if lineage.confidence is not None:
        yield "confidence", f"{lineage.confidence:g} (declared)"
    for name in ("derived_from", "source_ids", "tool_calls"):
        values = getattr(lineage, name)
        if values:
            yield name, f"{', '.join(values)} ({known[name].value})"
    if lineage.awaits:
        yield "awaits", "more may be known of this call soon"
