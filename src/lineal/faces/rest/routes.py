"""The REST face as routes, for whoever serves them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lineal.faces.rest.access import RestAccess
from lineal.faces.rest.described import Describing
from lineal.faces.rest.operations import OPERATIONS, Operation
from lineal.faces.rest.resource import Nowhere, Resource
from lineal.policy.limits import Limits

__all__ = ["routes"]

WHOLE_PATHS = ("/v1/users/{user_id}",)
"""Whose last part may hold a slash: a user's name is the client's own."""

NOWHERE = ("/v1", "/v1/{rest:path}", "/v2", "/v2/{rest:path}")


def routes(access: RestAccess, *, limits: Limits | None = None) -> list[BaseRoute]:
    """Every path under /v1 and /v2, /openapi.json, and a 404 of ours for the rest under these.

    Requests must have been let in: see access.PRINCIPAL. limits: the configured ones, as they
    are described.
    """
    describing = Describing(access, limits or Limits())

    async def openapi(request: Request) -> Response:
        return await describing.answer(request)

    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return [
        Route("/openapi.json", openapi),
        *(Route(_pattern(path), Resource(access, methods)) for path, methods in paths.items()),
        *(Route(nowhere, Nowhere()) for nowhere in NOWHERE),
    ]


def _pattern(path: str) -> str:
    return path.replace("}", ":path}") if path in WHOLE_PATHS else path
