"""A request's body and query, strictly: what could be read in two ways is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic_core import to_json
from starlette.requests import Request

from lineal.errors import LinealError
from lineal.faces.rest.answers import Refused

__all__ = ["NUMBER_MAX", "body_of", "key_of", "query_of"]

NUMBER_MAX = 2**63
"""From here on a number is another one for many readers of JSON."""

DIGITS_MAX = 20
"""More than a smaller number takes; so no time is spent on reading a very long one."""

KEY_HEADER = "idempotency-key"

N = TypeVar("N", int, float)

_KEY = re.compile(r"[!-~]{1,190}")


async def body_of(request: Request) -> dict[str, Any]:
    """The body's JSON object. Raises Refused 415 for anything but application/json, which no form
    of a web page can send unasked, and invalid_request for what isn't one plain JSON object."""
    _check_type(request.headers.get("content-type", ""))
    value = _value(await request.body())
    if not isinstance(value, dict):
        raise _wrong("The body must be a JSON object.")
    return value


def query_of(request: Request) -> dict[str, str]:
    """The query's parameters. Raises invalid_request for one that is sent twice, or isn't UTF-8."""
    raw = request.scope.get("query_string", b"")
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise _wrong("The query isn't UTF-8, percent-encoded.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _wrong("The query holds a parameter twice; send each once.")
    return found


def key_of(request: Request, sent: Mapping[str, Any]) -> str | None:
    """The header's idempotency key, None where there is none. Raises invalid_request for one that
    isn't visible ASCII, and conflict for another than the body's."""
    header, own = request.headers.get(KEY_HEADER), sent.get("idempotency_key")
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise LinealError.invalid(
            "Idempotency-Key", "The header Idempotency-Key takes 1 to 190 visible ASCII characters."
        )
    if own is not None and own != header:
        raise LinealError.conflict(
            "The header Idempotency-Key and the field 'idempotency_key' differ; send one."
        )
    return header


def _check_type(content_type: str) -> None:
    kind, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Refused(415, "Send the body as application/json (Content-Type), in UTF-8.")


def _value(body: bytes) -> Any:
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
        if b"\\u" in body:
            to_json(value)  # half of a surrogate pair is no text
    except RecursionError:
        raise _wrong("The body is nested too deeply.") from None
    except _Said as said:
        raise _wrong(str(said)) from None
    except ValueError:  # of json and UTF-8, whose words may repeat some of the body
        raise _wrong("The body isn't well-formed JSON in UTF-8.") from None
    return value


class _Said(ValueError):
    """What is wrong, in our own words."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Said("The body holds a key twice in one object.")
    return found


def _integer(digits: str) -> int:
    return _small(int(digits)) if len(digits) <= DIGITS_MAX else _small(NUMBER_MAX)


def _float(digits: str) -> float | int:
    """JSON has one kind of number: 1.0 is the integer 1."""
    value = _small(float(digits))
    return int(value) if value.is_integer() else value


def _small(number: N) -> N:
    if not -NUMBER_MAX <= number < NUMBER_MAX:
        raise _Said("The body holds a number of more than 64 bits.")
    return number


def _constant(name: str) -> Any:
    raise _Said(f"The body holds {name}, which isn't JSON.")


def _wrong(message: str) -> LinealError:
    return LinealError.invalid("body", message)
