"""An error repeats what was wrong, and never what of it is secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from lineal.errors import LinealError
from lineal.models.redaction import Found
from lineal.policy.redaction import (
    REPEATED_MIN,
    Allow,
    Find,
    apart,
    nothing_allowed,
    secrets_of,
    without,
)

__all__ = ["discreet"]

SHORT_MAX = 1_000
"""Characters of the longest text whose pieces are compared first: looking at a great many short
texts for secrets takes seconds."""


def discreet(
    error: LinealError, sent: Mapping[str, Any], find: Find, allow: Allow = nothing_allowed
) -> LinealError:
    """The error without any piece of a secret in what was sent: a message may cut or escape what
    it repeats. The error itself if nothing was secret. sent: JSON values, valid or not."""
    said = {piece for _, text in _texts([error.message, error.details]) for piece in _pieces(text)}
    echoed = ((key, text) for key, text in _texts(sent) if _may_be_in(said, text))
    known = secrets_of(echoed, find, allow)
    if not known:
        return error
    return LinealError(
        error.code,
        _untold(error.message, known),
        details=_untold(error.details, known),
        retryable=error.retryable,
    )


def _texts(sent: Any) -> Iterator[tuple[str, str]]:
    """Every text in JSON values with the nearest key above it, names of keys too. Without
    recursion: nobody has looked at the depth yet."""
    waiting: list[tuple[str, Any]] = [("", sent)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, Mapping):
            yield from (("", name) for name in value)
            waiting += value.items()
        elif isinstance(value, list | tuple):
            waiting += ((key, item) for item in value)


def _untold(value: Any, known: Mapping[str, str]) -> Any:
    """An error's part without the pieces of known secrets."""
    if isinstance(value, str):
        return without(value, apart(_echoes(value, known)))
    if isinstance(value, Mapping):
        return {_untold(name, known): _untold(part, known) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_untold(part, known) for part in value]
    return value


def _echoes(text: str, known: Mapping[str, str]) -> Iterator[Found]:
    for value, kind in known.items():
        pieces = _pieces(value)
        for at in range(len(text) - REPEATED_MIN + 1):
            if text[at : at + REPEATED_MIN] in pieces:
                yield Found(kind, at, at + REPEATED_MIN)


def _may_be_in(said: Set[str], text: str) -> bool:
    """Whether an error with these pieces may repeat some of a text."""
    return len(text) > SHORT_MAX or not said.isdisjoint(_pieces(text))


def _pieces(text: str) -> set[str]:
    return {text[at : at + REPEATED_MIN] for at in range(len(text) - REPEATED_MIN + 1)}
