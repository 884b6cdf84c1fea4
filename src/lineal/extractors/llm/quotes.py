"""Where in a text a quote stands, also when it was copied with other spaces, case or marks."""

from __future__ import annotations

import unicodedata
from functools import cached_property

__all__ = ["Passages", "folded"]

TRIES_MAX = 100
"""Places looked at for one quote: a single letter stands in the middle of many words."""

_MARKS = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | {"\u2026": "..."}
)


class Passages:
    """A text, folded at most once, in which quotes are looked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    def place_of(self, quote: str) -> tuple[int, int] | None:
        """[start, end) in code points of the text, which then says it; None: it doesn't.

        Exact first, then folded. Never in the middle of a word: "man" doesn't stand in "woman".
        """
        quote = quote.strip()
        if not any(map(str.isalnum, quote)):
            return None
        return _within(quote, self.text) or self._within_folded(quote)

    def _within_folded(self, quote: str) -> tuple[int, int] | None:
        haystack, places = self._folded
        found = _within(folded(quote).strip(), haystack)
        return (places[found[0]], places[found[1] - 1] + 1) if found else None

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        return _fold(self.text)


def folded(text: str) -> str:
    """Compatibility forms, case, quotation marks and dashes made one; white space as one space."""
    return _fold(text)[0]


def _within(quote: str, text: str) -> tuple[int, int] | None:
    start = -1
    for _ in range(TRIES_MAX):
        start = text.find(quote, start + 1)
        if start < 0:
            return None
        if not (_joined(text, start) or _joined(text, start + len(quote))):
            return start, start + len(quote)
    return None


def _joined(text: str, at: int) -> bool:
    """Whether a word goes on across this place. Scripts without case write no spaces either, or
    none that could be relied on."""
    return 0 < at < len(text) and _of_a_word(text[at - 1]) and _of_a_word(text[at])


def _of_a_word(character: str) -> bool:
    """Marks belong to the letter before them: an A doesn't stand in an À."""
    is_letter = character.isdigit() or character.lower() != character.upper()
    return is_letter or unicodedata.category(character).startswith("M")


def _fold(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the place it came from."""
    parts: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        part = unicodedata.normalize("NFKD", character.translate(_MARKS)).casefold()
        if part.isspace():
            part = " " if parts and parts[-1] != " " else ""
        if part:
            parts.append(part)
            places += [place] * len(part)
    return "".join(parts), places
