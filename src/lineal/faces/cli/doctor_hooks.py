"""Whether what the clients' hooks run is there, and is the lineal that the client starts."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from lineal.errors import LinealError
from lineal.faces.cli.clients import CLIENTS, Client, Scope
from lineal.faces.cli.findings import Finding
from lineal.faces.cli.hooks_file import EVENTS, HooksFile
from lineal.faces.cli.launch import Launch, launch_of
from lineal.faces.cli.plugin_files import PluginCopy
from lineal.faces.cli.twice import REMOVE_LOCAL, has_local
from lineal.settings import Settings

__all__ = ["hook_findings", "twice_findings"]


class Hooks(NamedTuple):
    """The hooks of one client in one scope. entry: of the server that they tell."""

    client: Client
    scope: Scope
    entry: Mapping[str, Any] | None

    @property
    def finding(self) -> Finding:
        name = f"{self.client.title}, {self.scope.value} hooks"
        return Finding(area="clients", name=name, ok=True, value="")

    def wrong(self, value: str) -> Finding:
        scope = " --scope user" if self.scope is Scope.USER else ""
        advice = f"To write them anew: lineal init {self.client.name}{scope} --force"
        return self.finding.model_copy(update={"ok": False, "value": value, "advice": advice})


def hook_findings(settings: Settings) -> Iterator[Finding]:
    """One for each place that has our hooks, or should have them."""
    for scope in Scope:
        copy = CLIENTS["claude-code"].plugin(scope, settings)
        if copy is not None:
            yield from _of_plugin(scope, copy)
    cursor = CLIENTS["cursor"]
    entries = {scope: _entry(cursor, scope, settings) for scope in Scope}
    files = {scope: file for scope in Scope if (file := cursor.hooks(scope)) is not None}
    there = {scope for scope, file in files.items() if _commands(file) != {}}
    entry = next((entry for entry in entries.values() if entry is not None), None)
    for scope, file in files.items():
        hooks = Hooks(cursor, scope, entries[scope] or entry)
        if scope in there:
            yield _of_file(hooks, file)
        elif not there and _watches(entries[scope]):
            yield hooks.wrong("none: what is stored won't know its prompt and model")


def twice_findings(settings: Settings) -> Iterator[Finding]:
    """Claude Code with the plugin and another server of ours: one is dropped, or both run."""
    client = CLIENTS["claude-code"]
    places, plugins = {}, 0
    for scope in Scope:
        advice = f"lineal init {client.name} --scope {scope.value}"
        copy = client.plugin(scope, settings)
        with contextlib.suppress(LinealError):
            if copy is not None and copy.exists():
                places[f"the plugin in {copy.path}"] = f"{advice} --remove"
                plugins += 1
        file = client.file(scope, settings)
        if file is not None and _entry(client, scope, settings) is not None:
            places[f"an entry in {file.path}"] = f"{advice} --no-plugin --remove"
    if has_local(client, settings):
        places["an entry for this directory alone"] = REMOVE_LOCAL
    if plugins and len(places) > 1:
        yield Finding(
            area="clients",
            name=f"{client.title}, twice",
            ok=False,
            value="; ".join(places),
            advice=f"Keep one of them. {_ways_out(places)}",
        )


def _ways_out(places: Mapping[str, str]) -> str:
    return " ".join(f"To take out {place}: {advice}." for place, advice in places.items())


def _of_plugin(scope: Scope, copy: PluginCopy) -> Iterator[Finding]:
    hooks = Hooks(CLIENTS["claude-code"], scope, None)
    try:
        if copy.exists():
            hooks = hooks._replace(entry=copy.entry())
            yield _judged(hooks, dict(copy.hooks()))
    except LinealError as failure:
        yield hooks.wrong(failure.message)


def _of_file(hooks: Hooks, file: HooksFile) -> Finding:
    try:
        commands = {event: launch_of(line) for event, line in file.commands().items()}
    except (LinealError, ValueError) as failure:
        return hooks.wrong(f"{file.path} can't be read: {failure}")
    missing = [event for event in EVENTS if event not in commands]
    if missing:
        return hooks.wrong(f"{file.path} has none for {', '.join(missing)}")
    return _judged(hooks, commands)


def _judged(hooks: Hooks, commands: Mapping[str, Launch]) -> Finding:
    """The first that is wrong, or what all of them run."""
    lines = dict.fromkeys(" ".join((hook.command, *hook.args)) for hook in commands.values())
    for hook in commands.values():
        why = _fault(hook, hooks.entry)
        if why is not None:
            return hooks.wrong(f"{' '.join((hook.command, *hook.args))}\n{why}")
    return hooks.finding.model_copy(update={"value": "\n".join(lines) or "none runs a command"})


def _fault(hook: Launch, entry: Mapping[str, Any] | None) -> str | None:
    if shutil.which(hook.command) is None:
        return "The command can't be found, or not be run: nothing is told."
    if entry is None:
        return None
    server = [str(entry.get("command")), *map(str, entry.get("args") or ())]
    if _before(server, "serve") != _before([hook.command, *hook.args], "hook"):
        return f"It runs another lineal than the server: {server[0]}"
    home = _option(hook.args) or ""
    theirs = _option(server) or (entry.get("env") or {}).get("LINEAL_HOME") or ""
    if home != theirs:
        return f"It writes to another data directory than the server's: {theirs or 'the usual'}"
    return None


def _before(words: list[str], word: str) -> list[str]:
    """The words that come first, all of them where `word` isn't there."""
    return words[: words.index(word)] if word in words else words


def _option(words: list[str] | tuple[str, ...]) -> str | None:
    """What follows --home."""
    return next((after for word, after in pairwise(words) if word == "--home"), None)


def _watches(entry: Mapping[str, Any] | None) -> bool:
    """Whether there is a server that listens to hooks."""
    return entry is not None and (entry.get("env") or {}).get("LINEAL_CAPTURE") != "off"


def _entry(client: Client, scope: Scope, settings: Settings) -> dict[str, Any] | None:
    """A file that can't be read is another finding's to tell."""
    file = client.file(scope, settings)
    with contextlib.suppress(LinealError):
        return None if file is None else file.entry()
    return None


def _commands(file: HooksFile) -> dict[str, str] | None:
    """None: the file can't be read."""
    with contextlib.suppress(LinealError):
        return file.commands()
    return None
