"""Secrets that a name gives away: password=…, "apiKey": "…", the password is …"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lineal.detectors.plausible import (
    is_label,
    is_place,
    is_placeholder,
    is_random,
    is_strong,
    is_wordy,
)
from lineal.models.redaction import Found

__all__ = ["assigned"]

_TAIL = (
    r"(?:[_.-]?(?:access|api|auth|key|value|prod|production|staging|dev|live|test|\d{1,3})){0,3}"
    r"(?![a-z])"
)

_NAMES = {
    "pass": ("password", re.compile(rf"pass(?:words?|wd|phrases?|wort|code)?{_TAIL}")),
    "pw": ("password", re.compile(rf"pwd?{_TAIL}")),
    "secret": ("secret", re.compile(rf"secrets?{_TAIL}")),
    "token": ("token", re.compile(rf"tokens?{_TAIL}")),
    "key": ("api-key", re.compile(rf"keys?{_TAIL}")),
    "cred": ("secret", re.compile(r"cred(?:ential)?s?(?![a-z])")),
    "auth": ("token", re.compile(r"auth(?:orization)?(?![a-z_-])")),
}
"""needle in lower case → the kind, and the rest of a name that holds a secret."""

_KEYS_OF = (
    "access",
    "account",
    "admin",
    "api",
    "app",
    "application",
    "auth",
    "encryption",
    "license",
    "master",
    "private",
    "root",
    "secret",
    "service",
    "shared",
    "signing",
    "storage",
    "subscription",
)
"""What must stand before "key": a key alone is any key."""

_SIGN = re.compile(
    r"""\\?["'`]?\]?\)? [ \t]{0,8}
    (?P<sign> := | => | ={1,3} | : | > (?=\S) | [ ] (?=\S) )
    [ \t]{0,8} (?:[a-z]?(?P<quote>\\?["'`]))?""",
    re.VERBOSE,
)
_SAID = re.compile(
    r"(?:[ ](?:for|of|to|on|at|in)(?:[ ][\w'-]{1,24}){1,6}?)?"
    r"[ ]?(?:[ ](?:is|was|ist|lautet|est|es)|=|:)[ ]+(?=\S)",
    re.ASCII,
)
BARE_MAX = 128
"""Characters of an unquoted word that are looked at; what follows without a gap goes with it."""

_OPEN = r"[^\s\"'`<>;&|(){}\[\],\\]"
_BARE = re.compile(rf"{_OPEN}{{4,{BARE_MAX}}}+(?![(\[])")
_MORE = re.compile(rf"{_OPEN}{{0,8192}}+")
_LINE = re.compile(r"[^\s\"'`]{4,8192}+")
_NEXT_PAIR = re.compile(r"[;&]\w{1,40}=")
_BEFORE_IN_LINE = re.compile(r"\s*(?:export |set |ENV )?[\w.]*")
_QUOTED = {quote: re.compile(rf"[^{quote}\s]{{4,8192}}+(?={quote}|\Z)") for quote in "\"'`"}
_QUOTED_WORDS = {quote: re.compile(rf"[^{quote}\n]{{4,512}}+(?={quote}|\Z)") for quote in "\"'`"}
"""A passphrase may be a sentence; another quoted sentence is only about a password."""


def assigned(text: str) -> Iterator[Found]:
    """Secrets by their names, in no order; they may overlap."""
    low = text.replace("\u0130", "I").lower()  # the one letter whose small form is longer
    for needle, (kind, name) in _NAMES.items():
        at = low.find(needle)
        while at >= 0:
            match = name.match(low, at) if _may_begin(needle, low, at) else None
            end = match.end() if match else at + len(needle)
            found = _value(text, low, kind, at, end) if match else None
            if found:
                yield found
            at = low.find(needle, found.end if found else end)


def _may_begin(needle: str, low: str, at: int) -> bool:
    """Whether a name may hold the needle here: compass and monkey don't."""
    before = low[max(0, at - 13) : at]
    if needle == "key":
        return before.rstrip("_. -").endswith(_KEYS_OF)
    if needle in ("secret", "token") or low.startswith("passw", at):
        return True
    return not ("a" <= before[-1:] <= "z")


def _value(text: str, low: str, kind: str, at: int, end: int) -> Found | None:
    """The value given to the name that stands at [at, end), if it may be a secret."""
    sign = _SIGN.match(text, end)
    found = _signed(text, kind, at, sign) if sign else None
    if found is None and kind == "password":
        return _said(text, low, end)
    return found


def _signed(text: str, kind: str, at: int, sign: re.Match[str]) -> Found | None:
    start, quote = sign.end(), sign["quote"]
    if sign["sign"] == " " and text[at : sign.start()].lower() == "pass":
        return None  # the verb
    if quote:
        quoted = _QUOTED_WORDS if text[at : at + 10].lower() == "passphrase" else _QUOTED
        match = quoted[quote[-1]].match(text, start)
        return _judged(text, kind, match, match[0].rstrip("\\")) if match else None
    match = _BARE.match(text, start)
    if sign["sign"] == "=" and text[start - 1] == "=" and _starts_a_line(text, at):
        return (
            _of_line(text, kind, start) if match or not text[start : start + 1].isalnum() else None
        )
    if match is None or match[0].isalpha() or not _believable(match[0], kind, sign, text, at):
        return None
    return _judged(text, kind, match, match[0])


def _of_line(text: str, kind: str, start: int) -> Found | None:
    """The value of NAME=value: all of the line, or up to the next pair of a list."""
    match = _LINE.match(text, start)
    return _judged(text, kind, match, _NEXT_PAIR.split(match[0], 1)[0]) if match else None


def _starts_a_line(text: str, at: int) -> bool:
    """Whether only the rest of a name, and perhaps `export`, stands before it in its line."""
    line = text.rfind("\n", max(0, at - 80), at) + 1
    return _BEFORE_IN_LINE.fullmatch(text, line or max(0, at - 80), at) is not None


def _believable(word: str, kind: str, sign: re.Match[str], text: str, at: int) -> bool:
    """Whether a word without quotes is no plain word."""
    value = word.rstrip(".:")
    if sign["sign"] == " ":
        is_option = text[max(0, at - 24) : at].rpartition(" ")[2].startswith("--")
        return is_strong(value) if is_option else is_random(value, 32)
    return is_strong(value) if kind == "password" else is_random(value)


def _said(text: str, low: str, end: int) -> Found | None:
    """The word that a sentence calls a password."""
    said = _SAID.match(low, end)
    match = _BARE.match(text, said.end()) if said else None
    if match is None or not is_strong(match[0].rstrip(".:")):
        return None
    return _judged(text, "password", match, match[0])


def _judged(text: str, kind: str, match: re.Match[str], word: str) -> Found | None:
    """The word less the stop of its sentence, unless it can't be a secret."""
    value = word.rstrip(".:") or word
    if len(value) < 4 or is_placeholder(word.rstrip(",;)")) or is_place(value) or is_label(value):
        return None
    if kind != "password" and (len(value) < 8 or is_wordy(value) or not is_strong(value)):
        return None
    end = match.start() + len(value)
    more = _MORE.match(text, end) if match.re is _BARE and len(word) == BARE_MAX else None
    return Found(kind, match.start(), more.end() if more else end)
