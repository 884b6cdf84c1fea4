"""The face as an OpenAPI document, assembled from the operations and their models."""

from __future__ import annotations

from typing import Any, NamedTuple

from lineal import __version__
from lineal.faces.rest.components import REF, body_name, schemas
from lineal.faces.rest.examples import EXAMPLES, LINKS
from lineal.faces.rest.operations import OPERATIONS, Operation
from lineal.faces.rest.parameters import parameters
from lineal.faces.rest.refusals import responses, statuses
from lineal.faces.rest.standing import Standing
from lineal.models.schema import SchemaOutline
from lineal.policy.limits import Limits

__all__ = ["Facts", "document"]


ABOUT = (
    "A memory that knows where each thing came from and when it ends. The header X-Session-Id (a "
    "word of letters, digits and ._:-) joins requests: what a session read is a source of what it "
    "writes. traceparent is kept in the lineage, too."
)


class Facts(NamedTuple):
    """What the description depends on. standing: whether a user and a domain are configured.
    domains: those with a schema."""

    standing: Standing
    domains: tuple[SchemaOutline, ...]
    limits: Limits


def document(facts: Facts) -> dict[str, Any]:
    """The whole description, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        described = _operation(operation, facts)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lineal",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearerAuth": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(facts.standing, facts.domains, facts.limits),
            "responses": responses(),
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, facts: Facts) -> dict[str, Any]:
    body = {} if operation.body is None else {"requestBody": _body(operation)}
    return {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"Needs the scope '{operation.needs}'.",
        "parameters": parameters(operation, domain_known=facts.standing.domain),
        **body,
        "responses": {"200": _answer(operation), **statuses(operation)},
    }


def _body(operation: Operation) -> dict[str, Any]:
    examples = {"examples": EXAMPLES[operation.id]} if operation.id in EXAMPLES else {}
    schema = {"$ref": REF.format(model=body_name(operation))}
    return {"required": True, "content": {"application/json": {"schema": schema, **examples}}}


def _answer(operation: Operation) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=operation.answer.__name__)}
    links = {"links": LINKS[operation.id]} if operation.id in LINKS else {}
    headers = {"Cache-Control": {"required": True, "schema": {"const": "no-store"}}}
    return {
        "description": operation.summary + ".",
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
        **links,
    }
