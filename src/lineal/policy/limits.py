"""What a request may hold: lengths, sizes, and characters that hide meaning."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Any

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.context import SOURCES, AppendContext, UpdateContext
from lineal.models.lineage import DeclaredLineage
from lineal.models.matching import MatchUsers, RecordOutcome
from lineal.models.search import ALL_PROJECTS, SearchContext
from lineal.models.user import UpsertUser

__all__ = [
    "Limits",
    "check_append",
    "check_id",
    "check_match",
    "check_outcome",
    "check_query",
    "check_search",
    "check_update",
    "check_upsert",
    "is_plain",
    "text_flags",
]

JSON_CHARS_MAX = 65_536
"""Characters of one JSON object (metadata, fields, references) as stored."""

JSON_DEPTH_MAX = 32
"""Nesting of one JSON object."""

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_ZERO_WIDTH = frozenset("\u200b\u2060\ufeff\u180e\u00ad")
_BLANK = frozenset("\u034f\u115f\u1160\u3164\uffa0\u2800\u00a0")
"""Letters, joiners and spaces that show nothing, or the same as a plain space."""

_TEXT_CONTROLS = frozenset("\t\n\r")


class Limits(Model):
    """The configurable bounds; lengths in code points, inclusive (N2)."""

    title_min: int = 1
    title_max: int = 200
    summary_min: int = 10
    summary_max: int = 1_000
    content_min: int = 50
    content_max: int = 1_000_000
    sources: tuple[str, ...] = SOURCES


def check_append(request: AppendContext, limits: Limits) -> None:
    """A10 aside (the model's), what an append must hold. Raises invalid_request (A9, A11, N2)."""
    _not_blank("content", request.content)
    _length("content", request.content, 1, limits.content_max)
    _length("title", request.title, limits.title_min, limits.title_max)
    _length("summary", request.summary, 1, limits.summary_max)
    if request.source is not None:
        _encodable("source", request.source)
    if request.source is not None and request.source not in limits.sources:
        raise LinealError.invalid(
            "source",
            f"Field 'source' is '{request.source[:60]}'; it must be one of "
            f"{', '.join(limits.sources)}.",
            allowed=list(limits.sources),
        )
    _shared(request)
    _ids(("user_id", request.user_id), ("domain", request.domain))
    _ids(("session_id", request.session_id), ("speaker", request.speaker))
    _ids(("project", request.project))
    if request.project == ALL_PROJECTS:
        raise LinealError.invalid(
            "project",
            f"Field 'project' is '{ALL_PROJECTS}', which stands for all of them; name one.",
        )


def check_update(request: UpdateContext, limits: Limits) -> None:
    """N2, N20 and the bounds of every part. Raises invalid_request."""
    named = request.model_fields_set - {"context_id", "expected_revision", "idempotency_key"}
    sent = {name for name in named if getattr(request, name) is not None or name == "ttl_seconds"}
    if not sent:
        raise LinealError.invalid(
            "arguments",
            "Nothing to change was sent. Send at least one of title, summary, content, tags, "
            "metadata, nia_references, edited_files, memory_type, ttl_seconds, lineage.",
        )
    _length("title", request.title, limits.title_min, limits.title_max)
    _length("summary", request.summary, limits.summary_min, limits.summary_max)
    hint = "Send the whole new content, or lower LINEAL_CONTENT_MIN for a local store."
    _length("content", request.content, limits.content_min, limits.content_max, hint)
    if request.content is not None:
        _not_blank("content", request.content)
    _shared(request)
    check_id("context_id", request.context_id)


def check_upsert(request: UpsertUser, limits: Limits) -> None:
    """U13 and the bounds of every part. Raises invalid_request."""
    if request.context is None and request.fields is None and request.memory_ref is None:
        raise LinealError.invalid(
            "context",
            "Nothing to store was sent. Send at least one of 'context', 'fields', 'memory_ref'.",
        )
    if request.context is not None:
        _not_blank("context", request.context)
        _length("context", request.context, 1, limits.content_max)
    _json("fields", request.fields)
    _lineage(request.lineage)
    _ids(("user_id", request.user_id), ("domain", request.domain))
    _ids(("memory_ref", request.memory_ref), ("idempotency_key", request.idempotency_key))


def check_match(request: MatchUsers) -> None:
    """A user or a description, one of the two. Raises invalid_request."""
    if request.description is not None and request.user_id is not None:
        raise LinealError.invalid(
            "description", "Send either 'user_id' or 'description', not both."
        )
    if request.description is not None:
        _not_blank("description", request.description)
    _json("filters", request.filters)
    _ids(("user_id", request.user_id), ("domain", request.domain))


def check_outcome(request: RecordOutcome) -> None:
    """The ids of an outcome, and its lineage. Raises invalid_request."""
    _lineage(request.lineage)
    _ids(("user_id", request.user_id), ("domain", request.domain))
    _ids(("candidate_id", request.candidate_id), ("idempotency_key", request.idempotency_key))


def check_id(field: str, value: str) -> None:
    """An id holds no characters that another id could hide behind. Raises invalid_request."""
    _encodable(field, value)
    if not is_plain(value):
        what = ", ".join(text_flags(value)) or "hidden characters, or white space at its ends"
        raise LinealError.invalid(
            field, f"Field '{field}' holds {what}; use visible characters only.", kind="characters"
        )


def is_plain(value: str) -> bool:
    """Whether a reader sees all of it: no hidden characters, no white space at its ends."""
    if value != value.strip():
        return False
    return (value.isascii() and value.isprintable()) or all(map(_visible, value))


def _visible(character: str) -> bool:
    """Whether a reader sees it: no control, format or separator, no variation selector."""
    if character in _BLANK or "\ufe00" <= character <= "\ufe0f":
        return False
    if "\U000e0100" <= character <= "\U000e01ef":
        return False
    return unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


def check_query(query: str) -> None:
    """A query may hold anything that is well-formed text. Raises invalid_request."""
    _encodable("query", query)


def check_search(request: SearchContext) -> None:
    """A search's words and tags. Raises invalid_request."""
    check_query(request.query)
    for tag in request.tags:
        check_id("tags", tag)
    for source in request.sources:
        check_id("sources", source)
    for agent in request.agents:
        check_id("agents", agent)
    _ids(
        ("project", request.project),
        ("derived_from", request.derived_from),
        ("model_version", request.model_version),
    )


def text_flags(text: str) -> tuple[str, ...]:
    """Which kinds of hidden characters a text holds: control, bidi, zero_width, tag_characters."""
    if text.isascii() and text.isprintable():
        return ()
    found = {_flag(character) for character in set(text)}
    return tuple(sorted(flag for flag in found if flag))


def _flag(character: str) -> str | None:
    if character in _BIDI:
        return "bidi"
    if character in _ZERO_WIDTH:
        return "zero_width"
    if 0xE0000 <= ord(character) <= 0xE007F:
        return "tag_characters"
    if unicodedata.category(character) == "Cc" and character not in _TEXT_CONTROLS:
        return "control"
    return None


def _shared(request: AppendContext | UpdateContext) -> None:
    for name in ("content", "title", "summary"):
        value = getattr(request, name)
        if value is not None:
            _encodable(name, value)
    for tag in request.tags or ():
        check_id("tags", tag)
    _json("metadata", request.metadata)
    for name, value in (
        ("nia_references", request.nia_references),
        ("edited_files", request.edited_files),
    ):
        if value is not None:
            parts = value if isinstance(value, tuple) else (value,)
            _json(name, [part.model_dump(mode="python") for part in parts])
    _lineage(request.lineage)
    _ids(("idempotency_key", request.idempotency_key))


def _lineage(declared: DeclaredLineage | None) -> None:
    if declared is None:
        return
    for name in ("source_ids", "derived_from", "tool_calls"):
        for value in getattr(declared, name) or ():
            check_id(f"lineage.{name}", value)
    _ids(("lineage.model_version", declared.model_version))


def _ids(*pairs: tuple[str, str | None]) -> None:
    for field, value in pairs:
        if value is not None:
            check_id(field, value)


def _not_blank(field: str, value: str) -> None:
    if not value.strip():
        raise LinealError.invalid(field, f"Field '{field}' is blank; send the text to remember.")
    _encodable(field, value)


def _length(field: str, value: str | None, least: int, most: int, hint: str = "") -> None:
    if value is None or least <= len(value) <= most:
        return
    bound = f"at least {least} are needed" if len(value) < least else f"at most {most} are taken"
    raise LinealError.invalid(
        field,
        f"Field '{field}' has {len(value)} characters; {bound}. {hint}".rstrip(),
        length=len(value),
        minimum=least,
        maximum=most,
    )


def _encodable(field: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as broken:
        raise LinealError.invalid(
            field,
            f"Field '{field}' holds half of a surrogate pair at character {broken.start}; "
            "send well-formed Unicode.",
            kind="characters",
        ) from None


def _json(field: str, value: Any) -> None:
    """Bounds of a JSON value: size, depth, finite numbers, well-formed text."""
    size = 0
    for depth, item in _walk(value):
        if depth > JSON_DEPTH_MAX:
            raise LinealError.invalid(
                field,
                f"Field '{field}' is nested deeper than {JSON_DEPTH_MAX} levels.",
                maximum=JSON_DEPTH_MAX,
            )
        if isinstance(item, float) and not math.isfinite(item):
            raise LinealError.invalid(
                field, f"Field '{field}' holds {item}, which is not a JSON number."
            )
        if isinstance(item, str):
            _encodable(field, item)
        size += len(item) if isinstance(item, str) else 8
        if size > JSON_CHARS_MAX:
            raise LinealError.invalid(
                field,
                f"Field '{field}' is larger than {JSON_CHARS_MAX} characters.",
                maximum=JSON_CHARS_MAX,
            )


def _walk(root: Any) -> Iterable[tuple[int, Any]]:
    """Every value and key with its depth, without recursion: the depth is what is checked."""
    stack = [(0, root)]
    while stack:
        depth, item = stack.pop()
        yield depth, item
        if depth > JSON_DEPTH_MAX:
            continue
        if isinstance(item, dict):
            stack.extend((depth + 1, part) for pair in item.items() for part in pair)
        elif isinstance(item, list | tuple):
            stack.extend((depth + 1, part) for part in item)
