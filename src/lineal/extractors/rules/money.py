"""Amounts of money, with their currency and period."""

from __future__ import annotations

from typing import NamedTuple

from lineal.extractors.rules.english import listed
from lineal.extractors.rules.numbers import is_at, number_at
from lineal.extractors.rules.tokens import DOT, Tokens

__all__ = ["MONEY_WORDS", "Money", "money_at", "only_currency"]


class Money(NamedTuple):
    """An amount. currency: ISO code or None. a_year: how many of its periods a year has."""

    end: int
    value: float
    currency: str | None
    a_year: float
    certainty: float


_SIGNS = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "usd": "USD", "dollars": "USD",
    "dollar": "USD", "eur": "EUR", "euro": "EUR", "euros": "EUR", "gbp": "GBP", "pounds": "GBP",
    "quid": "GBP", "chf": "CHF", "francs": "CHF", "cad": "CAD", "aud": "AUD", "inr": "INR",
    "rupees": "INR", "rs": "INR", "jpy": "JPY", "yen": "JPY", "sek": "SEK", "kronor": "SEK",
    "pln": "PLN", "zł": "PLN", "zloty": "PLN", "brl": "BRL", "reais": "BRL", "sgd": "SGD",
    "mxn": "MXN", "aed": "AED", "dirhams": "AED", "zar": "ZAR", "rand": "ZAR", "nzd": "NZD",
    "dkk": "DKK", "nok": "NOK", "czk": "CZK", "huf": "HUF", "ron": "RON", "lei": "RON",
    "hkd": "HKD", "cny": "CNY", "rmb": "CNY", "krw": "KRW", "thb": "THB", "myr": "MYR",
    "ngn": "NGN", "naira": "NGN", "₦": "NGN", "kes": "KES", "pkr": "PKR", "ils": "ILS",
    "₪": "ILS", "sar": "SAR", "egp": "EGP", "idr": "IDR", "vnd": "VND", "₺": "TRY",
    "uah": "UAH", "₩": "KRW", "ghs": "GHS", "bgn": "BGN", "rsd": "RSD", "sterling": "GBP",
}  # fmt: skip
_NATIONS = {
    "swiss": "CHF", "canadian": "CAD", "australian": "AUD", "singapore": "SGD",
    "us": "USD", "american": "USD", "british": "GBP", "mexican": "MXN",
    "danish": "DKK", "norwegian": "NOK", "swedish": "SEK", "czech": "CZK",
}  # fmt: skip
_COINS = frozenset(listed("francs dollars pounds pesos kroner kronor crowns"))
_DOLLARS = {
    "nz": "NZD", "hk": "HKD", "mx": "MXN", "s": "SGD", "us": "USD", "ca": "CAD", "c": "CAD",
    "a": "AUD", "au": "AUD", "r": "BRL",
}  # fmt: skip
_PERIODS = {
    **dict.fromkeys(("year", "yr", "annum", "annually", "yearly", "pa", "y", "annual"), 1.0),
    **dict.fromkeys(("month", "monthly", "mo", "pm", "mth"), 12.0),
    **dict.fromkeys(("week", "weekly"), 52.0),
    **dict.fromkeys(("day", "daily"), 230.0),
    **dict.fromkeys(("hour", "hourly", "hr", "h"), 2080.0),
}
MONEY_WORDS = frozenset([*_SIGNS, *_DOLLARS])
"""What an amount may begin with instead of a number."""
_BEFORE = {"monthly": 12.0, "weekly": 52.0, "hourly": 2080.0, "daily": 230.0}
"""Periods that are said before an amount: "monthly 60,000 MXN"."""

_COUNTED = listed(
    "hours people users customers followers lines students rows requests employees subscribers "
    "members units km miles steps words items records patients covers visitors downloads hectares "
    "square cases times pages volunteers seats homes animals"
)
"""After "twelve thousand": no money."""


def money_at(text: Tokens, index: int) -> Money | None:
    """An amount that a currency, a thousand or a period marks as money."""
    words = text.words
    currency, start = _currency(words, index)
    number = number_at(text, start)
    if number is None or number.value < 1 or number.certainty == 0:
        return None
    end = number.end
    scaled = words[end - 1] in ("k", "lpa", "lakh", "lakhs", "lac", "grand", "thousand")
    if currency is None and end < len(words):
        currency, end = _currency(words, end)
    lakhs = words[number.end - 1] in ("lpa", "lakh", "lakhs", "lac")
    if lakhs and currency is None:
        currency = "INR"
    a_year, after = _period(words, end)
    if currency is None and end < len(words) and after > end:
        currency, after = _currency(words, after)
    if currency is None and is_at(words, end, ","):
        currency, after = _aside(text, end + 1, after)
    if currency is None and (not scaled or is_at(words, after, *_COUNTED)):
        return None
    if after == end and index > 0:
        a_year = _BEFORE.get(words[index - 1], a_year)
    return Money(after, number.value, currency, a_year, number.certainty)


def _aside(text: Tokens, index: int, after: int) -> tuple[str | None, int]:
    """A currency that is a fragment of its own: "forty-five grand, pounds"."""
    currency, end = _currency(text.words, index)
    return (currency, end) if currency and text.closes(end) else (None, after)


def _currency(words: list[str], index: int) -> tuple[str | None, int]:
    """(code, the token after it); (None, index) where there is no currency."""
    if index >= len(words):
        return None, index
    if words[index] in _DOLLARS and is_at(words, index + 1, "$"):
        return _DOLLARS[words[index]], index + 2
    if words[index] in _NATIONS and index + 1 < len(words) and words[index + 1] in _COINS:
        return _NATIONS[words[index]], index + 2
    found = _SIGNS.get(words[index])
    return (found, index + 1) if found else (None, index)


def only_currency(text: Tokens) -> str | None:
    """The currency of a text that names one and no other."""
    codes = {_currency(text.words, index)[0] for index in range(len(text.words))} - {None}
    return codes.pop() if len(codes) == 1 else None


def _period(words: list[str], index: int) -> tuple[float, int]:
    """(periods a year, the token after it), a year when nothing is said."""
    after = index
    if is_at(words, after, "gross", "net", "base", "brutto"):
        after += 1
    if is_at(words, after, "a", "an", "per", "/", "each", "p"):
        after += 1
        if is_at(words, after, ".", DOT):
            after += 1
            if is_at(words, after, "m", "a"):
                return (12.0 if words[after] == "m" else 1.0), after + 1
    if after < len(words) and words[after] in _PERIODS and (after > index or len(words[after]) > 1):
        return _PERIODS[words[after]], after + 1
    return 1.0, index
