"""WordPiece: a text as the numbers of word pieces that a BERT model was trained on.

The vocabulary, bert_base_uncased.txt, is that of bert-base-uncased by the Google AI Language Team,
Apache-2.0, unchanged: one piece a line, its number the line's.
sha256 07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from itertools import chain, islice

__all__ = ["WordPiece", "vocabulary"]

UNKNOWN, START, END = 100, 101, 102
"""The pieces [UNK], [CLS] and [SEP]."""

SPECIAL = 999
"""Below it lie [PAD], the three above, [MASK] and places that were never used."""

LETTERS_MAX = 100
"""A longer word is unknown as a whole; so the model was trained."""

_DROPPED = frozenset({"Mn", "Cc", "Cf", "Co", "Cs"})
"""Accents, and what can't be seen. Unassigned characters stay: which those are, changes."""

_SPACED = re.compile(r"[^\t\n\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_ASCII = re.compile(r"[a-z0-9]+|[^a-z0-9]")
_IDEOGRAPHS = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)
"""The blocks of Chinese characters, first and last; each character is a word."""


def vocabulary() -> tuple[str, ...]:
    """The 30,522 pieces in the order of their numbers; those within a word begin with "##"."""
    text = files(__package__).joinpath("bert_base_uncased.txt").read_bytes().decode()
    # Not splitlines: some pieces are characters that it takes for ends of lines.
    return tuple(text.replace("\r\n", "\n").removesuffix("\n").split("\n"))


class WordPiece:
    """Lower case, no accents, punctuation and Chinese characters alone, the longest match first.

    Differs from the reference in one thing on purpose: "[SEP]" in a text is a bracket, three
    letters and a bracket, so that no stored text can pose as the model's own marks.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self._ids = {piece: number for number, piece in enumerate(pieces) if number >= SPECIAL}
        self._longest = max(map(len, pieces))
        self.wordless = frozenset(
            {UNKNOWN} | {n for piece, n in self._ids.items() if not _says(piece)}
        )
        """The numbers of pieces without a letter or digit, and of the unknown."""

    def encode(self, text: str, tokens_max: int) -> list[int]:
        """[CLS], at most tokens_max - 2 pieces of the text, [SEP]; reads no further than it must.

        [] for a text in which the vocabulary knows no word: all such texts would look alike.
        """
        found = chain.from_iterable(map(self._pieces, _words(text)))
        ids = list(islice(found, tokens_max - 2))
        return [START, *ids, END] if not self.wordless.issuperset(ids) else []

    def numbers(self, words: Iterable[str]) -> frozenset[int]:
        """Of those words that are one piece."""
        return frozenset(self._ids[word] for word in words if word in self._ids)

    def _pieces(self, word: str) -> list[int]:
        whole = self._ids.get(word)
        if whole is not None:
            return [whole]
        if len(word) > LETTERS_MAX:
            return [UNKNOWN]
        return self._parts(word)

    def _parts(self, word: str) -> list[int]:
        """The longest known beginning, then the longest that goes on from there, to the end."""
        ids: list[int] = []
        at = 0
        while at < len(word):
            mark = "##" if at else ""
            ends = range(min(len(word), at + self._longest), at, -1)
            end = next((end for end in ends if mark + word[at:end] in self._ids), 0)
            if not end:
                return [UNKNOWN]
            ids.append(self._ids[mark + word[at:end]])
            at = end
        return ids


def _says(piece: str) -> bool:
    return any(char.isalnum() for char in piece)


def _words(text: str) -> Iterator[str]:
    for found in _SPACED.finditer(text):
        chunk = found.group()
        if chunk.isascii() and chunk.isprintable():
            yield from _ASCII.findall(chunk.lower())
        else:
            yield from _unicode_words(chunk)


def _unicode_words(chunk: str) -> Iterator[str]:
    word = ""
    for char in unicodedata.normalize("NFD", chunk):
        category = unicodedata.category(char)
        if category in _DROPPED or char == "\ufffd":
            continue
        if category[0] == "P" or char in string.punctuation or _is_ideograph(char):
            yield from filter(None, (word, char))
            word = ""
        else:
            word += char.lower()
    yield from filter(None, (word,))


def _is_ideograph(char: str) -> bool:
    # Nothing below the first block needs the search.
    return char >= "\u3400" and any(a <= ord(char) <= b for a, b in _IDEOGRAPHS)
