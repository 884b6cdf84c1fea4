"""Where what hooks tell is kept: one small file a session, appended to by whoever hears something.

Standard library only, and little of it, as in told.py.
"""

from __future__ import annotations

import os

from lineal.canonical import digest

__all__ = ["LEDGER_BYTES_MAX", "OLD", "append", "directory", "path_of"]

LEDGER_BYTES_MAX = 1_000_000
"""Some 5,000 events. A fuller file is put aside once; what was aside before is gone."""

OLD = ".old"
LINE_BYTES_MAX = 8_192

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT
_FLAGS |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def directory(home: str) -> str:
    """The ledgers' directory below the data directory."""
    return os.path.join(home, "sessions")


def path_of(home: str, client: str, session: str) -> str:
    """The session's ledger; its name tells nothing of the session."""
    return os.path.join(directory(home), f"{client}-{digest(session)}.jsonl")


def append(home: str, client: str, session: str, line: bytes) -> None:
    """Add one line in one write, so that lines of several processes never mix. Raises OSError."""
    if len(line) > LINE_BYTES_MAX:
        return
    path = path_of(home, client, session)
    try:
        ledger = os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        for place in (home, directory(home)):
            os.makedirs(place, mode=0o700, exist_ok=True)
        ledger = os.open(path, _FLAGS, 0o600)
    try:
        os.write(ledger, line)
        full = os.fstat(ledger).st_size > LEDGER_BYTES_MAX
        if full and os.name == "posix":
            _put_aside(ledger, path)
    finally:
        os.close(ledger)
    if full and os.name != "posix":  # where an open file keeps its name
        os.replace(path, path + OLD)


def _put_aside(ledger: int, path: str) -> None:
    """Once, however many saw that it is full: who comes second finds a new file under its name,
    and what was just put aside mustn't give way to that."""
    import fcntl  # late: once in thousands of events

    fcntl.flock(ledger, fcntl.LOCK_EX)  # until it is closed
    try:
        named = os.stat(path)
    except FileNotFoundError:  # put aside, and nothing was told since
        return
    mine = os.fstat(ledger)
    if (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino):
        os.replace(path, path + OLD)
