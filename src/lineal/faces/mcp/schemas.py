"""Small JSON schemas for tools/list: what a model needs to call right, and no more tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineal.models.base import Model

__all__ = ["input_schema", "output_schema"]

_NOISE = ("title", "default", "description")


def input_schema(
    model: type[Model], hints: Mapping[str, str], shapes: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The request's schema without titles, defaults and null branches.

    hints: a description per property, where the name doesn't say enough. shapes: a whole schema
    per property, instead of the model's. The models check the rest (models/parse.py).
    """
    whole = model.model_json_schema()
    definitions = whole.get("$defs", {})
    properties = {
        name: shapes.get(name) or _small(schema, definitions)
        for name, schema in whole["properties"].items()
    }
    for name, hint in hints.items():
        properties[name] = {**properties[name], "description": hint}
    required = {"required": whole["required"]} if "required" in whole else {}
    return {
        "type": "object",
        "properties": properties,
        **required,
        "additionalProperties": False,
    }


def output_schema(model: type[Model]) -> dict[str, Any]:
    """The answer's top level: names and types of the members that are always there."""
    whole = model.model_json_schema(mode="serialization")
    definitions = whole.get("$defs", {})
    return {
        "type": "object",
        "properties": {
            name: _shallow(whole["properties"][name], definitions)
            for name, field in model.model_fields.items()
            if field.is_required()
        },
    }


def _small(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """One property: references inlined, null branches and noise dropped."""
    schema = _resolved(schema, definitions)
    branches = [b for b in schema.get("anyOf", []) if b.get("type") != "null"]
    if len(branches) == 1:
        return _small(branches[0], definitions)
    small = {key: value for key, value in schema.items() if key not in _NOISE}
    if "items" in small:
        small["items"] = _small(small["items"], definitions)
    if small.get("additionalProperties"):
        del small["additionalProperties"]
    for bound in ("maxItems", "minLength"):
        small.pop(bound, None)
    return small


def _shallow(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = _resolved(schema, definitions)
    branches = schema.get("anyOf")
    if branches:
        kinds = [_resolved(b, definitions).get("type") for b in branches]
        return {"type": [k for k in dict.fromkeys(kinds) if k]} if all(kinds) else {}
    return {"type": schema["type"]} if "type" in schema else {}


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    return dict(definitions[reference.rsplit("/", 1)[-1]])
