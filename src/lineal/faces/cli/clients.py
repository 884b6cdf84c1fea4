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
from lineal.faces.cli.launch import Launch

__all__ = ["CLIENTS", "Client", "Scope", "cursor_link"]


class Scope(StrEnum):
    """For whom a client's configuration holds."""

    PROJECT = "project"
    USER = "user"


class Client(NamedTuple):
    """One client. user_path: below the home directory; None: only the client itself knows it.

    extra: what its entry holds besides the command.
    """

    name: str
    title: str
    key: str
    project_path: str
    user_path: str | None
    extra: Mapping[str, Any]

    def entry(self, launch: Launch) -> dict[str, Any]:
        """Our server as this client writes it down."""
        return {
            "type": "stdio",
            "command": launch.command,
            "args": list(launch.args),
            "env": dict(launch.env),
            **self.extra,
        }

    def file(self, scope: Scope) -> ConfigFile | None:
        """Its configuration file, there or not; None when only the client knows the place."""
        if scope is Scope.PROJECT:
            return ConfigFile(Path.cwd() / self.project_path, self.key, root=Path.cwd())
        if self.user_path is None:
            return None
        home = Path.home()
        # Such a file may hold other servers' keys.
        return ConfigFile(home / self.user_path, self.key, root=home, mode=0o600)


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
            extra={},
        ),
        Client(
            name="vscode",
            title="VS Code",
            key="servers",
            project_path=".vscode/mcp.json",
            user_path=None,
            extra={},
        ),
    )
}


def cursor_link(entry: Mapping[str, Any]) -> str:
    """The link that lets Cursor ask its user to install this entry."""
    config = base64.b64encode(json.dumps(entry, separators=(",", ":")).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?name={ENTRY}&config={quote(config)}"
