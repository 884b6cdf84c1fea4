"""Finding by words and by meaning: from a question to candidates, and their order by a rank."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.sheet import Entry, Meaning, Rank, Sheet
from lineal.policy.indexing import weak_places
from lineal.policy.ranking import LIKENESS_MIN, NEAR_MAX, SLIP_TERMS_MAX, named
from lineal.stores.postgres.entries import analyzer_of
from lineal.stores.postgres.filters import (
    Filter,
    ask_ended,
    content_filter,
    mark_groups,
    passing,
    row_filter,
)
from lineal.stores.postgres.postings import (
    READ_MAX,
    READ_MIN,
    Looked,
    Postings,
    ask_postings,
    holders_of,
    postings,
)
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.postgres.sheets import Reader
from lineal.stores.postgres.shelves import Shelves, ask_shelves, shelves_among
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.postgres.vectors import ask_nearest
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.sheets import past_entry
from lineal.stores.rows.sums import best_of_arrays
from lineal.stores.rows.words import hashed

__all__ = ["Listed", "find", "listed"]

BY_WORDS = 100
"""Candidates by their words alone, before they are ranked in their context."""

BY_MEANING = 150
FILTERED_BY_MEANING = 1_000
"""Candidates by their vectors; more where filters will leave some out."""

UNKNOWN_MAX = 4
"""Words of a question that nobody wrote, and whose neighbours in spelling are looked for."""

SLIP_SHELVES_MAX = 8
"""Over more shelves no word is taken for another."""

# Every statement here finds its rows by an index, and few of them. The planner knows neither how
# rare a word is nor how large this tenant, and would sometimes read a whole table instead.
_BY_INDEX = (
    "SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)
_NEWEST = sql("WITH newest AS MATERIALIZED (SELECT", CONTEXT, "FROM lineal.context WHERE")
_NEWEST_ORDER = (
    "ORDER BY seq DESC LIMIT %s) SELECT newest.*, body, body_digest FROM newest "
    "JOIN lineal.context_revision ON context_revision.tenant_id = %s "
    "AND context_seq = seq AND number = revision ORDER BY seq DESC"
)
_COUNT_ALL = "SELECT count(*) FROM lineal.context WHERE"
_WHOLE = sql(
    "SELECT",
    CONTEXT,
    ", body, body_digest FROM lineal.context JOIN lineal.context_revision USING (tenant_id) "
    "WHERE tenant_id = %s AND seq = ANY(%s::bigint[]) AND context_seq = seq AND number = revision",
)


class Listed(NamedTuple):
    """found: by the number of its row and in order, each candidate. matched: how many in all."""

    found: dict[int, Candidate]
    matched: int


class _Words(NamedTuple):
    """The words of a question. hashes: of each, and of what it may be a slip of. found: who holds
    them. corrected: unknown words, each with those it was taken for."""

    hashes: tuple[tuple[int, ...], ...]
    weak: frozenset[int]
    found: tuple[Postings, ...]
    corrected: dict[str, tuple[str, ...]]


async def find(
    session: Session,
    scope: Scope,
    query: TextQuery,
    rank: Rank,
    now: datetime,
    past: Mapping[int, Context] | None = None,
) -> CandidatePage:
    """Live contexts in the order of `rank`; newest first without words.

    past: by the number of its row, an earlier text to be found instead of the present one."""
    if not query.terms:
        found, matched = await listed(session, scope, query, content_filter(scope, query, now))
        return CandidatePage(candidates=tuple(found.values()), matched=matched, now=now)
    await session.run(_BY_INDEX)
    on_shelves, have_ended = await ask_shelves(session, scope), await ask_ended(session, scope, now)
    shelves = shelves_among(await on_shelves.rows(), query.projects)
    ended = frozenset(seq for (seq,) in await have_ended.rows())
    if not shelves.numbers and not past:
        return CandidatePage(candidates=(), matched=0, now=now)
    return await _Search(session, scope, query, now, shelves, ended, past or {}).page(rank)


async def listed(session: Session, scope: Scope, query: TextQuery, passing: Filter) -> Listed:
    """The newest of the rows that pass."""
    newest = sql(_NEWEST, passing.condition, _NEWEST_ORDER)
    rows = await session.rows(newest, *passing.values, query.limit, scope.tenant)
    whole = [(int(values[0]), _read(values)) for values in rows]
    found = {seq: Candidate(context=context) for seq, context in whole}
    if len(found) < query.limit:
        return Listed(found, len(found))
    count = sql(_COUNT_ALL, passing.condition)
    return Listed(found, await session.value(count, *passing.values))


class _Search:
    """One question at one instant."""

    def __init__(
        self,
        session: Session,
        scope: Scope,
        query: TextQuery,
        now: datetime,
        shelves: Shelves,
        ended: frozenset[int],
        past: Mapping[int, Context],
    ) -> None:
        self._session = session
        self._query = query
        self._now = now
        self._shelves = shelves
        self._ended = ended
        self._past = past
        self._analyzer = analyzer_of(session)
        self._looked = Looked(scope.tenant, shelves, mark_groups(query))
        self._rows = row_filter(scope, query, now)
        self._whole = content_filter(scope, query, now)

    async def page(self, rank: Rank) -> CandidatePage:
        question = " ".join(self._query.terms)
        near = await self._ask_by_meaning()  # on its way while the words are counted
        words = await self._words(question)
        best, matched = await self._by_words(words)
        sheet = await self._sheet(question, words, best, await self._by_meaning(near))
        ranked = rank(sheet)
        shown = ranked[: self._query.limit]
        contexts = await self._contexts([scored.number for scored in shown])
        found = tuple(
            Candidate(context=contexts[s.number], score=s.score, parts=named(s.parts))
            for s in shown
        )
        return CandidatePage(
            candidates=found,
            matched=max(matched, len(ranked)),
            at_least=any(p.holders > p.read for p in words.found),
            corrected=words.corrected,
            now=self._now,
        )

    async def _by_words(self, words: _Words) -> tuple[list[int], int]:
        """(at most BY_WORDS that pass and whose words weigh most; how many pass)."""
        weights = [math.log1p(self._shelves.size / max(1, p.holders)) for p in words.found]
        most = BY_WORDS if self._rows is None else READ_MAX
        arrays = [each.numbers for each in words.found]
        best, matched = best_of_arrays(arrays, weights, most, self._ended)
        if self._rows is not None:
            best = await passing(self._session, best, self._rows)
            matched = len(best)
        return best[:BY_WORDS], matched

    async def _words(self, question: str) -> _Words:
        """Each word's postings; of one that nobody holds, those of its neighbours in spelling."""
        asked = self._analyzer.question(question)
        most = max(READ_MIN, READ_MAX // max(1, len(asked)))
        hashes: list[tuple[int, ...]] = [(hashed(term),) for term in asked]
        found = await self._postings(hashes, most)
        unknown = [place for place, each in enumerate(found) if not each.holders]
        corrected: dict[str, tuple[str, ...]] = {}
        looked_for = len(asked) <= SLIP_TERMS_MAX and len(self._shelves.numbers) <= SLIP_SHELVES_MAX
        if unknown and looked_for and not self._past:
            spelled = {term: raw for raw, term in self._analyzer.words(question)}
            for place in unknown[:UNKNOWN_MAX]:
                raw = spelled.get(asked[place], "")
                meant = await self._meant(raw)
                if meant:
                    corrected[raw] = tuple(self._analyzer.meant(raw, term) for term in meant)
                    hashes[place] = tuple(map(hashed, meant))
                    (found[place],) = await self._postings([hashes[place]], most)
        return _Words(tuple(hashes), weak_places(self._analyzer, asked), tuple(found), corrected)

    async def _meant(self, raw: str) -> list[str]:
        """Known words one slip away, those held by most first."""
        near = self._analyzer.near(raw)
        hashes = [(hashed(term),) for term in near]
        if not near or not self._shelves.numbers:
            return []
        counts = await holders_of(self._session, self._looked, hashes)
        counted = [pair for pair in zip(counts, near, strict=True) if pair[0]]
        return [term for _, term in sorted(counted, key=lambda pair: -pair[0])[:NEAR_MAX]]

    async def _postings(self, hashes: list[tuple[int, ...]], most: int) -> list[Postings]:
        asked = await ask_postings(self._session, self._looked, hashes, most)
        return await postings(asked, most)

    @property
    def _filtered(self) -> bool:
        return self._rows is not None or bool(self._looked.marks)

    @property
    def _meaning(self) -> Meaning | None:
        """As far as vectors can tell: they are of the present."""
        return self._query.meaning if self._query.as_of is None else None

    async def _ask_by_meaning(self) -> Asked | None:
        meaning = self._meaning
        if meaning is None or self._past or not self._shelves.numbers:
            return None
        most = FILTERED_BY_MEANING if self._filtered else BY_MEANING
        return await ask_nearest(self._session, meaning.space, self._shelves, meaning.vector, most)

    async def _by_meaning(self, near: Asked | None) -> list[int]:
        """The nearest that pass, nearest first."""
        if near is None:
            return []
        found = [seq for seq, cosine in await near.rows() if cosine >= LIKENESS_MIN]
        close = [seq for seq in found if seq not in self._ended]
        return await passing(self._session, close, self._whole) if self._filtered else close

    async def _sheet(
        self, question: str, words: _Words, best: list[int], closest: list[int]
    ) -> Sheet:
        reader = Reader(self._session, words.hashes, self._ended)
        chosen = dict.fromkeys((*best, *closest[:BY_MEANING]))
        await reader.read(chosen, self._meaning)
        around = reader.around(chosen)
        candidates = dict.fromkeys((*chosen, *await self._passing(around)))
        reader.around(around)
        if self._meaning is not None:
            await reader.match(self._meaning, candidates)
        entries = await self._known_then(reader.entries())
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

    async def _passing(self, seqs: Iterable[int]) -> Iterable[int]:
        return await passing(self._session, seqs, self._whole) if self._filtered else seqs

    async def _known_then(self, entries: dict[int, Entry]) -> dict[int, Entry]:
        """Without neighbours that weren't known at the time asked about."""
        if self._query.as_of is None:
            return entries
        known = set(await passing(self._session, entries, self._rows or self._whole))
        return {seq: entry for seq, entry in entries.items() if seq in known}

    async def _contexts(self, seqs: list[int]) -> dict[int, Context]:
        found = {seq: self._past[seq] for seq in seqs if seq in self._past}
        others = [seq for seq in seqs if seq not in found]
        if others:
            rows = await self._session.rows(_WHOLE, self._session.tenant, others)
            found |= {int(values[0]): _read(values) for values in rows}
        if len(found) < len(set(seqs)):
            raise damaged("The index of words")
        return found


def _read(values: tuple[object, ...]) -> Context:
    """values: the columns of a context, and of its present revision."""
    row = ContextRow.checked(values[:-2])
    body, body_digest = values[-2:]
    return row.context(row.revision, body, body_digest)  # type: ignore[arg-type]
