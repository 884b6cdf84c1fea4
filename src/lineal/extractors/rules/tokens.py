"""A text as tokens: lower case, contractions taken apart, each with its place."""

from __future__ import annotations

import re

from lineal.extractors.rules.english import listed

__all__ = ["DOT", "SEPARATORS", "STOPS", "Tokens", "tokens"]

_TOKEN = re.compile(
    r"""[a-z]+(?=[ ,])
    |https?://\S{1,500}|[\w.+-]{1,64}@[\w-]{1,64}\.\w{2,20}
    |(?:e\.g|i\.e|approx|mrs?|dr|st|vs)\.(?=\s)
    |(?:ph\.d|b\.sc|m\.sc|b\.tech|m\.tech|b\.a|m\.a|b\.s|m\.s|b\.e|m\.b\.a|u\.s|u\.k|d\.c|n\.y)\.?(?!\w)
    |[^\W\d_]{1,40}\.(?:js|io|net)(?!\w)|\.net(?!\w)
    |[a-z]&[a-z](?!\w)
    |\d{1,3}(?:[,.]\d{3}){1,3}(?![\d.,]*\d)|\d{1,12}(?:\.\d{1,4})?(?!\d)|\d+
    |[^\W\d_]+(?:'[^\W\d_]+)?(?:\d+[^\W_]*|\+\+|\#)?(?!\w)|[^\W_]+
    |\r?\n|_+|[^\w\s]""",
    re.X,
)

_JOINED = re.compile(r"(?<=\w)[-‐‑](?=\w)")
"""A hyphen within a word: "long-term" is read like "long term"."""

_ENDINGS = {"n't": "not", "'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would"}

_PLAIN = {
    "dont": ("do", "not"),
    "doesnt": ("does", "not"),
    "didnt": ("did", "not"),
    "isnt": ("is", "not"),
    "arent": ("are", "not"),
    "wasnt": ("was", "not"),
    "wont": ("will", "not"),
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "havent": ("have", "not"),
    "hasnt": ("has", "not"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "id": ("id",),
    "wanna": ("want", "to"),
    "gonna": ("going", "to"),
    "gotta": ("have", "to"),
    "ain't": ("am", "not"),
    "let's": ("let", "us"),
    "thats": ("that", "is"),
}

_IS = frozenset(listed("it that there what who he she here where how everything"))

DOT = "․"
STOPS = frozenset(".!?;\n…")
SEPARATORS = STOPS | frozenset(',:()·|/-–—•*+&[]="“”~#→')


class Tokens:
    """words: (n,) lower case. starts, ends: (n,) code points in `text`, as it was handed in.
    numbers: what was read at a token, kept since several phrases ask for it."""

    __slots__ = ("ends", "numbers", "starts", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.words: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.numbers: dict[int, object] = {}

    def span(self, first: int, end: int) -> tuple[int, int]:
        """Code points of the tokens [first, end)."""
        return self.starts[first], self.ends[end - 1]

    def opens(self, index: int) -> bool:
        """Whether a fragment begins here: after a separator, or with the text."""
        return index == 0 or self.words[index - 1] in SEPARATORS

    def closes(self, index: int) -> bool:
        """Whether a fragment ends before this token."""
        return index >= len(self.words) or self.words[index] in SEPARATORS


def tokens(text: str) -> Tokens:
    """The tokens of a text, in order. A contraction's parts share its place."""
    found = Tokens(text)
    words, starts, ends = found.words, found.starts, found.ends
    lowered = _lowered(text)
    for match in _TOKEN.finditer(lowered):
        word = match.group()
        start, end = match.span()
        if "'" in word or word in _PLAIN:
            for part in _parts(word):
                words.append(part)
                starts.append(start)
                ends.append(end)
        elif word != "-" or not _JOINED.match(lowered, start):
            words.append(_mark(word, text, end))
            starts.append(start)
            ends.append(end)
    return found


def _lowered(text: str) -> str:
    """Lower case with straight quotes, code point by code point."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return lowered.replace("’", "'").replace("‘", "'")


def _mark(word: str, text: str, end: int) -> str:
    """A dot within "app.py" ends no sentence; that of "B.E." is no part of the word."""
    if len(word) > 3 and word[-1] == "." and "." in word[1:-1]:
        return word[:-1]
    if word == "." and end < len(text) and not (text[end].isspace() or text[end].isupper()):
        return DOT if text[end].isalnum() or text[end] in "/_" else word
    return "\n" if word == "\r\n" else word


def _parts(word: str) -> tuple[str, ...]:
    known = _PLAIN.get(word)
    if known:
        return known
    if word.endswith("n't") and len(word) > 3:
        return word[:-3], "not"
    base, mark, tail = word.partition("'")
    ending = _ENDINGS.get(mark + tail)
    if ending and base:
        return base, ending
    if tail == "s":
        return (base, "is") if base in _IS else (base,)
    return (word,) if mark and tail else (base or word,)
