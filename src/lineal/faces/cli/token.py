"""`lineal token`: who may call `lineal serve --http`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import TypeAdapter
from rich.table import Table

from lineal.clock import SystemClock, monotonic_s
from lineal.errors import LinealError
from lineal.faces.cli.base import Command, json_option, read_settings
from lineal.faces.cli.groups import Group
from lineal.faces.cli.moments import ending, minute
from lineal.faces.cli.output import print_json, show, text
from lineal.faces.http.tokens import GRANTS, TOKENS_NAME, Grant, Token, TokenFile
from lineal.models.base import Moment
from lineal.policy.limits import is_plain
from lineal.settings import Settings

__all__ = ["token"]

NAME_MAX = 100
TENANT_MAX = 256

_SPAN = re.compile(r"([1-9][0-9]{0,5})([hdwy])")
_UNITS = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


def _home(function: AnyFunction) -> AnyFunction:
    option = click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="Data directory, in place of LINEAL_HOME.",
    )
    return option(function)


@click.group(cls=Group)
def token() -> None:
    """Make, list and revoke the tokens of `lineal serve --http`. Each part takes --json.

    As soon as there is one, every request needs one. A running server notices within a second.
    """


@token.command(cls=Command)
@click.option("--tenant", help="Behind which wall its holder is; default: LINEAL_TENANT.")
@click.option(
    "--scopes",
    default="read,write",
    show_default=True,
    help="What its holder may do: read, write, erase, separated by commas.",
)
@click.option(
    "--expires",
    default="90d",
    show_default=True,
    help="When it ends: 12h, 90d, 2w, 1y, never, or a time such as 2026-12-31T00:00:00Z.",
)
@click.option("--name", default="token", show_default=True, help="Whose it is, for you to read.")
@_home
@json_option
def create(
    tenant: str | None, scopes: str, expires: str, name: str, home: Path | None, as_json: bool
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    settings = read_settings(home)
    now = _clock(settings).now()
    made = _file(settings).create(
        name=_named("name", name, NAME_MAX),
        tenant=_named("tenant", tenant or settings.tenant, TENANT_MAX),
        scopes=_grants(scopes),
        now=now,
        expires_at=_end(expires, now),
    )
    if as_json:
        print_json({"token": made.secret, **_told(made.token)})
        return
    click.echo(made.secret)
    life = ending(made.token.expires_at, now)
    said = f"{made.token.id}, {life}. Keep it now: it can't be shown again."
    click.echo(said, err=True)


@token.command("list", cls=Command)
@_home
@json_option
def listed(home: Path | None, as_json: bool) -> None:
    """List the tokens, without the tokens themselves."""
    settings = read_settings(home)
    found = _file(settings).listed()
    if as_json:
        print_json({"tokens": [_told(one) for one in found]})
    elif found:
        show(_table(found, _clock(settings).now()))
    else:
        click.echo("No tokens. `lineal token create` makes one.", err=sys.stdout.isatty())


@token.command(cls=Command)
@click.argument("token_id", metavar="ID")
@_home
@json_option
def revoke(token_id: str, home: Path | None, as_json: bool) -> None:
    """Take a token out; a running server refuses it within a second."""
    gone = _file(read_settings(home)).revoke(token_id)
    if as_json:
        print_json({"revoked": _told(gone)})
    else:
        show(text(f"Revoked {gone.id} ({gone.name})."))


def _clock(settings: Settings) -> SystemClock:
    return SystemClock(settings.clock_offset_s)


def _file(settings: Settings) -> TokenFile:
    return TokenFile(settings.home / TOKENS_NAME, monotonic_s)


def _named(field: str, value: str, most: int) -> str:
    if not 0 < len(value) <= most or not is_plain(value):
        raise LinealError.invalid(
            field, f"--{field} must be 1 to {most} characters, none of them hidden."
        )
    return value


def _grants(said: str) -> frozenset[Grant]:
    """Raises invalid_request for an unknown scope, naming it, and for none at all."""
    words = [word.strip() for word in said.split(",") if word.strip()]
    unknown = next((word for word in words if word not in GRANTS), None)
    if unknown is not None or not words:
        wrong = "no scope" if unknown is None else f"the unknown scope '{unknown[:40]}'"
        raise LinealError.invalid(
            "scopes", f"--scopes names {wrong}. Known: {', '.join(GRANTS)}, separated by commas."
        )
    return frozenset(grant for grant in GRANTS if grant in words)


def _end(said: str, now: datetime) -> datetime | None:
    """Raises invalid_request for what is no time, and for one that is past."""
    if said == "never":
        return None
    found = _SPAN.fullmatch(said)
    try:
        end = now + int(found[1]) * _UNITS[found[2]] if found else _time(said)
    except (ValueError, OverflowError):
        raise LinealError.invalid(
            "expires",
            f"--expires '{said[:40]}' is no time. Say 12h, 90d, 2w, 1y, never, or a time with its "
            "offset such as 2026-12-31T00:00:00Z.",
        ) from None
    if end <= now:
        raise LinealError.invalid("expires", f"--expires {said[:40]} is past already.")
    return end


def _time(said: str) -> datetime:
    """Raises ValueError."""
    return TypeAdapter(Moment).validate_python(said)


def _told(one: Token) -> dict[str, Any]:
    """A token as it is shown: nothing by which it could be known again or guessed."""
    return one.model_dump(mode="json", exclude={"digest"}) | {"scopes": sorted(one.scopes)}


def _table(found: tuple[Token, ...], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "name", "tenant", "scopes", "made", "life"):
        table.add_column(heading)
    for one in found:
        table.add_row(
            text(one.id),
            text(one.name),
            text(one.tenant),
            ", ".join(sorted(one.scopes)),
            minute(one.created_at),
            ending(one.expires_at, now),
        )
    return table
