"""Hits as a search shows them, within a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

from lineal.models.context import Context
from lineal.models.search import Candidate, Hit
from lineal.policy.duplicates import fingerprint, same
from lineal.policy.limits import text_flags
from lineal.policy.provenance import brief

__all__ = ["fitting", "folded", "hit_of", "packed", "told"]

CONTENT_CHARS_MIN = 120
"""A hit is cut to no less than this; a shorter rest of the budget stays unused."""

OWN_TOOLS = ("append_context", "upsert_user", "update_context")
"""By which everything is written: a hit needn't say so."""

NAMED_MAX = 3
"""Tools, or memories it rests on, that a hit names."""

MISSING_MAX = 1_000_000
"""Room is kept for a number of missing characters this long."""


def hit_of(context: Context, score: float, here: Sequence[str] = ()) -> Hit:
    """The context as a search shows it, whole; its project only where that isn't one of `here`."""
    return Hit(
        context_id=context.context_id,
        content=context.content,
        score=round(score, 3),
        title=context.title,
        tags=context.tags,
        memory_type=context.memory_type,
        domain=context.domain,
        occurred_at=context.occurred_at,
        created_at=context.created_at,
        expires_at=context.expires_at,
        source=context.source,
        speaker=context.speaker,
        project=None if context.project in here else context.project,
        revision=context.revision,
        lineage=brief(context.lineage),
        flags=text_flags(context.content),
    )


def folded(candidates: Sequence[Candidate]) -> list[tuple[Candidate, tuple[str, ...]]]:
    """Each candidate that says something new, in order, with the ids of those after it that say
    the same: what differs in a number or a name says something else."""
    kept: list[tuple[Candidate, list[str]]] = []
    by_key: dict[str | int, int] = {}
    for candidate in candidates:
        mark = fingerprint(candidate.context.content)
        keys: tuple[str | int, ...] = (mark.content_key, *mark.keys)
        place = next((by_key[key] for key in keys if key in by_key), None)
        if place is not None and same(kept[place][0].context.content, candidate.context.content):
            kept[place][1].append(candidate.context.context_id)
            continue
        by_key.update(dict.fromkeys(keys, len(kept)))
        kept.append((candidate, []))
    return [(candidate, tuple(also)) for candidate, also in kept]


def packed(hits: Iterable[Hit], chars_max: int, now: datetime) -> list[Hit]:
    """The first hits that fit, whole; the first that doesn't is cut to the room left, if that
    still says something; of the best hit anything does. chars_max: characters of the JSON of
    what is `told` of them."""
    room, chosen = chars_max, []
    for hit in hits:
        size = _size(hit, now)
        if size <= room:
            room -= size
            chosen.append(hit)
            continue
        cut = _cut(hit, room, CONTENT_CHARS_MIN if chosen else 1, now)
        return [*chosen, cut] if cut else chosen
    return chosen


def told(hit: Hit, now: datetime) -> dict[str, Any]:
    """A hit as a model is told of it: its text, and in one line what it is and whence it came.
    As JSON the text is fenced: nothing in it can pass for anything else."""
    whole = hit.model_dump(mode="json", include=set(_TOLD))
    named = {name: whole[name] for name in _TOLD if whole.get(name) not in (None, [], ())}
    return {"context_id": hit.context_id, "about": _about(hit, now), **named}


_TOLD = ("title", "content", "missing_chars", "tags", "flags", "also", "score", "explain")


def _about(hit: Hit, now: datetime) -> str:
    day = f"{hit.occurred_at:%Y-%m-%d} ({_ago(now - hit.occurred_at)})"
    ends = hit.expires_at and f"ends in {_span(hit.expires_at - now)}"
    changed = f"revision {hit.revision}" if hit.revision > 1 else None
    parts = (hit.memory_type.value, day, ends, hit.domain, hit.project, hit.source, hit.speaker)
    return " · ".join(str(part) for part in (*parts, changed, *_whence(hit.lineage)) if part)


def _whence(lineage: Mapping[str, Any]) -> Iterator[str]:
    declared = lineage.get("declared", ())
    model = lineage.get("model_version")
    agent = lineage.get("agent_source")
    if agent or model:
        said = " (declared)" if model and "model_version" in declared else ""
        yield " with ".join(name for name in (agent, model) if name) + said
    tools = [call.partition(":")[0] for call in lineage.get("tool_calls", ())]
    if other := [tool for tool in tools if not tool.endswith(OWN_TOOLS)]:
        yield f"by {_few(list(dict.fromkeys(other)))}"
    if lineage.get("derived_from"):
        yield f"from {_few(lineage['derived_from'])}"
    if lineage.get("source_ids"):
        yield f"read {len(lineage['source_ids'])}"
    if lineage.get("confidence") is not None:
        yield f"confidence {lineage['confidence']:g}"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


def _ago(age: timedelta) -> str:
    return f"{_span(age)} ago" if age >= timedelta() else f"in {_span(-age)}"


def _span(time: timedelta) -> str:
    """In the largest unit of which there is one."""
    for unit, seconds in (("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60)):
        if time.total_seconds() >= seconds:
            return f"{time.total_seconds() // seconds:.0f} {unit}"
    return f"{max(0, time.total_seconds()):.0f} s"


def _cut(hit: Hit, room: int, least: int, now: datetime) -> Hit | None:
    """The hit with as much of its content as fits; None when that would be less than `least`."""
    bare = hit.model_copy(update={"content": "", "missing_chars": MISSING_MAX})
    keep = fitting(hit.content, room - _size(bare, now))
    if keep < least:
        return None
    return bare.model_copy(
        update={"content": hit.content[:keep], "missing_chars": len(hit.content) - keep}
    )


def fitting(text: str, room: int) -> int:
    """How many characters of the text take at most `room` in JSON, where some take several."""
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _json_size(text[:middle]) <= room else (low, middle - 1)
    return low


def _json_size(value: object) -> int:
    return len(to_json(value).decode()) - 2


def _size(hit: Hit, now: datetime) -> int:
    return _json_size(told(hit, now)) + 3
