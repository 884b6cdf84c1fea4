"""Answers as bytes, and errors in their envelope (E1)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from pydantic_core import to_json
from starlette.responses import Response

from lineal.errors import ErrorCode, LinealError
from lineal.models.base import Model

__all__ = ["RETRY_AFTER_S", "Refused", "answered", "failed"]

RETRY_AFTER_S = 1
"""What a client waits, at least, before it sends the same again."""

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""A memory is nobody's to keep on the way, and never a page."""

LATER = (ErrorCode.UNAVAILABLE, ErrorCode.RATE_LIMITED)


class Refused(LinealError):
    """A request that HTTP has a status of its own for, which no code names (405, 415)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(ErrorCode.INVALID_REQUEST, message)
        self._status = status

    @property
    def status(self) -> int:
        return self._status


def answered(answer: Model) -> Response:
    """200 with the answer as JSON."""
    return _response(to_json(answer), HTTPStatus.OK)


def failed(error: LinealError, allow: Iterable[str] = ()) -> Response:
    """The error's status and envelope; with Retry-After where the same may succeed later. allow:
    the methods that would be right, for a 405."""
    body = to_json(error.body(), fallback=str, inf_nan_mode="strings", bytes_mode="base64")
    response = _response(body, error.status)
    if error.code in LATER and error.retryable:
        response.headers["retry-after"] = str(RETRY_AFTER_S)
    if error.code is ErrorCode.UNAUTHORIZED:
        response.headers["www-authenticate"] = 'Bearer realm="lineal"'
    if methods := ", ".join(allow):
        response.headers["allow"] = methods
    return response


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, headers=HEADERS, media_type="application/json")
