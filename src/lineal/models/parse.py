"""Words into models, for every face alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lineal.errors import LinealError
from lineal.models.base import Model

__all__ = ["parse"]

M = TypeVar("M", bound=Model)

SHOWN_MAX = 60
"""Characters of a wrong value that a message repeats."""

_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object"}


def parse(model: type[M], arguments: Mapping[str, Any]) -> M:
    """The request in these arguments. Raises LinealError invalid_request for the first wrong one,
    naming the field, what was sent and what is taken; `details.errors` counts all.

    null is the same as not sent (N19), save for ttl_seconds, where it asks for a default (N13).
    """
    sent = {
        name: value
        for name, value in arguments.items()
        if value is not None or name == "ttl_seconds" or name not in model.model_fields
    }
    try:
        return model.model_validate(sent)
    except ValidationError as failure:
        errors = failure.errors(include_url=False)
        raise _invalid(errors[0], len(errors), model) from None


def _invalid(error: ErrorDetails, count: int, model: type[Model]) -> LinealError:
    path = [str(part) for part in error["loc"] if not _is_union_member(part)]
    field = ".".join(path) or "arguments"
    kind = error["type"]
    if kind == "missing":
        message = f"Field '{field}' is required."
    elif kind == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(path) == 1 else ""
        message = f"Field '{field}' is not known here." + (f" Known: {known}." if known else "")
    else:
        message = f"Field '{field}' {_received(error['input'])}: {_wanted(error)}."
    bound = {name: _plain(value) for name, value in (error.get("ctx") or {}).items()}
    bound.pop("error", None)
    return LinealError.invalid(field, message, kind=kind, errors=count, **bound)


def _is_union_member(part: int | str) -> bool:
    """Pydantic names the tried member of a union in the path; a reader doesn't care."""
    return isinstance(part, str) and ("[" in part or "(" in part)


def _received(value: Any) -> str:
    kind = kind_of(value)
    if isinstance(value, str | list | tuple) and len(value) > SHOWN_MAX:
        unit = "characters" if isinstance(value, str) else "items"
        return f"is a {kind} of {len(value)} {unit}"
    if isinstance(value, str | int | float | bool):
        return f"is the {kind} {value!r}"[: SHOWN_MAX + 40]
    return f"is {kind}" if value is None else f"is a {kind}"


def kind_of(value: Any) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    return next((name for cls, name in _KINDS.items() if type(value) is cls), "array")


def _wanted(error: ErrorDetails) -> str:
    """What would have been right, from pydantic's own sentence."""
    message = error["msg"]
    for prefix in ("Input should be ", "Value error, ", "Value should have ", "Input should "):
        message = message.removeprefix(prefix)
    return f"it must be {message[0].lower()}{message[1:]}" if message else "it is not taken"


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
