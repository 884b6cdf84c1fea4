"""What a remote's refusals and failures say, in whichever of four shapes, as our own errors."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import Field, SecretStr, ValidationError

from lineal.canonical import canonical, parsed
from lineal.errors import ErrorCode, LinealError
from lineal.outbound.caller import Reply
from lineal.outbound.faults import Away, Refused
from lineal.policy.limits import is_plain
from lineal.remotes.reading import Lenient, Maybe

__all__ = ["fault_of", "fields_of", "unreadable"]

WORDS_MAX = 200
"""Characters of somebody else's words that are passed on."""

DETAILS_MAX = 2_048
"""Characters of JSON."""

FIELD_MAX = 100

HIDDEN = "[key]"

AT_ONCE = (408, 425, 429, 503)
"""Statuses after which the request surely wasn't taken."""

CODES = {404: ErrorCode.NOT_FOUND, 409: ErrorCode.CONFLICT}
"""What else of 4xx is an invalid request."""

REFUSALS = {
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NOT_FOUND,
    ErrorCode.CONFLICT,
    ErrorCode.UNSUPPORTED,
}
"""Codes that an envelope may give to a refusal."""


class _Problem(Lenient):
    loc: Maybe[tuple[str, ...]] = None
    msg: Maybe[str] = None


class _Envelope(Lenient):
    """{code, message, details}, or an object that says it under another of these names."""

    code: Maybe[str] = None
    message: Maybe[str] = None
    error: Maybe[str] = None
    details: Maybe[dict[str, Any]] = None


class _Body(Lenient):
    """{"error": {code, message, details}} | {"detail": [{loc, msg}]} | {"detail": str | object} |
    {"error": str, "details"?: {message}}."""

    error: Maybe[str | _Envelope] = None
    detail: Maybe[str | tuple[_Problem, ...] | _Envelope] = None
    details: Maybe[_Envelope] = None
    message: Maybe[str] = None


class _Said(NamedTuple):
    words: str = ""
    code: str | None = None
    fields: tuple[str, ...] = ()
    details: dict[str, Any] = Field(default_factory=dict)


def fault_of(reply: Reply, place: str, what: str, *, key: SecretStr | None = None) -> LinealError:
    """The error of an answer that isn't 2xx: Refused for 3xx and 4xx, Away for 5xx and for what may
    be taken later. place: the service and where it is. what: the verb that was tried. key: is in
    no word of it."""
    said, secret = _said(reply.body), key.get_secret_value() if key else ""
    words = _plain(said.words, secret)
    tail = f" It says: {words}" if words else ""
    status = reply.status
    if status in (401, 402, 403) or (status == 500 and _speaks_of_quota(said.words)):
        return _shut(status, place, what, tail)
    if status >= 500 or status in AT_ONCE:
        return _away(reply, place, what, tail)
    if status < 400:
        message = f"{place} points to another address ({status}); set LINEAL_REMOTE_URL to it."
        # As with a refused key, it isn't the letter that is wrong.
        return Refused(
            ErrorCode.INVALID_REQUEST, message, answered=status, key=True, details=_SETTING
        )
    message = f"{place} refused '{what}' ({status}).{tail}"
    details = _details(said, secret)
    return Refused(_code(status, said.code), message, answered=status, details=details)


_SETTING = {"field": "LINEAL_REMOTE_URL"}


def fields_of(reply: Reply) -> tuple[str, ...]:
    """The fields that a 422 complains of, such as "edited_files.0.operation"."""
    return _said(reply.body).fields


def unreadable(reply: Reply, place: str, what: str) -> Away:
    """A good status over something else than the contract's answer."""
    message = f"{place} answered '{what}' ({reply.status}) with something that its contract hasn't."
    return Away(f"{message} Check LINEAL_REMOTE_URL.", arrived=None, answered=reply.status)


def _shut(status: int, place: str, what: str, tail: str) -> Refused:
    """The caller's own key is another: to them the backend can't be used, until a person has seen
    to it. answered 403 for a 500 that speaks of a quota, so that it is known for what it is."""
    if status == 401:
        message = f"{place} refused the key (401); check LINEAL_REMOTE_KEY.{tail}"
        return Refused(ErrorCode.UNAVAILABLE, message, answered=401, key=True)
    message = (
        f"{place} refused '{what}' ({status}): a quota or the plan's limit is reached, or the key "
        f"may not do this; check the account and LINEAL_REMOTE_KEY.{tail}"
    )
    answered = status if status < 500 else 403
    return Refused(ErrorCode.UNAVAILABLE, message, answered=answered, key=True)


def _away(reply: Reply, place: str, what: str, tail: str) -> Away:
    busy = reply.status == 429
    state = "takes no more requests now" if busy else "can't be used now"
    surely = reply.status in AT_ONCE
    unsure = "" if surely else " It may have been done all the same."
    return Away(
        f"{place} {state} ('{what}', {reply.status}).{unsure}{tail}",
        arrived=False if surely else None,
        wait_s=reply.wait_s,
        answered=reply.status,
        code=ErrorCode.RATE_LIMITED if busy else ErrorCode.UNAVAILABLE,
    )


def _code(status: int, said: str | None) -> ErrorCode:
    known = next((code for code in REFUSALS if code.value == said), None)
    return known or CODES.get(status, ErrorCode.INVALID_REQUEST)


def _speaks_of_quota(words: str) -> bool:
    return "quota" in words.lower()


def _said(body: bytes) -> _Said:
    """What a body says, in the first shape that it has; nothing for one that isn't JSON."""
    try:
        read = _Body.model_validate_json(body)
    except ValidationError:  # a page, a text or nothing
        return _Said(details={})
    if isinstance(read.error, _Envelope):
        return _enveloped(read.error)
    if isinstance(read.detail, _Envelope):
        return _enveloped(read.detail)
    if isinstance(read.detail, tuple):
        return _listed(read.detail)
    words = (read.detail, read.error, read.details and read.details.message, read.message)
    return _Said(": ".join(one for one in words if one), details={})


def _enveloped(envelope: _Envelope) -> _Said:
    words = envelope.message or envelope.error or ""
    return _Said(words, envelope.code, details=envelope.details or {})


def _listed(problems: tuple[_Problem, ...]) -> _Said:
    """loc begins with the part of the request: body, query or path."""
    fields = tuple(".".join((one.loc or ())[1:]) for one in problems)
    words = "; ".join(f"{name}: {one.msg}" for name, one in zip(fields, problems, strict=True))
    return _Said(words, fields=fields, details={})


def _details(said: _Said, secret: str) -> dict[str, Any]:
    """Of an envelope if they are small, and the first field complained of."""
    text = canonical(said.details)
    if secret:
        text = text.replace(canonical(secret)[1:-1], HIDDEN)
    kept = parsed(text) if len(text) <= DETAILS_MAX else None
    field = _plain(said.fields[0], secret)[:FIELD_MAX] if said.fields else ""
    return {**(kept or {}), **({"field": field} if field else {})}


def _plain(text: str, secret: str) -> str:
    """One line of visible characters. The key is taken out last: what hid in it is gone then."""
    line = " ".join("".join(c for c in " ".join(text.split()) if c == " " or is_plain(c)).split())
    if secret:
        line = line.replace(secret, HIDDEN)
    return line if len(line) <= WORDS_MAX else f"{line[: WORDS_MAX - 1]}…"
