"""What goes wrong beneath the store, said once in the house's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from lineal.errors import LinealError
from lineal.stores.rows.damage import damaged

__all__ = [
    "busy",
    "closed",
    "damaged",
    "forked",
    "mapped",
    "moved",
    "of_file",
    "outcome_unknown",
    "read_only",
    "storage_full",
    "translated",
    "with_errno",
]

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DAMAGED_RESULTS = frozenset(
    {
        apsw.SQLITE_IOERR_SHORT_READ,
        apsw.SQLITE_IOERR_CORRUPTFS,
        apsw.SQLITE_IOERR_DATA,
    }
)


def busy(timeout_s: float) -> LinealError:
    return LinealError.unavailable(
        f"The store is busy: another process has been writing for {timeout_s:g} s. "
        "Nothing was written; retry in a moment.",
        timeout_s=timeout_s,
    )


def closed() -> LinealError:
    return LinealError.unavailable("The store is closed; open it first.", retryable=False)


def forked() -> LinealError:
    return LinealError.unavailable(
        "This store was opened before a fork; SQLite can't be shared across one. "
        "Open a new store in this process.",
        retryable=False,
    )


def moved(path: str) -> LinealError:
    return LinealError.unavailable(
        f"The store's file '{path}' was moved or replaced while it was open. "
        "Nothing more is written to it; put it back or restart.",
        retryable=False,
        path=path,
    )


def read_only() -> LinealError:
    return LinealError.unavailable(
        "This is a read-only store: its file or directory can't be written, or it was opened so. "
        "Nothing was written.",
        retryable=False,
    )


def storage_full() -> LinealError:
    return LinealError.unavailable(
        "The storage is full. Free some space, then retry with the same idempotency_key; "
        "what was acknowledged before is safe."
    )


def with_errno(error: Exception, connection: apsw.Connection) -> Exception:
    """The engine's error, knowing the system's: SQLite tells a full disk from a failing one only by
    ENOSPC, not by a quota or a limit on the file's size. To be asked right after the error."""
    if isinstance(error, apsw.IOError):
        error.errno = connection.system_errno  # type: ignore[attr-defined]
    return error


def outcome_unknown(cause: Exception) -> LinealError:
    """A commit that failed may still be on disk (measured: 117 of 434 injected faults)."""
    if isinstance(cause, apsw.FullError) or _out_of_space(cause):
        return storage_full()
    return LinealError.unavailable(
        "The disk failed while the write was being committed, so it may or may not have been kept. "
        "Retry with the same idempotency_key.",
        cause=type(cause).__name__,
        outcome="unknown",
    )


def of_file(error: LinealError, path: str) -> LinealError:
    """The error, naming the file that it is about (E2)."""
    if path in error.message:
        return error
    return LinealError(
        error.code,
        f"{error.message} The store's file is '{path}'.",
        details={**error.details, "path": path},
        retryable=error.retryable,
    )


@contextmanager
def mapped() -> Iterator[None]:
    """Raise what the engine or the file system raises as a LinealError."""
    try:
        yield
    except (apsw.Error, OSError, UnicodeDecodeError) as error:
        raise translated(error) from error


def translated(error: Exception) -> LinealError:
    """The one mapping of apsw.Error, OSError and undecodable text."""
    if isinstance(error, apsw.FullError) or _out_of_space(error):
        return storage_full()
    if isinstance(error, UnicodeDecodeError) or _is_damage(error):
        return damaged("The store")
    if isinstance(error, apsw.BusyError | apsw.LockedError | apsw.ProtocolError):
        return LinealError.unavailable("The store is busy; retry in a moment.")
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError | PermissionError):
        return read_only()
    return LinealError.unavailable(
        f"The store's file can't be used ({type(error).__name__}). "
        "Check the disk and its permissions, then retry.",
        cause=type(error).__name__,
    )


def _is_damage(error: Exception) -> bool:
    # SQLError: a table or column is missing, though the version says that it is there.
    if isinstance(error, apsw.CorruptError | apsw.NotADBError | apsw.SQLError):
        return True
    return getattr(error, "extendedresult", None) in _DAMAGED_RESULTS


def _out_of_space(error: Exception) -> bool:
    return getattr(error, "errno", None) in _NO_SPACE
