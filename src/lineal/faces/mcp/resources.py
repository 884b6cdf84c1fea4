"""Resources: a context, a user row, a domain's schema, each under a lineal:// address."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import mcp_types as types

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.changes import Call
from lineal.models.context import GetContext
from lineal.models.parse import parse
from lineal.models.user import GetUser
from lineal.service import Service

__all__ = ["RESOURCES", "TEMPLATES", "read"]

JSON = "application/json"

RESOURCES = [
    types.Resource(
        uri=f"lineal://schema/{domain}",
        name=f"schema-{domain}",
        title=f"Schema of {domain}",
        description=f"The fields that a user row in the domain '{domain}' has.",
        mime_type=JSON,
    )
    for domain in ("coding", "dating", "hiring")
]

TEMPLATES = [
    types.ResourceTemplate(
        uri_template="lineal://context/{context_id}",
        name="context",
        title="A memory",
        description="One stored context, whole.",
        mime_type=JSON,
    ),
    types.ResourceTemplate(
        uri_template="lineal://user/{domain}/{user_id}",
        name="user",
        title="A user's row",
        description="A user's typed row in a domain, with the source of each value.",
        mime_type=JSON,
    ),
    types.ResourceTemplate(
        uri_template="lineal://schema/{domain}",
        name="schema",
        title="A domain's schema",
        description="The fields that a user row in the domain has.",
        mime_type=JSON,
    ),
]


async def read(service: Service, call: Call, uri: str) -> Model:
    """What the address names. Raises not_found or invalid_request."""
    match _parts(uri):
        case ("lineal", "context", [context_id]):
            return await service.get_context(call, parse(GetContext, {"context_id": context_id}))
        case ("lineal", "user", [domain, user_id]):
            asked = {"domain": domain, "user_id": user_id, "provenance": True}
            return await service.get_user(call, parse(GetUser, asked))
        case ("lineal", "schema", [domain]) if domain:
            return (await service.schema(domain)).outline()
    raise LinealError.not_found(
        f"There is no resource at '{uri[:120]}'. Known: lineal://context/ID, "
        "lineal://user/DOMAIN/USER, lineal://schema/DOMAIN.",
        uri=uri[:200],
    )


def _parts(uri: str) -> tuple[str, str, list[str]]:
    """(scheme, kind, names); nothing of an address that is none."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", "", []
    return parts.scheme, parts.netloc, [unquote(part) for part in parts.path.split("/")[1:]]
