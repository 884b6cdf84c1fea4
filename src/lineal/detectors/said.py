"""Secrets that a sentence tells: my password is …, I changed it to …, my weather key is …"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lineal.detectors.plausible import is_mixed, is_place, is_placeholder, is_random, is_strong
from lineal.detectors.reach import BARE, CODE, judged, password
from lineal.models.redaction import Found

__all__ = ["keys", "said"]

_SAID = re.compile(
    r"(?:[ ](?:for|of|to|on|at|in)(?:[ ][\w'-]{1,24}){1,6}?)?"
    r"(?:(?P<verb>['\u2019]s|[ ]{1,2}(?:is|was|ist|lautet|est|es)(?:[ ]now)?:?)|[ ]?[=:])"
    r"[ ]{1,8}(?=\S)",
    re.ASCII,
)
_CHANGED_TO = re.compile(r"(?P<verb>[ ]to(?:[ ]be)?)[ ](?=\S)")
_CHANGES = re.compile(
    r"\b(?:re)?(?:chang|set|updat|switch|rotat)[a-z]{0,5}(?:[ ][\w'-]{1,24}){0,4}[ ]"
)
_BEFORE_MAX = 120
"""Characters before a name in which the verb that changes it is looked for."""

_QUOTES = {"'": "'", '"': '"', "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
_QUOTED = {
    opener: re.compile(rf"(?:[^{closer}\n]|{closer}(?=\w)){{4,256}}+(?={closer})")
    for opener, closer in _QUOTES.items()
}
"""An apostrophe within a word closes nothing."""

_STATE = re.compile(
    r"(?:not|too|never|always|must|should|being)\b"
    r"|(?:stored|kept|saved|set|hashed|encrypted|wrong|incorrect|invalid|valid|correct|right"
    r"|expired|missing|weak|strong|needed|mandatory|ignored|rejected|accepted|reset|unknown"
    r"|blank|short|long)$",
    re.IGNORECASE,
)
"""What a quotation says about a password: the beginning of it, or all."""

_KEY = re.compile(
    r"""(?<![A-Za-z]) (?<!public[ _-]) (?<!primary[ _-])
    key ["'`]? (?: [ ]{0,2}[:=] | [ ]is(?:[ ]now)?:? | [ ]was ) [ ]{0,3} ["'`]?
    (?P<word> (?<=[\s"'`:=]) [A-Za-z0-9]{32,64}+ ) (?![\w+/=-])""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""Generated keys are 32 or 40 letters and digits as a rule; a key in general is anything."""


def said(text: str, low: str, kind: str, at: int, end: int) -> Found | None:
    """What a sentence calls a secret, whose name stands at [at, end). low: in small letters."""
    match = _SAID.match(low, end)
    if match is None and kind == "password":
        match = _changed(low, at, end)
    if match is None:
        return None
    start = match.end()
    if text[start] in _QUOTED:
        return _quotation(text, kind, start, is_told=bool(match["verb"]))
    if kind == "password":
        is_code = not match["verb"] and CODE.match(text, start)
        return None if is_code else password(text, at, start, in_pairs=False)
    word = BARE.match(text, start)
    return (
        judged(text, kind, word, word[0]) if word and is_random(word[0].rstrip(".:"), 20) else None
    )


def keys(text: str) -> Iterator[Found]:
    """Generated keys that are called a key and no more: my weather key is …"""
    for match in _KEY.finditer(text):
        if is_mixed(match["word"]) and is_random(match["word"]):
            yield Found("api-key", *match.span("word"))


def _changed(low: str, at: int, end: int) -> re.Match[str] | None:
    """The "to" of a password that is changed; the password *to* a server is no such thing."""
    match = _CHANGED_TO.match(low, end)
    if match is None:
        return None
    before = low[max(0, at - _BEFORE_MAX) : at]
    return match if any(verb.end() == len(before) for verb in _CHANGES.finditer(before)) else None


def _quotation(text: str, kind: str, start: int, *, is_told: bool) -> Found | None:
    """All between the quotes at start. is_told: by a verb; labels and hints follow a colon."""
    match = _QUOTED[text[start]].match(text, start + 1)
    if match is None or not _may_be(match[0], kind, is_told and text[start] != "`"):
        return None
    return Found(kind, *match.span())


def _may_be(value: str, kind: str, is_told: bool) -> bool:
    """Whether a quotation may be the secret; words only where a sentence tells a password."""
    if is_placeholder(value) or is_place(value) or _STATE.match(value):
        return False
    if kind != "password":
        return is_random(value, 20)
    return is_told or (" " not in value and is_strong(value))
