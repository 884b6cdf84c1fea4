"""A file system that fails: an error at a chosen write, sync or truncation (apsw VFS)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

__all__ = ["FaultVFS"]


class FaultVFS(apsw.VFS):
    """The default VFS from now on, over the one that was. Made once in a process.

    operations counts every xWrite, xSync and xTruncate. From operation number `fail_at` on, one of
    them (sticky: every one until it is healed) raises `result`, having done nothing.
    """

    def __init__(self) -> None:
        self.operations = 0
        self.fail_at: int | None = None
        self.sticky = False
        self.result: int = apsw.SQLITE_IOERR_WRITE
        self.base: str = apsw.vfs_names()[0]
        super().__init__("lineal-faults", self.base, makedefault=True)

    def arm(self, after: int, *, sticky: bool, result: int) -> None:
        """Fail at the operation that follows `after` more of them."""
        self.fail_at = self.operations + after
        self.sticky = sticky
        self.result = result

    def heal(self) -> None:
        self.fail_at = None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self, name, flags)

    def count(self, work: Callable[[], None]) -> None:
        """Do one operation, or fail instead."""
        self.operations += 1
        if self.fail_at is not None and self.operations > self.fail_at:
            if not self.sticky:
                self.fail_at = None
            raise apsw.exception_for(self.result)
        work()


class _File(apsw.VFSFile):
    def __init__(self, vfs: FaultVFS, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        super().__init__(vfs.base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._vfs.count(lambda: super(_File, self).xWrite(data, offset))

    def xSync(self, flags: int) -> None:
        self._vfs.count(lambda: super(_File, self).xSync(flags))

    def xTruncate(self, size: int) -> None:
        self._vfs.count(lambda: super(_File, self).xTruncate(size))
