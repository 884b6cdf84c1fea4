"""Finding by words, by meaning, filters and age: the same candidates as the stores on disk, by
looking at everything."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from lineal.analysis.analyzer import Analyzer
from lineal.clock import to_ms
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.sheet import Entry, Rank, Sheet
from lineal.policy.indexing import Indexed, embedded, indexed, weak_places
from lineal.policy.ranking import LIKENESS_MIN, NEAR_MAX, named
from lineal.stores.memory.tenant import Tenant

__all__ = ["found", "known", "newest"]


class _Kept(NamedTuple):
    """A context that may be found. number: of its receipt. past: it has changed since."""

    number: int
    context: Context
    words: Indexed
    past: bool
    likeness: float | None


def known(revisions: Sequence[Context], as_of: datetime | None) -> Context | None:
    """The latest of these, or the latest that was recorded by then, if any was."""
    recorded = (r for r in reversed(revisions) if as_of is None or r.updated_at <= as_of)
    return next(recorded, None)


def newest(contexts: Sequence[Context], query: TextQuery) -> CandidatePage:
    """contexts: in order of receipt, those that pass."""
    page = tuple(Candidate(context=context) for context in contexts[: -query.limit - 1 : -1])
    return CandidatePage(candidates=page, matched=len(contexts))


def found(
    tenant: Tenant,
    analyzer: Analyzer,
    live: Sequence[Context],
    passing: Sequence[Context],
    query: TextQuery,
    rank: Rank,
) -> CandidatePage:
    """live: all of the scope, as they are now. passing: of these, as of the time asked about,
    those that pass."""
    numbers = {name: number for number, name in enumerate(tenant.contexts, 1)}
    kept = {
        numbers[context.context_id]: _kept(tenant, analyzer, numbers, context, query)
        for context in passing
    }
    terms, corrected = _terms(analyzer, query, [one.words for one in kept.values()])
    entries = _linked(kept, terms)
    holding = [n for n, e in entries.items() if e.own or e.head]
    near = [n for n, e in entries.items() if (e.likeness or 0.0) >= LIKENESS_MIN]
    chosen = dict.fromkeys((*holding, *near))
    around = [n for c in chosen for n in (entries[c].previous, entries[c].next) if n is not None]
    sheet = _sheet(analyzer, query, live, terms, entries, tuple(dict.fromkeys((*chosen, *around))))
    ranked = rank(sheet)
    page = tuple(
        Candidate(context=kept[s.number].context, score=s.score, parts=named(s.parts))
        for s in ranked[: query.limit]
    )
    return CandidatePage(
        candidates=page, matched=max(len(holding), len(ranked)), corrected=corrected
    )


def _kept(
    tenant: Tenant,
    analyzer: Analyzer,
    numbers: Mapping[str, int],
    context: Context,
    query: TextQuery,
) -> _Kept:
    name = context.context_id
    past = tenant.contexts[name][-1] is not context
    words, likeness = indexed(analyzer, context), None
    if query.meaning is not None and query.as_of is None:
        vector = tenant.vectors.get(query.meaning.space, {}).get((name, embedded(context)))
        if vector is not None:
            likeness = math.fsum(a * b for a, b in zip(vector, query.meaning.vector, strict=True))
    return _Kept(numbers[name], context, words, past, likeness)


def _terms(
    analyzer: Analyzer, query: TextQuery, texts: Sequence[Indexed]
) -> tuple[list[tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Each term of the question, or what an unknown one may be a slip of."""
    terms: list[tuple[str, ...]] = []
    corrected: dict[str, tuple[str, ...]] = {}
    for raw, term in analyzer.words(" ".join(query.terms)):
        if any(term in text.terms for text in texts) or query.as_of is not None:
            terms.append((term,))
            continue
        held = {near: sum(near in text.terms for text in texts) for near in analyzer.near(raw)}
        meant = sorted((near for near in held if held[near]), key=lambda near: -held[near])
        terms.append(tuple(meant[:NEAR_MAX]) or (term,))
        corrected.update({raw: tuple(meant[:NEAR_MAX])} if meant else {})
    return terms, corrected


def _linked(kept: Mapping[int, _Kept], terms: Sequence[tuple[str, ...]]) -> dict[int, Entry]:
    """Entries with their neighbours: within one session, user, domain and project."""
    sessions: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, one in kept.items():
        context = one.context
        if one.words.session is not None and not one.past:
            key = (context.user_id, context.domain, context.project, one.words.session)
            sessions[key].append(number)
    previous, following = {}, {}
    for numbers in sessions.values():
        numbers.sort(key=lambda n: (to_ms(kept[n].context.occurred_at), n))
        for before, after in zip(numbers, numbers[1:], strict=False):
            previous[after], following[before] = before, after
    return {
        number: _entry(one, terms, previous.get(number), following.get(number))
        for number, one in kept.items()
    }


def _entry(
    one: _Kept, terms: Sequence[tuple[str, ...]], previous: int | None, following: int | None
) -> Entry:
    words = one.words
    counts = [[words.terms.get(term, (0, 0)) for term in group] for group in terms]
    own = {at: total for at, g in enumerate(counts) if (total := sum(o for o, _ in g))}
    head = {at: total for at, g in enumerate(counts) if (total := sum(h for _, h in g))}
    return Entry(
        number=one.number,
        own=own,
        head=head,
        own_words=words.own_words,
        head_words=words.head_words,
        previous=previous,
        next=following,
        session=None if one.past else words.session,
        speaker=words.speaker,
        traits=words.traits,
        happened_at=to_ms(one.context.occurred_at),
        likeness=one.likeness,
    )


def _sheet(
    analyzer: Analyzer,
    query: TextQuery,
    live: Sequence[Context],
    terms: Sequence[tuple[str, ...]],
    entries: dict[int, Entry],
    candidates: tuple[int, ...],
) -> Sheet:
    everywhere = query.projects is None
    inside = [c for c in live if everywhere or c.project in (None, *(query.projects or ()))]
    all_words = [indexed(analyzer, context) for context in inside]
    size = max(1, len(inside))
    holders = tuple(
        sum(any(term in text.terms for term in group) for text in all_words) for group in terms
    )
    return Sheet(
        question=" ".join(query.terms),
        weak=weak_places(analyzer, [group[0] for group in terms]),
        holders=holders,
        size=size,
        own_mean=max(1.0, sum(text.own_words for text in all_words) / size),
        head_mean=max(1.0, sum(text.head_words for text in all_words) / size),
        entries=entries,
        candidates=candidates,
        read=query.meaning.read if query.meaning else 0.0,
    )
