"""A consistent copy of the store, made while others write."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import apsw

from lineal.errors import LinealError
from lineal.ports.store import Progress
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.connection import backup_target, reader

__all__ = ["backup"]

PAGES_STEP = 1_000
"""4 MB between two reports of progress."""


def backup(
    source: apsw.Connection, target: Path, progress: Progress | None, stop: threading.Event
) -> int:
    """Copy `source`, as it is at this instant, to `target`, which must not exist; returns bytes.

    Raises LinealError when it exists or the copy isn't sound; what was begun is then removed.
    """
    _make_private(target)
    try:
        _copy(source, target, progress, stop)
        _check(target)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise
    return target.stat().st_size


def _make_private(target: Path) -> None:
    """The empty file, before it is a database: nobody has it open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.close(os.open(target, flags, 0o600))
    except FileExistsError as error:
        raise LinealError.invalid(
            "target", f"'{target}' exists already; name a file that doesn't.", target=str(target)
        ) from error
    except FileNotFoundError as error:
        raise LinealError.invalid(
            "target", f"The directory of '{target}' doesn't exist; make it first."
        ) from error


def _copy(
    source: apsw.Connection, target: Path, progress: Progress | None, stop: threading.Event
) -> None:
    """In steps, inside one read transaction: a write between two steps starts nothing over."""
    copy = backup_target(target)
    source.execute("BEGIN")
    try:
        source.execute("SELECT count(*) FROM meta").fetchall()
        with copy.backup("main", source, "main") as steps:
            while not steps.done and not stop.is_set():
                steps.step(PAGES_STEP)
                if progress is not None:
                    progress(steps.page_count - steps.remaining, steps.page_count)
    finally:
        source.execute("ROLLBACK")
        copy.close()
    if stop.is_set():
        raise LinealError.unavailable("The backup was stopped.")


def _check(target: Path) -> None:
    """Nobody else has the copy yet, so it can be read without locks and without a log."""
    copy = reader(target.absolute(), busy_timeout_s=1.0, immutable=True)
    try:
        found = copy.execute("PRAGMA quick_check(1)").fetchall()
    finally:
        copy.close()
    if found != [("ok",)]:
        raise trouble.damaged(f"The copy '{target}'")
