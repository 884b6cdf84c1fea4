"""The store's files: where they may lie, whose they are, and whether they are still the same."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from lineal.errors import LinealError
from lineal.stores.sqlite import trouble

__all__ = ["MOUNTS", "StoreFiles", "network_filesystem"]

MOUNTS = Path("/proc/self/mounts")
"""Linux's table of mounts; where there is none, nothing can be told and nothing is refused."""

_NETWORK = frozenset(
    [
        "nfs",
        "nfs3",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ncpfs",
        "ceph",
        "gfs2",
        "ocfs2",
        "glusterfs",
        "lustre",
        "beegfs",
        "davfs",
        "virtiofs",
        "vboxsf",
        "vmhgfs",
    ]
)
_OCTAL = re.compile(r"\\([0-7]{3})")


class _Identity(NamedTuple):
    device: int
    inode: int


class StoreFiles:
    """The database, and beside it `.queue` (whose turn it is) and `.id` (that a store was made).

    The database's own files (and -wal, -shm) are looked at with stat only: opening and closing one
    of them anywhere in this process would drop SQLite's locks on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.queue = self._beside(".queue")
        self.marker = self._beside(".id")
        self.wal = self._beside("-wal")
        self._identity: _Identity | None = None

    def prepare(self, to_write: bool, *, allow_network_fs: bool, mounts: Path) -> None:
        """Raises LinealError for a place that isn't safe; to write, makes a missing directory."""
        parent = self.path.parent
        if to_write:
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_foreign_owner(parent)
        self._refuse_links()
        if not allow_network_fs:
            _refuse_network(parent, mounts)

    def made(self) -> bool:
        """Whether a store was made here and its file is still there."""
        return self.marker.exists() and self.path.exists() and self.path.stat().st_size > 0

    def writable(self) -> bool:
        """Whether both the file (if there is one) and its directory can be written."""
        if self.path.parent.exists() and not self.directory_writable():
            return False
        return not self.path.exists() or os.access(self.path, os.W_OK)

    def directory_writable(self) -> bool:
        return os.access(self.path.parent, os.W_OK | os.X_OK)

    def has_wal(self) -> bool:
        return self.wal.exists()

    def wal_bytes(self) -> int:
        try:
            return self.wal.stat().st_size
        except FileNotFoundError:
            return 0

    def refuse_emptied(self) -> None:
        """No database, or an empty one, where a store was made: a lost store, not a new one."""
        size = self.path.stat().st_size if self.path.exists() else None
        if size or not self.marker.exists():
            return
        what = "is missing" if size is None else "is empty"
        raise LinealError.unavailable(
            f"The store's file '{self.path}' {what}, but a store was made here before. Restore a "
            f"backup, or put it back; to start anew instead, remove '{self.marker}' and what lies "
            "beside it under the same name.",
            retryable=False,
            path=str(self.path),
        )

    def mark(self, store_id: str, made_at: str) -> None:
        """Note beside the database that a store was made, replacing a stale note."""
        text = json.dumps({"store_id": store_id, "created_at": made_at})
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self.marker, flags, 0o600), "w") as file:
            file.write(text + "\n")

    def remember(self) -> None:
        """Take the file that is there now as the one that is open."""
        self._identity = self._identify()

    def require_same(self) -> None:
        """Raises LinealError when the path no longer leads to the open file."""
        if self._identify() != self._identity:
            raise trouble.moved(str(self.path))

    def _identify(self) -> _Identity | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return _Identity(found.st_dev, found.st_ino)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _refuse_links(self) -> None:
        for path in (self.path, self.queue, self.marker):
            if path.is_symlink():
                raise LinealError.unavailable(
                    f"'{path}' is a symbolic link; name the store's real file instead.",
                    retryable=False,
                    path=str(path),
                )


def _refuse_foreign_owner(parent: Path) -> None:
    """Another user's directory could swap the file under us. root's is fine, and root may go
    anywhere: containers run as root on mounted homes."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return
    owner = parent.stat().st_uid
    if owner not in (0, os.geteuid()):
        raise LinealError.unavailable(
            f"The directory '{parent}' belongs to another user (uid {owner}). "
            "Keep the store in a directory of your own.",
            retryable=False,
            path=str(parent),
        )


def _refuse_network(parent: Path, mounts: Path) -> None:
    if not mounts.exists():
        return
    kind = network_filesystem(parent.resolve(), mounts.read_text("utf-8", "surrogateescape"))
    if kind is not None:
        raise LinealError.unavailable(
            f"The directory '{parent}' is on a network file system ({kind}), where SQLite's locks "
            "can't be trusted. Use a local directory, or set LINEAL_ALLOW_NETWORK_FS=true if only "
            "one machine opens it.",
            retryable=False,
            path=str(parent),
            filesystem=kind,
        )


def network_filesystem(path: Path, table: str) -> str | None:
    """The file system's type if machines share it; table: the text of /proc/self/mounts."""
    best, kind = Path(), ""
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(_OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[1]))
        if path.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    shared = kind in _NETWORK or kind == "fuse" or kind.startswith("fuse.")
    return kind if shared else None
