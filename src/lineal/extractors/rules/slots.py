"""The places for a value in a phrase: what stands there, and how far it reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from lineal.extractors.rules import numbers
from lineal.extractors.rules.dates import date_at
from lineal.extractors.rules.english import listed
from lineal.extractors.rules.money import money_at
from lineal.extractors.rules.tokens import SEPARATORS, STOPS, Tokens

__all__ = ["VERBATIM", "Found", "Slot", "read_slot"]

CLAUSE_TOKENS_MAX = 60
"""How far a clause, a sentence or a list is followed."""

COMMAND_TOKENS_MAX = 24
LINES_TOKENS_MAX = 200
NAME_TOKENS_MAX = 4


VERBATIM = frozenset({"rest", "clause", "sentence", "lines"})
"""Slots that hold a stretch of the text as it stands."""


class Found(NamedTuple):
    """What a slot holds. [first, last): its tokens; end: where the phrase goes on.

    raw: a number, days of a duration, a date, a Money, or None: the text itself."""

    end: int
    first: int
    last: int
    raw: object = None
    kind: str = ""
    certainty: float = 1.0


Slot = Callable[[Tokens, int, date], Found | None]


def read_slot(kind: str, text: Tokens, index: int, now: date) -> Found | None:
    """What stands in a slot of this kind at the token; None if nothing of the kind does."""
    found = _SLOTS[kind](text, index, now)
    return found._replace(kind=kind) if found else None


def _anchor_open(text: Tokens, index: int, now: date) -> Found | None:
    return Found(index, index, index) if text.opens(index) else None


def _anchor_close(text: Tokens, index: int, now: date) -> Found | None:
    return Found(index, index, index) if text.closes(index) else None


def _number(text: Tokens, index: int, now: date) -> Found | None:
    found = numbers.number_at(text, index)
    if found is None:
        return None
    return Found(found.end, index, found.end, found.value, certainty=found.certainty)


def _duration(text: Tokens, index: int, now: date) -> Found | None:
    found = numbers.duration_at(text, index)
    if found is None:
        return None
    return Found(found.end, index, found.end, found.value, certainty=found.certainty)


def _money(text: Tokens, index: int, now: date) -> Found | None:
    found = money_at(text, index)
    if found is None:
        return None
    return Found(found.end, index, found.end, found, certainty=found.certainty)


def _date(text: Tokens, index: int, now: date) -> Found | None:
    found = date_at(text, index, now)
    return Found(found.end, index, found.end, found) if found else None


def _word(text: Tokens, index: int, now: date) -> Found | None:
    if index >= len(text.words) or text.words[index] in SEPARATORS:
        return None
    return Found(index + 1, index, index + 1)


def _name(text: Tokens, index: int, now: date) -> Found | None:
    """Words with a capital: "Cape Town", "Rio de Janeiro"."""
    index += index < len(text.words) and text.words[index] == "the"
    end = index
    while end < min(len(text.words), index + NAME_TOKENS_MAX) and _capital(text, end):
        end += 1
        if text.words[end : end + 1] in (["de"], ["of"], ["am"]) and _capital(text, end + 1):
            end += 1
    return Found(end, index, end) if end > index else None


def _place(text: Tokens, index: int, now: date) -> Found | None:
    """A name, with its state or country: "Austin, TX"."""
    found = _name(text, index, now)
    if found is None:
        return None
    last = found.last
    if text.words[last : last + 1] == [","] and _is_region(text, last + 1):
        return Found(last + 2, found.first, last + 2)
    return found


def _address(text: Tokens, index: int, now: date) -> Found | None:
    """A place that says its state."""
    found = _place(text, index, now)
    with_region = found is not None and "," in text.words[found.first : found.last]
    return found if with_region else None


def _is_region(text: Tokens, index: int) -> bool:
    if index >= len(text.words):
        return False
    said = text.text[text.starts[index] : text.ends[index]]
    return said in _REGIONS and text.closes(index + 1)


_REGIONS = frozenset(
    listed(
        "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH "
        "NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR AB BC MB NB NL NS "
        "ON PE QC SK NSW QLD VIC TAS UK US IE NZ AU FR ES IT PT CH AT BE PL CZ SE NO DK FI GR RO "
        "BG HU BR MX JP SG ZA NG KE"
    )
)
"""States, provinces and countries as an address has them; degrees and languages aren't any."""


def _capital(text: Tokens, index: int) -> bool:
    if index >= len(text.words) or text.words[index] in _NO_NAME:
        return False
    return text.text[text.starts[index]].isupper()


_NO_NAME = frozenset(
    listed(
        "i and or but the a an we he she they my our it with for in on at to from who now since "
        "monday tuesday wednesday thursday friday saturday sunday january february march april "
        "june july august september october november december"
    )
)


