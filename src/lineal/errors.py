"""The one error type, and the codes every face renders."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["STATUS", "Capability", "ErrorCode", "LinealError", "Unsupported"]


class ErrorCode(StrEnum):
    """What kind of failure it was; the same words on every face."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNSUPPORTED: 501,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}


class Capability(StrEnum):
    """What a backend may be able to do; each is native, emulated or refused."""

    SEARCH = "search"
    GET = "get"
    UPDATE = "update"
    USERS = "users"
    FORGET = "forget"
    HISTORY = "history"
    LINEAGE = "lineage"
    TTL = "ttl"
    IDEMPOTENCY = "idempotency"
    PROVENANCE = "provenance"
    REPLACE_ALL = "replace_all"
    SCHEMAS = "schemas"
    MATCHING = "matching"
    MAINTENANCE = "maintenance"


class LinealError(Exception):
    """A failure a caller can act on: what happened, with which value, what to do.

    message: one or two plain sentences without secrets or stored content.
    details: JSON values only. retryable: the same call may succeed later unchanged.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.retryable = retryable

    @classmethod
    def invalid(cls, field: str, message: str, **details: Any) -> LinealError:
        """A wrong argument; `details.field` names it."""
        return cls(ErrorCode.INVALID_REQUEST, message, details={"field": field, **details})

    @classmethod
    def not_found(cls, message: str, **details: Any) -> LinealError:
        return cls(ErrorCode.NOT_FOUND, message, details=details)

    @classmethod
    def conflict(cls, message: str, **details: Any) -> LinealError:
        return cls(ErrorCode.CONFLICT, message, details=details)

    @classmethod
    def unavailable(cls, message: str, *, retryable: bool = True, **details: Any) -> LinealError:
        return cls(ErrorCode.UNAVAILABLE, message, details=details, retryable=retryable)

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return STATUS[self.code]

    def body(self) -> dict[str, Any]:
        """The documented envelope: {"error": {code, message, details, retryable}}."""
        return {
            "error": {
                "code": self.code.value,
                "message": self.message,
                "details": self.details,
                "retryable": self.retryable,
            }
        }


class Unsupported(LinealError):
    """A backend refuses a verb it cannot do, naming the capability. instead: what does it."""

    def __init__(
        self,
        capability: Capability,
        backend: str,
        instead: str = "Use another backend (LINEAL_BACKEND) for it.",
    ) -> None:
        super().__init__(
            ErrorCode.UNSUPPORTED,
            f"The backend '{backend}' cannot do '{capability.value}'. {instead}",
            details={"capability": capability.value, "backend": backend},
        )
