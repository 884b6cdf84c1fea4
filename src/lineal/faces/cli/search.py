"""`lineal search`: memories by plain words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import anyio
import click
from rich.table import Table
from rich.text import Text

from lineal.app import local_call, project_of
from lineal.clock import SystemClock
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.moments import date, day, ending
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.faces.cli.owner import user_of
from lineal.faces.cli.visible import visible_line
from lineal.models.context import MemoryType
from lineal.models.parse import parse
from lineal.models.search import ALL_PROJECTS, Hit, SearchAnswer, SearchContext

__all__ = ["hits_table", "search"]

SHOWN_CHARS = 400
"""Characters of a memory in the table; `lineal show` has the rest."""


@click.command(cls=Command)
@click.argument("query", nargs=-1)
@click.option("--user", help="Whose memories.  [default: LINEAL_USER, else your login name]")
@click.option("--domain", help="Only this domain.  [default: all of them]")
@click.option(
    "--type",
    "memory_types",
    multiple=True,
    type=click.Choice([kind.value for kind in MemoryType]),
    help="Only this type; may be repeated.",
)
@click.option("--tag", "tags", multiple=True, help="Only with this tag; may be repeated.")
@click.option(
    "--project", help="Of this project and of none.  [default: where you are, if in a repository]"
)
@click.option("--everywhere", is_flag=True, help="Of every project.")
@click.option("--as-of", metavar="TIME", help="As it was known then: 2026-05-17T22:00:00Z.")
@click.option("--limit", type=int, default=10, show_default=True, help="Most memories.")
@store_options
def search(
    query: tuple[str, ...],
    user: str | None,
    domain: str | None,
    memory_types: tuple[str, ...],
    tags: tuple[str, ...],
    project: str | None,
    everywhere: bool,
    as_of: str | None,
    limit: int,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Find memories by the words of QUERY, best first; without words, the newest.

    Where you stand in a repository, it looks in that project and in what belongs to none;
    anywhere else it looks everywhere.
    """
    if everywhere and project is not None:
        raise click.UsageError("--project and --everywhere exclude each other.")
    settings = read_settings(home, backend)
    whose = user_of(user, settings)
    request = parse(
        SearchContext,
        {
            "query": " ".join(query),
            "user_id": whose,
            "domain": domain,
            "memory_types": memory_types,
            "tags": tags,
            "project": ALL_PROJECTS if everywhere else project,
            "as_of": as_of,
            "limit": limit,
            "max_tokens": 100_000,
        },
    )
    call = local_call(settings, "search_context", anyio.run(project_of, settings))
    if call.project is None and request.project is None:
        request = request.model_copy(update={"project": ALL_PROJECTS})
    answer = with_service(settings, lambda service: service.search_context(call, request))
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _print(answer, whose, SystemClock(settings.clock_offset_s).now())


def hits_table(hits: tuple[Hit, ...], now: datetime) -> Table:
    """Best first: what it says, and under it what it is; fits a terminal of any width."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, hit in enumerate(hits, 1):
        table.add_row(str(number), _memory(hit).append("\n").append_text(_about(hit, now)))
    return table


def _memory(hit: Hit) -> Text:
    memory = Text()
    if hit.title:
        memory.append(visible_line(hit.title) + "\n", style="bold")
    if hit.speaker:
        memory.append(visible_line(hit.speaker) + ": ", style="cyan")
    memory.append(visible_line(hit.content, SHOWN_CHARS))
    if hit.flags:
        memory.append(f" [hidden characters: {', '.join(hit.flags)}]", style="yellow")
    return memory


def _about(hit: Hit, now: datetime) -> Text:
    said = date(hit.occurred_at)
    known = [
        hit.memory_type.value,
        f"said {said}" if said != date(hit.created_at) else None,
        f"stored {day(hit.created_at, now)}, {ending(hit.expires_at, now)}",
        hit.source,
        *hit.tags,
        hit.project,
    ]
    about = Text(" · ".join(visible_line(fact) for fact in known if fact) + " · ", style="dim")
    return about.append(visible_line(hit.context_id), style="dim cyan")


def _print(answer: SearchAnswer, whose: str, now: datetime) -> None:
    if not answer.hits:
        if answer.elsewhere:
            found = counted(answer.elsewhere, "memory", "memories")
            show(Text(f"Nothing here; {found} in other projects, shown with --everywhere."))
            return
        show(
            text(
                f"Nothing found in what is remembered for {whose}. Other words may help, --user "
                "looks for another's, and `lineal stats` counts what is there."
            )
        )
        return
    show(hits_table(answer.hits, now))
    if answer.more:
        show(Text(f"{answer.more} more; ask for them with --limit."))
    if answer.elsewhere:
        show(Text(f"{answer.elsewhere} more in other projects; look there with --everywhere."))
