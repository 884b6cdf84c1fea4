"""How far a value without quotes reaches, and whether the whole of it may be a secret."""

from __future__ import annotations

import re

from lineal.detectors.plausible import (
    is_label,
    is_odd,
    is_place,
    is_placeholder,
    is_strong,
    is_wordy,
)
from lineal.models.redaction import Found

__all__ = ["BARE", "CODE", "NEXT_PAIR", "judged", "password"]

BARE_MAX = 128
"""Characters of an unquoted word that are looked at; what follows without a gap goes with it."""

_OPEN = r"[^\s\"'`<>;&|(){}\[\],\\]"
BARE = re.compile(rf"{_OPEN}{{4,{BARE_MAX}}}+(?![(\[])")
"""A token; an identifier that is called or indexed is code."""

CODE = re.compile(r"[\w.]{1,128}+[(\[]")
_HEAD = re.compile(rf"{_OPEN}{{1,{BARE_MAX}}}+")
_WIDE = r"(?:[^\s\"'`<\\]|<(?!/|br)|\\(?![nrtu\"'`]))"
_WORD = re.compile(rf"{_WIDE}{{4,{BARE_MAX}}}+")
_MORE = re.compile(rf"{_OPEN}{{0,8192}}+")
_WIDE_MORE = re.compile(rf"{_WIDE}{{0,8192}}+")
NEXT_PAIR = re.compile(r"[;&,][A-Za-z_]\w{0,40}=")
"""Where the value of one NAME=value gives way to the next."""

_STOPS = ".,:;"
_CLOSERS = {")": "(", "]": "[", "}": "{"}
OPENER_WITHIN = 200
"""Characters before a name in which the bracket may stand that closes after its value."""


def judged(text: str, kind: str, match: re.Match[str], word: str) -> Found | None:
    """The word less the stop of its sentence, unless it can't be a secret."""
    value = word.rstrip(".:") or word
    if len(value) < 4 or is_placeholder(word.rstrip(",;)")) or is_place(value) or is_label(value):
        return None
    if kind != "password" and (len(value) < 8 or is_wordy(value) or not is_strong(value)):
        return None
    end = match.start() + len(value)
    more = _MORE.match(text, end) if match.re is BARE and len(word) == BARE_MAX else None
    return Found(kind, match.start(), more.end() if more else end)


def password(text: str, at: int, start: int, *, in_pairs: bool) -> Found | None:
    """The password at start, whose name stands at `at`, up to white space or a quote.

    in_pairs: whether ;name=, &name= and ,name= end it. What it begins with, up to a sign such as
    a comma, must read like a password; signs that code hardly has make up for that.
    """
    head, match = _HEAD.match(text, start), _WORD.match(text, start)
    if head is None or match is None:
        return None
    word = NEXT_PAIR.split(match[0], 1)[0] if in_pairs else match[0]
    value = _less_its_end(word, text[max(0, at - OPENER_WITHIN) : at])
    if not (is_strong(head[0].rstrip(".:")) or is_odd(value)):
        return None
    if is_placeholder(head[0]) or is_placeholder(value) or is_place(value) or is_label(value):
        return None
    more = _WIDE_MORE.match(text, match.end()) if len(word) == BARE_MAX else None
    return Found("password", start, more.end() if more else start + len(value))


def _less_its_end(word: str, before: str) -> str:
    """Without the stops of a sentence, and brackets that were opened before it."""
    while word:
        opener = _CLOSERS.get(word[-1])
        closes = opener and opener in before and word.count(word[-1]) > word.count(opener)
        if not closes and word[-1] not in _STOPS:
            break
        word = word[:-1]
    return word
