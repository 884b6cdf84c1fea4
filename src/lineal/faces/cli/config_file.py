"""A client's JSON configuration: one entry put in or taken out, the rest left as it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineal.faces.cli.json_file import JsonFile

__all__ = ["ENTRY", "ConfigFile"]

ENTRY = "lineal"
"""The name of our server in every client."""


class ConfigFile:
    """One file of one client.

    key: the object in it that holds the servers by name. root: where links may not lead out of.
    mode: of a new file, less the umask. Every verb raises LinealError `conflict`, naming the path,
    when the file isn't what we may safely change; then nothing has been written.
    """

    def __init__(self, path: Path, key: str, root: Path, mode: int = 0o666) -> None:
        self.path = path
        self.key = key
        self._file = JsonFile(path, root, mode)

    def entry(self, *within: str) -> dict[str, Any] | None:
        """Our entry as it stands, or None; within: objects in each other that hold the servers."""
        document = self._file.document()
        for name in within:
            inner = document.get(name)
            document = inner if isinstance(inner, dict) else {}
        found = self._servers(document).get(ENTRY)
        if found is not None and not isinstance(found, dict):
            raise self._file.unfit(f"holds '{self.key}.{ENTRY}', which is not an object")
        return found

    def put(self, wanted: Mapping[str, Any]) -> None:
        """Make `wanted` our entry; everything else keeps its place and value."""
        document = self._file.document()
        servers = {**self._servers(document), ENTRY: dict(wanted)}
        self._file.write({**document, self.key: servers})

    def remove(self) -> bool:
        """Take out our entry and nothing else; False if there was none.

        A file that held nothing besides goes with it; one that is linked to is only emptied.
        """
        document = self._file.document()
        servers = self._servers(document)
        if ENTRY not in servers:
            return False
        kept = {name: value for name, value in servers.items() if name != ENTRY}
        if kept or document.keys() != {self.key}:
            self._file.write({**document, self.key: kept})
        else:
            self._file.clear()
        return True

    def _servers(self, document: Mapping[str, Any]) -> dict[str, Any]:
        servers = document.get(self.key, {})
        if not isinstance(servers, dict):
            raise self._file.unfit(f"holds '{self.key}', which is not an object")
        return servers
