"""When two texts say the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = ["content_key"]

_MINUS = re.compile(r"(?<!\w)[-−‒–](?=\d)")
_POINT = re.compile(r"(?<=\d)[.,](?=\d)")
_TELLING = frozenset("%#\u2024")
"""Punctuation that says something: a share, C#, and the point of a number (one dot leader)."""


class _Blanks(dict[int, str]):
    """For str.translate: punctuation, white space and controls to a blank; filled as it is used."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        blank = unicodedata.category(character)[0] in "PZC" and character not in _TELLING
        self[code] = " " if blank else character
        return self[code]


_BLANKS = _Blanks()


def content_key(text: str) -> str:
    """32 hex digits, equal for texts that are equal after NFKC, casefold, and collapsing white
    space and punctuation (A7); a number's sign, point and unit are no punctuation."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    signed = _POINT.sub("\u2024", _MINUS.sub("\u2212", folded))
    words = " ".join(signed.translate(_BLANKS).split()) or folded
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
