"""Finding by words, by meaning, filters and age: the same candidates as the stores on disk, by
looking at everything."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from lineal.analysis.analyzer import Analyzer
from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.sheet import Entry, Rank, Sheet
from lineal.policy.filtering import marked
from lineal.policy.indexing import Indexed, indexed, weak_places
from lineal.policy.ranking import LIKENESS_MIN, NEAR_MAX, SLIP_TERMS_MAX, named
from lineal.stores.memory.tenant import Tenant, within

__all__ = ["found", "known", "newest", "shelved"]

Numbers = dict[int, None]
"""Numbers of contexts, in order, each once."""


class _Kept(NamedTuple):
    """A context that may be found. number: of its receipt. past: it has changed since."""

    number: int
    context: Context
    words: Indexed
    past: bool
    likeness: float | None


class _Around(NamedTuple):
    """Whom a context lies between in its session, by number."""

    previous: int | None = None
    next: int | None = None

    def numbers(self) -> list[int]:
        return [number for number in self if number is not None]


def known(revisions: Sequence[Context], as_of: datetime | None) -> Context | None:
    """The latest of these, or the latest that was recorded by then, if any was."""
    recorded = (r for r in reversed(revisions) if as_of is None or r.updated_at <= as_of)
    return next(recorded, None)


def shelved(tenant: Tenant, scope: Scope, projects: tuple[str, ...] | None) -> list[Context]:
    """Where is looked, in order of receipt, with what has expired and isn't swept yet."""
    return [
        revisions[-1]
        for name, revisions in tenant.contexts.items()
        if name not in tenant.withheld and within(scope, revisions[-1])
        if projects is None or revisions[-1].project in (None, *projects)
    ]


def newest(contexts: Sequence[Context], query: TextQuery) -> CandidatePage:
    """contexts: in order of receipt, those that pass."""
    page = tuple(Candidate(context=context) for context in contexts[: -query.limit - 1 : -1])
    return CandidatePage(candidates=page, matched=len(contexts))


def found(
    tenant: Tenant,
    analyzer: Analyzer,
    every: Sequence[Context],
    live: Sequence[Context],
    passing: Sequence[Context],
    query: TextQuery,
    rank: Rank,
) -> CandidatePage:
    """every: what is `shelved`, as it is now. live: what is live, as it was known at the time asked
    about. passing: of these, those that pass."""
    numbers = {name: number for number, name in enumerate(tenant.contexts, 1)}
    kept = {numbers[c.context_id]: _kept(tenant, analyzer, numbers, c, query) for c in live}
    shown = {numbers[context.context_id] for context in passing}
    texts = [indexed(analyzer, context) for context in every if marked(context, query)]
    past = any(kept[number].past for number in shown)
    terms, corrected = _terms(analyzer, query, texts, past=past)
    links = _links(every, analyzer, numbers)
    entries = {
        number: _entry(one, terms, _Around() if one.past else links[number])
        for number, one in kept.items()
    }
    entries = {
        number: entry
        for number, entry in entries.items()
        if not kept[number].past or (number in shown and (entry.own or entry.head))
    }
    candidates, read = _chosen(entries, shown)
    sheet = _sheet(
        analyzer,
        query,
        [indexed(analyzer, context) for context in every],
        [sum(any(t in text.terms for t in group) for text in texts) for group in terms],
        terms,
        {number: entries[number] for number in read},
        tuple(candidates),
    )
    ranked = rank(sheet)
    page = tuple(
        Candidate(context=kept[s.number].context, score=s.score, parts=named(s.parts))
        for s in ranked[: query.limit]
    )
    return CandidatePage(candidates=page, matched=len(ranked), corrected=corrected)


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
        vector = tenant.vectors.get(query.meaning.space, {}).get(name, ())
        if any(vector):
            likeness = math.fsum(a * b for a, b in zip(vector, query.meaning.vector, strict=True))
    return _Kept(numbers[name], context, words, past, likeness)


