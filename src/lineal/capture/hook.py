"""`lineal hook <client>`: one event from stdin into the session's ledger, and out again.

It runs at every tool use of an agent, so it imports next to nothing, and whatever happens it ends
with status 0 and says nothing on stdout that could be taken for a decision: a memory must never
break an agent's tool call.
"""

from __future__ import annotations

import os
import sys
import time

from lineal.canonical import parsed
from lineal.capture import ledgers, told

__all__ = ["main"]

INPUT_BYTES_MAX = 4_000_000
"""A longer event (a tool's whole output) isn't kept to its end, and so not understood."""


ANSWERS = {"cursor": b"{}\n"}
"""What a client wants to hear from a hook that has nothing to say: some versions of Cursor take
silence for a broken one. Claude Code shows what is said at a session's start to its model."""


def main(arguments: list[str]) -> int:
    """arguments: CLIENT [--home DIR]. Always 0; with LINEAL_LOG_LEVEL=debug it says on stderr what
    went wrong."""
    try:
        _hear(arguments)
    # A full disk, a closed pipe, a defect: none of the agent's business.
    except Exception as failure:
        if os.environ.get("LINEAL_LOG_LEVEL", "").lower() == "debug" and sys.stderr:
            _say(2, f"lineal hook: {failure!r}\n".encode("utf-8", "replace"))
    if sys.stdout:
        _say(1, ANSWERS.get(arguments[0] if arguments else "", b""))
    return 0


def _say(stream: int, what: bytes) -> None:
    """At once, so that nothing is left to fail at the end."""
    try:
        os.write(stream, what)
    except OSError:
        return


def _hear(arguments: list[str]) -> None:
    home = arguments[2] if arguments[1:2] == ["--home"] and len(arguments) > 2 else None
    read = told.CLIENTS.get(arguments[0]) if arguments else None
    event = parsed(_input().decode("utf-8", "replace"))
    if read is None or not isinstance(event, dict) or os.environ.get("LINEAL_CAPTURE") == "off":
        return
    record = read(event, time.time_ns() // 1_000_000)
    if record is not None:
        session = str(record["session"])
        ledgers.append(home or _home(), arguments[0], session, told.line_of(record))


def _input() -> bytes:
    """All that is there: a client that still writes when nobody reads any more has an error."""
    parts, size = [], 0
    while part := os.read(0, 65_536):
        size += len(part)
        if size <= INPUT_BYTES_MAX:
            parts.append(part)
    return b"".join(parts)


def _home() -> str:
    """The data directory as the settings find it, without what they import; a test holds the two
    together."""
    configured = os.environ.get("LINEAL_HOME")
    if configured:
        return os.path.expanduser(configured)
    xdg = os.environ.get("XDG_DATA_HOME", "")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or _at_home(r"~\AppData\Local")
    elif os.path.isabs(xdg):
        base = xdg
    elif sys.platform == "darwin":
        base = _at_home("~/Library/Application Support")
    else:
        base = _at_home("~/.local/share")
    return os.path.join(base, "lineal")


def _at_home(path: str) -> str:
    """With the user's directory for the ~; HOME counts only where it can be one. Raises
    ValueError or KeyError if there is none: nothing goes where the agent happens to work."""
    if sys.platform != "win32" and not os.path.isabs(os.environ.get("HOME", "/")):
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir + path[1:]
    found = os.path.expanduser(path)
    if not os.path.isabs(found):
        raise ValueError("no home directory")
    return found
