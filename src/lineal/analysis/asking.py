"""What a question is after, and what a text could tell it. English."""

from __future__ import annotations

import re

from lineal.analysis.speech import asks_when, tells_when
from lineal.models.sheet import Trait

__all__ = ["WEAK_WORDS", "traits_of", "wanted"]


WEAK_WORDS = (
    "kind type sort many much often name mention describe say tell thing way like get go make take "
    "use happen one some any recent recently current currently specific particular different "
    "various"
)
"""Words that frame a question, and stand in every other text too."""

_ASKS_WHERE = re.compile(
    r"\bwhere\b|\b(?:which|what) "
    r"(?:city|cities|country|countries|state|place|places|area|location)",
    re.IGNORECASE,
)
_ASKS_NUMBER = re.compile(r"\bhow (?:many|much|long|old|often)\b", re.IGNORECASE)
_TELLS_WHERE = re.compile(r"\b(?:in|at|to|from|near) (?:the )?[A-Z]")
_TELLS_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|couple|dozen|few|several|once"
    r"|twice)\b",
    re.IGNORECASE,
)
_MARKS = "?？؟"


def traits_of(text: str) -> Trait:
    """All that is true of a text."""
    found = Trait(0)
    for trait, true in (
        (Trait.TELLS_WHEN, tells_when(text)),
        (Trait.TELLS_WHERE, _TELLS_WHERE.search(text)),
        (Trait.TELLS_NUMBER, _TELLS_NUMBER.search(text)),
        (Trait.ASKS, any(mark in text for mark in _MARKS)),
        (Trait.ENDS_ASKING, text.rstrip().endswith(tuple(_MARKS))),
    ):
        if true:
            found |= trait
    return found


def wanted(question: str) -> Trait:
    """What a text should tell that answers the question."""
    found = Trait(0)
    for trait, true in (
        (Trait.TELLS_WHEN, asks_when(question)),
        (Trait.TELLS_WHERE, _ASKS_WHERE.search(question)),
        (Trait.TELLS_NUMBER, _ASKS_NUMBER.search(question)),
    ):
        if true:
            found |= trait
    return found
