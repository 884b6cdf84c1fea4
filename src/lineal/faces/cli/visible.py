"""Stored text made safe to show: what a terminal would obey or hide is written out instead."""

from __future__ import annotations

import unicodedata

__all__ = ["visible", "visible_line"]

_LAYOUT = "\n\t"

# Letters and marks that draw nothing, though Unicode doesn't class them as format characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0")

_HIDING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls (ANSI escapes begin with one), bidi, zero width, tags, lone surrogates, separators."""


def visible(text: str) -> str:
    """The text with every hidden character as an escape such as \\x1b; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def visible_line(text: str, most: int | None = None) -> str:
    """The same on one line, at most `most` characters."""
    line = visible(" ".join(text.split()))
    return line if most is None or len(line) <= most else line[: most - 1].rstrip() + "…"


def _shown(character: str) -> str:
    return _escape(ord(character)) if _hides(character) else character


def _hides(character: str) -> bool:
    if character in _LAYOUT:
        return False
    # The selectors past the sixteen of emoji carry bytes that nobody sees.
    smuggles = 0xE0000 <= ord(character) <= 0xE0FFF
    return smuggles or character in _BLANK or unicodedata.category(character) in _HIDING


def _escape(point: int) -> str:
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
