"""JSON schemas of what requests hold: the models', with the rules that are checked beyond them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineal.faces.rest.incoming import NUMBER_MAX
from lineal.models.schema import FieldOutline, SchemaOutline
from lineal.policy.limits import Limits
from lineal.policy.matching import ALLOWED_MAX

__all__ = [
    "DATE_TIME",
    "Schema",
    "filtered",
    "json_value",
    "lengths",
    "name_of",
    "nullable",
    "optional",
    "or_empty",
    "sent",
    "shaped",
]

Schema = dict[str, Any]

LETTERS = r"!-~\u00a1-\u00ac\u00ae-\u02ff"
"""What is visible up to the end of Latin. Beyond it, too, all that is visible is taken; but no
pattern that tools read alike and fast says what that is: there are 700 gaps in Unicode."""

TEXT = r"[^\s\u001c-\u001f]"
"""Something that shows."""

NUMBER: Schema = {"type": "number", "minimum": -NUMBER_MAX, "exclusiveMaximum": NUMBER_MAX}
INTEGER: Schema = {**NUMBER, "type": "integer"}

DATE_TIME: Schema = {"type": "string", "format": "date-time"}
NOT_BLANK: Schema = {"type": "string", "minLength": 1, "pattern": TEXT}


def name_of(chars_max: int) -> Schema:
    """A name of at most so many characters."""
    return {
        "type": "string",
        "description": "Visible characters, with spaces only between them. "
        "Those of other scripts than Latin are taken too.",
        "minLength": 1,
        "maxLength": chars_max,
        "pattern": f"^[{LETTERS}]+( +[{LETTERS}]+)*$",
    }


def names_of(chars_max: int, items_max: int) -> Schema:
    return {"type": "array", "items": name_of(chars_max), "maxItems": items_max}


def or_empty(schema: Schema) -> Schema:
    return {"anyOf": [{"type": "string", "const": ""}, schema]}


NAME = name_of(256)
PROJECT = or_empty({**NAME, "not": {"const": "*"}})

_SHAPES: Mapping[str, Schema] = {
    **dict.fromkeys(("user_id", "domain", "speaker", "seeker_id", "candidate_id"), NAME),
    "agent_source": name_of(200),
    "session_id": {"anyOf": [NAME, INTEGER]},
    "tags": names_of(100, 64),
    "source_ids": names_of(512, 256),
    "derived_from": names_of(512, 256),
    "tool_calls": names_of(512, 256),
    "model_version": name_of(200),
    "memory_ref": name_of(2048),
    "idempotency_key": name_of(190),
    "occurred_at": DATE_TIME,
    "context": NOT_BLANK,
    "description": {**NOT_BLANK, "maxLength": 20_000},
    "project": PROJECT,
    "workspace_override": PROJECT,
}
"""By the name of a property: what it must be where it is sent. It stands in every request alike."""

_NOISE = ("title", "default")


def lengths(operation_id: str, limits: Limits) -> dict[str, Schema]:
    """What the configuration decides of a request's texts. The contract decides those of a new
    context itself."""
    source: Schema = {"source": {"type": "string", "enum": list(limits.sources)}}
    if operation_id not in ("appendContext", "updateContext"):
        return source
    updates = operation_id == "updateContext"
    shortest = (limits.summary_min, limits.content_min) if updates else (1, 1)
    return {
        **source,
        "title": _length(limits.title_min, limits.title_max),
        "summary": _length(shortest[0], limits.summary_max),
        "content": {**NOT_BLANK, "minLength": shortest[1]},
    }


def json_value(reference: str) -> Schema:
    """Any JSON, as a request may hold it. reference: to this very schema."""
    itself = {"$ref": reference}
    return {
        "anyOf": [
            {"type": ["null", "boolean", "string"]},
            NUMBER,
            {"type": "array", "items": itself},
            {"type": "object", "additionalProperties": itself},
        ]
    }


def shaped(schema: Schema, any_json: Schema) -> Schema:
    """A model's schema with those of its properties that are known by name, and without noise.
    any_json: what a key that is not known may hold, where such are taken."""
    kept = {key: value for key, value in schema.items() if key != "title"}
    if kept.get("additionalProperties") is True:
        kept["additionalProperties"] = any_json
    if "properties" not in schema:
        return kept
    return {**kept, "properties": {n: _property(n, p) for n, p in schema["properties"].items()}}


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    branches = [b for b in schema.get("anyOf", [schema]) if b.get("type") != "null"]
    return {"anyOf": [*branches, {"type": "null"}]}


def sent(schema: Schema) -> Schema:
    """The same, and not null."""
    branches = [b for b in schema.get("anyOf", [schema]) if b.get("type") != "null"]
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def optional(schema: Schema, required: tuple[str, ...]) -> Schema:
    """A request's schema: null is the same as not sent (N19), so it is none of what is required."""
    properties = {
        name: sent(part) if name in required else nullable(part)
        for name, part in schema["properties"].items()
    }
    return {**schema, "properties": properties, "required": list(required)}


def filtered(outline: SchemaOutline) -> Schema:
    """What a match's filters may be in a domain."""
    return {
        "type": "object",
        "properties": {name: _filter(field) for name, field in outline.fields.items()},
        "additionalProperties": False,
        "maxProperties": 64,
    }


def _property(name: str, schema: Schema) -> Schema:
    null = any(branch.get("type") == "null" for branch in schema.get("anyOf", ()))
    shape = _SHAPES.get(name)
    if name == "content":
        shape = {**sent(schema), **NOT_BLANK, "minLength": sent(schema).get("minLength", 1)}
    if name == "edited_files":  # how large they may be altogether says more than how many
        shape = {key: value for key, value in sent(schema).items() if key != "maxItems"}
    shape = shape or schema
    kept = {key: value for key, value in shape.items() if key not in _NOISE}
    return nullable(kept) if null else kept


def _length(least: int, most: int) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most}


def _filter(field: FieldOutline) -> Schema:
    one = _value(field)
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": ALLOWED_MAX}
    if field.type not in ("integer", "number", "date"):
        return {"anyOf": [one, several]}
    end = {"type": "string", "format": "date"} if field.type == "date" else NUMBER
    ends = {
        "type": "object",
        "properties": {"minimum": nullable(end), "maximum": nullable(end)},
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {"anyOf": [one, several, ends]}


def _value(field: FieldOutline) -> Schema:
    kind = field.items if field.type == "list" and field.items else field.type
    if kind == "enum":
        return {"type": "string", "enum": list(field.choices)}
    if kind == "date":
        return {"type": "string", "format": "date"}
    if kind == "string":
        return NOT_BLANK
    bounds = {"minimum": field.minimum, "maximum": field.maximum}
    known = {key: value for key, value in bounds.items() if value is not None}
    return {"boolean": {"type": "boolean"}, "integer": INTEGER}.get(kind, NUMBER) | known
