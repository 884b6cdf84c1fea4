"""What the clients have of us: each entry started as its client would, and asked one question."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, Field, ValidationError

from lineal.errors import ErrorCode, LinealError
from lineal.faces.cli.base import no_memory_yet
from lineal.faces.cli.clients import CLIENTS, PROJECT_DIRECTORY, Client, Scope
from lineal.faces.cli.config_file import ENTRY
from lineal.faces.cli.discreet import HIDDEN, hidden_secrets, is_open
from lineal.faces.cli.findings import Finding, settings_alone
from lineal.faces.cli.serve import serve
from lineal.models.base import Model
from lineal.settings import Settings

__all__ = ["entry_findings"]

TIMEOUT_S = 15.0
"""For one answer of an entry's server: it starts on a disk that the round trip hasn't warmed."""

SECRET_CHARS_MIN = 4
"""A shorter value is no secret, and hiding it would only tear words apart."""


class Started(Model):
    """What of an entry starts a process; a client's own keys besides are left aside."""

    model_config = ConfigDict(extra="ignore")

    command: str = Field(min_length=1)
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join((self.command, *map(hidden_secrets, self.args)))

    @property
    def options(self) -> list[str]:
        """What follows `serve`."""
        return list(self.args[self.args.index("serve") + 1 :]) if "serve" in self.args else []

    def settings(self) -> Settings | None:
        """As its server will read them; None when they are wrong, which it will say itself."""
        given: dict[str, Any] = {
            name.removeprefix("LINEAL_").lower(): value
            for name, value in self.env.items()
            if name.startswith("LINEAL_") and value
        }
        said = serve.make_context("serve", self.options, resilient_parsing=True).params
        given |= {name: value for name, value in said.items() if value is not None}
        known = {name: value for name, value in given.items() if name in Settings.model_fields}
        try:
            return settings_alone(known)
        except ValidationError:
            return None

    def filled(self) -> Started:
        """The same in this directory, as a client would fill it in."""
        here = str(Path.cwd())
        env = {name: value.replace(PROJECT_DIRECTORY, here) for name, value in self.env.items()}
        return self.model_copy(update={"env": env})

    def discreet(self, message: str) -> str:
        """What its server said, without what the entry keeps secret."""
        for argument in self.args:
            message = message.replace(argument, hidden_secrets(argument))
        for name, value in self.env.items():
            if not is_open(name) and len(value) >= SECRET_CHARS_MIN:
                message = message.replace(value, HIDDEN)
        return message


class Place(NamedTuple):
    """Where an entry was found. foreign: in a directory that may be somebody else's work.
    plugin: in our plugin's copy."""

    client: Client
    scope: str
    foreign: bool
    entry: Mapping[str, Any] | None
    plugin: bool = False

    @property
    def finding(self) -> Finding:
        name = f"{self.client.title}, {self.scope}{' plugin' if self.plugin else ''}"
        value = "no plugin" if self.plugin else "no entry"
        return Finding(area="clients", name=name, ok=None, value=value)

    @property
    def anew(self) -> str:
        scope = f" --scope {self.scope}" if self.scope == Scope.USER.value else ""
        return f"To write it anew: lineal init {self.client.name}{scope} --force"


async def entry_findings(settings: Settings, trust: bool) -> AsyncIterator[Finding]:
    """One for each place where a client would look for us. trust: also start what a project's
    file names when that isn't plainly lineal."""
    for found in _places(settings):
        yield found if isinstance(found, Finding) else await _examined(found, trust)


def _places(settings: Settings) -> Iterator[Place | Finding]:
    """Every place, or what is wrong with its file."""
    for client in CLIENTS.values():
        for scope in Scope:
            place = Place(client, scope.value, foreign=scope is Scope.PROJECT, entry=None)
            yield from _looked_at(place, _configured(place, settings))
            yield from _looked_at(place._replace(plugin=True), _copied(place, settings))


def _looked_at(place: Place, found: Iterator[Place]) -> Iterator[Place | Finding]:
    try:
        yield from found
    except LinealError as failure:
        yield place.finding.model_copy(update={"ok": False, "value": failure.message})


def _configured(place: Place, settings: Settings) -> Iterator[Place]:
    file = place.client.file(Scope(place.scope), settings)
    if file is None:
        return
    yield place._replace(entry=file.entry())
    if place.client.name == "claude-code" and place.scope == Scope.USER.value:
        # What `claude mcp add` makes unless it is told a scope.
        local = file.entry("projects", str(Path.cwd()))
        if local is not None:
            yield place._replace(scope="local", entry=local)


