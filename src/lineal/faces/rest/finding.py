"""The searches of /v2: the service's answer, with whole contexts, in the contract's shapes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from lineal.faces.rest.asked import Asked
from lineal.faces.rest.bodies import SearchQuery, SemanticQuery
from lineal.faces.rest.newest import TOKENS, whole
from lineal.faces.rest.shapes import (
    Found,
    FoundContext,
    MatchMetadata,
    SearchMetadata,
    SemanticAnswer,
    Suggestions,
)
from lineal.faces.rest.standing import whose
from lineal.models.context import ContextAnswer
from lineal.models.search import ALL_PROJECTS, Hit, SearchAnswer, SearchContext

__all__ = ["highlights", "search", "semantic_search"]

HIGHLIGHTS_MAX = 3
HIGHLIGHT_CHARS_MAX = 240
FILES_MAX = 5
SUGGESTED_MAX = 5

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\w{3,}")


async def search(asked: Asked) -> Found:
    query = asked.query_as(SearchQuery)
    request = SearchContext(
        query=query.q,
        domain=query.domain,
        limit=query.limit,
        tags=query.tags,
        agents=(query.agent_source,) if query.agent_source else (),
        memory_types=(query.memory_type,) if query.memory_type else (),
        project=ALL_PROJECTS if query.project is None else query.project,
    )
    answer = await _answer(asked, request, query.user_id)
    contexts = await whole(asked, (context_id for context_id, _ in _each(answer)))
    return Found(
        contexts=tuple(contexts[: query.limit]),
        search_query=query.q,
        total_results=_total(answer),
        at_least=answer.at_least,
        note=answer.note,
    )


async def semantic_search(asked: Asked) -> SemanticAnswer:
    query = asked.query_as(SemanticQuery)
    request = SearchContext(
        query=query.q,
        domain=query.domain,
        limit=query.limit,
        project=_project(query),
        explain=True,
    )
    answer = await _answer(asked, request, query.user_id)
    each = list(_each(answer))[: query.limit]
    contexts = {c.id: c for c in await whole(asked, (context_id for context_id, _ in each))}
    asked_for = query.q if query.include_highlights else ""
    results = tuple(
        _found(contexts[context_id], hit, rank, asked_for)
        for rank, (context_id, hit) in enumerate(each, 1)
        if context_id in contexts
    )
    return SemanticAnswer(
        results=results,
        search_query=query.q,
        search_metadata=_metadata(answer),
        suggestions=_suggestions(results, answer),
    )


def highlights(text: str, question: str) -> tuple[str, ...]:
    """The sentences of the text that hold most of the question's words, in the text's order; at
    most three of 240 characters."""
    wanted = set(_WORD.findall(question.casefold()))
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text)] if wanted else []
    held = [len(wanted.intersection(_WORD.findall(s.casefold()))) for s in sentences]
    best = sorted((n for n in range(len(held)) if held[n]), key=lambda n: -held[n])
    return tuple(sentences[n][:HIGHLIGHT_CHARS_MAX] for n in sorted(best[:HIGHLIGHTS_MAX]))


def _project(query: SemanticQuery) -> str:
    named = query.project if query.project is not None else query.workspace_filter
    return ALL_PROJECTS if named is None else named


async def _answer(asked: Asked, request: SearchContext, user_id: str | None) -> SearchAnswer:
    named, _ = await whose(asked, user_id, request.domain)
    update = {"user_id": named, "max_tokens": TOKENS}
    return await asked.service.search_context(
        asked.call("search_context"), request.model_copy(update=update)
    )


def _each(answer: SearchAnswer) -> Iterator[tuple[str, Hit]]:
    """Every context that was found; what was folded into a hit is one of its own here."""
    for hit in answer.hits:
        yield hit.context_id, hit
        for also in hit.also:
            yield also, hit


def _found(context: ContextAnswer, hit: Hit, rank: int, question: str) -> FoundContext:
    values = {name: getattr(context, name) for name in ContextAnswer.model_fields}
    files = [file.get("file_path", "") for file in context.edited_files]
    return FoundContext.model_construct(
        **values,
        relevance_score=min(1.0, max(0.0, hit.score)),
        match_metadata=_match(hit, rank),
        match_highlights=highlights(context.content, question),
        files_edited=tuple(files[:FILES_MAX]),
        workspace_name=context.project,
    )


def _match(hit: Hit, rank: int) -> MatchMetadata:
    parts = hit.explain or {}
    meant = "meaning" in parts
    said = "words" in parts
    kind = "hybrid" if meant == said else "vector" if meant else "text"
    return MatchMetadata(search_type=kind, vector_score=parts.get("meaning"), rank=rank)


def _metadata(answer: SearchAnswer) -> SearchMetadata:
    def by(part: str) -> int:
        return sum(part in (hit.explain or {}) for hit in answer.hits)

    return SearchMetadata(
        total_results=_total(answer),
        vector_matches=by("meaning"),
        mongodb_matches=by("words"),
        at_least=answer.at_least,
    )


def _suggestions(results: Sequence[FoundContext], answer: SearchAnswer) -> Suggestions:
    return Suggestions(
        related_tags=_commonest(tag for result in results for tag in result.tags),
        workspaces=_commonest(r.workspace_name for r in results if r.workspace_name),
        tips=tuple(_tips(answer)),
    )


def _tips(answer: SearchAnswer) -> Iterator[str]:
    if answer.note:
        yield answer.note
    for word, others in answer.corrected.items():
        yield f"Nobody wrote '{word}'; it was taken for {', '.join(others)}."


def _commonest(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for word, _ in Counter(words).most_common(SUGGESTED_MAX))


def _total(answer: SearchAnswer) -> int:
    return sum(1 + len(hit.also) for hit in answer.hits) + answer.more
