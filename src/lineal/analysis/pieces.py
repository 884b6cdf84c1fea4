"""What stands together, taken apart: identifiers, paths, addresses, versions, numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from lineal.analysis.folding import WORD_CHARS_MAX, parts

__all__ = ["Piece", "pieces", "shortened"]

PARTS_MAX = 32
"""Parts that one word may have between its capitals."""

_LEADS = "-#@."
_SCHEME = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://(?:www\.)?")
_LONG = re.compile(rf"([^-./\\:@&+#'’ʼ‘＇]{{{WORD_CHARS_MAX}}})[^-./\\:@&+#'’ʼ‘＇]+")
_SEGMENTS = re.compile(r"(?:[\\/:@&\s]|#(?=.))+")
_BACKSLASHES = re.compile(r"\\+")
_APOSTROPHES = re.compile("[’ʼ‘＇]")
_POSSESSIVE = re.compile(r"'[sS](?![^\W_])")
_SHORTENED = re.compile(r"([^']+)'(?:ll|re|ve|d|m|LL|RE|VE|D|M)")
_VERSION = re.compile(r"[vV]?(\d+\.\d+)((?:\.\d+)*)")
_JOINED = re.compile(r"[^\W\d_]+-[^\W\d_]+|[^\W\d_](?:\.[^\W\d_])+")
"""Written together as well: e-mail and email, U.S.A. and USA."""

_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_KINDS = re.compile(r"\d+|[A-Za-z]+")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th|ST|ND|RD|TH)")

_KINDS_MAX = 2
"""Runs of digits and of letters in a name that is taken apart: python3, HTTPServer2. What has more
is a code or a hash, whose bits mean nothing."""

_LEANING = "l d j m n s t c qu jusqu lorsqu puisqu quoiqu all dall dell nell sull un quest quell"
_ELIDED = frozenset(_LEANING.split())
"""French and Italian words that lean on the next: l'école, dell'arte."""


class Piece(NamedTuple):
    """text: as it is written. stemmed: whether it is a word of a language, or a name as it is."""

    text: str
    stemmed: bool


def pieces(chunk: str) -> Iterator[Piece]:
    """The whole and its parts, in order; some may come twice.

    A whole of letters only is a word: who asks for `httpserver` means `HTTPServer` too.
    """
    # A comma is in a chunk only between the thousands of a number.
    chunk = shortened(_SCHEME.sub("", chunk, count=1)).replace(",", "")
    if not chunk.isascii():
        chunk = unicodedata.normalize("NFKC", _APOSTROPHES.sub("'", chunk))
    if "'" not in chunk:
        return _together(chunk)
    chunk = _POSSESSIVE.sub("", chunk)
    return _with_apostrophes(chunk) if "'" in chunk else _together(chunk)


def shortened(chunk: str) -> str:
    """Each word of a chunk cut, before anything that takes more than its length is done to it."""
    return _LONG.sub(r"\1", chunk)


def _with_apostrophes(chunk: str) -> Iterator[Piece]:
    """don't is dont, we'll is we, l'école is école, O'Brien is obrien and brien."""
    short = _SHORTENED.fullmatch(chunk)
    if short:
        return _together(short[1])
    head, _, rest = chunk.partition("'")
    if head.lower() in _ELIDED:
        return _together(rest.replace("'", ""))
    if rest.lower() == "t":
        return _together(chunk.replace("'", ""))
    return _joined_by_apostrophe(chunk)


def _joined_by_apostrophe(chunk: str) -> Iterator[Piece]:
    yield from _together(chunk.replace("'", ""))
    yield from (Piece(word, True) for word in chunk.split("'") if len(word) > 2 and word.isalpha())


def _together(chunk: str) -> Iterator[Piece]:
    """A chunk without apostrophes."""
    bare = chunk.lstrip(_LEADS)
    found = parts(bare.isascii()).findall(bare)
    if bare != chunk:
        yield _whole(chunk)
    if found == [bare]:
        yield from _part(bare)
    elif found:
        yield _whole(bare)
        yield from _inside(bare, found)


def _whole(chunk: str) -> Piece:
    """As it is asked for exactly. Windows' slashes are everybody's; a term holds no space."""
    return Piece(_BACKSLASHES.sub("/", "".join(chunk.split()))[:WORD_CHARS_MAX], False)


def _inside(chunk: str, found: list[str]) -> Iterator[Piece]:
    version, letters = _VERSION.fullmatch(chunk), _JOINED.fullmatch(chunk)
    if version:
        yield from _of_version(version[1], version[2])
        return
    if letters:
        yield Piece("".join(found), True)
    for segment in filter(None, _SEGMENTS.split(chunk)):
        yield from _segment(segment)


def _of_version(minor: str, patch: str) -> Iterator[Piece]:
    """v3.11.4 is 3.11.4 and one of 3.11."""
    yield Piece(minor + patch, False)
    yield Piece(minor, False)
    yield from _each(f"{minor}{patch}".split("."))


def _segment(segment: str) -> Iterator[Piece]:
    """A step of a path, the host of an address: itself, and its words. C++ isn't C."""
    found = parts(segment.isascii()).findall(segment)
    if found != [segment]:
        yield _whole(segment)
    if segment[1:] not in ("++", "#"):
        yield from _each(found)


def _each(found: list[str]) -> Iterator[Piece]:
    for part in found:
        yield from _part(part)


def _part(part: str) -> Iterator[Piece]:
    """What stands between separators, with the words between its capitals and digits. APIs are
    more than one API."""
    if part.isascii() and not part.isalpha():
        yield Piece(part[:WORD_CHARS_MAX], False)
        yield from _mixed(part)
        return
    plural = part[-1] == "s" and len(part) > 2 and part[:-1].isupper()
    yield Piece(part[:-1] if plural else part[:WORD_CHARS_MAX], True)
    if part.isascii() and not (plural or part.isupper() or part[1:].islower()):
        yield from _humps(part)


def _mixed(part: str) -> Iterator[Piece]:
    """7th is 7; TS2304 is ts and 2304; 0x80070005 is itself only."""
    ordinal = _ORDINAL.fullmatch(part)
    if ordinal:
        yield Piece(ordinal[1], False)
    elif not part.isdecimal() and len(_KINDS.findall(part)) <= _KINDS_MAX:
        yield from _humps(part)


def _humps(part: str) -> Iterator[Piece]:
    """The words of camelCase; a single letter is no word."""
    for hump in islice(_HUMPS.findall(part), PARTS_MAX):
        if len(hump) > 1 or hump.isdecimal():
            yield Piece(hump, True)
