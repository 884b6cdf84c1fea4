"""`lineal init`: our server in a client's configuration."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from lineal.errors import LinealError
from lineal.faces.cli.base import Command, json_option, read_settings
from lineal.faces.cli.clients import CLIENTS, Client, Scope, cursor_link
from lineal.faces.cli.config_file import ENTRY
from lineal.faces.cli.installing import Place, place_of
from lineal.faces.cli.launch import server_launch
from lineal.faces.cli.output import print_json, show, text
from lineal.models.base import Model
from lineal.policy.limits import check_id

__all__ = ["init"]


class Outcome(Model):
    """What was done, for people and machines. before: the entry that was there, if another."""

    client: str
    scope: Scope
    action: str
    place: str
    entry: dict[str, Any]
    before: dict[str, Any] | None = None
    link: str | None = None
    notes: tuple[str, ...] = ()


@click.command(cls=Command)
@click.argument("client_name", metavar="CLIENT", type=click.Choice(list(CLIENTS)))
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.PROJECT.value,
    show_default=True,
    help="For this directory, or for all of yours.",
)
@click.option("--user", help="user_id of calls that name none. [default: your login name]")
@click.option("--domain", default="coding", show_default=True, help="Likewise the domain.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data directory, if not the usual one.",
)
@click.option("--print", "print_only", is_flag=True, help="Write nothing, only show the entry.")
@click.option("--remove", is_flag=True, help="Take our entry out instead.")
@click.option("--force", is_flag=True, help="Replace an entry that differs.")
@json_option
def init(
    client_name: str,
    scope: str,
    user: str | None,
    domain: str,
    home: Path | None,
    print_only: bool,
    remove: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Put lineal into the configuration of CLIENT: claude-code, cursor or vscode.

    Other entries, keys and their order stay as they are.
    """
    if print_only and remove:
        raise click.UsageError("--print and --remove exclude each other.")
    client = CLIENTS[client_name]
    place = place_of(client, Scope(scope))
    if remove:
        outcome = _removed(client, Scope(scope), place)
    else:
        entry = client.entry(server_launch(**_environment(user, domain, home)))
        outcome = _written(client, Scope(scope), place, entry, print_only, force)
    if as_json:
        print_json(outcome.model_dump(mode="json"))
    else:
        _tell(client, outcome)


def _environment(user: str | None, domain: str, home: Path | None) -> dict[str, str]:
    """What the server is told: a client started from a desktop has none of this shell's."""
    name = user or _login_name()
    for field, value in (("user", name), ("domain", domain)):
        if not value or len(value) > 256:
            raise LinealError.invalid(field, f"--{field} must have 1 to 256 characters.")
        check_id(field, value)
    env = {"LINEAL_USER": name, "LINEAL_DOMAIN": domain}
    settings = read_settings(home)
    if "home" in settings.model_fields_set:
        env["LINEAL_HOME"] = str(settings.home.expanduser().absolute())
    return env


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):
        raise LinealError.invalid(
            "user", "This account has no login name; say whose memory it is with --user NAME."
        ) from None


def _written(
    client: Client,
    scope: Scope,
    place: Place,
    entry: dict[str, Any],
    print_only: bool,
    force: bool,
) -> Outcome:
    if print_only:
        return _outcome(client, scope, place, "printed", entry)
    before = place.entry()
    if before == entry:
        return _outcome(client, scope, place, "unchanged", entry)
    if before is not None and not force:
        raise LinealError.conflict(
            f"{place} has another entry '{ENTRY}' ({_difference(before, entry)}). "
            "Replace it with --force, or look at both with --print.",
            before=before,
            wanted=entry,
        )
    place.put(entry)
    action = "added" if before is None else "replaced"
    return _outcome(client, scope, place, action, entry, before)


def _removed(client: Client, scope: Scope, place: Place) -> Outcome:
    action = "removed" if place.remove() else "absent"
    return Outcome(client=client.name, scope=scope, action=action, place=str(place), entry={})


def _outcome(
    client: Client,
    scope: Scope,
    place: Place,
    action: str,
    entry: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> Outcome:
    notes = []
    if scope is Scope.PROJECT and action in ("added", "replaced"):
        notes.append("The entry names paths of this machine: think before you commit the file.")
    if "backend" in read_settings().model_fields_set:
        notes.append("LINEAL_BACKEND is set here and not written down, for it may hold a password.")
    return Outcome(
        client=client.name,
        scope=scope,
        action=action,
        place=str(place),
        entry=entry,
        before=before,
        link=cursor_link(entry) if client.name == "cursor" else None,
        notes=tuple(notes),
    )


def _difference(before: dict[str, Any], wanted: dict[str, Any]) -> str:
    """What would change, by key; values of `env` stay unsaid, others may keep keys there."""
    told = []
    for key in dict.fromkeys((*before, *wanted)):
        old, new = before.get(key), wanted.get(key)
        if old == new:
            continue
        if key == "env" and isinstance(old, dict) and isinstance(new, dict):
            names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            told.append(f"env: {', '.join(names)}")
        else:
            told.append(f"{key}: {json.dumps(old)} → {json.dumps(new)}")
    return "; ".join(told)


def _tell(client: Client, outcome: Outcome) -> None:
    if outcome.action == "printed":
        click.echo(json.dumps({client.key: {ENTRY: outcome.entry}}, indent=2))
        if outcome.link:
            click.echo(f"Or open this link: {outcome.link}", err=True)
        return
    said = {
        "added": f"{client.title} has lineal now: {outcome.place}",
        "replaced": f"{client.title} has the new entry now: {outcome.place}",
        "unchanged": f"{client.title} has this entry already: {outcome.place}",
        "removed": f"Taken out of {outcome.place}",
        "absent": f"There was no entry '{ENTRY}' in {outcome.place}",
    }
    show(text(said[outcome.action]))
    if outcome.action in ("added", "replaced"):
        show(Text(f"Start {client.title} anew, or reconnect its MCP servers."))
    if outcome.link:
        show(text(f"The same by a link: {outcome.link}"))
    show(*(text(note, style="dim") for note in outcome.notes))
