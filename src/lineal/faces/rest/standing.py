"""Whose memory is meant where a request names nobody and nothing is configured."""

from __future__ import annotations

from typing import NamedTuple

from lineal.errors import LinealError
from lineal.faces.rest.asked import Asked
from lineal.models.changes import Call
from lineal.models.user import GetUser
from lineal.service import Service

__all__ = ["DOMAIN", "USER", "Standing", "standing", "whose"]

USER = "default"
DOMAIN = "contexts"

NOBODY = " "
"""No user and no domain can be called this, so a question with it never reaches a backend."""


class Standing(NamedTuple):
    """Whether a user and a domain are configured for calls that name none."""

    user: bool
    domain: bool


async def standing(service: Service, call: Call) -> Standing:
    """Asks the service itself, which refuses a missing name before it looks at the other."""
    return Standing(
        user=not await _missing(service, call, GetUser(domain=NOBODY), "user_id"),
        domain=not await _missing(service, call, GetUser(user_id=NOBODY), "domain"),
    )


async def whose(
    asked: Asked, user_id: str | None, domain: str | None
) -> tuple[str | None, str | None]:
    """The names to ask with: what is sent, else None for what is configured, else ours."""
    configured = await standing(asked.service, asked.call("get_user"))
    return (
        user_id or (None if configured.user else USER),
        domain or (None if configured.domain else DOMAIN),
    )


async def _missing(service: Service, call: Call, request: GetUser, field: str) -> bool:
    try:
        await service.get_user(call, request)
    except LinealError as refusal:
        return refusal.details == {"field": field, "kind": "missing"}
    return False
