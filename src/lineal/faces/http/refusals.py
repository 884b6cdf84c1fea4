"""What is answered before anything runs: the errors' envelope, and the headers that go with it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic_core import to_json
from starlette.types import Send

from lineal.errors import ErrorCode, LinealError

__all__ = ["Headers", "Refusal", "answer"]

Headers = list[tuple[bytes, bytes]]


class Refusal(Exception):
    """A request that goes no further. status: where HTTP has one that the code doesn't name."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        status: int | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.error = LinealError(code, message, retryable=retryable)
        self.status = status or self.error.status
        self.headers: Headers = list(headers)

    @classmethod
    def of(cls, error: LinealError, headers: Iterable[tuple[bytes, bytes]] = ()) -> Refusal:
        return cls(error.code, error.message, headers=headers, retryable=error.retryable)


async def answer(send: Send, refusal: Refusal, further: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Send it, as JSON."""
    body = to_json(refusal.error.body())
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *refusal.headers,
        *further,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
