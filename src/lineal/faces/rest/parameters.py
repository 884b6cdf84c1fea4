"""An operation's parameters, as they are described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lineal.faces.rest.forms import Schema, name_of, or_empty, sent, shaped
from lineal.faces.rest.operations import Operation
from lineal.models.base import Model

__all__ = ["parameters"]

TAG: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "pattern": r"^[!-+\--~\u00a1-\u00ac\u00ae-\u02ff]+$",
}
"""Without a comma, which separates them; such a tag can't be asked for."""

KEY: Schema = {"type": "string", "minLength": 1, "maxLength": 190, "pattern": "^[!-~]+$"}
"""Of visible ASCII, which every way through the network leaves alone."""


def parameters(operation: Operation, *, domain_known: bool) -> list[dict[str, Any]]:
    """Of the path, the query and the headers. domain_known: one is configured for calls that name
    none."""
    return [
        *_of_path(operation),
        *_of_query(operation, domain_known),
        *_of_headers(operation),
    ]


def _of_path(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in ("user_id", "context_id"):
        if f"{{{name}}}" in operation.path:
            yield {"name": name, "in": "path", "required": True, "schema": name_of(256)}


def _of_headers(operation: Operation) -> Iterator[dict[str, Any]]:
    if operation.keyed:
        what = "The same key: the same write, done once."
        yield {"name": "Idempotency-Key", "in": "header", "description": what, "schema": KEY}


def _of_query(operation: Operation, domain_known: bool) -> Iterator[dict[str, Any]]:
    if operation.query is None:
        return
    whole = operation.query.model_json_schema()
    required = set(whole.get("required", ()))
    if operation.id == "getUser" and not domain_known:
        required.add("domain")
    for name, schema in shaped(whole, {})["properties"].items():
        described = {**_schema(name, schema, whole), **_default(operation.query, name)}
        form = {"style": "form", "explode": False} if name == "tags" else {}
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": described,
            **form,
        }


def _schema(name: str, schema: Schema, whole: Schema) -> Schema:
    if name == "tags":
        return {"type": "array", "items": TAG, "minItems": 1, "maxItems": 64}
    if name in ("project", "workspace_filter"):
        return or_empty(name_of(256))
    if name == "agent_source":
        return name_of(256)
    return _inlined(sent(schema), whole)


def _inlined(schema: Schema, whole: Schema) -> Schema:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    found = whole["$defs"][reference.rsplit("/", 1)[-1]]
    return {key: value for key, value in found.items() if key not in ("title", "description")}


def _default(model: type[Model], name: str) -> Schema:
    value = model.model_fields[name].default
    return {"default": value} if isinstance(value, bool | int) else {}
