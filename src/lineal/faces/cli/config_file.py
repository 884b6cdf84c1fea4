"""A client's JSON configuration: one entry put in or taken out, the rest left as it was."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from lineal.errors import LinealError

__all__ = ["ENTRY", "ConfigFile"]

ENTRY = "lineal"
"""The name of our server in every client."""

_INDENT = re.compile(r"\A\s*\{\s*?\n([ \t]+)")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class ConfigFile:
    """One file of one client.

    key: the object in it that holds the servers by name. root: where links may not lead out of.
    mode: of a new file, less the umask. Every verb raises LinealError `conflict`, naming the path,
    when the file isn't what we may safely change; then nothing has been written.
    """

    def __init__(self, path: Path, key: str, root: Path, mode: int = 0o666) -> None:
        self.path = path
        self.key = key
        self._root = root
        self._mode = mode

    def entry(self, *within: str) -> dict[str, Any] | None:
        """Our entry as it stands, or None; within: objects in each other that hold the servers."""
        document = self._document()
        for name in within:
            inner = document.get(name)
            document = inner if isinstance(inner, dict) else {}
        found = self._servers(document).get(ENTRY)
        if found is not None and not isinstance(found, dict):
            raise self._unfit(f"holds '{self.key}.{ENTRY}', which is not an object")
        return found

    def put(self, wanted: Mapping[str, Any]) -> None:
        """Make `wanted` our entry; everything else keeps its place and value."""
        document = self._document()
        servers = {**self._servers(document), ENTRY: dict(wanted)}
        self._write({**document, self.key: servers})

    def remove(self) -> bool:
        """Take out our entry and nothing else; False if there was none.

        A file that held nothing besides goes with it; one that is linked to is only emptied.
        """
        document = self._document()
        servers = self._servers(document)
        if ENTRY not in servers:
            return False
        kept = {name: value for name, value in servers.items() if name != ENTRY}
        if kept or document.keys() != {self.key}:
            self._write({**document, self.key: kept})
        elif self._target() == self.path.parent.resolve() / self.path.name:
            self._delete()
        else:
            self._write({})
        return True

    def _document(self) -> dict[str, Any]:
        """The whole file; {} when it is missing or empty."""
        text = self._text()
        if not text.strip():
            return {}
        try:
            document = json.loads(
                text, object_pairs_hook=_without_repeats, parse_constant=_not_json
            )
        except (ValueError, RecursionError) as failure:
            raise self._unfit(
                f"is not plain JSON ({failure}); comments and trailing commas can't be kept"
            ) from failure
        if not isinstance(document, dict):
            raise self._unfit("is not a JSON object")
        return document

    def _servers(self, document: Mapping[str, Any]) -> dict[str, Any]:
        servers = document.get(self.key, {})
        if not isinstance(servers, dict):
            raise self._unfit(f"holds '{self.key}', which is not an object")
        return servers

    def _text(self) -> str:
        try:
            return self._target().read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as failure:
            raise self._unfit(f"can't be read ({failure})") from failure

    def _write(self, document: Mapping[str, Any]) -> None:
        """Whole or not at all: a new file beside it, then a rename."""
        indent = _INDENT.match(self._text())
        text = json.dumps(document, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"
        # Half an emoji, cut off by a client, is valid JSON but can't be written as UTF-8.
        text = _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
        try:
            target = self._target()
            target.parent.mkdir(parents=True, exist_ok=True)
            self._replace(target, text.encode())
        except OSError as failure:
            raise self._unfit(f"can't be written ({failure})") from failure

    def _delete(self) -> None:
        try:
            self.path.unlink()
        except OSError as failure:
            raise self._unfit(f"can't be removed ({failure})") from failure

    def _replace(self, target: Path, content: bytes) -> None:
        new = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, self._mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                new.chmod(stat.S_IMODE(target.stat().st_mode))
            new.replace(target)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def _target(self) -> Path:
        """The file itself, links followed, as long as they stay within `root`.

        A dotfile kept in a repository is linked on purpose; a link in a checkout that leads to
        another place of the disk isn't ours to write through.
        """
        target = self.path.resolve()
        if not target.is_relative_to(self._root.resolve()):
            raise self._unfit(f"leads out of {self._root}, to {target}")
        if target.exists() and not target.is_file():
            raise self._unfit("is not a file")
        return target

    def _unfit(self, why: str) -> LinealError:
        return LinealError.conflict(
            f"{self.path} {why}. Nothing was written: mend the file, or run this with --print and "
            "put the entry in by hand.",
            path=str(self.path),
        )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice would lose one of its values on the way back."""
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{repeated}' is there twice")
    return document


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
