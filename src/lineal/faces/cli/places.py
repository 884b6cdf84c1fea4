"""Where a client's entry is put: into a file of ours to edit, or through the client itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lineal.errors import LinealError
from lineal.faces.cli.clients import Client, Scope
from lineal.faces.cli.config_file import ENTRY, ConfigFile
from lineal.settings import Settings

__all__ = ["Place", "place_of"]

COMMAND_TIMEOUT_S = 60.0
"""A client's own command starts a whole runtime; it takes seconds on a cold disk."""


class Place(Protocol):
    """One client's configuration in one scope. str() names it for people."""

    def entry(self) -> dict[str, Any] | None:
        """Our entry as it stands, or None."""
        ...

    def put(self, wanted: Mapping[str, Any]) -> None: ...

    def remove(self) -> bool:
        """False if there was none."""
        ...


def place_of(client: Client, scope: Scope, settings: Settings) -> Place:
    """The file, or the client's own command where the file is the client's to write."""
    file = client.file(scope, settings)
    if file is None:
        return ThroughCode(client)
    claude = _program("claude") if client.name == "claude-code" and scope is Scope.USER else None
    return InFile(file) if claude is None else ThroughClaude(claude, file)


class InFile:
    """A file that we edit."""

    def __init__(self, file: ConfigFile) -> None:
        self._file = file

    def __str__(self) -> str:
        return str(self._file.path)

    def entry(self) -> dict[str, Any] | None:
        return self._file.entry()

    def put(self, wanted: Mapping[str, Any]) -> None:
        self._file.put(wanted)

    def remove(self) -> bool:
        return self._file.remove()


class ThroughClaude:
    """Claude Code's user file: a running session rewrites it, so `claude` is asked to."""

    def __init__(self, claude: str, file: ConfigFile) -> None:
        self._claude = claude
        self._file = file

    def __str__(self) -> str:
        return f"{self._file.path} (by `claude mcp`)"

    def entry(self) -> dict[str, Any] | None:
        return self._file.entry()

    def put(self, wanted: Mapping[str, Any]) -> None:
        before = self.entry()
        self.remove()  # `claude` never replaces an entry
        try:
            self._add(wanted)
        except LinealError:
            if before is not None:
                self._add(before)
            raise

    def remove(self) -> bool:
        if self._file.entry() is None:
            return False
        _run([self._claude, "mcp", "remove", "-s", "user", ENTRY])
        return True

    def _add(self, entry: Mapping[str, Any]) -> None:
        _run([self._claude, "mcp", "add-json", "-s", "user", ENTRY, json.dumps(entry)])


class ThroughCode:
    """VS Code's user profile: only `code` knows which one, and it can only add."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __str__(self) -> str:
        return "the VS Code user profile (by `code --add-mcp`)"

    def entry(self) -> dict[str, Any] | None:
        return None

    def put(self, wanted: Mapping[str, Any]) -> None:
        code = _program("code")
        if code is None:
            raise LinealError.unavailable(
                "The command 'code' can't be run from here, so nothing was written. In VS Code, "
                "run 'MCP: Open User Configuration' and put in what "
                "`lineal init vscode --print` shows.",
                retryable=False,
            )
        _run([code, "--add-mcp", json.dumps({"name": ENTRY, **wanted})])

    def remove(self) -> bool:
        raise LinealError.unavailable(
            "VS Code has no command that removes a server. Run 'MCP: Open User Configuration' "
            f"there and take out '{ENTRY}'.",
            retryable=False,
        )


def _program(name: str) -> str | None:
    """The program's path; None also for a batch file, which takes JSON's quotes apart."""
    path = shutil.which(name)
    return path if path and Path(path).suffix.lower() not in {".cmd", ".bat"} else None


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the client's own program, no shell
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise LinealError.unavailable(f"{command[0]} can't be run: {failure}") from failure
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise LinealError.unavailable(
            f"`{' '.join(command[:3])}` failed with exit code {done.returncode}: {said}",
            retryable=False,
        )
