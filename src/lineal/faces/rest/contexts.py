"""The routes of /v2: contexts as conversations that were kept."""

from __future__ import annotations

from lineal.errors import ErrorCode, LinealError
from lineal.faces.rest.asked import Asked
from lineal.faces.rest.bodies import CreateBody, ListQuery, UpdateBody
from lineal.faces.rest.newest import listed, whole
from lineal.faces.rest.shapes import ContextPage, Deleted, Pagination
from lineal.faces.rest.standing import whose
from lineal.models.changes import Call
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    ContextAnswer,
    ForgetContext,
    GetContext,
)
from lineal.models.parse import parse
from lineal.models.search import ALL_PROJECTS, SearchContext
from lineal.models.user import UpsertUser
from lineal.policy.limits import check_id

__all__ = ["create", "delete", "list_contexts", "read", "update"]

UNREAD = "rest:written"
"""A session in which nothing is ever written."""


async def create(asked: Asked) -> ContextAnswer:
    """Keep a conversation. Near-identical content of the same user and domain is the context that
    is there already (A7)."""
    body = asked.body_as(CreateBody)
    user_id, domain = await whose(asked, body.user_id, body.domain)
    request = body.append().model_copy(update={"user_id": user_id, "domain": domain})
    call = _by(asked.call("append_context"), body.agent_source)
    try:
        answer = await asked.service.append_context(call, request)
    except LinealError as missing:
        named = body.user_id is not None or body.domain is not None
        if missing.code is not ErrorCode.NOT_FOUND or named:
            raise
        answer = await _at_first_use(asked, call, request)
    kept = await _back(asked, answer.context_id)
    return kept.model_copy(update={"redacted": answer.redacted})


async def read(asked: Asked) -> ContextAnswer:
    return await _read(asked, asked.named("context_id"))


async def update(asked: Asked) -> ContextAnswer:
    request = asked.body_as(UpdateBody, context_id=asked.named("context_id"))
    return await asked.service.update_context(asked.call("update_context"), request)


async def delete(asked: Asked) -> Deleted:
    """Forget it, for good."""
    words = {"context_id": asked.named("context_id"), "idempotency_key": asked.key}
    request = parse(ForgetContext, words)
    answer = await asked.service.forget_context(asked.call("forget_context"), request)
    note = answer.forwarded.note if answer.forwarded else None
    return Deleted(
        success=True,
        message=" ".join(filter(None, (f"Context '{answer.context_id}' is forgotten.", note))),
        forgotten=answer.forgotten,
    )


async def list_contexts(asked: Asked) -> ContextPage:
    query = asked.query_as(ListQuery)
    user_id, _ = await whose(asked, query.user_id, query.domain)
    request = SearchContext(
        user_id=user_id,
        domain=query.domain,
        tags=query.tags,
        agents=(query.agent_source,) if query.agent_source else (),
        memory_types=(query.memory_type,) if query.memory_type else (),
        project=ALL_PROJECTS if query.project is None else query.project,
    )
    page = await listed(asked, request, query.offset, query.limit)
    contexts = tuple(await whole(asked, page.ids))
    seen = query.offset + len(page.ids)
    pagination = Pagination(
        total=page.total,
        limit=query.limit,
        offset=query.offset,
        has_more=bool(page.ids) and (page.at_least or seen < page.total),
    )
    return ContextPage(
        contexts=contexts,
        items=contexts,
        total=page.total,
        pagination=pagination,
        at_least=page.at_least,
    )


async def _at_first_use(asked: Asked, call: Call, request: AppendContext) -> AppendAnswer:
    """The user that stands for whoever names none is made when they are first needed."""
    row = UpsertUser(user_id=request.user_id, domain=request.domain, fields={})
    await asked.service.upsert_user(asked.call("upsert_user"), row)
    return await asked.service.append_context(call, request)


async def _read(asked: Asked, context_id: str) -> ContextAnswer:
    request = parse(GetContext, {"context_id": context_id})
    return await asked.service.get_context(asked.call("get_context"), request)


async def _back(asked: Asked, context_id: str) -> ContextAnswer:
    """What was just written; that the session sees it again is no reading of it (L4)."""
    call = asked.call("get_context")
    evidence = call.evidence.model_copy(update={"session_id": None})
    call = call.model_copy(update={"session": UNREAD, "evidence": evidence})
    return await asked.service.get_context(call, GetContext(context_id=context_id))


def _by(call: Call, agent: str) -> Call:
    """The call as this agent's, which is what the contract asks the client to name."""
    check_id("agent_source", agent)
    update = {"client_name": agent, "client_version": None}
    return call.model_copy(update={"evidence": call.evidence.model_copy(update=update)})
