"""What `lineal init` says of what it did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from lineal.faces.cli.clients import Client, Scope
from lineal.faces.cli.config_file import ENTRY
from lineal.faces.cli.discreet import shown_entry
from lineal.faces.cli.hooks_file import hooks_document
from lineal.faces.cli.installing import Change
from lineal.faces.cli.launch import Launch, command_line
from lineal.faces.cli.output import show, text
from lineal.faces.cli.visible import visible
from lineal.models.base import Model

__all__ = ["Outcome", "tell"]

SAID = {
    ("entry", "added"): "{client} has lineal now: {place}",
    ("entry", "replaced"): "{client} has the new entry now: {place}",
    ("entry", "unchanged"): "{client} has this entry already: {place}",
    ("entry", "removed"): "Taken out of {place}",
    ("entry", "absent"): f"There was no entry '{ENTRY}' in {{place}}",
    ("plugin", "added"): "{client} has lineal as a plugin now: {place}",
    ("plugin", "replaced"): "{client} has the new plugin now: {place}",
    ("plugin", "unchanged"): "{client} has this plugin already: {place}",
    ("plugin", "removed"): "The plugin is taken out: {place}",
    ("plugin", "absent"): "There was no plugin in {place}",
    ("hooks", "added"): "Hooks tell it which prompt and model a call belongs to: {place}",
    ("hooks", "replaced"): "The new hooks are in {place}",
    ("hooks", "unchanged"): "The hooks are there already: {place}",
    ("hooks", "removed"): "The hooks are taken out of {place}",
    ("hooks", "absent"): "There were no hooks of lineal's in {place}",
}


class Outcome(Model):
    """What was done, for people and machines. hook: the command that hooks run. before: the entry
    that was there, if another, without secrets."""

    client: str
    scope: Scope
    action: str
    place: str
    changes: tuple[Change, ...]
    entry: dict[str, Any]
    hook: Launch | None = None
    before: dict[str, Any] | None = None
    link: str | None = None
    notes: tuple[str, ...] = ()


def tell(client: Client, outcome: Outcome) -> None:
    """On stdout; what is only about the thing shown by --print on stderr."""
    if outcome.action == "printed":
        _print(client, outcome)
        return
    done = any(change.is_one for change in outcome.changes)
    for number, change in enumerate(outcome.changes):
        if change.action == "absent" and (done or outcome.entry):
            continue
        said = SAID[change.what, change.action]
        show(text(said.format(client=client.title, place=change.place)))
        if number == 0 and outcome.entry:
            show(text(_snippet(client, shown_entry(outcome.entry)), style="dim"))
        if change.kept:
            show(text(f"Left there, changed since or not lineal's: {', '.join(change.kept)}"))
    if done:
        show(Text(f"Start {client.title} anew for it to take effect."))
    show(*(text(line, style="dim") for line in _links_and_notes(outcome)))


def _print(client: Client, outcome: Outcome) -> None:
    """JSON alone on stdout, to be put where it belongs; about it on stderr."""
    for change in outcome.changes:
        if change.action in ("removed", "absent"):
            lines = [f"Would be taken out of: {change.place}"] if change.is_one else []
        elif change.what == "hooks" and outcome.hook is not None:
            show(Text(json.dumps(hooks_document(command_line(outcome.hook)), indent=2)))
            lines = [f"This goes into {change.place}."]
        else:
            show(Text(_snippet(client, outcome.entry)))
            lines = list(_about(change, outcome))
        for line in lines:
            click.echo(visible(line), err=True)
    for line in ("Nothing was written.", *_links_and_notes(outcome)):
        click.echo(visible(line), err=True)


def _about(change: Change, outcome: Outcome) -> Iterator[str]:
    if change.what == "plugin" and outcome.hook is not None:
        yield f"This goes into .mcp.json of the plugin in {change.place}."
        yield f"Its other files are copied as shipped; one hook runs: {command_line(outcome.hook)}"
    else:
        yield f"This goes into {change.place}."


def _snippet(client: Client, entry: dict[str, Any]) -> str:
    """The entry as it stands in the client's file."""
    return json.dumps({client.key: {ENTRY: entry}}, indent=2)


def _links_and_notes(outcome: Outcome) -> list[str]:
    links = [f"The same server by a link: {outcome.link}"] if outcome.link else []
    return [*links, *outcome.notes]
