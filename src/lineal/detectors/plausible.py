"""Whether a value could be a secret at all, by its looks."""

from __future__ import annotations

import re

__all__ = [
    "is_label",
    "is_mixed",
    "is_odd",
    "is_place",
    "is_placeholder",
    "is_random",
    "is_strong",
    "is_wordy",
]

_STANDS_FOR = re.compile(
    r"""
    \$[{(] | \$[A-Z_][A-Z0-9_]*$ | \$[a-z_]+$ | <[\w\s-]+>$ | \{+[\s\w.-]+\}*$ | %[({] | %\w+%$
    | \[redacted
    | .{0,40}(?: \.\.\. | … | \*{4} | •{3} | (?P<x>[xX])(?P=x){4} )
    | (?i: .{0,40}(?: example | change[-_]?me | placeholder | replace[-_]?me | dummy
               | your[-_] | [-_]here\b | insert[-_] )
    | (?: none | null | nil | true | false | undefined | string | bytes | required | optional
        | your\w* | passwords? | passwd | pass | pw | secrets? | tokens? | hidden | masked | unset
        | empty | str | self | os | process | env | settings | config | getpass | vault | file
        | todo )\b
      (?= $ | [.:(\[] ) )
    """,
    re.VERBOSE,
)
_PLACE = re.compile(r"/|~/|\.{1,2}/|\w{2,12}://|arn:|projects/", re.ASCII)
_LETTERS_AND_DIGITS = re.compile(r"(?=[^\d]{0,128}\d)[\d\W_]{0,128}[^\d\W_]")
_ODD = re.compile(r"[^\W_](?:\w|(?P<sign>[!#$%^&*+~@?;.-])(?!(?P=sign))){5,127}", re.ASCII)
_ODD_SIGNS = frozenset("!#$%^&*+~@?;")
_BETWEEN_WORDS = re.compile(r"[-_.:/]")
_WORDS = re.compile(r"(?:(?<![A-Za-z0-9])[a-z]|[A-Z])[a-z]{2,}")
WORDS_SHARE = 0.7
"""Part of a name that is words; random letters and digits reach it about never."""

DISTINCT_MIN = 5
"""Different characters in the end of the dullest believable token."""


def is_placeholder(value: str) -> bool:
    """Whether it stands for a secret: a variable, a mask, a word such as YOUR_API_KEY."""
    if _STANDS_FOR.match(value):
        return True
    return len(value) >= 8 and len(set(value[-24:])) < DISTINCT_MIN


def is_place(value: str) -> bool:
    """Whether it says where a secret is kept: a path, a URL, the name of a resource."""
    return _PLACE.match(value) is not None and not value.endswith("=")  # base64 has slashes too


def is_label(value: str) -> bool:
    """Whether it is the word that a form shows: "Password" in some language."""
    return value.isalpha() and (value.istitle() or not value.isascii())


def is_strong(value: str) -> bool:
    """Whether a word reads like a password: six characters or more, letters and digits."""
    return len(value) >= 6 and not value.isalpha() and _LETTERS_AND_DIGITS.match(value) is not None


def is_odd(value: str) -> bool:
    """Whether signs make a password of letters: a&b!c$d is one, a&&b and name@host are not."""
    if not _ODD.fullmatch(value) or not any(map(str.isalpha, value)):
        return False
    return len(_ODD_SIGNS.intersection(value[:-1])) >= (1 if is_strong(value) else 2)


def is_mixed(value: str) -> bool:
    """Whether it has small and capital letters and digits."""
    return all(any(map(has, value)) for has in (str.islower, str.isupper, str.isdigit))


def is_random(value: str, length_min: int = 16) -> bool:
    """Whether a word reads like a generated token: long, letters and digits, no words."""
    return len(value) >= length_min and value.isascii() and is_strong(value) and not is_wordy(value)


def is_wordy(value: str) -> bool:
    """Whether it is made of words and versions, such as oauth2-basic-v2 or Pkcs7KeyTypes."""
    parts = _BETWEEN_WORDS.split(value)
    if len(parts) > 1 and all(part.isalpha() or len(part) <= 6 for part in parts):
        return True
    return sum(map(len, _WORDS.findall(value))) >= WORDS_SHARE * len(value)