def _copied(place: Place, settings: Settings) -> Iterator[Place]:
    copy = place.client.plugin(Scope(place.scope), settings)
    if copy is not None:
        yield place._replace(plugin=True, entry=copy.entry())


async def _examined(place: Place, trust: bool) -> Finding:
    entry, finding = place.entry, place.finding
    if entry is None:
        return finding
    if "command" not in entry and isinstance(entry.get("url"), str):
        told = f"a server elsewhere, not started: {hidden_secrets(entry['url'])}"
        return finding.model_copy(update={"value": told})
    try:
        started = Started.model_validate(entry).filled()
    except ValidationError:
        return _wrong(place, f"'{ENTRY}' has no command, arguments and variables that are text")
    if any("${" in part for part in (started.command, *started.args, *started.env.values())):
        told = f"{started}\nnot started: it has variables that only {place.client.title} fills in"
        return finding.model_copy(update={"value": told})
    program = shutil.which(started.command, path=started.env.get("PATH"))
    if program is None:
        return _wrong(place, f"{started}\nThe command can't be found, or not be run.")
    if place.foreign and not trust and not _is_plainly_ours(started, Path(program)):
        return _wrong(
            place,
            f"{started}\nNot started: it isn't plainly lineal, and a directory's files may be "
            "somebody else's work.",
            "If you trust it: lineal doctor --trust. ",
        )
    return await _asked(place, started)


def _is_plainly_ours(started: Started, program: Path) -> bool:
    """Whether starting it runs lineal, as installed on this machine, and nothing of the directory
    that the entry was found in: what is checked out must not run because it is looked at."""
    path = Path(os.path.abspath(program))
    if path.is_relative_to(Path.cwd()) and not path.is_relative_to(sys.prefix):
        return False
    if not all(name.startswith("LINEAL_") for name in started.env):
        return False
    if path.stem.lower() == "lineal":
        return started.args[:1] == ("serve",)
    # Without -P, Python imports from the directory first.
    return path.stem.startswith("python") and started.args[:4] == ("-P", "-m", "lineal", "serve")


async def _asked(place: Place, started: Started) -> Finding:
    """Started where the client would start it. A memory that isn't there yet isn't made: a
    temporary one stands in for it."""
    from lineal.demo.client import connected

    settings = started.settings()
    unused = settings is None or no_memory_yet(settings) is not None
    whose = (settings.user if settings else None) or "doctor"
    told = str(started)
    with tempfile.TemporaryDirectory(prefix="lineal-doctor-", ignore_cleanup_errors=True) as home:
        launch = (
            _elsewhere(started, home) if settings is None or unused else _here(started, settings)
        )
        log = Path(home) / "server.log"
        try:
            async with connected(
                launch.command,
                launch.args,
                launch.env,
                log,
                "lineal-doctor",
                cwd=Path.cwd(),
                timeout_s=TIMEOUT_S,
            ) as server:
                await server.call("search_context", query="", limit=1, user_id=whose)
        except LinealError as failure:
            if failure.code is not ErrorCode.UNSUPPORTED:
                return _wrong(place, f"{told}\n{started.discreet(failure.message)}")
    first = "; its memory isn't used yet" if unused else ""
    value = f"{told}\nstarted and answered, tools listed after {server.ready_ms:.0f} ms{first}"
    return place.finding.model_copy(update={"ok": True, "value": value})


def _here(started: Started, settings: Settings) -> Started:
    """The same, with the data directory that we looked into named: a client's environment may
    lead to another than this one's."""
    env = {**started.env, "LINEAL_HOME": str(settings.home)}
    return started.model_copy(update={"env": env})


def _elsewhere(started: Started, home: str) -> Started:
    """The same over a store of its own."""
    memory = str(Path(home) / "memory")
    env = {**started.env, "LINEAL_HOME": memory, "LINEAL_BACKEND": ""}
    # The last one given counts.
    last = ("--home", memory, "--backend", "") if started.options else ()
    return started.model_copy(update={"env": env, "args": (*started.args, *last)})


def _wrong(place: Place, value: str, first: str = "") -> Finding:
    update = {"ok": False, "value": value, "advice": f"{first}{place.anew}"}
    return place.finding.model_copy(update=update)
