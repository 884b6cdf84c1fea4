"""Keeping a result within its size, and saying what was left out."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["fitted", "size_of"]

HEAVY = ("metadata", "nia_references", "edited_files", "provenance", "extras")
"""Parts of an answer that go first, whole, when it is too large."""

CUT_ROOM = 260
"""Characters kept free for the note on what was cut."""


def size_of(payload: Any) -> int:
    """Characters of its JSON."""
    return len(json.dumps(payload, ensure_ascii=False, separators=(",", ":")))


def fitted(payload: dict[str, Any], chars_max: int, context_id: str | None) -> dict[str, Any]:
    """The payload, or one of at most about chars_max characters with a `cut` that says what is
    missing and under which id it is whole.

    The text is cut first, then heavy parts go whole, then the tails of lists.
    """
    over = size_of(payload) - chars_max
    if over <= 0:
        return payload
    small = dict(payload)
    cut: dict[str, Any] = {"context_id": context_id} if context_id else {}
    _cut_text(small, cut, over + CUT_ROOM)
    _drop_heavy(small, cut, chars_max - CUT_ROOM)
    _shorten_lists(small, cut, chars_max - CUT_ROOM)
    if context_id:
        cut["how"] = "get_context with a larger max_chars reads it whole"
    return {**small, "cut": cut}


def _cut_text(small: dict[str, Any], cut: dict[str, Any], over: int) -> None:
    """Take `over` characters of JSON off the end of the content, if there is one."""
    text = small.get("content")
    if not isinstance(text, str):
        return
    keep = max(0, len(text) - over)
    # Escapes make JSON longer than the text: measure what stays instead of guessing.
    while keep and size_of(text) - size_of(text[:keep]) < over and keep > 200:
        keep = int(keep * 0.9)
    small["content"] = text[:keep]
    cut["missing_chars"] = len(text) - keep


def _drop_heavy(small: dict[str, Any], cut: dict[str, Any], room: int) -> None:
    for name in HEAVY:
        if size_of(small) <= room:
            return
        if small.get(name):
            small[name] = type(small[name])()
            cut.setdefault("left_out", []).append(name)


def _shorten_lists(small: dict[str, Any], cut: dict[str, Any], room: int) -> None:
    """Halve the longest list until it fits: a graph's nodes, a row's values."""
    while size_of(small) > room:
        holder, name = _heaviest(small)
        if holder is None:
            return
        value = holder[name]
        holder[name] = value[: len(value) // 2]
        shortened = cut.setdefault("shortened", {})
        shortened[name] = shortened.get(name, 0) + len(value) - len(value) // 2


def _heaviest(small: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The longest list or text, at the top or one level down, that can still be shortened."""
    found: tuple[int, dict[str, Any] | None, str] = (0, None, "")
    for holder in (small, *(value for value in small.values() if isinstance(value, dict))):
        for name, value in holder.items():
            if isinstance(value, list | str) and len(value) > 1 and name != "context_id":
                found = max(found, (size_of(value), holder, name), key=lambda item: item[0])
    return found[1], found[2]
