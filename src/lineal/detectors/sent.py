"""Secrets as they are sent: in a URL, in a header, on a command line."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from lineal.detectors.plausible import is_placeholder, is_random, is_strong
from lineal.models.redaction import Found

__all__ = ["sent"]

_URL = re.compile(
    r"://(?:[^\s/:@\"'`<>]{0,128}:(?P<word>[^\s/@\"'`<>]{3,256})|(?P<token>[\w-]{20,255}))@[\w\[%]"
)
_BEARER = re.compile(r"bearer[ ]+(?P<word>[\w.~+/=-]{16,4096}+)", re.IGNORECASE | re.ASCII)
_BASIC = re.compile(r"basic[ ]+(?P<word>[A-Za-z0-9+/]{8,512}+={0,2})", re.IGNORECASE)

_COMMANDS = {
    "sshpass": re.compile(r"sshpass -p[ ]?(?P<word>[^\s\"']{4,128})"),
    "curl": re.compile(r"[ ](?:-u|--user)[ ]?[\w.@-]{1,64}:(?P<word>(?!//)[^\s\"'@]{4,128})"),
    "mysql": re.compile(r"mysql(?:dump|admin)?[ ][^\n]{0,80}?(?<=[ ])-p(?P<word>[^\s\"']{4,128})"),
    "redis-cli": re.compile(r"redis-cli[ ][^\n]{0,80}?-a[ ](?P<word>[^\s\"']{4,128})"),
    "login ": re.compile(r"login[ ]\S{1,128}[ ]password[ ](?P<word>\S{4,256})"),
    "identified by": re.compile(
        r"identified by[ ](?:password[ ])?'(?P<word>[^'\n]{4,256})'", re.IGNORECASE
    ),
}
"""A word of the command, in lower case → how it is given a password."""

_PAIR = re.compile(
    r"(?:login|cred(?:ential)?s?)[ ]?[:=][ ]{1,4}[\w.@+-]{1,64}[ ]/[ ]"
    r"(?P<word>\S{3,255}[^\s.,:;\"'`)])",
    re.IGNORECASE,
)
"""A name and a password as people note them: login: bob / …"""


def sent(text: str) -> Iterator[Found]:
    """Secrets by the way they are sent, in no order; they may overlap."""
    low = text.lower()
    yield from _in_urls(text)
    if "bearer " in low:
        yield from _words("bearer-token", _BEARER, text, is_random)
    if "basic " in low:
        yield from _words("basic-authorization", _BASIC, text, _is_pair)
    if " / " in low:
        yield from _words("password", _PAIR, text, is_strong)
    for word, pattern in _COMMANDS.items():
        if word in low:
            yield from _words("password", pattern, text)


def _in_urls(text: str) -> Iterator[Found]:
    at = text.find("://")
    while at >= 0:
        match = _URL.match(text, at)
        if match and match["word"] and not is_placeholder(match["word"]):
            yield Found("password-in-url", *match.span("word"))
        elif match and match["token"] and is_random(match["token"]):
            yield Found("token-in-url", *match.span("token"))
        at = text.find("://", at + 3)


def _words(
    kind: str, pattern: re.Pattern[str], text: str, fits: Callable[[str], bool] = bool
) -> Iterator[Found]:
    for match in pattern.finditer(text):
        if fits(match["word"]) and not is_placeholder(match["word"]):
            yield Found(kind, *match.span("word"))


def _is_pair(word: str) -> bool:
    """Whether it is the base64 of user:password."""
    try:
        user, colon, password = base64.b64decode(word, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(user and colon and password) and user.isprintable() and password.isprintable()