def _terms(
    analyzer: Analyzer, query: TextQuery, texts: Sequence[Indexed], *, past: bool
) -> tuple[list[tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Each term of the question, or what an unknown one may be a slip of."""
    terms: list[tuple[str, ...]] = []
    corrected: dict[str, tuple[str, ...]] = {}
    asked = analyzer.words(" ".join(query.terms))
    exact = past or len(asked) > SLIP_TERMS_MAX
    for raw, term in asked:
        if exact or any(term in text.terms for text in texts):
            terms.append((term,))
            continue
        held = {near: sum(near in text.terms for text in texts) for near in analyzer.near(raw)}
        meant = sorted((near for near in held if held[near]), key=lambda near: -held[near])
        terms.append(tuple(meant[:NEAR_MAX]) or (term,))
        if meant:
            corrected[raw] = tuple(analyzer.meant(raw, term) for term in meant[:NEAR_MAX])
    return terms, corrected


def _links(
    every: Sequence[Context], analyzer: Analyzer, numbers: Mapping[str, int]
) -> defaultdict[int, _Around]:
    """Neighbours within one session, user, domain and project. What has expired keeps its place
    until it is swept."""
    sessions: defaultdict[tuple[object, ...], list[tuple[int, int]]] = defaultdict(list)
    for context in every:
        if context.session_id is not None:
            session = indexed(analyzer, context).session
            key = (context.user_id, context.domain, context.project, session)
            sessions[key].append((to_ms(context.occurred_at), numbers[context.context_id]))
    links: defaultdict[int, _Around] = defaultdict(_Around)
    for places in sessions.values():
        order = [number for _, number in sorted(places)]
        for before, after in pairwise(order):
            links[before] = links[before]._replace(next=after)
            links[after] = links[after]._replace(previous=before)
    return links


def _entry(one: _Kept, terms: Sequence[tuple[str, ...]], around: _Around) -> Entry:
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
        previous=around.previous,
        next=around.next,
        session=None if one.past else words.session,
        speaker=words.speaker,
        traits=words.traits,
        happened_at=to_ms(one.context.occurred_at),
        likeness=one.likeness,
    )


def _chosen(entries: Mapping[int, Entry], shown: set[int]) -> tuple[Numbers, Numbers]:
    """(candidates: what passes and holds a word or is alike, and those beside it that pass; and
    with them the entries up to two away, which lend them words)."""
    chosen = [
        number
        for number, entry in entries.items()
        if number in shown
        if entry.own or entry.head or (entry.likeness or 0.0) >= LIKENESS_MIN
    ]
    around = _beside(entries, chosen)
    candidates = dict.fromkeys((*chosen, *(number for number in around if number in shown)))
    return candidates, dict.fromkeys((*chosen, *around, *_beside(entries, around)))


def _beside(entries: Mapping[int, Entry], numbers: Sequence[int]) -> list[int]:
    """Their neighbours, of those that are there."""
    every = (_Around(entries[n].previous, entries[n].next).numbers() for n in numbers)
    return list(dict.fromkeys(number for near in every for number in near if number in entries))


def _sheet(
    analyzer: Analyzer,
    query: TextQuery,
    texts: Sequence[Indexed],
    holders: Sequence[int],
    terms: Sequence[tuple[str, ...]],
    entries: dict[int, Entry],
    candidates: tuple[int, ...],
) -> Sheet:
    """texts: all where is looked. holders: of each term, in how many of these that are of the
    asked kind."""
    size = max(1, len(texts))
    return Sheet(
        question=" ".join(query.terms),
        weak=weak_places(analyzer, [group[0] for group in terms]),
        holders=tuple(holders),
        size=size,
        own_mean=max(1.0, sum(text.own_words for text in texts) / size),
        head_mean=max(1.0, sum(text.head_words for text in texts) / size),
        entries=entries,
        candidates=candidates,
        read=query.meaning.read if query.meaning else 0.0,
    )
