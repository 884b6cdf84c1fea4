"""Keeping a result within its size, and saying what was left out."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from lineal.policy.packing import fitting

__all__ = ["fitted", "size_of"]

HEAVY = ("metadata", "nia_references", "edited_files", "provenance", "extras")
"""Parts of an answer that go first, whole, when it is too large."""

ACCOUNTS = ("observed", "declared")
"""Parts of a lineage that go after them; what they were joined to stays."""

TEXTS = ("content", "summary", "title")
"""Free text, cut last and as little as it takes. Ids, times and kinds are never cut."""

CUT_CHARS = 300
"""Characters kept free for the note on what was cut."""


def size_of(payload: Any) -> int:
    """Characters of its JSON."""
    return len(to_json(payload).decode())


def fitted(
    payload: dict[str, Any], chars_max: int, context_id: str | None, whole: str = ""
) -> dict[str, Any]:
    """The payload, or one of about chars_max characters with a `cut` that says what is missing,
    under which id, and how to see the whole.

    Heavy parts go first, whole; then the tails of lists; then the end of the text.
    """
    if size_of(payload) <= chars_max:
        return payload
    small, cut, room = dict(payload), dict[str, Any](), chars_max - CUT_CHARS
    _drop(small, HEAVY, cut, room)
    if isinstance(small.get("lineage"), dict) and size_of(small) > room + _text_size(small):
        small["lineage"] = dict(small["lineage"])
        _drop(small["lineage"], ACCOUNTS, cut, room - size_of(small) + size_of(small["lineage"]))
    _shorten_lists(small, cut, room + _text_size(small))
    _cut_texts(small, cut, room)
    if context_id:
        cut["context_id"] = context_id
    if whole:
        cut["how"] = whole
    return {**small, "cut": cut}


def _drop(part: dict[str, Any], names: tuple[str, ...], cut: dict[str, Any], room: int) -> None:
    """Empty these members, the largest first, until what is left fits beside the text."""
    for name in sorted(names, key=lambda name: -size_of(part.get(name))):
        if size_of(part) <= room + _text_size(part) - min(_text_size(part), room // 2):
            return
        if part.get(name):
            part[name] = type(part[name])()
            cut.setdefault("left_out", []).append(name)


def _text_size(part: dict[str, Any]) -> int:
    return sum(size_of(part[name]) for name in TEXTS if isinstance(part.get(name), str))


def _cut_texts(small: dict[str, Any], cut: dict[str, Any], room: int) -> None:
    for name in TEXTS:
        over = size_of(small) - room
        text = small.get(name)
        if over <= 0 or not isinstance(text, str):
            continue
        keep = fitting(text, max(0, size_of(text) - 2 - over))
        small[name] = text[:keep]
        key = "missing_chars" if name == "content" else f"missing_{name}_chars"
        cut[key] = len(text) - keep


def _shorten_lists(small: dict[str, Any], cut: dict[str, Any], room: int) -> None:
    """Take the tail off the longest list until it fits: a graph's nodes, a row's values, sources.
    A tenth at a time, and never the first: it is the root, or the best."""
    while size_of(small) > room:
        holder, name = _longest(small)
        if holder is None:
            return
        kept = holder[name][: min(len(holder[name]) - 1, len(holder[name]) * 9 // 10)]
        lost = cut.setdefault("shortened", {})
        lost[name] = lost.get(name, 0) + len(holder[name]) - len(kept)
        holder[name] = kept


def _longest(small: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The largest list, at the top or one level down, or the largest value of a user's fields."""
    found: tuple[int, dict[str, Any] | None, str] = (0, None, "")
    for key, holder in (("", small), *((k, v) for k, v in small.items() if isinstance(v, dict))):
        if key in ("cut", "error"):
            continue
        for name, value in holder.items():
            long = isinstance(value, list) and len(value) > 1
            if long or (key in ("fields", "derived") and isinstance(value, str) and value[1:]):
                found = max(found, (size_of(value), holder, name), key=lambda item: item[0])
    return found[1], found[2]
