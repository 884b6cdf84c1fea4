"""User rows that a process has lately read or written, so that the next write of the same user need
not fetch and read their JSON again."""

from __future__ import annotations

from collections import OrderedDict

from lineal.models.user import UserRow

__all__ = ["Recent"]

ROWS_MAX = 256
"""Rows remembered; a large one takes some hundred kilobytes."""

Key = tuple[str, str, str]
"""tenant, user_id, domain."""


class Recent:
    """Each with the digest over its body, so that what was rolled back, or written by another
    process, is never taken for what is there."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Key, tuple[bytes, UserRow]] = OrderedDict()

    def digest_of(self, key: Key) -> bytes:
        """Of the remembered row's body; b"" without any."""
        return self._rows.get(key, (b"", None))[0]

    def row(self, key: Key, body_digest: bytes) -> UserRow | None:
        """The row with this very body, if it is remembered."""
        kept = self._rows.get(key)
        return kept[1] if kept is not None and kept[0] == body_digest else None

    def remember(self, key: Key, body_digest: bytes, row: UserRow) -> None:
        """The one longest unused goes first."""
        self._rows[key] = body_digest, row
        self._rows.move_to_end(key)
        while len(self._rows) > ROWS_MAX:
            self._rows.popitem(last=False)
