"""The MCP clients we know: where each keeps its servers, and what our entry looks like there."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from lineal.faces.cli.config_file import ENTRY, ConfigFile
from lineal.faces.cli.hooks_file import HooksFile
from lineal.faces.cli.launch import Launch
from lineal.faces.cli.plugin_files import PluginCopy
from lineal.settings import Settings

__all__ = ["CLIENTS", "PROJECT_DIRECTORY", "Client", "Scope", "cursor_link"]

PROJECT_DIRECTORY = "${workspaceFolder}"
"""What Cursor replaces by the directory that is worked in."""


class Scope(StrEnum):
    """For whom a client's configuration holds."""

    PROJECT = "project"
    USER = "user"


SECRET_MODE = 0o600
"""Of a new file of the user's own: such a file may hold other servers' keys."""


class Client(NamedTuple):
    """One client. user_path: below the home directory; None: only the client itself knows it.

    extra: what its entry holds besides the command. env: what the client fills in and tells the
    server.
    """

    name: str
    title: str
    key: str
    project_path: str
    user_path: str | None
    extra: Mapping[str, Any] = {}
    env: Mapping[str, str] = {}

    def entry(self, launch: Launch) -> dict[str, Any]:
        """Our server as this client writes it down."""
        return {
            "type": "stdio",
            "command": launch.command,
            "args": list(launch.args),
            "env": {**launch.env, **self.env},
            **self.extra,
        }

    def file(self, scope: Scope, settings: Settings) -> ConfigFile | None:
        """Its configuration file, there or not; None when only the client knows the place."""
        if scope is Scope.PROJECT:
            return ConfigFile(Path.cwd() / self.project_path, self.key, root=Path.cwd())
        if self.user_path is None:
            return None
        root = Path.home()
        if self.name == "claude-code" and settings.client_config_dir is not None:
            root = _claude_directory(settings)
        return ConfigFile(root / self.user_path, self.key, root=root, mode=SECRET_MODE)

    def plugin(self, scope: Scope, settings: Settings) -> PluginCopy | None:
        """Where the client loads our plugin from; None: it has no such place."""
        if self.name != "claude-code":
            return None
        if scope is Scope.PROJECT:
            return PluginCopy(Path.cwd() / ".claude/skills" / ENTRY, root=Path.cwd())
        directory = _claude_directory(settings)
        root = Path.home() if settings.client_config_dir is None else directory
        return PluginCopy(directory / "skills" / ENTRY, root=root, mode=SECRET_MODE)

    def hooks(self, scope: Scope) -> HooksFile | None:
        """The file of its hooks; None: it has none."""
        if self.name != "cursor":
            return None
        if scope is Scope.PROJECT:
            return HooksFile(Path.cwd() / ".cursor/hooks.json", root=Path.cwd())
        return HooksFile(Path.home() / ".cursor/hooks.json", root=Path.home(), mode=SECRET_MODE)


def _claude_directory(settings: Settings) -> Path:
    """Claude Code's own directory of a user."""
    if settings.client_config_dir is None:
        return Path.home() / ".claude"
    return settings.client_config_dir.expanduser().absolute()


CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client(
            name="claude-code",
            title="Claude Code",
            key="mcpServers",
            project_path=".mcp.json",
            user_path=".claude.json",
            # The first turn waits for the tools, and they aren't hidden behind a tool search.
            extra={"alwaysLoad": True},
        ),
        Client(
            name="cursor",
            title="Cursor",
            key="mcpServers",
            project_path=".cursor/mcp.json",
            user_path=".cursor/mcp.json",
            # It starts servers in any directory; the one that is worked in it fills in here.
            env={"LINEAL_PROJECT_DIR": PROJECT_DIRECTORY},
        ),
        Client(
            name="vscode",
            title="VS Code",
            key="servers",
            project_path=".vscode/mcp.json",
            user_path=None,
        ),
    )
}


def cursor_link(entry: Mapping[str, Any]) -> str:
    """The link that lets Cursor ask its user to install this entry."""
    config = base64.b64encode(json.dumps(entry, separators=(",", ":")).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={ENTRY}&config={quote(config)}"
