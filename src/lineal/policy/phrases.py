"""The phrases of a schema file: words, alternatives, options, and places for a value.

(want|wants) [to have] kids     either word, the bracket's words or none
hike~                           a verb in all its forms: hike, hikes, hiked, hiking
live in {place}                 a place for a value, see SLOTS
^ {number} $                    a fragment of its own, between separators
go!                             a word that counts only where something vouches for it
in {known} ?                    a weak one: anything said more clearly wins over it
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["SLOTS", "VALUE_SLOTS", "Choice", "Sequence", "fault", "is_guarded", "is_weak", "parsed"]


class Choice(NamedTuple):
    """One of several; may be left out if optional. A word is a choice of its forms."""

    options: tuple[Sequence, ...]
    optional: bool = False


Sequence = tuple[str | Choice, ...]
"""Words, "{slots}", "^" and "$", and choices, one after the other."""

SLOTS = frozenset(
    {"number", "duration", "money", "date", "known", "place", "address", "name", "word", "list"}
    | {"code", "command", "rest", "clause", "sentence", "lines", "skip"}
)
"""What may stand in braces. skip: up to four words that are passed over."""

VALUE_SLOTS = SLOTS - {"skip"}

DEPTH_MAX = 20

_ITEM = re.compile(r"[()\[\]|^$]|\{\w*\}|[^\s()\[\]|^${}]+|[{}]")
_PLAIN = re.compile(r"[\w.&+#/'-]+(?: [\w.&+#/'-]+)*!?")
_LEADING = frozenset({"{number}", "{duration}", "{money}", "{known}", "{code}"})
_CLOSED_BY = {"(": ")", "[": "]"}


def is_guarded(phrase: str) -> bool:
    """Whether the phrase needs something to vouch for it."""
    return phrase.endswith("!") and len(phrase) > 1


def is_weak(phrase: str) -> bool:
    """Whether anything said more clearly wins over the phrase."""
    return phrase.endswith("?") and len(phrase) > 1


@lru_cache(maxsize=4096)
def parsed(phrase: str) -> Sequence:
    """The phrase's structure. Raises ValueError naming what is wrong with it."""
    items = _ITEM.findall(phrase[:-1] if is_guarded(phrase) or is_weak(phrase) else phrase)
    options, end = _options(items, 0, 0)
    if end < len(items):
        raise ValueError(f"phrase '{phrase}' has a '{items[end]}' too many")
    if not all(options):
        raise ValueError(f"phrase '{phrase}' is empty, or a part of it is")
    return options[0] if len(options) == 1 else (Choice(options),)


def fault(phrase: str, *, needs_slot: bool) -> str | None:
    """What is wrong with a phrase of a schema, None if nothing is."""
    if not needs_slot and _PLAIN.fullmatch(phrase):
        return None
    try:
        sequence = parsed(phrase)
    except ValueError as wrong:
        return str(wrong)
    slots = re.findall(r"\{\w*\}", phrase)
    unknown = [slot for slot in slots if slot[1:-1] not in SLOTS]
    if unknown:
        return f"phrase '{phrase}': {unknown[0]} is none of {', '.join(sorted(SLOTS))}"
    if needs_slot and not any(slot[1:-1] in VALUE_SLOTS for slot in slots):
        return f"phrase '{phrase}' has no place for the value, such as {{number}}"
    first = sequence[0]
    if isinstance(first, Choice) and first.optional:
        return f"phrase '{phrase}' can't begin with what may be left out"
    if isinstance(first, str) and first.startswith("{") and first not in _LEADING:
        return f"phrase '{phrase}' can't begin with {first}; put a word or ^ before it"
    return None


def _options(items: list[str], at: int, depth: int) -> tuple[tuple[Sequence, ...], int]:
    if depth > DEPTH_MAX:
        raise ValueError("a phrase has too many brackets within brackets")
    first, at = _sequence(items, at, depth)
    options = [first]
    while at < len(items) and items[at] == "|":
        more, at = _sequence(items, at + 1, depth)
        options.append(more)
    return tuple(options), at


def _sequence(items: list[str], at: int, depth: int) -> tuple[Sequence, int]:
    found: list[str | Choice] = []
    while at < len(items) and items[at] not in (")", "]", "|"):
        item = items[at]
        if item in _CLOSED_BY:
            options, at = _options(items, at + 1, depth + 1)
            if at >= len(items) or items[at] != _CLOSED_BY[item]:
                raise ValueError(f"a '{item}' is never closed")
            if not all(options):
                raise ValueError("a choice has an empty part")
            found.append(Choice(options, item == "["))
        elif item in ("{", "}"):
            raise ValueError(f"a '{item}' stands alone")
        else:
            forms = _forms(item)
            found.append(item if len(forms) == 1 else Choice(tuple((form,) for form in forms)))
        at += 1
    return tuple(found), at


def _forms(item: str) -> list[str]:
    """A word, or a verb's forms; some of them no word, which does no harm."""
    if not item.endswith("~") or len(item) < 3:
        return [item]
    verb = item[:-1]
    stem = verb[:-1] if verb.endswith("e") else verb
    forms = [verb, verb + "s", stem + "ing", stem + "ed"]
    if verb[-1] in "bdgklmnprt":
        forms += [f"{verb}{verb[-1]}ing", f"{verb}{verb[-1]}ed"]
    if verb[-1] in "hsxzo":
        forms.append(verb + "es")
    if verb[-1] == "y":
        forms += [verb[:-1] + "ies", verb[:-1] + "ied"]
    return [*forms, *_IRREGULAR.get(verb, ())]


_IRREGULAR = {
    "run": ("ran",),
    "swim": ("swam", "swum"),
    "write": ("wrote", "written"),
    "ride": ("rode", "ridden"),
    "sing": ("sang", "sung"),
    "go": ("went", "gone"),
    "do": ("did", "done"),
    "make": ("made",),
    "build": ("built",),
    "teach": ("taught",),
    "sell": ("sold",),
    "lead": ("led",),
    "know": ("knew", "known"),
    "speak": ("spoke", "spoken"),
    "use": ("used",),
}
