"""How each status that isn't 200 is described."""

from __future__ import annotations

from typing import Any

from lineal.faces.rest.operations import Operation

__all__ = ["responses", "statuses"]

_WHAT = {
    400: "The request is wrong; details.field says where.",
    401: "No token, or one that isn't valid.",
    403: "The token lacks the scope, or the call comes from a place that may not call.",
    404: "Nobody, or nothing, has this name.",
    408: "The body didn't come in time.",
    409: "Somebody was first, or the idempotency key was used for another request.",
    413: "The body is too large.",
    415: "The body isn't application/json.",
    429: "Too many requests.",
    500: "A defect of lineal's.",
    501: "The backend can't do this.",
    503: "The memory can't be reached now.",
}

_AUTHENTICATE = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_LATER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_RATES = {
    name: {"schema": {"type": "integer", "minimum": 0}}
    for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
}
_HEADERS = {401: _AUTHENTICATE, 429: {**_LATER, **_RATES}, 503: _LATER}

_ALWAYS = (400, 401, 403, 429, 500, 501, 503)
_OF_BODIES = (408, 413, 415)


def responses() -> dict[str, Any]:
    """The components, one a status."""
    return {_name(status): _response(status, what) for status, what in _WHAT.items()}


def statuses(operation: Operation) -> dict[str, Any]:
    """Every status but 200 that the operation can answer, as references."""
    found = set(_ALWAYS)
    found |= set(_OF_BODIES) if operation.body is not None else set()
    found |= {409} if operation.keyed else set()
    listing = operation.method == "GET" and "{" not in operation.path
    found |= set() if listing else {404}
    return {
        str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(found)
    }


def _name(status: int) -> str:
    return f"Error{status}"


def _response(status: int, what: str) -> dict[str, Any]:
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": what, **headers, "content": content}
