"""Words into models, for every face alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lineal.errors import LinealError
from lineal.models.base import Model

__all__ = ["parse"]

M = TypeVar("M", bound=Model)

SHOWN_MAX = 60
"""Characters of a wrong value or name that a message repeats."""

PATH_MAX = 4
"""Parts of a path that a message repeats."""

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
        raise _invalid(errors[0], len(errors), model, sent) from None


def _invalid(
    error: ErrorDetails, count: int, model: type[Model], sent: Mapping[str, Any]
) -> LinealError:
    field = _field(error["loc"], sent)
    kind = error["type"]
    if kind == "missing":
        message = f"Field '{field}' is required."
    elif kind == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(error["loc"]) == 1 else ""
        message = f"Field '{field}' is not known here." + (f" Known: {known}." if known else "")
    else:
        message = f"Field '{field}' {_received(error['input'])}; it must be {_wanted(error)}."
    bound = {name: _plain(value) for name, value in (error.get("ctx") or {}).items()}
    return LinealError.invalid(field, message, kind=kind, errors=count, **bound)


def _field(location: tuple[int | str, ...], sent: Any) -> str:
    """The path of a wrong value in what was sent; pydantic's own words in it are passed over."""
    path: list[str] = []
    value = sent
    for place, part in enumerate(location):
        inside = isinstance(value, Mapping) and part in value
        if inside or (isinstance(value, list | tuple) and isinstance(part, int)):
            value = value[part]
        elif place < len(location) - 1:
            continue
        path.append(str(part)[:SHOWN_MAX])
    if len(path) > PATH_MAX:
        path = [*path[: PATH_MAX - 1], "…"]
    return ".".join(path) or "arguments"


def _received(value: Any) -> str:
    kind = kind_of(value)
    if isinstance(value, str | list | tuple) and len(value) > SHOWN_MAX:
        unit = "characters" if isinstance(value, str) else "items"
        return f"is {_a(kind)} of {len(value)} {unit}"
    if isinstance(value, str | int | float):
        return f"is the {kind} {_shown(value)}"
    return "is null" if value is None else f"is {_a(kind)}"


def _shown(value: str | float) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True)
    except ValueError:  # an integer with more digits than Python writes out
        return "beyond every measure"
    if isinstance(value, str):
        text = f"'{text[1:-1]}'"
    return text if len(text) <= SHOWN_MAX * 2 else text[: SHOWN_MAX * 2] + "…"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def kind_of(value: Any) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    return next((name for cls, name in _KINDS.items() if type(value) is cls), "array")


_TYPES = {
    "string_type": "a string",
    "string_unicode": "a string of well-formed Unicode",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer of fewer digits",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "tuple_type": "an array",
    "list_type": "an array",
    "finite_number": "a finite number",
    "recursion_loop": "less deeply nested",
    "invalid-json-value": "a JSON value",
}
"""What is taken, for pydantic's types of errors, in JSON's words."""

_BOUNDS = {
    "string_too_short": "at least {min_length} characters long",
    "string_too_long": "at most {max_length} characters long",
    "too_short": "at least {min_length} items long",
    "too_long": "at most {max_length} items long",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "enum": "one of {expected}",
    "literal_error": "one of {expected}",
}


def _wanted(error: ErrorDetails) -> str:
    """What would have been right."""
    kind = error["type"]
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**error.get("ctx", {}))
    return error["msg"]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
