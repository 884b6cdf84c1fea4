"""What goes wrong with a request to another service."""

from __future__ import annotations

from typing import Any

from lineal.errors import ErrorCode, LinealError

__all__ = ["Away", "Refused"]


class Away(LinealError):
    """The service can't be used now; the same request may be taken later.

    arrived: False when it surely was not taken (no connection, 429, 503 ...), None when it may have
    been (no answer in time, a cut connection, 500). wait_s: how long it asks to be left alone,
    0-3,600, None where it doesn't say. answered: the status of its answer, if there was one, whole
    or not. retryable: only where it surely was not taken; whoever asks for something that may be
    taken twice can do so all the same. The message names the service and its host, never a key, a
    path or a query.
    """

    def __init__(
        self,
        message: str,
        *,
        arrived: bool | None = None,
        wait_s: float | None = None,
        answered: int | None = None,
        code: ErrorCode = ErrorCode.UNAVAILABLE,
    ) -> None:
        super().__init__(code, message, retryable=arrived is False)
        self.arrived = arrived
        self.wait_s = wait_s
        self.answered = answered


class Refused(LinealError):
    """The service won't take the request as it is. answered: the status of its answer, 400-499.

    key: it is the key or the address that is wrong (401, 403, 3xx), not the request.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        answered: int,
        key: bool = False,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, details=details)
        self.answered = answered
        self.key = key
