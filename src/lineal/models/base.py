"""What every model shares: frozen, closed, and one way to write an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic_core import PydanticCustomError

__all__ = ["Instant", "Model", "Moment", "rfc3339"]


def rfc3339(at: datetime) -> str:
    """UTC with a Z; milliseconds only where there are any."""
    at = at.astimezone(UTC)
    precision = "milliseconds" if at.microsecond else "seconds"
    return at.isoformat(timespec=precision).replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""An aware UTC time, whole milliseconds."""


def _moment(value: object) -> datetime:
    """An RFC 3339 string (or an aware datetime) to UTC, whole milliseconds."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        at = None
    if not isinstance(at, datetime):
        raise PydanticCustomError("moment", "a time such as 2026-05-17T22:01:09Z")
    if at.tzinfo is None:
        raise PydanticCustomError("moment", "a time with its offset, such as 2026-05-17T22:01:09Z")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("moment", "a time between the years 1 and 9999") from None
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


Moment = Annotated[
    datetime,
    BeforeValidator(_moment, json_schema_input_type=str),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
]
"""A time that a caller sends: RFC 3339 with an offset."""


class Model(BaseModel):
    """A frozen value; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
