"""`lineal doctor`: is everything as it should be?"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from lineal.faces.cli.base import Command, read_settings, store_options, variable
from lineal.faces.cli.doctor_database import database_findings, kept_findings
from lineal.faces.cli.doctor_entries import entry_findings
from lineal.faces.cli.doctor_hooks import hook_findings, twice_findings
from lineal.faces.cli.findings import (
    Finding,
    engine_finding,
    path_findings,
    project_finding,
    remote_findings,
    round_trip,
    schema_findings,
    search_finding,
    setting_values,
    version_findings,
)
from lineal.faces.cli.output import print_json, show, text
from lineal.faces.cli.signals import TidyEnd
from lineal.settings import Settings

__all__ = ["doctor"]


@click.command(cls=Command)
@click.option(
    "--trust",
    is_flag=True,
    help="Start what this directory's files name, even if it isn't plainly lineal.",
)
@store_options
def doctor(trust: bool, home: Path | None, backend: str | None, as_json: bool) -> None:
    """Check versions, paths, settings, schemas, the store, the clients, and a real server process.

    Each client's entry is started as the client would and asked one question. Exit 1 when
    something is wrong. Your memory is opened and counted, never changed and never made; the round
    trip has a temporary store of its own.
    """
    settings = read_settings(home, backend)
    # What a broken server sends is told in its finding, not by the client's library besides.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    with TidyEnd() as end:
        findings = end.run(_examine, settings, trust)
    wrong = [finding for finding in findings if finding.ok is False]
    values = setting_values(settings)
    if as_json:
        print_json(
            {
                "ok": not wrong,
                "findings": [_document(finding) for finding in findings],
                "settings": values,
            }
        )
    else:
        show(_findings_table(findings), Text(), _settings_table(settings, values), Text())
        show(_verdict(wrong))
    if wrong:
        sys.exit(1)


async def _examine(settings: Settings, trust: bool) -> list[Finding]:
    database = await database_findings(settings)
    return [
        *version_findings(),
        await engine_finding(),
        *path_findings(settings),
        await project_finding(settings),
        *schema_findings(settings),
        *database,
        *await kept_findings(settings, database),
        search_finding(settings),
        *[finding async for finding in remote_findings(settings)],
        *[finding async for finding in entry_findings(settings, trust)],
        *hook_findings(settings),
        *twice_findings(settings),
        await round_trip(),
    ]


def _document(finding: Finding) -> dict[str, object]:
    """Advice only where it is needed."""
    return finding.model_dump(mode="json", exclude={"advice"} if finding.ok is not False else None)


def _findings_table(findings: Sequence[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        value = text(finding.value)
        if finding.ok is False and finding.advice:
            value.append_text(text(f"\n{finding.advice}", style="yellow"))
        table.add_row(_mark(finding), finding.area, text(finding.name), value)
    return table


def _mark(finding: Finding) -> Text:
    if finding.ok is None:
        return Text("·", style="dim")
    return Text("✓", style="green") if finding.ok else Text("✗", style="bold red")


def _settings_table(settings: Settings, values: dict[str, object]) -> Table:
    """What was set differs in weight from what is usual."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values.items():
        style = "bold" if name in settings.model_fields_set else "dim"
        table.add_row(
            Text(variable(name), style=style),
            text("–" if value in (None, "", [], {}) else str(value)),
        )
    return table


def _verdict(wrong: Sequence[Finding]) -> Text:
    if not wrong:
        return Text("Everything is as it should be.", style="bold green")
    return Text(f"{len(wrong)} to mend: {'; '.join(f.name for f in wrong)}.", style="bold red")
