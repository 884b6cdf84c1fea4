"""Names of speakers in a question."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["without_names", "words_of"]

_WORD = re.compile(r"\w+")
_OWNED = re.compile(r"['’]s\b")


def words_of(text: str) -> list[str]:
    """A text's words, folded, without a possessive."""
    return _WORD.findall(_OWNED.sub(" ", text).casefold())


def without_names(question: str, names: Iterable[str]) -> str:
    """The question without the words of these folded names; as it is where nothing would be
    left."""
    parts = {word for name in names for word in words_of(name)}
    if parts.isdisjoint(words_of(question)):
        return question
    rest = _WORD.sub(lambda found: "" if found[0].casefold() in parts else found[0], question)
    rest = " ".join(_OWNED.sub(" ", rest).split())
    return rest if words_of(rest) else question
