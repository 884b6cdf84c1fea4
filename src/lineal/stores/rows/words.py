"""The words of an entry of the index: 32 bits of each and its counts, so that nothing of a text can
be read from it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from lineal.policy.indexing import Indexed

__all__ = ["HEAD_AT", "OWN_AT", "WORD_BYTES", "hashed", "needle", "packed_words", "unpacked"]

_WORD = struct.Struct("<IBB")
"""A word of an entry: its hash, how often it stands in the text, and over it. A mark has 0, 0."""

WORD_BYTES = _WORD.size
OWN_AT, HEAD_AT = 4, 5
"""Where the counts stand in a word."""


def hashed(term: str) -> int:
    """32 bits of a term or a mark."""
    return zlib.crc32(term.encode("utf-8", "replace"))


def needle(word: int) -> bytes:
    """How an entry's words begin that are this one."""
    return word.to_bytes(4, "little")


def unpacked(words: bytes) -> Iterator[tuple[int, int, int]]:
    """(hash, times in the text, times over it) of each."""
    return _WORD.iter_unpack(words)


def packed_words(kept: Indexed) -> bytes:
    """An entry's words, in an order that the same words always have."""
    pairs = [(hashed(term), own, head) for term, (own, head) in kept.terms.items()]
    pairs += [(hashed(mark), 0, 0) for mark in kept.marks]
    return b"".join(_WORD.pack(*pair) for pair in sorted(pairs))
