"""Finding by words and by meaning: from a question to candidates, and their order by a rank."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import apsw

from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.sheet import Entry, Rank, Sheet
from lineal.policy.indexing import weak_places
from lineal.policy.ranking import LIKENESS_MIN, NEAR_MAX, SLIP_TERMS_MAX, named
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.rows.sheets import past_entry
from lineal.stores.rows.words import hashed
from lineal.stores.sqlite import trouble, vectors
from lineal.stores.sqlite.filters import (
    Filter,
    content_filter,
    ended,
    mark_groups,
    passing,
    row_filter,
)
from lineal.stores.sqlite.lexicon import analyzer_of
from lineal.stores.sqlite.postings import (
    READ_MAX,
    READ_MIN,
    Postings,
    best_sums,
    holds_any,
    matching,
    postings,
)
from lineal.stores.sqlite.sheets import Reader
from lineal.stores.sqlite.shelves import Shelves, shelves_of
from lineal.stores.sqlite.statements import all_rows, one_row, one_value, sql

__all__ = ["find", "listed"]

BY_WORDS = 100
"""Candidates by their words alone, before they are ranked in their context."""

BY_MEANING = 150
FILTERED_BY_MEANING = 1_000
"""Candidates by their vectors; more where filters will leave some out."""

UNKNOWN_MAX = 4
"""Words of a question that nobody wrote, and whose neighbours in spelling are looked for."""

SLIP_SHELVES_MAX = 8
"""Over more shelves no word is taken for another."""

_NEWEST = "SELECT seq FROM context WHERE"
_NEWEST_ORDER = "ORDER BY seq DESC LIMIT ?"
_COUNT_ALL = "SELECT count(*) FROM context WHERE"
_WHOLE = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", body, body_digest FROM context JOIN context_revision "
    "ON context_seq = seq AND number = revision WHERE seq = ?",
)


class Listed(NamedTuple):
    """found: by the number of its row and in order, each candidate. matched: how many in all."""

    found: dict[int, Candidate]
    matched: int


class _Words(NamedTuple):
    """The words of a question. hashes: of each, and of what it may be a slip of. weak: places of
    those that only frame it. found: who holds them. corrected: unknown words, each with those it
    was taken for."""

    hashes: tuple[tuple[int, ...], ...]
    weak: frozenset[int]
    found: tuple[Postings, ...]
    corrected: dict[str, tuple[str, ...]]


def find(
    connection: apsw.Connection,
    scope: Scope,
    query: TextQuery,
    rank: Rank,
    now: datetime,
    past: Mapping[int, Context] | None = None,
) -> CandidatePage:
    """Live contexts in the order of `rank`; newest first without words.

    past: by the number of its row, an earlier text to be found instead of the present one."""
    if not query.terms:
        found, matched = listed(connection, query, content_filter(scope, query, now))
        return CandidatePage(candidates=tuple(found.values()), matched=matched, now=now)
    shelves = shelves_of(connection, scope, query.projects)
    if not shelves.numbers and not past:
        return CandidatePage(candidates=(), matched=0, now=now)
    return _Search(connection, scope, query, now, shelves, past or {}).page(rank)


def listed(connection: apsw.Connection, query: TextQuery, passing: Filter) -> Listed:
    """The newest of the rows that pass."""
    newest = sql(_NEWEST, passing.condition, _NEWEST_ORDER)
    seqs = [seq for (seq,) in all_rows(connection, newest, *passing.values, query.limit)]
    found = {seq: Candidate(context=_whole(connection, seq)) for seq in seqs}
    if len(found) < query.limit:
        return Listed(found, len(found))
    count = sql(_COUNT_ALL, passing.condition)
    return Listed(found, one_value(connection, count, *passing.values))


class _Search:
    """One question at one instant."""

    def __init__(
        self,
        connection: apsw.Connection,
        scope: Scope,
        query: TextQuery,
        now: datetime,
        shelves: Shelves,
        past: Mapping[int, Context],
    ) -> None:
        self._connection = connection
        self._query = query
        self._now = now
        self._shelves = shelves
        self._past = past
        self._analyzer = analyzer_of(connection)
        self._marks = mark_groups(query)
        self._rows = row_filter(scope, query, now)
        self._whole = content_filter(scope, query, now)
        self._ended = ended(connection, scope, now)

    def page(self, rank: Rank) -> CandidatePage:
        question = " ".join(self._query.terms)
        words = self._words(question)
        weights = [math.log1p(self._shelves.size / max(1, p.holders)) for p in words.found]
        most = BY_WORDS if self._rows is None else READ_MAX
        best, matched = best_sums(words.found, weights, most, self._ended)
        if self._rows is not None:
            best = passing(self._connection, best, self._rows)
            matched = len(best)
        likeness = self._by_meaning()
        sheet = self._sheet(question, words, best[:BY_WORDS], likeness)
        ranked = rank(sheet)
        found = tuple(
            Candidate(context=self._context(s.number), score=s.score, parts=named(s.parts))
            for s in ranked[: self._query.limit]
        )
        return CandidatePage(
            candidates=found,
            matched=max(matched, len(ranked)),
            at_least=any(p.holders > p.read for p in words.found),
            corrected=words.corrected,
            now=self._now,
        )

    def _words(self, question: str) -> _Words:
        """Each word's postings; of one that nobody holds, those of its neighbours in spelling."""
        asked = self._analyzer.question(question)
        most = max(READ_MIN, READ_MAX // max(1, len(asked)))
        hashes: list[tuple[int, ...]] = [(hashed(term),) for term in asked]
        found = [self._postings(each, most) for each in hashes]
        unknown = [place for place, each in enumerate(found) if not each.holders]
        corrected: dict[str, tuple[str, ...]] = {}
        looked_for = len(asked) <= SLIP_TERMS_MAX and len(self._shelves.numbers) <= SLIP_SHELVES_MAX
        if unknown and looked_for and not self._past:
            spelled = {term: raw for raw, term in self._analyzer.words(question)}
            for place in unknown[:UNKNOWN_MAX]:
                raw = spelled.get(asked[place], "")
                meant = self._meant(raw)
                if meant:
                    corrected[raw] = tuple(self._analyzer.meant(raw, term) for term in meant)
                    hashes[place] = tuple(map(hashed, meant))
                    found[place] = self._postings(hashes[place], most)
        return _Words(tuple(hashes), weak_places(self._analyzer, asked), tuple(found), corrected)

    def _meant(self, raw: str) -> list[str]:
        """Known words one slip away, those held by most first."""
        known = [
            term
            for term in self._analyzer.near(raw)
            if holds_any(self._connection, matching(self._shelves.numbers, (hashed(term),), ()))
        ]
        counted = [(self._postings((hashed(term),), READ_MIN).holders, term) for term in known]
        held = sorted((pair for pair in counted if pair[0]), key=lambda pair: -pair[0])
        return [term for _, term in held[:NEAR_MAX]]

    def _postings(self, hashes: tuple[int, ...], most: int) -> Postings:
        if not self._shelves.numbers:
            return Postings("", 0, 0)
        expression = matching(self._shelves.numbers, hashes, self._marks)
        return postings(self._connection, expression, most)

    def _by_meaning(self) -> dict[int, float]:
        """Cosines of the nearest that pass."""
        meaning = self._query.meaning
        if meaning is None or self._past or self._query.as_of is not None:
            return {}
        filtered = self._rows is not None or bool(self._marks)
        most = FILTERED_BY_MEANING if filtered else BY_MEANING
        found = vectors.nearest(
            self._connection, meaning.space, self._shelves.numbers, meaning.vector, most
        )
        near = {seq: cosine for seq, cosine in found.items() if seq not in self._ended}
        if filtered:
            kept = set(passing(self._connection, near, self._whole))
            near = {seq: cosine for seq, cosine in near.items() if seq in kept}
        return near

    def _sheet(
        self, question: str, words: _Words, best: list[int], likeness: dict[int, float]
    ) -> Sheet:
        reader = Reader(self._connection, words.hashes, self._ended)
        close = [seq for seq, cosine in likeness.items() if cosine >= LIKENESS_MIN]
        closest = sorted(close, key=lambda seq: -likeness[seq])[:BY_MEANING]
        chosen = dict.fromkeys((*best, *closest))
        reader.read(chosen)
        around = reader.read_around(chosen)
        candidates = dict.fromkeys((*chosen, *self._passing(around)))
        reader.read_around(around)
        if self._query.meaning is not None and self._query.as_of is None:
            reader.measure(self._query.meaning, likeness)
            reader.match(self._query.meaning, candidates)
        entries = reader.entries()
        if self._query.as_of is not None:
            entries = self._known_then(entries)
        for seq, context in self._past.items():
            entry = past_entry(self._analyzer, seq, context, words.hashes)
            if entry.own or entry.head:
                entries[seq], candidates[seq] = entry, None
        size = max(1, self._shelves.size)
        return Sheet(
            question=question,
            weak=words.weak,
            holders=tuple(p.holders for p in words.found),
            size=size,
            own_mean=max(1.0, self._shelves.own_words / size),
            head_mean=max(1.0, self._shelves.head_words / size),
            entries=entries,
            candidates=tuple(seq for seq in candidates if seq in entries),
            read=self._query.meaning.read if self._query.meaning else 0.0,
        )

    def _passing(self, seqs: Iterable[int]) -> Iterable[int]:
        if self._rows is None and not self._marks:
            return seqs
        return passing(self._connection, seqs, self._whole)

    def _known_then(self, entries: dict[int, Entry]) -> dict[int, Entry]:
        """Without neighbours that weren't known at the time asked about."""
        then = self._rows or self._whole
        known = set(passing(self._connection, entries, then))
        return {seq: entry for seq, entry in entries.items() if seq in known}

    def _context(self, seq: int) -> Context:
        return self._past.get(seq) or _whole(self._connection, seq)


def _whole(connection: apsw.Connection, seq: int) -> Context:
    values = one_row(connection, _WHOLE, seq)
    if values is None:
        raise trouble.damaged("The index of words")
    row = ContextRow.checked(values[:-2])
    return row.context(row.revision, *values[-2:])
