"""When two texts say the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from lineal.models.changes import Fingerprint
from lineal.policy.sameness import CHARS_MAX, alike, keys, names, skeleton

__all__ = ["content_key", "fingerprint", "same"]

_DASH = re.compile("[−‒–]")
_MARKS = re.compile(
    # An ASCII set in front: it is searched for ten times as fast as one with other dashes.
    r"[.,!#-](?:"
    r"(?<=[.,])(?:(?<=\d.)|(?<![\w.,].))(?=\d)"
    r"|(?<=-)(?<!\w.)(?=[.,]?\d)"
    r"|(?<=!)(?:(?==)|(?<!\w.)(?=[\w(]))"
    r"|(?<=#)(?:(?<=\w.)|(?=\w)))"
)
"""Punctuation that says something: a number's point and sign, `!ready`, C# and #5."""

_TELLING = {".": "\u2024", ",": "\u2024", "-": "\u2212", "!": "\u00ac", "#": "\u266f"}
"""What stands for it: characters that are kept."""

_KEPT = frozenset("%\u2024°☐✗✘✖❌❎👎🚫⛔🙅") | {chr(code) for code in range(0x1F1E6, 0x1F200)}
"""Among what else is a blank: a share, the mark above, refusals, and the letters of flags."""

_DROPPED = frozenset("`´\ufe0e\ufe0f\u20e3") | {chr(code) for code in range(0x1F3FB, 0x1F400)}
"""Quotes that count as symbols; how an emoji looks."""

_STANDS_IN = re.compile(
    r"\b(an?|the|my|is|are|was|feels?|felt|likes?|loves?|and|or|with|to|of|for|no|not) "
    r"([\u2600-\u27bf\U0001f300-\U0001faff])"
)
"""An emoji in a word's place (`I feel 😭`), where leaving it out would change what is said."""

_WIDE = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
_WIDE_GAP = re.compile(f" (?:(?<={_WIDE}.)|(?={_WIDE}))")
"""Chinese and Japanese set no blanks between words; people put some beside figures and Latin."""


class _Blanks(dict[int, str]):
    """For str.translate: punctuation, white space, controls and decoration to a blank; filled as
    it is used."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        blank = category[0] in "PZC" or category == "So"
        drop = character in _DROPPED or (blank and character not in _KEPT)
        self[code] = " " if drop else character
        return self[code]


_BLANKS = _Blanks()


def content_key(text: str) -> str:
    """32 hex digits, equal for texts that are equal after NFKC, casefold, and collapsing white
    space, punctuation and emoji (A7); a number's sign, point and unit are no punctuation."""
    return _key_of(_folded(text))


def fingerprint(text: str) -> Fingerprint:
    """How a text is found again: texts that are the same share content_key or one of keys."""
    folded = _folded(text)
    return Fingerprint(content_key=_key_of(folded), keys=keys(folded))


def same(one: str, other: str) -> bool:
    """Whether one is the other typed again (A7): equal words, but for case, punctuation, emoji,
    spacing, contractions, fillers, articles, and a slip of the finger in a longer word.

    Any other word that differs, is missing or stands elsewhere makes two texts; so does a slip next
    to a changed gap ("data base"). A text of fewer than five words is the same only by its content
    key. Symmetric, not transitive; linear in the lengths.
    """
    first, second = _folded(one), _folded(other)
    if first == second:
        return True
    # Long texts are the same only if they would be found, whatever happens at the ends.
    if max(len(first), len(second)) > CHARS_MAX and set(keys(first)).isdisjoint(keys(second)):
        return False
    return alike(skeleton(first), skeleton(second), lambda: names(one) | names(other))


def _key_of(folded: str) -> str:
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _folded(text: str) -> str:
    """Words and what tells, in lower case, with single blanks; the text itself if none is left."""
    plain = text.isascii()
    folded = text.lower() if plain else _unstyled(text)
    marked = _MARKS.sub(lambda found: _TELLING[found[0]], folded)
    words = marked.translate(_BLANKS)
    while "  " in words:  # halves every run of blanks: sooner done than taking words apart
        words = words.replace("  ", " ")
    words = words.strip(" ")
    asks = " ?" if "?" in folded else ""  # a question says nothing, its answer does
    return (words if plain else _WIDE_GAP.sub("", words)) + asks or folded


def _unstyled(text: str) -> str:
    """NFKC and casefold; an emoji that stands for a word becomes one, a dash a hyphen."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    worded = _STANDS_IN.sub(lambda found: f"{found[1]} emoji{ord(found[2]):x} ", folded)
    return _DASH.sub("-", worded)
