"""The plugin for Claude Code: a copy of the shipped directory that starts this very lineal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from lineal.errors import LinealError
from lineal.faces.cli.config_file import ENTRY, ConfigFile
from lineal.faces.cli.launch import Launch
from lineal.faces.cli.whole_file import taken_out, unfit, within, write_whole

__all__ = ["HOOKS", "SERVERS", "PluginCopy", "plugin_files"]

HOOKS, SERVERS = "hooks/hooks.json", ".mcp.json"
MARK = ".claude-plugin/plugin.json"
"""What makes a directory a plugin: written last and taken out first."""

WRITTEN = ".written.json"
"""Beside the copy's files: what we wrote, by hash, so that another's changes are known as such."""


def plugin_files(entry: Mapping[str, Any], hook: Launch) -> dict[str, bytes]:
    """Path → content of the plugin's files, with the server and the command hooks started as told.
    entry: takes the place of what the shipped one says; its other keys stay."""
    shipped = dict(_shipped(files("lineal.plugins") / "claude-code"))
    servers = json.loads(shipped[SERVERS])
    servers["mcpServers"][ENTRY] |= entry
    shipped[SERVERS] = _text(servers)
    hooks = json.loads(shipped[HOOKS])
    for group in (group for groups in hooks["hooks"].values() for group in groups):
        for found in group["hooks"]:
            if found["type"] == "command":
                found |= {"command": hook.command, "args": list(hook.args)}
    return shipped | {HOOKS: _text(hooks)}


class PluginCopy:
    """Our directory among those that Claude Code loads by itself.

    root: where links may not lead out of. mode: of new files, less the umask. Every verb raises
    LinealError `conflict`, naming the path, where it isn't ours or can't be changed.
    """

    def __init__(self, path: Path, root: Path, mode: int = 0o666) -> None:
        self.path = path
        self._root = root
        self._mode = mode

    def exists(self) -> bool:
        """Whether there is a copy; a directory of another's isn't one."""
        return (self.path / MARK).exists() and self._is_ours()

    def entry(self) -> dict[str, Any] | None:
        """Our server as the copy starts it, or None."""
        servers = ConfigFile(self.path / SERVERS, "mcpServers", self._root)
        return servers.entry() if self.exists() else None

    def hooks(self) -> Iterator[tuple[str, Launch]]:
        """(event, command) of each hook of the copy that starts a process."""
        path = self.path / HOOKS
        try:
            listed = json.loads(self._read(HOOKS) or b"{}").get("hooks", {})
            for event, groups in listed.items():
                for hook in (hook for group in groups for hook in group["hooks"]):
                    if hook.get("type") == "command":
                        yield event, Launch(command=hook["command"], args=hook.get("args", ()))
        except (ValueError, TypeError, KeyError, AttributeError) as failure:
            raise unfit(path, f"isn't a list of hooks ({failure})") from failure

    def has(self, wanted: Mapping[str, bytes]) -> bool:
        """Whether each of these files is there as it should be, and known to be ours."""
        whole = {**wanted, WRITTEN: _record(wanted)}
        return all(self._read(name) == content for name, content in whole.items())

    def check(self, wanted: Mapping[str, bytes]) -> None:
        """Raise LinealError unless what would be replaced is ours and as we wrote it."""
        if not self.path.exists():
            return
        if not self._is_ours():
            raise self._refusal("isn't lineal's")
        changed = sorted(wanted.keys() - self._unchanged(wanted))
        if changed:
            raise self._refusal(f"holds files that were changed: {', '.join(changed)}")

    def put(self, wanted: Mapping[str, bytes]) -> None:
        """Make the copy these files; what others added stays, what only an earlier copy had goes.
        A client that looks meanwhile finds no plugin, or a whole one of the same name."""
        stale = self._unchanged(wanted) - wanted.keys()
        record = [(WRITTEN, _record(wanted))]
        # First where there is none: what is broken off is then known as ours all the same.
        first = record if self._read(WRITTEN) is None else []
        for name, content in (*first, *sorted(wanted.items(), key=_mark_last), *record):
            if self._read(name) != content:
                self._write(name, content)
        for name in stale:
            self._take_out(name)

    def kept(self) -> tuple[str, ...]:
        """Names of the files that removing it would leave: changed since, or added by others."""
        return tuple(sorted({*_names(self.path)} - {WRITTEN, *self._unchanged({})}))

    def remove(self) -> tuple[str, ...]:
        """Take out the files that we wrote. Returns the names of those that stay."""
        kept = self.kept()
        for name in sorted(self._unchanged({}), key=_mark_last, reverse=True):
            self._take_out(name)
        self._take_out(WRITTEN)
        return kept

    def _unchanged(self, wanted: Mapping[str, bytes]) -> set[str]:
        """Files that aren't there, are as we wrote them, or are already as wanted."""
        written = self._written()
        names = [*written, *wanted]
        found = {name: self._read(name) for name in names}
        return {
            name
            for name, content in found.items()
            if content is None or _hash(content) == written.get(name) or content == wanted.get(name)
        }

    def _written(self) -> dict[str, str]:
        """Name → hash of what we wrote; of a copy made by hand, what we ship."""
        record = self._read(WRITTEN)
        if record is None:
            shipped = _shipped(files("lineal.plugins") / "claude-code")
            return {name: _hash(content) for name, content in shipped}
        try:
            listed = json.loads(record)["files"].items()
            return {name: told for name, told in listed if _is_plain(name)}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _is_ours(self) -> bool:
        content = self._read(MARK)
        if content is None:
            return self._read(WRITTEN) is not None
        try:
            mark = json.loads(content)
        except ValueError:
            return False
        return isinstance(mark, dict) and mark.get("name") == ENTRY

    def _read(self, name: str) -> bytes | None:
        """A file's content; None if it isn't there."""
        try:
            return self._real(name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as failure:
            raise unfit(self.path / name, f"can't be read ({failure})") from failure

    def _write(self, name: str, content: bytes) -> None:
        try:
            target = self._real(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, content, self._mode)
        except OSError as failure:
            raise unfit(self.path / name, f"can't be written ({failure})") from failure

    def _take_out(self, name: str) -> None:
        path = self._real(name)
        try:
            if path.exists():
                taken_out(path, self._root.resolve())
        except OSError as failure:
            raise unfit(path, f"can't be removed ({failure})") from failure

    def _real(self, name: str) -> Path:
        """Nothing is written through a link in the copy: it may lead to the shipped plugin."""
        real = within(self.path / name, self._root)
        if real != self.path.parent.resolve() / self.path.name / name:
            raise unfit(self.path / name, f"is a link, to {real}")
        return real

    def _refusal(self, why: str) -> LinealError:
        return LinealError.conflict(
            f"{self.path} {why}. Nothing was written; --force replaces what differs.",
            path=str(self.path),
        )


def _record(wanted: Mapping[str, bytes]) -> bytes:
    return _text({"files": {name: _hash(content) for name, content in wanted.items()}})


def _shipped(directory: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for item in directory.iterdir():
        name = above + item.name
        if item.is_dir():
            yield from _shipped(item, f"{name}/")
        else:
            yield name, item.read_bytes()


def _names(directory: Path) -> Iterator[str]:
    """Every file's path below the directory; () if there is none."""
    yield from (p.relative_to(directory).as_posix() for p in directory.rglob("*") if not p.is_dir())


def _mark_last(named: tuple[str, bytes] | str) -> tuple[bool, str]:
    name = named if isinstance(named, str) else named[0]
    return (name == MARK, name)


def _is_plain(name: str) -> bool:
    """Whether a path stays in its directory."""
    return not name.startswith("/") and ".." not in Path(name).parts and not Path(name).drive


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
