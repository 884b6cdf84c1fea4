"""The description is true: of every path, of what is taken, and of what is answered."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lineal.errors import STATUS
from lineal.faces.rest.openapi import Facts, document
from lineal.faces.rest.operations import OPERATIONS
from lineal.faces.rest.standing import Standing
from lineal.models.context import SOURCES
from lineal.policy.limits import Limits

from .serving import TOKEN, opened, served

FUZZ_WITHIN_S = 300
NOBODY = Facts(Standing(user=False, domain=False), (), Limits())
CONTRACT_IDS = {
    *("appendContext", "upsertUser", "getUser", "getSchema", "match", "submitFeedback"),
    *("saveContext", "listContexts", "searchContexts", "semanticSearchContexts"),
    *("getContext", "updateContext", "deleteContext"),
}

installed = importlib.util.find_spec("schemathesis") is not None


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(tmp_path) as one:
        yield one


@pytest.fixture
async def described(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (part for key, part in value.items() if key == "$ref")
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from references(part)


def operations_of(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_of_the_contracts_has_its_name_there() -> None:
    assert {operation.id for operation in OPERATIONS} == CONTRACT_IDS


async def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    known = {(operation.path, operation.method.lower()) for operation in OPERATIONS}
    assert {(path, method) for path, method, _ in operations_of(described)} == known


async def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    for reference in references(described):
        place: Any = described
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


async def test_every_error_is_described_with_its_envelope(described: dict[str, Any]) -> None:
    """E1."""
    for path, method, operation in operations_of(described):
        always = {200, *STATUS.values()} - {404, 409}
        assert always <= {int(status) for status in operation["responses"]}, (path, method)
    for response in described["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Error"}


async def test_every_example_is_taken(client: httpx.AsyncClient, described: dict[str, Any]) -> None:
    await client.post("/v1/users", json={"user_id": "u_bob", "domain": "dating", "fields": {}})
    saved = ""
    for wanted in ("upsertUser", "appendContext", "match", "submitFeedback", "saveContext"):
        path, method, operation = next(
            found for found in operations_of(described) if found[2]["operationId"] == wanted
        )
        for example in examples_of(operation):
            answer = await client.request(method, path, json=example)
            assert answer.status_code == 200, (wanted, answer.text)
            saved = answer.json().get("id", "")
    update = described["paths"]["/v2/contexts/{context_id}"]["put"]
    for example in examples_of(update):
        answer = await client.put(f"/v2/contexts/{saved}", json=example)
        assert answer.status_code == 200, answer.text


def examples_of(operation: dict[str, Any]) -> list[Any]:
    content = operation["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]


async def test_what_must_be_named_follows_the_configuration(tmp_path: Path) -> None:
    """A1."""
    async with opened(tmp_path, user="ada", domain="notes") as client:
        schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
        assert schemas["AppendContextRequest"]["required"] == ["content"]
    plain = document(NOBODY)["components"]["schemas"]
    assert plain["AppendContextRequest"]["required"] == ["user_id", "domain", "content"]


def test_the_bounds_are_the_configured_ones() -> None:
    limits = Limits(content_min=7, sources=(*SOURCES, "calendar"))
    schemas = document(NOBODY._replace(limits=limits))["components"]["schemas"]
    update = schemas["UpdateContextRequest"]["properties"]
    assert update["content"]["anyOf"][0]["minLength"] == 7
    append = schemas["AppendContextRequest"]["properties"]
    assert append["source"]["anyOf"][0]["enum"] == [*SOURCES, "calendar"]


async def test_a_matchs_filters_are_those_of_the_domain(described: dict[str, Any]) -> None:
    """M1."""
    filters = described["components"]["schemas"]["Filters_dating"]
    assert filters["properties"]["diet"]["anyOf"][0]["enum"][:2] == ["omnivore", "vegetarian"]
    assert filters["additionalProperties"] is False


@pytest.mark.slow
@pytest.mark.skipif(not installed, reason="schemathesis isn't here")
def test_nothing_is_answered_that_is_not_described(tmp_path: Path) -> None:
    """Requests made of the description, right ones and wrong ones: the right are taken, the wrong
    refused, every answer is as described, and none is a defect."""
    with served(tmp_path / "home", token=TOKEN, secrets="off", durability="normal") as base:
        authorized = {"Authorization": f"Bearer {TOKEN}"}
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps(httpx.get(f"{base}/openapi.json", headers=authorized).json()))
        found = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                *("run", str(file), "--url", base, "--checks", "all"),
                *("-H", f"Authorization: Bearer {TOKEN}"),
                *("--phases", "examples,fuzzing,stateful", "-n", "8", "--seed", "7"),
                *("--generation-database", "none", "--no-color"),
            ],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=FUZZ_WITHIN_S,
            check=False,
        )
    assert found.returncode == 0, found.stdout[-12_000:]
