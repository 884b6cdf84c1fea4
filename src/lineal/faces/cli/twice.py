"""Where else a client would find us: one server is enough."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lineal.errors import LinealError
from lineal.faces.cli.clients import Client, Scope
from lineal.faces.cli.config_file import ENTRY
from lineal.settings import Settings

__all__ = ["REMOVE_LOCAL", "also_there", "has_local"]

REMOVE_LOCAL = f"claude mcp remove -s local {ENTRY}"
"""Takes out what `claude mcp add` makes unless it is told a scope."""


def also_there(client: Client, scope: Scope, settings: Settings) -> Iterator[str]:
    """A line for each place outside this scope that has us; a file that can't be read has not."""
    here = _places(client, scope, settings)
    for other in Scope:
        for place in (p for p in _places(client, other, settings) if p not in here):
            advice = f"lineal init {client.name} --scope {other.value} --remove"
            yield f"lineal is in {place} too; one is enough. To take that one out: {advice}"
    if has_local(client, settings):
        where = "Claude Code's entries for this directory alone"
        yield f"lineal is in {where} too; one is enough. To take that one out: {REMOVE_LOCAL}"


def has_local(client: Client, settings: Settings) -> bool:
    """Whether the client's user file names us for this directory alone."""
    file = client.file(Scope.USER, settings) if client.name == "claude-code" else None
    with contextlib.suppress(LinealError):
        return file is not None and file.entry("projects", str(Path.cwd())) is not None
    return False


def _places(client: Client, scope: Scope, settings: Settings) -> list[Path]:
    """Where this scope has us."""
    found = []
    with contextlib.suppress(LinealError):
        file = client.file(scope, settings)
        if file is not None and file.entry() is not None:
            found.append(file.path)
    with contextlib.suppress(LinealError):
        copy = client.plugin(scope, settings)
        if copy is not None and copy.exists():
            found.append(copy.path)
    return found
