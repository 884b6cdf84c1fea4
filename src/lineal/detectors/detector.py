"""The detector that is wired in: the library's rules, and ours beside them."""

from __future__ import annotations

import re
from pathlib import Path

from lineal.detectors.assigned import assigned
from lineal.detectors.formats import blocks, tokens
from lineal.detectors.library import Library
from lineal.detectors.plausible import is_placeholder
from lineal.detectors.said import keys
from lineal.detectors.sent import sent
from lineal.models.redaction import Found
from lineal.policy.redaction import apart

__all__ = ["Detector"]

_LONG_WORD = re.compile(
    r"(?<![\w-])(?!(?:ctx|toolu)_[A-Za-z0-9]{8,40}(?![\w-]))[\w-]{16}", re.ASCII
)
"""No token of a known format is shorter."""

_TOKEN_LIKE = re.compile(
    r"(?<![\w-])(?!(?:ctx|toolu)_[A-Za-z0-9]{8,40}(?![\w-]))"
    r"(?=[\w-]*[A-Za-z])(?=[\w-]*\d)[\w-]{16}"
    r"|(?<![\w+/])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{38}",
    re.ASCII,
)
"""Long, of letters and digits: a text without such a word never loads the library."""

_ID = re.compile(
    r"(?:ctx|toolu|call|msg|req)_[A-Za-z0-9]{1,40}|[0-9a-f]{7,64}"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-\d\d"
)
"""What is an id from end to end: our own, a tool call's, a digest, a UUID, a trace parent."""


class Detector:
    """Finds credentials in a text. cache_dir: where the library keeps its compiled rules."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._library = Library(cache_dir)

    def find(self, text: str) -> tuple[Found, ...]:
        """The secrets of a text in order, none overlapping another; () if there are none."""
        if _ID.fullmatch(text):
            return ()
        found: list[Found] = []
        if _LONG_WORD.search(text):
            found += tokens(text)
            found += blocks(text)
            found += keys(text)
        if _TOKEN_LIKE.search(text):
            found += self._library.scan(text)
        found += sent(text)
        found += assigned(text)
        return apart(one for one in found if not is_placeholder(text[one.start : one.end]))

    def warm(self) -> None:
        """Load what the first long word would load. Slow; from whatever thread."""
        self._library.warm()
