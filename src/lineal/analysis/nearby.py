"""Spellings one slip away from a word."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["LETTERS_MAX", "LETTERS_MIN", "NEAR_MAX", "spellings"]

LETTERS_MIN = 4
"""A shorter word has too many neighbours that are words of their own."""

LETTERS_MAX = 24
"""A longer one is no word that somebody mistyped."""

NEAR_MAX = 800
"""Terms for one word. A word of ten letters has about so many; in a longer one the rarest letters
are left out."""

_BY_USE = "etaoinsrhldcumfpgwybvkxjqz0123456789"
"""Letters, the commonest in English first; digits are hit by accident."""


def spellings(word: str) -> Iterator[str]:
    """Each spelling one slip away, the likeliest first: a letter lost, two swapped (with at most
    two between them: bycicle), then one wrong or one too many. Some come twice, and the word itself
    may."""
    places = range(len(word))
    yield from (word[:at] + word[at + 1 :] for at in places)
    for apart in (1, 2, 3):
        yield from (_swapped(word, at, at + apart) for at in places[:-apart])
    for letter in _BY_USE:
        yield from (word[:at] + letter + word[at + 1 :] for at in places)
        yield from (word[:at] + letter + word[at:] for at in range(len(word) + 1))


def _swapped(word: str, one: int, other: int) -> str:
    return word[:one] + word[other] + word[one + 1 : other] + word[one] + word[other + 1 :]
