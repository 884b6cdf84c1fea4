"""What every remote makes of every fault: one list, so that none is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from lineal.errors import ErrorCode
from lineal.testing.contracts.faults import (
    Fault,
    answering,
    busy,
    busy_until,
    cut_after,
    cut_before,
    cut_within,
    detailed,
    drip,
    enveloped,
    flat,
    listed,
    not_json,
    slow,
)
from lineal.testing.samples import START

from .deliveries import CANARY

__all__ = ["AWAY", "REFUSED", "Left", "Turned"]

LATER = START + timedelta(seconds=42)


class Left(NamedTuple):
    """Away, with this."""

    fault: Fault
    arrived: bool | None
    wait_s: float | None = None
    code: ErrorCode = ErrorCode.UNAVAILABLE
    answered: int | None = None


class Turned(NamedTuple):
    """Refused, with this."""

    fault: Fault
    code: ErrorCode
    answered: int
    key: bool = False
    details: dict[str, Any] | None = None


LIMITED = ErrorCode.RATE_LIMITED

AWAY = {
    "429 with seconds": Left(busy(7), False, 7.0, LIMITED, 429),
    "429 with an HTTP date": Left(busy_until(LATER), False, 42.0, LIMITED, 429),
    "429 with a reset in seconds": Left(
        busy(9, header="x_ratelimit_reset"), False, 9.0, LIMITED, 429
    ),
    "429 with a reset at a time": Left(
        busy_until(LATER, header="x_ratelimit_reset"), False, 42.0, LIMITED, 429
    ),
    "429 that says nothing": Left(not_json(429), False, None, LIMITED, 429),
    "408": Left(answering(408), False, answered=408),
    "425": Left(answering(425), False, answered=425),
    "503": Left(busy(3, status=503), False, 3.0, answered=503),
    "500": Left(detailed(500, f"boom {CANARY}"), None, answered=500),
    "502 with a page": Left(not_json(502), None, answered=502),
    "504 without a body": Left(answering(504), None, answered=504),
    "529": Left(answering(529), None, answered=529),
    "200 with a page": Left(not_json(), None, answered=200),
    "200 without a body": Left(answering(200), None, answered=200),
    "200 with another JSON": Left(answering(200, [1, 2]), None, answered=200),
    "cut before": Left(cut_before, None),
    "cut after": Left(cut_after, None),
    "cut within": Left(cut_within, None, answered=200),
    "a byte now and then": Left(drip, None, answered=200),
    "too slow": Left(slow(2.0), None),
}
"""arrived None for a cut before anything was done: from outside it looks as the one after."""

INVALID = ErrorCode.INVALID_REQUEST

REFUSED = {
    "an envelope": Turned(
        enveloped(400, "invalid_request", "Field 'x' is required.", {"field": "x"}),
        INVALID,
        400,
        details={"field": "x"},
    ),
    "an envelope with a code of ours": Turned(
        enveloped(400, "conflict", "Already there."), ErrorCode.CONFLICT, 400, details={}
    ),
    "an envelope with another code": Turned(
        enveloped(400, "tea_time", "Not now."), INVALID, 400, details={}
    ),
    "an envelope with much in it": Turned(
        enveloped(400, "invalid_request", "No.", {"all": "x" * 3_000}), INVALID, 400, details={}
    ),
    "a list": Turned(
        listed("body", "edited_files", 0, "file_path"),
        INVALID,
        422,
        details={"field": "edited_files.0.file_path"},
    ),
    "a detail": Turned(detailed(400, "No."), INVALID, 400),
    "a detailed object": Turned(detailed(400, {"error": "No."}), INVALID, 400),
    "a flat error": Turned(flat(400, "No."), INVALID, 400),
    "an error with details": Turned(
        answering(400, {"error": "Bad request", "details": {"message": "No."}}), INVALID, 400
    ),
    "a page": Turned(not_json(400), INVALID, 400),
    "nothing": Turned(answering(400), INVALID, 400),
    "401": Turned(detailed(401, f"Bad key {CANARY}"), ErrorCode.UNAVAILABLE, 401, key=True),
    "402": Turned(detailed(402, "Pay."), ErrorCode.UNAVAILABLE, 402, key=True),
    "403": Turned(flat(403, f"{CANARY} may not"), ErrorCode.UNAVAILABLE, 403, key=True),
    "500 of a quota": Turned(
        detailed(500, {"error": "Monthly quota exceeded"}), ErrorCode.UNAVAILABLE, 403, key=True
    ),
    "409": Turned(flat(409, "Busy."), ErrorCode.CONFLICT, 409),
    "413": Turned(answering(413), INVALID, 413),
    "415": Turned(answering(415), INVALID, 415),
    "302": Turned(
        answering(302, location=f"https://example.com/?{CANARY}"), INVALID, 302, key=True
    ),
}
