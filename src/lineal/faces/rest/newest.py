"""Contexts page by page, the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from lineal.errors import ErrorCode, LinealError
from lineal.faces.rest.asked import Asked
from lineal.models.context import ContextAnswer, GetContext
from lineal.models.search import SearchAnswer, SearchContext

__all__ = ["TOKENS", "Listing", "listed", "whole"]

HITS_MAX = 200
"""Hits of one search."""

TOKENS = 100_000
"""The largest answer of one search; what is beyond it comes with the next."""

TICK = timedelta(milliseconds=1)
"""By which recorded times differ, at least."""


class Listing(NamedTuple):
    """Ids of a page, in order. total: how many there are in all; at_least: or more."""

    ids: tuple[str, ...]
    total: int
    at_least: bool


async def listed(asked: Asked, request: SearchContext, offset: int, limit: int) -> Listing:
    """The page after the first `offset`. A search gives no more than 200 hits and a bounded text,
    so it is asked on from the oldest that it gave, as often as it takes."""
    wanted, found = offset + limit, dict[str, datetime]()
    first = answer = await _searched(asked, request, wanted, None)
    while True:
        added = await _add(asked, found, answer)
        if not added or not answer.more or len(found) >= wanted:
            break
        until = answer.hits[-1].created_at + TICK
        answer = await _searched(asked, request, wanted, until)
    ordered = sorted(found, key=lambda context_id: found[context_id], reverse=True)
    total = sum(1 + len(hit.also) for hit in first.hits) + first.more
    return Listing(tuple(ordered[offset:wanted]), max(total, len(found)), first.at_least)


async def whole(asked: Asked, ids: Iterable[str]) -> list[ContextAnswer]:
    """These contexts, without those that have ended since."""
    found = [await _whole(asked, context_id) for context_id in ids]
    return [context for context in found if context is not None]


async def _searched(
    asked: Asked, request: SearchContext, wanted: int, until: datetime | None
) -> SearchAnswer:
    update = {"limit": min(wanted, HITS_MAX), "max_tokens": TOKENS, "recorded_to": until}
    return await asked.service.search_context(
        asked.call("search_context"), request.model_copy(update=update)
    )


async def _add(asked: Asked, found: dict[str, datetime], answer: SearchAnswer) -> bool:
    """Note what the answer brought; whether any of it is new. What was folded into a hit is a
    context of its own here, at its own time."""
    before = len(found)
    for hit in answer.hits:
        found.setdefault(hit.context_id, hit.created_at)
        for context in await whole(asked, (one for one in hit.also if one not in found)):
            found[context.id] = context.created_at
    return len(found) > before


async def _whole(asked: Asked, context_id: str) -> ContextAnswer | None:
    try:
        call = asked.call("get_context")
        return await asked.service.get_context(call, GetContext(context_id=context_id))
    except LinealError as gone:
        if gone.code is not ErrorCode.NOT_FOUND:
            raise
        return None
