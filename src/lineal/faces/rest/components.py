"""The description's schemas, of the models' own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from lineal.errors import ErrorCode
from lineal.faces.rest.forms import (
    DATE_TIME,
    Schema,
    filtered,
    json_value,
    lengths,
    nullable,
    optional,
    sent,
    shaped,
)
from lineal.faces.rest.operations import OPERATIONS, Operation
from lineal.faces.rest.standing import Standing
from lineal.models.base import Model
from lineal.models.schema import SchemaOutline
from lineal.policy.limits import Limits

__all__ = ["REF", "body_name", "schemas"]

REF = "#/components/schemas/{model}"

JSON = "JsonValueInput"

CONTRACT_REQUIRED = {
    "appendContext": ("user_id", "domain", "content"),
    "upsertUser": ("user_id", "domain"),
    "match": ("domain",),
    "submitFeedback": ("domain", "items"),
}
"""Where a user and a domain must be named, unless they are configured."""

CHANGES = ("title", "summary", "content", "tags", "metadata", "nia_references", "edited_files")

EITHER = {
    "upsertUser": ("context", "fields", "memory_ref"),
    "updateContext": (*CHANGES, "memory_type", "lineage"),
}
"""At least one of these must be sent, and not null (U13, N20)."""


def body_name(operation: Operation) -> str:
    """As a contract names it."""
    return f"{operation.id[0].upper()}{operation.id[1:]}Request"


def schemas(
    standing: Standing, domains: tuple[SchemaOutline, ...], limits: Limits
) -> dict[str, Schema]:
    """Every component by its name."""
    taken = _made(((o.body, "validation") for o in OPERATIONS if o.body), suffix="Input")
    any_json = {"$ref": REF.format(model=JSON)}
    inner = {name: shaped(schema, any_json) for name, schema in taken.items()}
    inner[JSON] = json_value(any_json["$ref"])
    bodies = {
        body_name(operation): _body(
            operation, inner.pop(f"{operation.body.__name__}Input"), standing, limits
        )
        for operation in OPERATIONS
        if operation.body
    }
    given = _made(((o.answer, "serialization") for o in OPERATIONS), suffix="")
    answers = {name: _given(schema) for name, schema in given.items()}
    matching = _matching(bodies["MatchRequest"], standing, domains)
    return {**bodies, **matching, **inner, **answers, "Error": ERROR}


def _made(
    models: Iterable[tuple[type[Model], JsonSchemaMode]], *, suffix: str
) -> dict[str, Schema]:
    """The models' schemas and those within, each under its name with the suffix."""
    template = REF.format(model="{model}" + suffix)
    _, made = models_json_schema(list(models), ref_template=template)
    return {f"{name}{suffix}": schema for name, schema in made["$defs"].items()}


def _body(operation: Operation, schema: Schema, standing: Standing, limits: Limits) -> Schema:
    configured = lengths(operation.id, limits)
    properties = {
        name: configured.get(name, part)
        for name, part in schema["properties"].items()
        if name != "context_id"  # it stands in the path
    }
    usual = tuple(name for name in schema.get("required", ()) if name in properties)
    known = {"user_id": standing.user, "domain": standing.domain}
    wanted = CONTRACT_REQUIRED.get(operation.id, usual)
    required = tuple(name for name in wanted if not known.get(name))
    whole = optional({**schema, "properties": properties}, required)
    return {**whole, **_either(operation.id, whole)}


def _either(operation_id: str, schema: Schema) -> Schema:
    names = EITHER.get(operation_id, ())
    variants = [_with(name, schema) for name in names]
    if operation_id == "updateContext":  # of it null says something (N13)
        variants.append({"required": ["ttl_seconds"]})
    return {"anyOf": variants} if variants else {}


def _with(name: str, schema: Schema) -> Schema:
    return {"required": [name], "properties": {name: sent(schema["properties"][name])}}


def _matching(
    schema: Schema, standing: Standing, domains: tuple[SchemaOutline, ...]
) -> dict[str, Schema]:
    """Which filters there are depends on the domain; and a user or a description is sought for,
    not both."""
    if not domains:
        return {}
    filters = {f"Filters_{outline.domain}": filtered(outline) for outline in domains}
    seekers = ["user_id", "description", *([None] if standing.user else [])]
    variants = [
        _variant(schema, outline.domain, seeker) for outline in domains for seeker in seekers
    ]
    request = {"description": schema["description"], "anyOf": variants}
    return {**filters, "MatchRequest": request}


def _variant(schema: Schema, domain: str, seeker: str | None) -> Schema:
    own = {name: {"type": "null"} for name in ("user_id", "description")}
    named = {} if seeker is None else {seeker: sent(schema["properties"][seeker])}
    filters = {"$ref": REF.format(model=f"Filters_{domain}")}
    return {
        "type": "object",
        "properties": {
            **schema["properties"],
            "domain": {"const": domain},
            "filters": nullable(filters),
            **own,
            **named,
        },
        "required": ["domain", *([seeker] if seeker else [])],
        "additionalProperties": False,
    }


def _given(schema: Schema) -> Schema:
    """An answer's schema, its instants named as such."""
    shown: dict[str, Any] = {key: value for key, value in schema.items() if key != "title"}
    if "properties" in schema:
        shown["properties"] = {n: _shown(n, part) for n, part in schema["properties"].items()}
    return shown


def _shown(name: str, schema: Schema) -> Schema:
    kept = {key: value for key, value in schema.items() if key not in ("title", "default")}
    if not name.endswith("_at"):
        return kept
    return nullable(DATE_TIME) if "anyOf" in schema else DATE_TIME


ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details", "retryable"],
            "additionalProperties": False,
            "properties": {
                "code": {"type": "string", "enum": [code.value for code in ErrorCode]},
                "message": {"type": "string"},
                "details": {"type": "object", "additionalProperties": True},
                "retryable": {"type": "boolean"},
            },
        }
    },
}
