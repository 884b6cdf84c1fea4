"""The state while going through a text: the flags of each token, and what set them."""

from __future__ import annotations

from enum import IntFlag
from itertools import pairwise

from lineal.extractors.rules import english as en
from lineal.extractors.rules.tokens import Tokens

__all__ = ["ASKED", "DENIED", "HEDGE", "LEFT", "OTHER", "PAST", "QUOTED", "WISH", "Reader", "Scope"]


class Scope(IntFlag):
    """OTHER: somebody else's. DENIED: not so. LEFT: no longer so. WISH: hoped, considered or
    supposed. HEDGE: said with doubt. QUOTED, ASKED: not said as so. PAST: was so."""

    OTHER = 1
    DENIED = 2
    LEFT = 4
    WISH = 8
    HEDGE = 16
    QUOTED = 32
    ASKED = 64
    PAST = 128


OTHER, DENIED, LEFT, WISH, HEDGE, QUOTED, ASKED, PAST = (int(flag) for flag in Scope)


class Reader:
    """The state while going through the words. since: where the sentence began."""

    __slots__ = (
        "flags",
        "marks",
        "moving",
        "own",
        "since",
        "spared",
        "spoken",
        "state",
        "telling",
        "text",
        "words",
    )

    def __init__(self, text: Tokens) -> None:
        self.text = text
        self.words = text.words
        self.flags: list[int] = []
        self.marks: list[tuple[int, int, int]] = []
        self.state = 0
        self.since = 0
        self.spared = 0
        self.spoken = False
        self.own = False
        self.moving = False
        self.telling: bool | None = None

    def word(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else ""

    def is_capital(self, index: int) -> bool:
        """Whether the word begins with a capital letter."""
        return bool(self.word(index)) and self.text.text[self.text.starts[index]].isupper()

    def mark(self, first: int, end: int, flag: int) -> None:
        """Keeps a flag for the tokens [first, end), whether or not they were reached yet."""
        self.marks.append((max(0, first), min(end, len(self.words)), flag))

    def tells_of_self(self) -> bool:
        """Whether "I am", "I live" or the like stands anywhere."""
        if self.telling is None:
            pairs = pairwise(self.words)
            told = en.TELLING | en.FILLERS
            self.telling = any(one == "i" and other in told for one, other in pairs)
        return self.telling

    def ask_from(self, end: int) -> None:
        if self.word(end) == "?" or self.word(end - 1) == "?":
            for index in range(self.since, min(end, len(self.flags))):
                self.flags[index] |= ASKED
