"""Every operation: how it is called, what it takes and gives, and what it may be called for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from lineal.faces.rest import contexts, finding, people
from lineal.faces.rest.access import ScopeName
from lineal.faces.rest.asked import Asked
from lineal.faces.rest.bodies import (
    AppendBody,
    CreateBody,
    FeedbackBody,
    ListQuery,
    MatchBody,
    SchemaQuery,
    SearchQuery,
    SemanticQuery,
    UpdateBody,
    UpsertBody,
    UserQuery,
)
from lineal.faces.rest.shapes import (
    ContextPage,
    Deleted,
    DomainSchema,
    FeedbackAnswer,
    Found,
    Matches,
    SemanticAnswer,
)
from lineal.models.base import Model
from lineal.models.context import AppendAnswer, ContextAnswer
from lineal.models.user import UserAnswer

__all__ = ["OPERATIONS", "Operation"]

Run = Callable[[Asked], Awaitable[Model]]
Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True)
class Operation:
    """One method of one path. needs: the scope that a principal must have. keyed: takes an
    idempotency key."""

    id: str
    method: Method
    path: str
    tag: str
    summary: str
    run: Run
    needs: ScopeName
    answer: type[Model]
    body: type[Model] | None = None
    query: type[Model] | None = None
    keyed: bool = False


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="appendContext",
        method="POST",
        path="/v1/context",
        tag="Users",
        summary="Append context to a user who exists",
        run=people.append_context,
        needs="write",
        body=AppendBody,
        answer=AppendAnswer,
        keyed=True,
    ),
    Operation(
        id="upsertUser",
        method="POST",
        path="/v1/users",
        tag="Users",
        summary="Create or replace a user's row",
        run=people.upsert_user,
        needs="write",
        body=UpsertBody,
        answer=UserAnswer,
        keyed=True,
    ),
    Operation(
        id="getUser",
        method="GET",
        path="/v1/users/{user_id}",
        tag="Users",
        summary="Read a user's row in a domain",
        run=people.get_user,
        needs="read",
        query=UserQuery,
        answer=UserAnswer,
    ),
    Operation(
        id="getSchema",
        method="GET",
        path="/v1/schema",
        tag="Schema",
        summary="Read what is kept of users in a domain",
        run=people.get_schema,
        needs="read",
        query=SchemaQuery,
        answer=DomainSchema,
    ),
    Operation(
        id="match",
        method="POST",
        path="/v1/match",
        tag="Matching",
        summary="Find users who suit one of them, or a description",
        run=people.match,
        needs="read",
        body=MatchBody,
        answer=Matches,
    ),
    Operation(
        id="submitFeedback",
        method="POST",
        path="/v1/feedback",
        tag="Matching",
        summary="Keep what became of users who were brought together",
        run=people.submit_feedback,
        needs="write",
        body=FeedbackBody,
        answer=FeedbackAnswer,
        keyed=True,
    ),
    Operation(
        id="saveContext",
        method="POST",
        path="/v2/contexts",
        tag="Contexts",
        summary="Save a context",
        run=contexts.create,
        needs="write",
        body=CreateBody,
        answer=ContextAnswer,
        keyed=True,
    ),
    Operation(
        id="listContexts",
        method="GET",
        path="/v2/contexts",
        tag="Contexts",
        summary="List contexts, the newest first",
        run=contexts.list_contexts,
        needs="read",
        query=ListQuery,
        answer=ContextPage,
    ),
    Operation(
        id="searchContexts",
        method="GET",
        path="/v2/contexts/search",
        tag="Contexts",
        summary="Search contexts",
        run=finding.search,
        needs="read",
        query=SearchQuery,
        answer=Found,
    ),
    Operation(
        id="semanticSearchContexts",
        method="GET",
        path="/v2/contexts/semantic-search",
        tag="Contexts",
        summary="Search contexts, and see why each was found",
        run=finding.semantic_search,
        needs="read",
        query=SemanticQuery,
        answer=SemanticAnswer,
    ),
    Operation(
        id="getContext",
        method="GET",
        path="/v2/contexts/{context_id}",
        tag="Contexts",
        summary="Read a context",
        run=contexts.read,
        needs="read",
        answer=ContextAnswer,
    ),
    Operation(
        id="updateContext",
        method="PUT",
        path="/v2/contexts/{context_id}",
        tag="Contexts",
        summary="Change parts of a context",
        run=contexts.update,
        needs="write",
        body=UpdateBody,
        answer=ContextAnswer,
        keyed=True,
    ),
    Operation(
        id="deleteContext",
        method="DELETE",
        path="/v2/contexts/{context_id}",
        tag="Contexts",
        summary="Forget a context for good",
        run=contexts.delete,
        needs="erase",
        answer=Deleted,
        keyed=True,
    ),
)
"""In the order in which paths are tried: a word before a name."""
