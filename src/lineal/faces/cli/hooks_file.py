"""Cursor's hooks.json: our hooks put in or taken out, the others left as they were."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineal.faces.cli.json_file import JsonFile

__all__ = ["EVENTS", "HooksFile", "hooks_document"]

EVENTS = ("beforeSubmitPrompt", "postToolUse", "postToolUseFailure")
"""What lineage needs: where a prompt begins, and each tool use with its id, model, input and
duration. The events before a tool use are left alone on purpose: Cursor asks those hooks for a
decision, and takes a silent one for a refusal of every tool."""

VERSION = 1

_OURS = re.compile(r"\blineal(?:\.exe)?['\"]? hook cursor\b")


class HooksFile:
    """One file of Cursor. root, mode and what is raised: as of a JsonFile."""

    def __init__(self, path: Path, root: Path, mode: int = 0o666) -> None:
        self.path = path
        self._file = JsonFile(path, root, mode)

    def commands(self) -> dict[str, str]:
        """Event → our command there; nothing of others'."""
        found: dict[str, str] = {}
        for event, listed in self._events(self._file.document()).items():
            for hook in filter(_is_ours, listed):
                found.setdefault(event, str(hook["command"]))
        return found

    def put(self, command: str) -> None:
        """Make `command` our one hook of each event; all else keeps its place and value."""
        document = self._file.document()
        self._file.write(self._with(document, command))

    def has(self, command: str) -> bool:
        """Whether putting it in would change nothing."""
        document = self._file.document()
        return self._with(document, command) == document

    def remove(self) -> bool:
        """Take out our hooks and nothing else; False if there were none. Lists and a file that
        held nothing besides go with them."""
        document = self._file.document()
        events = self._events(document)
        if not self.commands():
            return False
        kept = {event: left for event, of in events.items() if (left := _others(of)) or not of}
        if kept or not document.keys() <= {"version", "hooks"}:
            self._file.write({**document, "hooks": kept})
        else:
            self._file.clear()
        return True

    def _with(self, document: dict[str, Any], command: str) -> dict[str, Any]:
        events = self._events(document)
        hooks = {event: left for event, of in events.items() if (left := _others(of)) or not of}
        for event in EVENTS:
            hooks[event] = _put(events.get(event, []), command)
        hooks = {event: hooks[event] for event in (*events, *EVENTS) if event in hooks}
        return {"version": VERSION, **document, "hooks": hooks}

    def _events(self, document: Mapping[str, Any]) -> dict[str, list[Any]]:
        events = document.get("hooks", {})
        if not isinstance(events, dict):
            raise self._file.unfit("holds 'hooks', which is not an object")
        for event, listed in events.items():
            if not isinstance(listed, list):
                raise self._file.unfit(f"holds 'hooks.{event}', which is not a list")
        return dict(events)


def hooks_document(command: str) -> dict[str, Any]:
    """A whole file of nothing but our hooks."""
    return {"version": VERSION, "hooks": {event: [{"command": command}] for event in EVENTS}}


def _put(listed: list[Any], command: str) -> list[Any]:
    """The list with our hook once: where it stood, or else last."""
    ours: dict[str, Any] = next(filter(_is_ours, listed), {})
    place = listed.index(ours) if ours else len(listed)
    wanted = {**ours, "command": command}
    return [*_others(listed[:place]), wanted, *_others(listed[place:])]


def _others(listed: list[Any]) -> list[Any]:
    return [hook for hook in listed if not _is_ours(hook)]


def _is_ours(hook: object) -> bool:
    command = hook.get("command") if isinstance(hook, dict) else None
    return isinstance(command, str) and _OURS.search(command) is not None
