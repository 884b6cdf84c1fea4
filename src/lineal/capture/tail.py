"""Following a file that others append to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["Tail"]

CHUNK_BYTES = 262_144
LINE_BYTES_MAX = 16_000_000
"""A longer line is passed over."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class Tail:
    """Whole lines of a file as they come, each once.

    Of a file that is there already only the last `start_bytes` are read. A file that was replaced
    or cut short is read from its beginning; what is left of the one before is read first if it is
    said to be `put_aside`. What can't be read has no lines.
    """

    def __init__(
        self, path: Path, *, start_bytes: int | None = None, put_aside: bool = False
    ) -> None:
        self.path = path
        self.turns = 0
        self._put_aside = put_aside
        self._start_bytes = start_bytes
        self._file: int | None = None
        self._at = 0
        self._parts: list[bytes] = []
        self._passing_over = False
        self._more = False
        self._id = (0, 0)

    def lines(self, bytes_max: int) -> list[bytes]:
        """New lines of one file, of at most about bytes_max; see `behind` for whether there are
        more. `turns` counts the files begun: where it has grown, these are another file's."""
        found: list[bytes] = []
        left = self._follow()
        while left > 0 and bytes_max > 0 and (chunk := self._read(left)):
            left -= len(chunk)
            bytes_max -= len(chunk)
            self._cut(chunk, found)
        self._more = self._more or left > 0
        return found

    def behind(self) -> bool:
        """Whether there was more than was read, in this file or the next."""
        return self._file is not None and self._more

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _cut(self, chunk: bytes, found: list[bytes]) -> None:
        """Add the lines that end in a chunk; keep the beginning of the next."""
        first, *rest = chunk.split(b"\n")
        self._parts.append(first)
        if rest:
            if not self._passing_over:
                found.append(b"".join(self._parts))
            found += rest[:-1]
            self._parts, self._passing_over = [rest[-1]], False
        elif sum(map(len, self._parts)) > LINE_BYTES_MAX:
            self._parts, self._passing_over = [], True

    def _follow(self) -> int:
        """How many bytes there are to read on: of the file that has the path, or of what is left
        of the one that had its name."""
        self._more = False
        if self._file is None:
            return self._open()
        named = self._named()
        if named is not None and named[:2] == self._id and named[2] >= self._at:
            return named[2] - self._at
        left = os.fstat(self._file).st_size - self._at
        if named is None or (self._put_aside and left > 0):
            self._more = named is not None
            return max(0, left)
        self.close()
        return self._open()

    def _named(self) -> tuple[int, int, int] | None:
        """The file that has the path now, and its size."""
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return None
        return (found.st_dev, found.st_ino, found.st_size)

    def _open(self) -> int:
        """The bytes that are to be read of the file that has the path; 0 without one."""
        try:
            self._file = os.open(self.path, _FLAGS)
        except (OSError, ValueError):
            return 0
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            return 0
        size, self._id = found.st_size, (found.st_dev, found.st_ino)
        skipped = 0 if self._start_bytes is None else max(0, size - self._start_bytes)
        self._parts, self._start_bytes = [], None
        self._at, self._passing_over = skipped, skipped > 0
        self.turns += 1
        return size - skipped

    def _read(self, left: int) -> bytes:
        if self._file is None:
            return b""
        try:
            os.lseek(self._file, self._at, os.SEEK_SET)
            chunk = os.read(self._file, min(left, CHUNK_BYTES))  # room for more costs time
        except OSError:
            self.close()
            return b""
        self._at += len(chunk)
        return chunk
