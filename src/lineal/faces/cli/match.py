"""`lineal match`: who suits a user, or a description of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from lineal.app import local_call
from lineal.errors import LinealError
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.faces.cli.owner import domain_of, user_of
from lineal.faces.cli.visible import visible_line
from lineal.models.matching import MatchAnswer, MatchCandidate, MatchUsers
from lineal.models.parse import parse

__all__ = ["filters_of", "match"]

BAR_CELLS = 10
"""Width of a score's bar."""


@click.command(cls=Command)
@click.option("--domain", help="Among whom.  [default: LINEAL_DOMAIN, else coding]")
@click.option("--to", metavar="USER", help="Whom they should suit.  [default: LINEAL_USER]")
@click.option("--describe", metavar="TEXT", help="The same in words, of somebody not stored.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Only with this value; VALUE may be a,b or low..high. May be repeated.",
)
@click.option("--limit", type=int, default=10, show_default=True, help="Most candidates.")
@store_options
def match(
    domain: str | None,
    to: str | None,
    describe: str | None,
    filters: tuple[str, ...],
    limit: int,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Find users of a domain who suit a user, best first, with the reasons."""
    if to is not None and describe is not None:
        raise click.UsageError("--to and --describe exclude each other.")
    settings = read_settings(home, backend)
    request = parse(
        MatchUsers,
        {
            "user_id": None if describe is not None else user_of(to, settings),
            "description": describe,
            "domain": domain_of(domain, settings),
            "filters": filters_of(filters),
            "limit": limit,
        },
    )
    call = local_call(settings, "match_users")
    answer = with_service(settings, lambda service: service.match_users(call, request))
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _print(answer)


def filters_of(given: tuple[str, ...]) -> dict[str, Any]:
    """`age=25..35`, `town=Paris,Delft`, `remote=true`; what reads as JSON is that.

    Raises invalid_request for one without a field or a value."""
    filters: dict[str, Any] = {}
    for one in given:
        name, mark, value = one.partition("=")
        if not (name.strip() and mark and value.strip()):
            raise LinealError.invalid(
                "filters", f"--filter '{one[:60]}' must be FIELD=VALUE, as in --filter age=25..35."
            )
        filters[name.strip()] = _value(value.strip())
    return filters


def _value(said: str) -> Any:
    low, dots, high = said.partition("..")
    if dots:
        bounds = {"minimum": low.strip(), "maximum": high.strip()}
        return {end: _read(bound) for end, bound in bounds.items() if bound}
    if said[0] in '{["':
        return _read(said)
    return [_read(part.strip()) for part in said.split(",")] if "," in said else _read(said)


def _read(said: str) -> Any:
    """A number, a boolean or what else is JSON; anything else is a text."""
    try:
        return json.loads(said)
    except json.JSONDecodeError:
        return said


def _print(answer: MatchAnswer) -> None:
    if answer.understood is not None:
        show(_understood(answer))
    if answer.candidates:
        show(_table(answer))
    show(*(Text(line) for line in _remarks(answer)))


def _understood(answer: MatchAnswer) -> Text:
    known = [f"{name} {_shown(value)}" for name, value in (answer.understood or {}).items()]
    told = "; ".join(known) or "nothing that the schema knows"
    return text(f"Read from the description: {visible_line(told)}\n", "dim")


def _table(answer: MatchAnswer) -> Table:
    """Best first: the score with a bar, who it is, and why."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, found in enumerate(answer.candidates, 1):
        table.add_row(str(number), _bar(found.score), _about(found))
    return table


def _bar(score: float) -> Text:
    full = round(score * BAR_CELLS)
    bar = Text("█" * full, style="green").append("░" * (BAR_CELLS - full), style="dim")
    return bar.append(f" {score:.2f}", style="bold")


def _about(found: MatchCandidate) -> Text:
    about = Text(visible_line(found.user_id), style="bold")
    stages = ", ".join(f"{name} {part:.2f}" for name, part in found.stages.items())
    about.append(f"  {stages}\n" if stages else "\n", style="dim")
    told = "; ".join(found.reasons) or "nothing known of both that could be compared"
    return about.append(visible_line(told))


def _remarks(answer: MatchAnswer) -> list[str]:
    domain = visible_line(answer.domain)
    looked = counted(answer.considered, "user", "users")
    remarks = [f"{looked} of {domain} looked at, {answer.filtered} left out by filters."]
    if answer.more:
        remarks.append(f"{answer.more} more; ask for them with --limit.")
    if answer.from_domain:
        remarks.append(f"Not known in {domain}: matched by what {answer.from_domain} knows.")
    if answer.headless:
        remarks.append(f"{answer.headless} ranked by their fields alone, for want of a vector.")
    because = {
        "absent": "Ranked by fields alone: nothing is known in their own words.",
        "off": "Ranked by fields alone: vectors are off.",
        "unavailable": "Ranked by fields alone: the vector model can't be used (`lineal doctor`).",
    }
    return [*remarks, *filter(None, [because.get(answer.head)])]


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
