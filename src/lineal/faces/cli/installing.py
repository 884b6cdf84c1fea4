"""What `lineal init` does for a client, in steps: each can say beforehand what it would do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from lineal.errors import LinealError
from lineal.faces.cli.clients import Client, Scope
from lineal.faces.cli.config_file import ENTRY
from lineal.faces.cli.discreet import shown_entry
from lineal.faces.cli.hooks_file import HooksFile
from lineal.faces.cli.launch import Launch, command_line
from lineal.faces.cli.places import Place, place_of
from lineal.faces.cli.plugin_files import PluginCopy, plugin_files
from lineal.models.base import Model
from lineal.settings import Settings

__all__ = ["Change", "Step", "Wanted", "carried_out", "install_steps", "remove_steps"]


class Change(Model):
    """What a step did, or would do. before: the entry that was there, if another. kept: what of a
    plugin's directory stays, for it is not ours."""

    what: Literal["entry", "plugin", "hooks"]
    action: Literal["added", "replaced", "unchanged", "removed", "absent"]
    place: str
    kept: tuple[str, ...] = ()
    before: dict[str, Any] | None = Field(default=None, exclude=True)

    @property
    def is_one(self) -> bool:
        """Whether anything is other than it was."""
        return self.action not in ("unchanged", "absent")

    def shown_before(self) -> dict[str, Any] | None:
        """That entry without secrets."""
        return None if self.before is None else shown_entry(self.before)


Step = Callable[[bool], Change]
"""Does it and tells; with True it only tells. Raises LinealError where it can't be done."""


class Wanted(Model):
    """What a client is to have. force: also where something else is."""

    entry: dict[str, Any]
    hook: Launch
    force: bool = False


def install_steps(
    client: Client, scope: Scope, settings: Settings, wanted: Wanted, *, plugin: bool
) -> list[Step]:
    """The plugin in place of an entry or the other way round: both together would start two
    servers, or leave the plugin's hooks without one."""
    entry = EntryPart(place_of(client, scope, settings), wanted)
    copy, hooks = client.plugin(scope, settings), client.hooks(scope)
    if copy is not None:
        part = PluginPart(copy, wanted)
        return [part.put, entry.give_way] if plugin else [entry.put, part.give_way]
    return [entry.put] if hooks is None else [entry.put, HooksPart(hooks, wanted.hook).put]


def remove_steps(client: Client, scope: Scope, settings: Settings, *, plugin: bool) -> list[Step]:
    """Everything of ours in this scope; without `plugin` a plugin stays."""
    nothing = Wanted(entry={}, hook=Launch(command="", args=()), force=True)
    entry = EntryPart(place_of(client, scope, settings), nothing)
    copy, hooks = client.plugin(scope, settings), client.hooks(scope)
    if copy is not None and plugin:
        return [PluginPart(copy, nothing).give_way, entry.give_way]
    return [entry.give_way] if hooks is None else [entry.give_way, HooksPart(hooks).give_way]


def carried_out(steps: Sequence[Step], *, dry: bool) -> tuple[Change, ...]:
    """Done in order, once each has said that it can be. dry: only said."""
    planned = tuple(step(True) for step in steps)
    return planned if dry else tuple(step(False) for step in steps)


class EntryPart:
    """Our server in a client's configuration."""

    def __init__(self, place: Place, wanted: Wanted) -> None:
        self._place = place
        self._wanted = wanted

    def put(self, dry: bool) -> Change:
        before = self._place.entry()
        if before == self._wanted.entry:
            return self._change("unchanged")
        _settle(before, self._wanted, str(self._place), exactly=True)
        if not dry:
            self._place.put(self._wanted.entry)
        return self._change("added" if before is None else "replaced", before)

    def give_way(self, dry: bool) -> Change:
        before = self._place.entry()
        _settle(before, self._wanted, str(self._place))
        removed = before is not None if dry else self._place.remove()
        return self._change("removed" if removed else "absent", before)

    def _change(self, action: Any, before: dict[str, Any] | None = None) -> Change:
        return Change(what="entry", action=action, place=str(self._place), before=before)


class PluginPart:
    """Our plugin among those that a client loads."""

    def __init__(self, copy: PluginCopy, wanted: Wanted) -> None:
        self._copy = copy
        self._wanted = wanted

    def put(self, dry: bool) -> Change:
        files = plugin_files(self._wanted.entry, self._wanted.hook)
        if self._copy.has(files):
            return self._change("unchanged")
        before = self._copy.entry()
        _settle(before, self._wanted, str(self._copy.path))
        if not self._wanted.force:
            self._copy.check(files)
        action = "replaced" if self._copy.exists() else "added"
        if not dry:
            self._copy.put(files)
        return self._change(action, before)

    def give_way(self, dry: bool) -> Change:
        if not self._copy.exists():
            return self._change("absent")
        before = self._copy.entry()
        _settle(before, self._wanted, str(self._copy.path))
        kept = self._copy.kept() if dry else self._copy.remove()
        return self._change("removed", before).model_copy(update={"kept": kept})

    def _change(self, action: Any, before: dict[str, Any] | None = None) -> Change:
        return Change(what="plugin", action=action, place=str(self._copy.path), before=before)


class HooksPart:
    """Our hooks among those of a client."""

    def __init__(self, hooks: HooksFile, hook: Launch | None = None) -> None:
        self._hooks = hooks
        self._line = "" if hook is None else command_line(hook)

    def put(self, dry: bool) -> Change:
        if self._hooks.has(self._line):
            return self._change("unchanged")
        action = "replaced" if self._hooks.commands() else "added"
        if not dry:
            self._hooks.put(self._line)
        return self._change(action)

    def give_way(self, dry: bool) -> Change:
        removed = bool(self._hooks.commands()) if dry else self._hooks.remove()
        return self._change("removed" if removed else "absent")

    def _change(self, action: Any) -> Change:
        return Change(what="hooks", action=action, place=str(self._hooks.path))


def _settle(
    before: dict[str, Any] | None, wanted: Wanted, place: str, *, exactly: bool = False
) -> None:
    """Raise LinealError where an entry would be lost that says something else. exactly: also what
    starts no other server."""
    if before is None or wanted.force:
        return
    entry = wanted.entry
    if not exactly and all(before.get(key) == entry[key] for key in ("command", "args", "env")):
        return
    raise LinealError.conflict(
        f"{place} has another entry '{ENTRY}'. Nothing was written; --force replaces it.\n"
        f"  there: {_on_a_line(before)}\n  wanted: {_on_a_line(entry)}",
        before=shown_entry(before),
        wanted=entry,
    )


def _on_a_line(entry: Mapping[str, Any]) -> str:
    """As JSON; variables that aren't ours by name only, for their values may be keys."""
    return json.dumps(shown_entry(entry), ensure_ascii=False)
