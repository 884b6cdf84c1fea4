"""One path: which methods it has, and each request from its bytes to its answer's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lineal.errors import ErrorCode, LinealError
from lineal.faces.rest.access import RestAccess, principal_of
from lineal.faces.rest.answers import Refused, answered, failed
from lineal.faces.rest.asked import Asked
from lineal.faces.rest.incoming import body_of, key_of, query_of
from lineal.faces.rest.operations import Operation
from lineal.models.base import Model
from lineal.policy.unread import unread

__all__ = ["Nowhere", "Resource", "guarded"]

T = TypeVar("T")

ASKED_WRONG = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND, ErrorCode.CONFLICT)
"""Errors of what was asked, which repeat some of it; any other is ours."""

_log = logging.getLogger("lineal.rest")


async def guarded(what: str, work: Awaitable[T]) -> T:
    """The result of the work. Raises its LinealError as it is, and `internal` for a defect: its
    traceback goes to the log, its words to nobody (E3)."""
    try:
        return await work
    except LinealError:
        raise
    except Exception as defect:
        _log.exception("%s failed", what)
        raise LinealError(
            ErrorCode.INTERNAL,
            f"{what} failed inside lineal; nothing is known to be stored. "
            "The server's log has the details.",
        ) from defect


class Resource:
    """An ASGI application for one path. A principal's scope is looked at before the body is."""

    def __init__(self, access: RestAccess, operations: Mapping[str, Operation]) -> None:
        self._access = access
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        operation = self._operations.get(request.method)
        try:
            response = await self._answer(request, operation)
        except ClientDisconnect:  # nobody is there to be answered
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request, operation: Operation | None) -> Response:
        if operation is None:
            allowed = tuple(self._operations)
            wrong = Refused(405, f"This path takes {', '.join(allowed)}, and no other method.")
            return failed(wrong, allow=allowed)
        sent: dict[str, Any] = {"path": dict(request.path_params)}
        try:
            _permit(request, operation)
            query = sent["query"] = query_of(request)
            body = sent["body"] = await body_of(request) if operation.body else {}
            return answered(await self._run(request, operation, query, body))
        except LinealError as error:
            return failed(await self._discreet(error, sent))

    async def _run(
        self,
        request: Request,
        operation: Operation,
        query: Mapping[str, str],
        body: Mapping[str, Any],
    ) -> Model:
        if query and operation.query is None:
            name = next(iter(query))
            raise LinealError.invalid(name[:60], "This operation takes no query.")
        asked = Asked(
            service=await guarded("opening the memory", self._access.service()),
            caller=lambda tool: self._access.call(request, tool),
            body=body,
            query=query,
            path=request.path_params,
            key=key_of(request, body) if operation.keyed else None,
        )
        answer = await guarded(operation.id, operation.run(asked))
        return answer if "read" in principal_of(request).scopes else unread(answer)

    async def _discreet(self, error: LinealError, sent: Mapping[str, Any]) -> LinealError:
        """The error without a secret that was sent (E3); what can't be looked at is not told."""
        if error.code not in ASKED_WRONG or isinstance(error, Refused):
            return error
        try:
            service = await guarded("opening the memory", self._access.service())
            return await guarded("an error", service.discreet(error, sent))
        except LinealError as worse:
            return worse


class Nowhere:
    """Answers for every path that there isn't."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = LinealError.not_found("There is nothing at this path. See /openapi.json.")
        await failed(error)(scope, receive, send)


def _permit(request: Request, operation: Operation) -> None:
    """Raises unauthorized without a principal, forbidden without the scope."""
    principal = principal_of(request)
    if operation.needs not in principal.scopes:
        raise LinealError(
            ErrorCode.FORBIDDEN,
            f"This needs a token with the scope '{operation.needs}'; yours has "
            f"{', '.join(sorted(principal.scopes)) or 'none'}.",
            details={"scope": operation.needs},
        )
