"""The best of a domain's users, page by page, and who of them still lacks a vector."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import nsmallest
from typing import NamedTuple

from lineal.engine.rows import present
from lineal.models.changes import Peer
from lineal.models.schema import Schema
from lineal.models.user import Head, UserRow
from lineal.policy import matching, merging
from lineal.policy.matching import Scored, Sought

__all__ = ["HEADS_MAX", "Headed", "Shortlist", "is_fresh"]

HEADS_MAX = 32
"""Vectors of candidates made in one call, in one batch; the next call makes the next ones."""


class Headed(NamedTuple):
    """A row that lacks a vector in a domain, whole as its schema has it, and the text of it."""

    schema: Schema
    row: UserRow
    text: str


class Shortlist:
    """The best so far, and what was counted on the way."""

    def __init__(self, sought: Sought, version: str, user_id: str | None, limit: int) -> None:
        self.sought = sought
        self.best: list[Scored] = []
        self.waiting: list[Headed] = []
        self.considered = 0
        self.filtered = 0
        self.headless = 0
        self._version = version
        self._user_id = user_id
        self._limit = limit

    def take(self, page: tuple[Peer, ...], now: datetime) -> None:
        """Look at a page of users."""
        looked = [self._looked(peer, now) for peer in page if peer.row.user_id != self._user_id]
        self.considered += len(looked)
        self._best_of(one for one in looked if one is not None)

    def headed(self, heads: list[Head | None]) -> None:
        """Rank those who were waiting for a vector. heads: one each."""
        schema = self.sought.schema
        self.headless += heads.count(None)
        self._best_of(
            matching.scored(
                self.sought,
                found.row.user_id,
                matching.values_of(schema, found.row),
                head.vector if head else None,
            )
            for found, head in zip(self.waiting, heads, strict=True)
        )

    def _looked(self, peer: Peer, now: datetime) -> Scored | None:
        """None for who is left out, or waits for a vector."""
        schema = self.sought.schema
        row = present(schema, peer.row, now)
        values = matching.values_of(schema, row)
        if not matching.fits(self.sought, values):
            self.filtered += 1
            return None
        head = peer.head if is_fresh(row, schema.domain, self._version) else None
        if self.sought.head is not None and head is None:
            text = merging.soft_text(schema, row.fields)
            if text and len(self.waiting) < HEADS_MAX:
                self.waiting.append(Headed(schema, row, text))
                return None
            self.headless += 1
        return matching.scored(self.sought, row.user_id, values, head.vector if head else None)

    def _best_of(self, more: Iterable[Scored]) -> None:
        self.best = nsmallest(self._limit, (*self.best, *more), key=lambda one: one.place)


def is_fresh(row: UserRow, name: str, version: str) -> bool:
    """Whether the row's vector of that name is of its present words and of this model."""
    info = row.heads.get(name)
    return info is not None and not info.stale and info.version == version
