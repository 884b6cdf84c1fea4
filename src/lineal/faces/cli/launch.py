"""How a client starts us: our server, and what takes down an event of a hook."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

from pydantic import Field

from lineal.models.base import Model

__all__ = ["Launch", "command_line", "hook_launch", "launch_of", "server_launch"]

_PLAIN_ON_WINDOWS = re.compile(r"[\w.:\\/=+-]+")
_WORD_ON_WINDOWS = re.compile(r"'((?:[^']|'')*)'|(\S+)")


class Launch(Model):
    """A command that works without a shell, a PATH or an activated environment."""

    command: str
    args: tuple[str, ...]
    env: dict[str, str] = Field(default_factory=dict)


def server_launch(**env: str) -> Launch:
    """`lineal serve` by the script beside this Python, or by this Python if there is none."""
    return _launch("serve").model_copy(update={"env": env})


def hook_launch(client: str, home: str | None) -> Launch:
    """`lineal hook CLIENT`, in the same way. home: the data directory, if not the usual one: a hook
    is given none of the server's environment."""
    return _launch("hook", client, *(() if home is None else ("--home", home)))


def command_line(launch: Launch, *, windows: bool = os.name == "nt") -> str:
    """The command as one line for the shell that a client hands it to.

    On Windows that shell is PowerShell, where a quoted path is only a text unless it is called.
    """
    words = (launch.command, *launch.args)
    if not windows:
        return shlex.join(words)
    line = " ".join(map(_for_powershell, words))
    return line if line.startswith(launch.command) else f"& {line}"


def launch_of(line: str, *, windows: bool = os.name == "nt") -> Launch:
    """The command that such a line is. Raises ValueError where it is none."""
    if windows:
        found = _WORD_ON_WINDOWS.findall(line.removeprefix("& "))
        words = [plain or quoted.replace("''", "'") for quoted, plain in found]
    else:
        words = shlex.split(line)
    if not words:
        raise ValueError("it is empty")
    return Launch(command=words[0], args=tuple(words[1:]))


def _for_powershell(word: str) -> str:
    return word if _PLAIN_ON_WINDOWS.fullmatch(word) else "'" + word.replace("'", "''") + "'"


def _launch(*words: str) -> Launch:
    python = Path(sys.executable).absolute()
    script = python.with_name("lineal.exe" if os.name == "nt" else "lineal")
    if script.is_file():
        return Launch(command=str(script), args=words)
    # -P: the client's working directory must not be imported from.
    return Launch(command=str(python), args=("-P", "-m", "lineal", *words))