def _code(text: Tokens, index: int, now: date) -> Found | None:
    """What stands between backticks."""
    words = text.words
    if index >= len(words) or words[index] != "`":
        return None
    end = index + 1
    while end < min(len(words), index + CLAUSE_TOKENS_MAX) and words[end] not in ("`", "\n"):
        end += 1
    closed = end < len(words) and words[end] == "`" and end > index + 1
    return Found(end + 1, index, end + 1) if closed else None


def _command(text: Tokens, index: int, now: date) -> Found | None:
    """A command without backticks, up to a comma or the sentence's end."""
    if index >= len(text.words) or text.words[index][0] == "`":
        return None
    end = index
    while end < min(len(text.words), index + COMMAND_TOKENS_MAX) and not _ends_command(text, end):
        end += 1
    return Found(end, index, end) if end > index else None


def _ends_command(text: Tokens, index: int) -> bool:
    """A separator that whitespace follows: the dot of "tests/a.py" is none."""
    word, after = text.words[index], text.ends[index]
    if word in ("\n", "and", "before", "not", "—", "(", "which", "so", "yeah", "because", "but"):
        return True
    return word in ",.;!?)" and (after >= len(text.text) or text.text[after].isspace())


def _bound(text: Tokens, index: int, stops: frozenset[str]) -> int:
    """The first token from here on that ends it."""
    limit = min(len(text.words), index + CLAUSE_TOKENS_MAX)
    while index < limit and text.words[index] not in stops:
        index += 1
    return index


def _begin(text: Tokens, index: int, stops: frozenset[str]) -> int:
    limit = max(0, index - CLAUSE_TOKENS_MAX)
    while index > limit and text.words[index - 1] not in stops:
        index -= 1
    return index


_CLAUSE_ENDS = STOPS | {"(", ")", "—", '"', "“", "”", "·"}
_CLAUSE_BEGINS = _CLAUSE_ENDS | {":", "*", "•", "–"}
_SENTENCE_BEGINS = STOPS | {"•", '"', "“"}


def _rest(text: Tokens, index: int, now: date) -> Found | None:
    """From here to the end of the clause."""
    end = _bound(text, index, _CLAUSE_ENDS)
    return Found(end, index, end) if end > index else None


def _clause(text: Tokens, index: int, now: date) -> Found | None:
    """The clause around here, up to a ", and" on either side."""
    first = _begin(text, index, _CLAUSE_BEGINS)
    last = _bound(text, index, _CLAUSE_ENDS)
    words = text.words
    for at in range(first, index):
        if words[at] == "," and words[at + 1] in ("and", "but", "so", "because"):
            first = at + 2
    while words[first] in ("and", "but", "so", "also", "-", "oh", "um", "uh", "okay", ",") and (
        first < index
    ):
        first += 1
    for at in range(index, last - 1):
        if words[at] == "," and words[at + 1] in ("and", "but", "so"):
            last = at
            break
    return Found(last, first, last) if last > first else None


def _sentence(text: Tokens, index: int, now: date) -> Found | None:
    """The whole sentence around here; one that begins with what an "it" points at, with the
    sentence before."""
    first = _begin(text, index, _SENTENCE_BEGINS)
    last = _bound(text, index, STOPS | {'"', "”"})
    if last < len(text.words) and text.words[last] in ".!":
        last += 1
    if last - first <= 5 and first > 1 and _POINTING & set(text.words[first:last]):
        first = _begin(text, first - 1, _SENTENCE_BEGINS)
    return Found(last, first, last) if last > first else None


_NO_LINE = (["\n"], ["#"])


def _lines(text: Tokens, index: int, now: date) -> Found | None:
    """The lines beneath a heading, up to an empty one or the next heading."""
    words = text.words
    if words[index : index + 1] != ["\n"]:
        return None
    first = index + 1 + (words[index + 1 : index + 2] == ["\n"])
    end, limit = first, min(len(words), index + LINES_TOKENS_MAX)
    while end < limit and not (words[end] == "\n" and words[end + 1 : end + 2] in _NO_LINE):
        end += 1
    headed = words[first : first + 1] == ["#"]
    return Found(first, first, end) if end > first and not headed else None


_POINTING = {"it", "this", "that", "these", "those", "them"}


def _skip(text: Tokens, index: int, now: date) -> Found | None:
    return Found(index, index, index)


_SLOTS: Mapping[str, Slot] = {
    "^": _anchor_open,
    "$": _anchor_close,
    "number": _number,
    "duration": _duration,
    "money": _money,
    "date": _date,
    "word": _word,
    "name": _name,
    "place": _place,
    "address": _address,
    "code": _code,
    "command": _command,
    "rest": _rest,
    "list": _rest,
    "clause": _clause,
    "sentence": _sentence,
    "lines": _lines,
    "skip": _skip,
}
