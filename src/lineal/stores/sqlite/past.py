"""Finding in what was known at a past time: what is live now, as it was recorded by then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.stores.sqlite.context_rows import CONTEXT_COLUMNS, ContextRow, index_text
from lineal.stores.sqlite.fulltext import COLUMNS
from lineal.stores.sqlite.search import (
    WEIGHTS,
    Filter,
    Listed,
    content_filter,
    listed,
    live_filter,
    match_words,
)
from lineal.stores.sqlite.statements import Value, all_rows, sql

__all__ = ["CHANGED_MAX", "OTHERS", "find"]

CHANGED_MAX = 5_000
"""Most contexts whose earlier text is read for one question, the latest changed first: each costs
about 0.1 ms."""

# What was never changed isn't in the index this uses.
_CHANGED = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", number, body, body_digest FROM context JOIN context_revision ON context_seq = seq "
    "AND number = (SELECT max(number) FROM context_revision "
    "WHERE context_seq = seq AND recorded_at <= ?) WHERE revision > 1 AND",
)
_LATEST_CHANGED = "ORDER BY updated_at DESC LIMIT ?"
_MAKE = sql("CREATE VIRTUAL TABLE past USING fts5 (", COLUMNS, ")")
_INSERT = (
    "INSERT INTO past (rowid, content, title, summary, tags, speaker) VALUES (?, ?, ?, ?, ?, ?)"
)
_RANK = sql(
    "SELECT rowid, bm25(past,",
    WEIGHTS,
    ") AS badness FROM past WHERE past MATCH ? AND rowid > 0 ORDER BY badness, rowid DESC",
)
OTHERS = 3
"""Texts without any of the words, for each that may be shown. With fewer than one to one a
word that all hold would weigh nothing beside one that few hold (bm25's inverse frequency is 0)."""

_OTHER_WORD = "\ue000"
"""A word to the index, in a range that no script uses."""


def find(
    connection: apsw.Connection, scope: Scope, query: TextQuery, now: datetime
) -> CandidatePage:
    """As `search.find`, each as the latest revision recorded by query.as_of had it.

    Which of it has changed since is found by reading, of the CHANGED_MAX latest changed."""
    as_of_ms = 0 if query.as_of is None else to_ms(query.as_of)
    same = content_filter(scope, query, now).also("updated_at <= ?", as_of_ms)
    unchanged = listed(connection, query, same)
    changed = _changed(connection, query, live_filter(scope, now), as_of_ms)
    if query.terms and changed:
        return _ranked(query, unchanged, changed)
    if changed:
        return _newest(query, unchanged, changed)
    return CandidatePage(candidates=tuple(unchanged.found.values()), matched=unchanged.matched)


def _changed(
    connection: apsw.Connection, query: TextQuery, live: Filter, as_of_ms: int
) -> dict[int, Context]:
    """By the number of its row, what was recorded by then of each that has changed since."""
    passing = live.also("updated_at > ?", as_of_ms)
    statement = sql(_CHANGED, passing.condition, _LATEST_CHANGED)
    return {
        row.seq: context
        for row, context in _read(connection, statement, as_of_ms, *passing.values, CHANGED_MAX)
        if _passes(context, query)
    }


def _read(
    connection: apsw.Connection, statement: str, *bound: Value
) -> Iterator[tuple[ContextRow, Context]]:
    for values in all_rows(connection, statement, *bound):
        row = ContextRow.checked(values[:-3])
        yield row, row.context(*values[-3:])


def _passes(context: Context, query: TextQuery) -> bool:
    """What content_filter asks of a present row."""
    right_type = not query.memory_types or context.memory_type in query.memory_types
    right_tags = set(query.tags) <= set(context.tags)
    everywhere = query.projects is None or context.project is None
    return right_type and right_tags and (everywhere or context.project in (query.projects or ()))


def _newest(query: TextQuery, unchanged: Listed, changed: dict[int, Context]) -> CandidatePage:
    """Both by receipt, the latest first."""
    every = {**{seq: Candidate(context=c) for seq, c in changed.items()}, **unchanged.found}
    newest = sorted(every, reverse=True)[: query.limit]
    matched = unchanged.matched + len(changed)
    return CandidatePage(candidates=tuple(every[seq] for seq in newest), matched=matched)


def _ranked(query: TextQuery, unchanged: Listed, changed: dict[int, Context]) -> CandidatePage:
    """The best of both, measured by one index that is made for this question."""
    texts = {**{seq: found.context for seq, found in unchanged.found.items()}, **changed}
    others = OTHERS * min(len(texts), query.limit)
    ranked = _matching(texts, others, match_words(query.terms))
    best = tuple(
        Candidate(context=texts[seq], text_score=-badness) for seq, badness in ranked[: query.limit]
    )
    earlier = sum(seq in changed for seq, _ in ranked)
    return CandidatePage(candidates=best, matched=unchanged.matched + earlier)


def _matching(texts: dict[int, Context], others: int, words: str) -> list[tuple[int, float]]:
    """(key, badness), best first. others: how many texts without any of the words, of middling
    length, are put beside them."""
    length = sum(len(text.content.split()) for text in texts.values()) // max(1, len(texts))
    other = ((_OTHER_WORD + " ") * length, "", "", "", "")
    memory = apsw.Connection(":memory:")
    try:
        memory.execute(_MAKE)
        # One transaction, and numbers that rise: otherwise each text is an index of its own first,
        # at seven times the cost.
        memory.execute("BEGIN IMMEDIATE")
        memory.executemany(_INSERT, ((number, *other) for number in range(-others, 0)))
        rising = sorted(texts.items())
        memory.executemany(_INSERT, ((number, *index_text(text)) for number, text in rising))
        return [(number, badness) for number, badness in all_rows(memory, _RANK, words)]
    finally:
        memory.close()
