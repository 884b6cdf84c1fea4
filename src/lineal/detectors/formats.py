"""Public formats of tokens that the library does not report, or only in some surroundings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lineal.models.redaction import Found

__all__ = ["FORMATS", "Format", "blocks", "tokens"]

BLOCK_MAX = 32_768
"""Characters of the longest key block that is looked for; RSA keys of 16,384 bits fit."""


class Format(NamedTuple):
    """How one kind of token is written.

    needle: a part of every such token; without it in a text the pattern is not tried.
    """

    kind: str
    needle: str
    pattern: re.Pattern[str]


def _format(kind: str, needle: str, pattern: str) -> Format:
    return Format(kind, needle, re.compile(pattern, re.ASCII))


FORMATS = (
    _format("aws-access-key-id", "A", r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}"),
    _format("anthropic-api-key", "sk-ant-", r"sk-ant-[a-z]{3,8}\d\d-[\w-]{40,160}"),
    _format("openai-api-key", "T3BlbkFJ", r"sk-[\w-]{20,128}?T3BlbkFJ[\w-]{20,128}"),
    _format("openai-api-key", "sk-", r"sk-(?:proj|svcacct|admin)-[\w-]{20,1024}"),
    _format("stripe-access-token", "k_live_", r"[sr]k_live_[A-Za-z0-9]{16,250}"),
    _format("supabase-secret-key", "sb_secret_", r"sb_secret_[\w-]{20,64}"),
    _format("google-oauth-client-secret", "GOCSPX-", r"GOCSPX-[\w-]{28}"),
    _format("google-api-key", "AIza", r"AIza[\w-]{35}"),
    _format("tailscale-key", "tskey-", r"tskey-[a-z]{3,16}-[A-Za-z0-9]{8,32}-[A-Za-z0-9]{16,64}"),
    _format("azure-client-secret", "Q~", r"[\w.~-]{3}\dQ~[\w.~-]{31,34}"),
    _format("mailchimp-api-key", "-us", r"[0-9a-f]{32}-us\d{1,2}"),
    _format("telegram-bot-token", ":A", r"\d{8,11}:A[\w-]{34}"),
    _format("discord-bot-token", ".", r"[MNO][A-Za-z0-9]{22,27}\.[\w-]{6}\.[\w-]{27,40}"),
    _format("jwt", ".eyJ", r"eyJ[\w-]{8,2048}\.eyJ[\w-]{8,8192}\.[\w-]{16,1024}"),
    _format("age-secret-key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    _format("new-relic-user-key", "NRAK-", r"NRAK-[A-Z0-9]{27}"),
    _format("huggingface-token", "hf_", r"hf_[A-Za-z]{34,40}"),
    _format("vault-token", "hv", r"hv[sbr]\.[\w-]{24,300}"),
)
"""Prefixes and lengths as their issuers document them or their tokens show."""

_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(r"[A-Za-z0-9+/=\s\\:,>|#\"'-]{0,8192}+")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2}|\\[nrt]|\\u[0-9A-Fa-f]{4})\Z")
ESCAPED_MAX = 6
"""Characters of the longest sign that a URL or JSON writes in letters: \\u0022."""

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def tokens(text: str) -> Iterator[Found]:
    """Tokens of the formats above that stand alone: no part of a longer word."""
    for kind, needle, pattern in FORMATS:
        if needle in text:
            for match in pattern.finditer(text):
                if _stands_alone(text, *match.span()):
                    yield Found(kind, *match.span())


def blocks(text: str) -> Iterator[Found]:
    """Private keys between their marks, or what of one is there; however they are quoted."""
    endless = 0  # no END mark stands before here
    begin = _BEGIN.search(text)
    while begin:
        limit = begin.end() + BLOCK_MAX
        mark = text.find("-----END", max(endless, begin.end()), limit)
        endless = mark if mark >= 0 else limit - len("-----END")
        close = _rest(text, begin.end()) if mark < 0 else _after(text, mark)
        yield Found("private-key", begin.start(), close)
        begin = _BEGIN.search(text, close)


def _after(text: str, mark: int) -> int:
    """Where an END mark ends."""
    close = text.find("-----", mark + 8, mark + 80)
    return mark + 8 if close < 0 else close + 5


def _rest(text: str, start: int) -> int:
    """Where a key that has no END mark stops being base64."""
    body = _BODY.match(text, start)
    return body.end() if body else start


def _stands_alone(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if before in _WORD and not _ESCAPED.search(text[max(0, start - ESCAPED_MAX) : start]):
        return False
    return after not in _WORD
