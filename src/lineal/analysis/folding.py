"""Letters as they are compared: without case, accents and habits of the keyboard."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

__all__ = ["WIDE", "WORD_CHARS_MAX", "chunks", "digits", "folded", "lowered", "parts"]

WORD_CHARS_MAX = 64
"""A longer word is cut: no stored word that matters is longer."""

CHUNK_PIECES_MAX = 32
"""Pieces that one chunk may have; the rest is the next chunk, so nothing is lost."""

_ASCII = "0-9A-Za-z_"

_SPACED = (
    "\u00aa\u00ad\u00b2\u00b3\u00b5\u00b9\u00ba\u00bc-\u00be\u00c0-\u00d6\u00d8-\u00f6"
    "\u00f8-\u02bb\u02bd-\u02c1\u02c6-\u02d1\u02e0-\u02e4\u0300-\u0374\u0376-\u037d\u037f\u0386"
    "\u0388-\u03f5\u03f7-\u0481\u0483-\u0559\u0560-\u0588\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4"
    "\u05c5\u05c7-\u05f2\u0610-\u061a\u0620-\u0669\u066e-\u06d3\u06d5-\u06dc\u06df-\u06e8"
    "\u06ea-\u06fc\u06ff\u0710-\u07f5\u07fa-\u0963\u0966-\u096f\u0971-\u0df3\u0e50-\u0e59"
    "\u0ed0-\u0f00\u0f18-\u0f33\u0f35\u0f37\u0f39\u0f3e-\u0f84\u0f86-\u0fbc\u1040-\u1049"
    "\u10a0-\u10fa\u10fc-\u10ff\u1200-\u135f\u1369-\u13fd\u1401-\u166c\u166f-\u167f\u1681-\u169a"
    "\u16a0-\u16ea\u16ee-\u1734\u1740-\u1773\u17dc-\u17f9\u180b-\u180d\u180f-\u1fbc\u1fbe"
    "\u1fc2-\u1fcc\u1fd0-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ffc\u200c\u200d\u2060\u2070-\u2079"
    "\u207f-\u2089\u2090-\u209c\u20d0-\u20f0\u2102\u210a-\u2113\u2115\u2119-\u211d\u2124"
    "\u2126\u2128\u212a-\u212d\u212f-\u2139\u213c-\u213f\u2145-\u2149\u2150-\u2189\u2460-\u249b"
    "\u24ea-\u24ff\u2776-\u2793\u2c00-\u2ce4\u2ceb-\u2cf3\u2d00-\u2d6f\u2d7f-\u2dff\ua000-\ua48c"
    "\ua4d0-\ua4fd\ua500-\ua60c\ua610-\ua672\ua674-\ua67d\ua67f-\ua6f1\ua717-\ua827"
    "\ua82c-\ua835\ua840-\ua873\ua880-\ua8c5\ua8d0-\ua8f7\ua8fb\ua8fd-\ua92d\ua930-\ua953"
    "\ua980-\ua9c0\ua9cf-\ua9d9\uaa00-\uaa59\uaa80-\uaadd\uaae0-\uaaef\uaaf2-\uab5a"
    "\uab5c-\uabea\uabec-\uabf9\ufb00-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdfb\ufe20-\ufe2f\ufe70-\ufefc"
    "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U00010000-\U0001cfff\U0001d400-\U0001d7ff"
    "\U0001e000-\U0001efff"
)
"""Letters, digits and marks of scripts that put spaces between words. Written out, so that a later
Python, with a later Unicode, reads an old text alike; `\\w` has no vowel signs."""

WIDE = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u30fa\u30fc-\u318f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff"
    "\uff66-\uffdc\U00020000-\U0003ffff"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u104e-\u109f\u1780-\u17d3\ua9e0-\ua9fe"
    "\uaa60-\uaa7f"
)
"""Scripts that put none: Han, kana, Hangul (whose words carry their particles), Thai, Lao, Burmese,
Khmer."""

_MARKED = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
"""Accents, and the vowel points of Hebrew and Arabic, which most writers leave out. Not the vowel
signs of Devanagari or Thai, nor the voicing marks of kana: there they are letters."""

_SILENT = re.compile("[\u00ad\u200c\u200d\u2060]")
"""Soft hyphens and joiners: they change how a word looks, not which it is."""

_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}
    | {"þ": "th", "ŋ": "n", "ĸ": "k", "ʼ": "'", "’": "'", "‘": "'", "＇": "'"}
)
"""What Unicode doesn't take apart, and one apostrophe for all."""

_CHUNK = (
    # A flag's dashes, a dot before a name, # and @ belong to what follows them.
    r"(?:(?<![\w.#@-])(?:--?(?=[^\W\d])|\.(?=[^\W\d])|[#@]))?"
    r"[{w}]++"
    # Dashes and dots in a row part sentences.
    r"(?:(?:(?!--|\.\.)[-./\\:@&+#'’ʼ‘＇]{{1,3}}+|(?<=\d),(?=\d\d\d(?!\d)))[{w}]++)"
    r"{{0,{more}}}+"
    r"(?:\+\+|\#)?"
)
"""What stands together: a word, an identifier, a path, an address."""


@cache
def chunks(ascii_only: bool) -> re.Pattern[str]:
    """Finds the chunks of a text, and runs of `WIDE`. Linear: no part of it is read twice."""
    if ascii_only:
        return re.compile(_CHUNK.format(w=_ASCII, more=CHUNK_PIECES_MAX - 1))
    spaced = _CHUNK.format(w=_ASCII + _SPACED, more=CHUNK_PIECES_MAX - 1)
    return re.compile(f"[{WIDE}]++|{spaced}")


@cache
def parts(ascii_only: bool) -> re.Pattern[str]:
    """Finds the words inside a chunk, which underscores part too."""
    letters = _ASCII.removesuffix("_") if ascii_only else "0-9A-Za-z" + _SPACED + WIDE
    return re.compile(f"[{letters}]+")


@cache
def _marks() -> re.Pattern[str]:
    return re.compile(f"[{_MARKED}]")


def lowered(text: str) -> str:
    """Without case, in one width, accents kept."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", _SILENT.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", plain)


def folded(text: str) -> str:
    """Without case and accents, in one width; the same when folded again.

    What is handed in is short: normalising takes the square of a run of marks.
    """
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", _SILENT.sub("", text)).casefold()
    bare = _marks().sub("", unicodedata.normalize("NFKD", apart)).translate(_LETTERS)
    return unicodedata.normalize("NFKC", bare)


def digits(number: str) -> str:
    """A number's digits in ASCII without leading zeros: 007 and ٧ are 7."""
    plain = "".join(str(unicodedata.decimal(char)) for char in number)
    return plain.lstrip("0") or "0"
