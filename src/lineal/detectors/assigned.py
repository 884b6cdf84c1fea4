"""Secrets that a name gives away: password=…, "apiKey": "…", the password is …"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lineal.detectors.plausible import is_random, is_strong
from lineal.detectors.reach import BARE, CODE, NEXT_PAIR, judged, password
from lineal.detectors.said import said
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
_LINE = re.compile(r"[^\s\"'`]{4,8192}+")
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
    return found or said(text, low, kind, at, end)


def _signed(text: str, kind: str, at: int, sign: re.Match[str]) -> Found | None:
    start, quote = sign.end(), sign["quote"]
    if sign["sign"] == " " and text[at : sign.start()].lower() == "pass":
        return None  # the verb
    if quote:
        quoted = _QUOTED_WORDS if text[at : at + 10].lower() == "passphrase" else _QUOTED
        match = quoted[quote[-1]].match(text, start)
        return judged(text, kind, match, match[0].rstrip("\\")) if match else None
    if sign["sign"] == "=" and text[start - 1] == "=" and _starts_a_line(text, at):
        return None if CODE.match(text, start) else _of_line(text, kind, start)
    if kind == "password" and (sign["sign"] != " " or _is_option(text, at)):
        return _open(text, at, sign)
    match = BARE.match(text, start)
    if match is None or match[0].isalpha() or not _believable(match[0], sign, text, at):
        return None
    return judged(text, kind, match, match[0])


def _open(text: str, at: int, sign: re.Match[str]) -> Found | None:
    """A password without quotes."""
    if CODE.match(text, sign.end()):
        return None
    return password(text, at, sign.end(), in_pairs="=" in sign["sign"])


def _of_line(text: str, kind: str, start: int) -> Found | None:
    """The value of NAME=value: all of the line, or up to the next pair of a list."""
    match = _LINE.match(text, start)
    return judged(text, kind, match, NEXT_PAIR.split(match[0], 1)[0]) if match else None


def _starts_a_line(text: str, at: int) -> bool:
    """Whether only the rest of a name, and perhaps `export`, stands before it in its line."""
    line = text.rfind("\n", max(0, at - 80), at) + 1
    return _BEFORE_IN_LINE.fullmatch(text, line or max(0, at - 80), at) is not None


def _believable(word: str, sign: re.Match[str], text: str, at: int) -> bool:
    """Whether a word without quotes is no plain word."""
    value = word.rstrip(".:")
    if sign["sign"] == " ":
        return is_strong(value) if _is_option(text, at) else is_random(value, 32)
    return is_random(value)


def _is_option(text: str, at: int) -> bool:
    """Whether a command's option has the name that stands at `at`."""
    return text[max(0, at - 24) : at].rpartition(" ")[2].startswith("--")
