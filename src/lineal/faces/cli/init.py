"""`lineal init`: our server in a client's configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from lineal.errors import LinealError
from lineal.faces.cli.base import Command, json_option, read_settings
from lineal.faces.cli.clients import CLIENTS, Client, Scope, cursor_link
from lineal.faces.cli.config_file import ENTRY
from lineal.faces.cli.discreet import shown_entry
from lineal.faces.cli.installing import Place, place_of
from lineal.faces.cli.launch import server_launch
from lineal.faces.cli.output import print_json, show, text
from lineal.faces.cli.owner import DOMAIN, domain_of, user_of
from lineal.faces.cli.visible import visible
from lineal.models.base import Model
from lineal.policy.limits import check_id

__all__ = ["init"]


class Outcome(Model):
    """What was done, for people and machines. before: the entry that was there, if another,
    without secrets."""

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
@click.option(
    "--user",
    help="user_id of calls that name none.  [default: LINEAL_USER, else your login name]",
)
@click.option("--domain", help=f"Likewise the domain.  [default: LINEAL_DOMAIN, else {DOMAIN}]")
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
    domain: str | None,
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


def _environment(user: str | None, domain: str | None, home: Path | None) -> dict[str, str]:
    """What the server is told: a client started from a desktop has none of this shell's."""
    settings = read_settings(home)
    whose = {"user": user_of(user, settings), "domain": domain_of(domain, settings)}
    for field, value in whose.items():
        if not value or len(value) > 256:
            raise LinealError.invalid(field, f"--{field} must have 1 to 256 characters.")
        check_id(field, value)
    env = {f"LINEAL_{field.upper()}": value for field, value in whose.items()}
    if "home" in settings.model_fields_set:
        env["LINEAL_HOME"] = str(settings.home.expanduser().absolute())
    return env


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
            f"{place} has another entry '{ENTRY}'. Nothing was written; --force replaces it.\n"
            f"  there: {_on_a_line(before)}\n  wanted: {_on_a_line(entry)}",
            before=shown_entry(before),
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
        before=None if before is None else shown_entry(before),
        link=cursor_link(entry) if client.name == "cursor" else None,
        notes=tuple(notes),
    )


def _on_a_line(entry: dict[str, Any]) -> str:
    """As JSON; variables that aren't ours by name only, for their values may be keys."""
    return json.dumps(shown_entry(entry), ensure_ascii=False)


def _tell(client: Client, outcome: Outcome) -> None:
    if outcome.action == "printed":
        # The entry alone on stdout, to be put where it belongs; about it on stderr.
        show(Text(_snippet(client, outcome.entry)))
        click.echo(f"This goes into {visible(outcome.place)}; nothing was written.", err=True)
        for line in _links_and_notes(outcome):
            click.echo(visible(line), err=True)
        return
    said = {
        "added": f"{client.title} has lineal now: {outcome.place}",
        "replaced": f"{client.title} has the new entry now: {outcome.place}",
        "unchanged": f"{client.title} has this entry already: {outcome.place}",
        "removed": f"Taken out of {outcome.place}",
        "absent": f"There was no entry '{ENTRY}' in {outcome.place}",
    }
    show(text(said[outcome.action]))
    if outcome.entry:
        show(text(_snippet(client, shown_entry(outcome.entry)), style="dim"))
    if outcome.action in ("added", "replaced"):
        show(Text(f"Start {client.title} anew, or reconnect its MCP servers."))
    show(*(text(line, style="dim") for line in _links_and_notes(outcome)))


def _snippet(client: Client, entry: dict[str, Any]) -> str:
    """The entry as it stands in the client's file."""
    return json.dumps({client.key: {ENTRY: entry}}, indent=2)


def _links_and_notes(outcome: Outcome) -> list[str]:
    links = [f"The same by a link: {outcome.link}"] if outcome.link else []
    return [*links, *outcome.notes]
