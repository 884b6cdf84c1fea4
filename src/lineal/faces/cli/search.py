"""`lineal search`: memories by plain words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import click
from rich.text import Text

from lineal.app import local_call, project_of
from lineal.clock import SystemClock
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.hits import hits_table, remarks
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.faces.cli.owner import user_of
from lineal.models.context import MemoryType
from lineal.models.parse import parse
from lineal.models.search import ALL_PROJECTS, SearchAnswer, SearchContext
from lineal.settings import Settings

__all__ = ["search"]

WHOLE_TOKENS = 100_000
"""A terminal isn't a model's window: --limit alone bounds what is shown."""

_FILTERS = (
    click.option("--domain", help="Only this domain.  [default: all of them]"),
    click.option(
        "--type",
        "memory_types",
        multiple=True,
        type=click.Choice([kind.value for kind in MemoryType]),
        help="Only this type; may be repeated.",
    ),
    click.option("--tag", "tags", multiple=True, help="Only with this tag; may be repeated."),
    click.option(
        "--source", "sources", multiple=True, help="Only from this source; may be repeated."
    ),
    click.option(
        "--agent",
        "agents",
        multiple=True,
        metavar="NAME[/VERSION]",
        help="Only written through this client; may be repeated.",
    ),
    click.option("--model", "model_version", help="Only written by this model."),
    click.option("--derived-from", metavar="ID", help="Only what was derived from this."),
    click.option("--from", "occurred_from", metavar="TIME", help="True then or later."),
    click.option("--to", "occurred_to", metavar="TIME", help="True before then."),
    click.option("--recorded-from", metavar="TIME", help="Stored then or later."),
    click.option("--recorded-to", metavar="TIME", help="Stored before then."),
    click.option("--as-of", metavar="TIME", help="As it was known then: 2026-05-17T22:00:00Z."),
    click.option("--limit", type=int, default=10, show_default=True, help="Most memories."),
    click.option("--explain", is_flag=True, help="Say what made each score."),
)
"""What is asked just as `SearchContext` has it, under the same names."""


def _filters(function: Any) -> Any:
    for option in reversed(_FILTERS):
        function = option(function)
    return function


@click.command(cls=Command)
@click.argument("query", nargs=-1)
@click.option("--user", help="Whose memories.  [default: LINEAL_USER, else your login name]")
@click.option(
    "--project", help="Of this project and of none.  [default: where you are, if in a repository]"
)
@click.option("--everywhere", is_flag=True, help="Of every project.")
@_filters
@store_options
def search(
    query: tuple[str, ...],
    user: str | None,
    project: str | None,
    everywhere: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """Find memories by the words of QUERY and by what it means, best first; without words, the
    newest.

    Where you stand in a repository, it looks in that project and in what belongs to none;
    anywhere else it looks everywhere.
    """
    if everywhere and project is not None:
        raise click.UsageError("--project and --everywhere exclude each other.")
    settings = read_settings(home, backend)
    asked = {
        "query": " ".join(query),
        "user_id": user_of(user, settings),
        "project": ALL_PROJECTS if everywhere else project,
        "max_tokens": WHOLE_TOKENS,
        **filters,
    }
    request = parse(SearchContext, asked)
    answer = _answer(settings, request)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _print(answer, request, SystemClock(settings.clock_offset_s).now())


def _answer(settings: Settings, request: SearchContext) -> SearchAnswer:
    call = local_call(settings, "search_context", anyio.run(project_of, settings))
    if call.project is None and request.project is None:
        request = request.model_copy(update={"project": ALL_PROJECTS})
    return with_service(settings, lambda service: service.search_context(call, request))


def _print(answer: SearchAnswer, request: SearchContext, now: datetime) -> None:
    if answer.hits:
        show(hits_table(answer.hits, now))
    elif answer.elsewhere:
        found = counted(answer.elsewhere, "memory", "memories")
        show(Text(f"Nothing here; {found} in other projects, shown with --everywhere."))
    else:
        show(
            text(
                f"Nothing found in what is remembered for {request.user_id}. Other words may help, "
                "--user looks for another's, and `lineal stats` counts what is there."
            )
        )
    show(*remarks(answer))
