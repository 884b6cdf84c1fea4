"""`lineal init`: our server in a client's configuration, with what makes its lineage true."""

from __future__ import annotations

from pathlib import Path

import click

from lineal.errors import LinealError
from lineal.faces.cli.base import Command, json_option, read_settings
from lineal.faces.cli.clients import CLIENTS, Client, Scope, cursor_link
from lineal.faces.cli.init_words import Outcome, tell
from lineal.faces.cli.installing import (
    Change,
    Wanted,
    carried_out,
    install_steps,
    remove_steps,
)
from lineal.faces.cli.launch import hook_launch, server_launch
from lineal.faces.cli.output import print_json
from lineal.faces.cli.owner import DOMAIN, domain_of, user_of
from lineal.faces.cli.twice import also_there
from lineal.policy.limits import check_id
from lineal.settings import Settings

__all__ = ["init"]


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
@click.option(
    "--no-plugin", is_flag=True, help="claude-code: only the server's entry, without the plugin."
)
@click.option("--print", "print_only", is_flag=True, help="Write nothing, only show it.")
@click.option("--remove", is_flag=True, help="Take out what init put in.")
@click.option("--force", is_flag=True, help="Replace what differs.")
@json_option
def init(
    client_name: str,
    scope: str,
    user: str | None,
    domain: str | None,
    home: Path | None,
    no_plugin: bool,
    print_only: bool,
    remove: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Put lineal into the configuration of CLIENT: claude-code, cursor or vscode.

    Claude Code gets a plugin: the server, a skill that says how to use it, and hooks that tell it
    which session, prompt and model a call belongs to. Cursor gets the server and hooks. Other
    entries, hooks, keys and their order stay as they are.
    """
    if print_only and remove:
        raise click.UsageError("--print and --remove exclude each other.")
    client = CLIENTS[client_name]
    if no_plugin and client.name != "claude-code":
        raise click.UsageError("--no-plugin is for claude-code.")
    settings = read_settings(home)
    if remove:
        outcome = _removed(client, Scope(scope), settings, not no_plugin)
    else:
        wanted = _wanted(client, settings, user, domain, force)
        outcome = _installed(client, Scope(scope), settings, wanted, not no_plugin, print_only)
    if as_json:
        print_json(outcome.model_dump(mode="json"))
    else:
        tell(client, outcome)


def _wanted(
    client: Client, settings: Settings, user: str | None, domain: str | None, force: bool
) -> Wanted:
    env = _environment(settings, user, domain)
    entry = client.entry(server_launch(**env))
    hook = hook_launch(client.name, env.get("LINEAL_HOME"))
    return Wanted(entry=entry, hook=hook, force=force)


def _environment(settings: Settings, user: str | None, domain: str | None) -> dict[str, str]:
    """What the server is told: a client started from a desktop has none of this shell's."""
    whose = {"user": user_of(user, settings), "domain": domain_of(domain, settings)}
    for field, value in whose.items():
        if not value or len(value) > 256:
            raise LinealError.invalid(field, f"--{field} must have 1 to 256 characters.")
        check_id(field, value)
    env = {f"LINEAL_{field.upper()}": value for field, value in whose.items()}
    if "home" in settings.model_fields_set:
        env["LINEAL_HOME"] = str(settings.home.expanduser().absolute())
    return env


def _installed(
    client: Client, scope: Scope, settings: Settings, wanted: Wanted, plugin: bool, dry: bool
) -> Outcome:
    steps = install_steps(client, scope, settings, wanted, plugin=plugin)
    changes = carried_out(steps, dry=dry)
    written = not dry and any(change.is_one for change in changes)
    return Outcome(
        client=client.name,
        scope=scope,
        action="printed" if dry else _action(changes),
        place=changes[0].place,
        changes=changes,
        entry=wanted.entry,
        hook=None if len(changes) == 1 or not plugin else wanted.hook,
        before=next((shown for change in changes if (shown := change.shown_before())), None),
        link=cursor_link(wanted.entry) if client.name == "cursor" else None,
        notes=(
            *_notes(settings, in_project=written and scope is Scope.PROJECT),
            *also_there(client, scope, settings),
        ),
    )


def _removed(client: Client, scope: Scope, settings: Settings, plugin: bool) -> Outcome:
    changes = carried_out(remove_steps(client, scope, settings, plugin=plugin), dry=False)
    action = "removed" if any(change.is_one for change in changes) else "absent"
    place = next((change.place for change in changes if change.is_one), changes[0].place)
    return Outcome(
        client=client.name, scope=scope, action=action, place=place, changes=changes, entry={}
    )


def _action(changes: tuple[Change, ...]) -> str:
    """What became of the server; `completed` where it was there and something else was not."""
    first, *others = changes
    if first.is_one or not any(change.is_one for change in others):
        return first.action
    return "completed"


def _notes(settings: Settings, *, in_project: bool) -> list[str]:
    notes = []
    if in_project:
        notes.append("It names paths of this machine: think before you commit it.")
    if "backend" in settings.model_fields_set:
        notes.append("LINEAL_BACKEND is set here and not written down, for it may hold a password.")
    return notes
