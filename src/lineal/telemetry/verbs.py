"""What a verb's span is called and what it tells: pure words about a request and its answer.

Names are those of the OpenTelemetry conventions for generative AI, section "Memory"
(open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-spans.md, in development). What they
have no name for is called `lineal.…`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from lineal.models.changes import Scope, SweepReport
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    ContextAnswer,
    ForgetAnswer,
    ForgetContext,
    GetContext,
    UpdateContext,
)
from lineal.models.lineage import Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.telemetry.records import Record, records
from lineal.telemetry.spans import Attributes

__all__ = [
    "APPEND",
    "CATCH_UP",
    "COUNT",
    "FORGET",
    "GET",
    "GET_USER",
    "HISTORY",
    "MATCH",
    "SEARCH",
    "SWEEP",
    "TRACE",
    "UPDATE",
    "UPSERT",
    "Verb",
    "forgetting",
    "scoped",
]

OPERATION = "gen_ai.operation.name"
STORE_ID = "gen_ai.memory.store.id"
RECORD_ID = "gen_ai.memory.record.id"
COUNT = "gen_ai.memory.record.count"
QUERY_TEXT = "gen_ai.memory.query.text"
RECORDS = "gen_ai.memory.records"

DOMAIN = "lineal.domain"
MEMORY_TYPE = "lineal.memory.type"
DUPLICATE = "lineal.memory.duplicate"
USER_ID = "lineal.user.id"
"""Counts as content: who a memory is about is often a name or an address."""

_OURS = re.compile(r"ctx_[a-z0-9]{1,26}")
"""The shape of our own ids. Anything else in an id's place is a caller's words, and told only once
the memory has answered for it."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")


def _nothing(*_: object) -> Attributes:
    return {}


class Verb(NamedTuple, Generic[Asked, Told]):
    """What one verb's span says. start: what is always so.

    before: of the request, so that a failure tells it too. after: of request and answer.
    content: what is told besides, of both, where content is asked for.
    """

    name: str
    start: Attributes
    before: Callable[[Asked], Attributes] = _nothing
    after: Callable[[Asked, Told], Attributes] = _nothing
    content: Callable[[Asked, Told], Attributes] = _nothing


def scoped(scope: Scope, *, content: bool) -> Attributes:
    """Whose memory. The conventions' store is a tenant: the wall that no query crosses."""
    told = {STORE_ID: scope.tenant}
    if scope.domain is not None:
        told[DOMAIN] = scope.domain
    if content and scope.user_id is not None:
        told[USER_ID] = scope.user_id
    return told


def forgetting(request: ForgetContext) -> Verb[ForgetContext, ForgetAnswer]:
    """What deletes nothing must not be counted as a deletion."""
    if request.dry_run:
        return FORGET._replace(name="lineal.preview_forget", start={})
    if request.undo:
        return FORGET._replace(name="lineal.undo_forget", start={})
    return FORGET


def _id_asked(
    request: UpdateContext | GetContext | ForgetContext | TraceLineage | str,
) -> Attributes:
    context_id = request if isinstance(request, str) else request.context_id
    return {RECORD_ID: context_id} if _OURS.fullmatch(context_id) else {}


def _appended(request: AppendContext, answer: AppendAnswer) -> Attributes:
    told = {RECORD_ID: answer.context_id, MEMORY_TYPE: answer.memory_type.value}
    return told if answer.duplicate_of is None else {**told, DUPLICATE: True}


def _appended_content(request: AppendContext, answer: AppendAnswer) -> Attributes:
    return {RECORDS: records([Record(answer.context_id, request.content)])}


def _context(request: object, answer: ContextAnswer) -> Attributes:
    return {RECORD_ID: answer.id, DOMAIN: answer.domain, MEMORY_TYPE: answer.memory_type.value}


def _context_content(request: object, answer: ContextAnswer) -> Attributes:
    return {USER_ID: answer.user_id, RECORDS: records([Record(answer.id, answer.content)])}


def _row(request: object, answer: UserAnswer) -> Attributes:
    return {MEMORY_TYPE: answer.memory_type.value}


def _row_content(request: object, answer: UserAnswer) -> Attributes:
    values = {**answer.fields, **answer.derived, **(answer.extras or {})}
    return {RECORDS: records([Record(answer.user_id, values)])}


def _found(request: SearchContext, answer: SearchAnswer) -> Attributes:
    return {COUNT: len(answer.hits)}


def _found_content(request: SearchContext, answer: SearchAnswer) -> Attributes:
    hits = (Record(hit.context_id, hit.content, hit.score) for hit in answer.hits)
    return {QUERY_TEXT: request.query, RECORDS: records(hits)}


def _suiting(request: MatchUsers, answer: MatchAnswer) -> Attributes:
    return {COUNT: len(answer.candidates)}


def _suiting_content(request: MatchUsers, answer: MatchAnswer) -> Attributes:
    found = (Record(one.user_id, one.fields, one.score) for one in answer.candidates)
    return {RECORDS: records(found)}


def _forgotten(request: ForgetContext, answer: ForgetAnswer) -> Attributes:
    return {RECORD_ID: answer.context_id, COUNT: answer.count}


def _traced(request: TraceLineage, answer: Trace) -> Attributes:
    return {RECORD_ID: answer.root, COUNT: len(answer.nodes)}


def _revisions(request: str, answer: tuple[Context, ...]) -> Attributes:
    return {RECORD_ID: request, COUNT: len(answer)}


def _caught_up(request: object, answer: int) -> Attributes:
    return {COUNT: answer}


def _swept(request: object, answer: SweepReport) -> Attributes:
    return {COUNT: answer.contexts + answer.users}


APPEND: Verb[AppendContext, AppendAnswer] = Verb(
    "create_memory",
    {OPERATION: "create_memory", COUNT: 1},
    after=_appended,
    content=_appended_content,
)
UPSERT: Verb[UpsertUser, UserAnswer] = Verb(
    "upsert_memory",
    {OPERATION: "upsert_memory", COUNT: 1},
    after=_row,
    content=_row_content,
)
UPDATE: Verb[UpdateContext, ContextAnswer] = Verb(
    "update_memory",
    {OPERATION: "update_memory", COUNT: 1},
    before=_id_asked,
    after=_context,
    content=_context_content,
)
SEARCH: Verb[SearchContext, SearchAnswer] = Verb(
    "search_memory", {OPERATION: "search_memory"}, after=_found, content=_found_content
)
FORGET: Verb[ForgetContext, ForgetAnswer] = Verb(
    "delete_memory", {OPERATION: "delete_memory"}, before=_id_asked, after=_forgotten
)

GET: Verb[GetContext, ContextAnswer] = Verb(
    "lineal.get_context", {}, before=_id_asked, after=_context, content=_context_content
)
GET_USER: Verb[GetUser, UserAnswer] = Verb("lineal.get_user", {}, after=_row, content=_row_content)
HISTORY: Verb[str, tuple[Context, ...]] = Verb(
    "lineal.history", {}, before=_id_asked, after=_revisions
)
TRACE: Verb[TraceLineage, Trace] = Verb("lineal.trace_lineage", {}, before=_id_asked, after=_traced)
MATCH: Verb[MatchUsers, MatchAnswer] = Verb(
    "lineal.match_users", {}, after=_suiting, content=_suiting_content
)
SWEEP: Verb[None, SweepReport] = Verb("lineal.sweep", {}, after=_swept)
CATCH_UP: Verb[None, int] = Verb("lineal.catch_up", {}, after=_caught_up)
