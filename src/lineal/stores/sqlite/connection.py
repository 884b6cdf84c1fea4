"""How a connection to the store's file is made: a safe library, WAL, bounds and private files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import quote

import apsw

from lineal.errors import LinealError

__all__ = [
    "Durability",
    "backup_target",
    "engine_name",
    "reader",
    "require_safe_library",
    "use_wal",
    "writer",
]

Durability = Literal["full", "normal"]

_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""First releases without the WAL-reset bug (3.7.0 – 3.51.2), which can corrupt a WAL file that
several processes share; the older two are backports within their own 3.50.x and 3.44.x."""

WRITER_WAIT_MS = 250
"""One wait for a writer that didn't queue (another tool); the caller's own deadline is longer."""

WAL_PAGES = 1_000
"""Frames after which a commit checkpoints: 4 MB, SQLite's own default."""

WAL_KEPT_BYTES = 16 * 1024 * 1024
CACHE_KIB = 8_192


def require_safe_library(version: str) -> None:
    """Raises LinealError for a SQLite that can corrupt a file shared by processes."""
    found = tuple(int(part) for part in version.split(".")[:3])
    newest = _FIXED[0]
    if found >= newest or any(found[:2] == fix[:2] and found >= fix for fix in _FIXED[1:]):
        return
    raise LinealError.unavailable(
        f"The SQLite library {version} has the WAL-reset bug, which can corrupt a store that "
        "several processes share. Install a newer apsw, whose SQLite is 3.51.3 or later.",
        retryable=False,
        version=version,
    )


def engine_name() -> str:
    return f"SQLite {apsw.sqlite_lib_version()} (apsw {apsw.apsw_version()})"


def writer(path: Path, like: Path, durability: Durability) -> apsw.Connection:
    """The connection that writes. A new file and its -wal and -shm get `like`'s mode."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(f"{path.as_uri()}?modeof={quote(str(like))}", flags=flags)
    connection.set_busy_timeout(WRITER_WAIT_MS)
    _restrain(connection)
    synchronous = "FULL" if durability == "full" else "NORMAL"
    connection.pragma("synchronous", synchronous)
    connection.pragma("secure_delete", "ON")
    connection.pragma("foreign_keys", "ON")
    connection.pragma("journal_size_limit", WAL_KEPT_BYTES)
    connection.wal_autocheckpoint(WAL_PAGES)
    return connection


def reader(path: Path, *, busy_timeout_s: float, immutable: bool = False) -> apsw.Connection:
    """A connection that can't write. immutable: nobody can, so no lock and no -shm is needed."""
    uri = path.as_uri() + ("?immutable=1" if immutable else "")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(uri, flags=flags)
    connection.set_busy_timeout(int(busy_timeout_s * 1000))
    _restrain(connection)
    connection.pragma("query_only", "ON")
    return connection


def backup_target(path: Path) -> apsw.Connection:
    """What a copy is written through; the file is there already, private and empty."""
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)


def use_wal(connection: apsw.Connection) -> None:
    """Switch to the write-ahead log, if the file doesn't use it yet. Needs the queue's turn."""
    if connection.pragma("journal_mode") != "wal":
        connection.pragma("journal_mode", "wal")


def _restrain(connection: apsw.Connection) -> None:
    """No memory map (an I/O error there is a signal), no temporary files with content, no
    trust in what a damaged or foreign schema may hold."""
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.pragma("mmap_size", 0)
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("cell_size_check", "ON")
    connection.pragma("cache_size", -CACHE_KIB)
