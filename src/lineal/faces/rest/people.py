"""The routes of /v1: users, what is told of them, and who suits whom."""

from __future__ import annotations

from lineal.errors import ErrorCode, LinealError
from lineal.faces.rest.asked import Asked
from lineal.faces.rest.bodies import (
    AppendBody,
    FeedbackBody,
    FeedbackItem,
    MatchBody,
    SchemaQuery,
    UpsertBody,
    UserQuery,
)
from lineal.faces.rest.shapes import (
    DomainSchema,
    FeedbackAnswer,
    Matched,
    Matches,
    PipelineStats,
)
from lineal.models.context import AppendAnswer
from lineal.models.matching import MatchAnswer, MatchUsers, OutcomeAnswer, RecordOutcome
from lineal.models.parse import parse
from lineal.models.user import GetUser, UserAnswer

__all__ = [
    "append_context",
    "get_schema",
    "get_user",
    "match",
    "submit_feedback",
    "upsert_user",
]

OWN_STAGES = ("filters", "head", "fields")
"""What a match goes through here."""


async def append_context(asked: Asked) -> AppendAnswer:
    request = asked.body_as(AppendBody)
    return await asked.service.append_context(asked.call("append_context"), request)


async def upsert_user(asked: Asked) -> UserAnswer:
    request = asked.body_as(UpsertBody)
    return await asked.service.upsert_user(asked.call("upsert_user"), request)


async def get_user(asked: Asked) -> UserAnswer:
    """The row in the domain that is named, or in the configured one."""
    query = asked.query_as(UserQuery)
    request = parse(GetUser, {**query.model_dump(), "user_id": asked.named("user_id")})
    return await asked.service.get_user(asked.call("get_user"), request)


async def get_schema(asked: Asked) -> DomainSchema:
    query = asked.query_as(SchemaQuery)
    return DomainSchema.of((await asked.service.schema(query.domain)).outline())


async def match(asked: Asked) -> Matches:
    body = asked.body_as(MatchBody)
    kept = ("user_id", "description", "domain", "limit", "filters")
    request = MatchUsers.model_construct(**{name: getattr(body, name) for name in kept})
    answer = await asked.service.match_users(asked.call("match_users"), request)
    not_run = tuple(name for name, on in body.stages.items() if on and name not in OWN_STAGES)
    return Matches(
        user_id=answer.user_id,
        domain=answer.domain,
        matches=tuple(Matched.of(found, explain=body.explain) for found in answer.candidates),
        pipeline_stats=PipelineStats.of(answer, not_run),
        models_used=await _models(asked, answer),
        understood=answer.understood,
    )


async def _models(asked: Asked, answer: MatchAnswer) -> dict[str, str]:
    """What is known to have taken part. The version of a user's own vector is that of all that it
    was compared with (M2)."""
    used = {"extractor": answer.extractor} if answer.extractor else {}
    if answer.head != "ready" or answer.user_id is None:
        return used
    wanted = GetUser(user_id=answer.user_id, domain=answer.from_domain or answer.domain)
    try:
        row = await asked.service.get_user(asked.call("get_user"), wanted)
    except LinealError as gone:
        if gone.code is not ErrorCode.NOT_FOUND:
            raise
        return used
    head = row.embeddings.get(answer.domain)
    return {**used, "head": head.version} if head else used


async def submit_feedback(asked: Asked) -> FeedbackAnswer:
    """Keep each outcome. Whom nobody knows is found before the first is kept; where one fails all
    the same, `details.accepted` says how many were."""
    body = asked.body_as(FeedbackBody)
    for user_id in {user_id for i in body.items for user_id in (i.seeker_id, i.candidate_id)}:
        request = GetUser(user_id=user_id, domain=body.domain)
        await asked.service.get_user(asked.call("get_user"), request)
    kept: list[OutcomeAnswer] = []
    for place, item in enumerate(body.items):
        try:
            kept.append(await _recorded(asked, body, place, item))
        except LinealError as error:
            error.details |= {"item": place, "accepted": len(kept)}
            raise
    return FeedbackAnswer(accepted=len(kept), outcomes=tuple(kept))


async def _recorded(
    asked: Asked, body: FeedbackBody, place: int, item: FeedbackItem
) -> OutcomeAnswer:
    key = body.idempotency_key
    request = RecordOutcome(
        user_id=item.seeker_id,
        domain=body.domain,
        candidate_id=item.candidate_id,
        outcome=item.outcome,
        weight=item.weight,
        score=item.score,
        lineage=item.lineage,
        idempotency_key=None if key is None else f"{key}:{place}",
    )
    return await asked.service.record_outcome(asked.call("record_outcome"), request)
