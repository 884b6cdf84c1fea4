"""The contract servers and the adapters against the contracts as they are written down."""

from __future__ import annotations

import re
from json import loads
from pathlib import Path
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.models.changes import Scope
from lineal.models.lineage import DeclaredLineage
from lineal.models.matching import MatchUsers
from lineal.models.search import SearchContext
from lineal.outbound.address import address_of
from lineal.outbound.caller import Caller
from lineal.outbound.faults import Refused
from lineal.testing.contracts.jean import JeanContract
from lineal.testing.contracts.mem0 import Mem0Contract
from lineal.testing.contracts.nia import NiaContract, Shape
from lineal.testing.contracts.server import Contract, Exchange, serving
from lineal.testing.samples import START

from .deliveries import CANARY, appending, deleting, judging, speaking, updating, upserting

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")

FACTS = Path(__file__).parents[2].parent / "shared" / "facts" / "remotes.md"
ADA = Scope(tenant="home", user_id="ada", domain="coding")

pytestmark = pytest.mark.skipif(not FACTS.exists(), reason="the contracts aren't here")


def contract(title: str) -> dict[str, Any]:
    """One of the OpenAPI documents."""
    blocks = re.findall(r"```yaml\n(.*?)```", FACTS.read_text(encoding="utf-8"), re.DOTALL)
    found = (block for block in map(yaml.safe_load, blocks) if title in block["info"]["title"])
    return dict(next(found))


def operation_of(document: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
    """What the document says of a request's method and path; a path without names goes first."""
    for path in sorted(document["paths"], key=lambda path: "{" in path):
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        if re.fullmatch(pattern, exchange.seen.path):
            return dict(document["paths"][path][exchange.seen.method.lower()])
    raise AssertionError(f"no such path: {exchange.seen.path}")


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Raises where a value isn't what the schema says."""
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def check_exchange(document: dict[str, Any], exchange: Exchange) -> int:
    """How many schemas the request and its answer were held to."""
    operation = operation_of(document, exchange)
    asked = operation.get("requestBody", {})
    given = operation["responses"].get(str(exchange.status), {})
    if "$ref" in given:
        given = document["components"]["responses"][given["$ref"].rpartition("/")[2]]
    sides = [(asked, exchange.seen.json), (given, exchange.answer)]
    schemas = [
        (content["schema"], value)
        for side, value in sides
        for content in side.get("content", {}).values()
    ]
    for schema, value in schemas:
        check(document, schema, value)
    check_query(document, operation, exchange)
    return len(schemas)


def check_query(document: dict[str, Any], operation: dict[str, Any], exchange: Exchange) -> None:
    known = {one["name"]: one for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert set(exchange.seen.query) <= set(known)
    for name, one in known.items():
        assert name in exchange.seen.query or not one.get("required")
    for name, value in exchange.seen.query.items():
        schema = known[name]["schema"]
        check(document, schema, value if schema.get("type", "string") == "string" else loads(value))


def held(document: dict[str, Any], server: Contract) -> int:
    """Schemas that all of a server's exchanges were held to."""
    return sum(check_exchange(document, exchange) for exchange in server.exchanges)


async def test_jean_is_spoken_as_it_is_written() -> None:
    server = JeanContract(CANARY)
    async with speaking("jean", server, "/v1") as jean:
        await jean.send(upserting(context="32, NYC", fields={"age": 32}, memory_ref="m://a"), None)
        await jean.send(appending(source="chat"), None)
        await jean.send(updating(content="x" * 60), "ctx_0000")
        await jean.send(judging("grace"), None)
        await jean.user(ADA)
        await jean.schema("dating")
        await jean.match(ADA, MatchUsers(filters={"age": {"minimum": 30}}))
        with pytest.raises(Refused):
            await jean.schema("nowhere")
        with pytest.raises(Refused):
            await jean.send(appending().model_copy(update={"user_id": "nobody"}), None)
    assert held(contract("Jean"), server) == 12


@pytest.mark.parametrize("shape", ["earlier", "later"])
async def test_nia_is_spoken_as_it_is_written(shape: Shape) -> None:
    server = NiaContract(CANARY, ManualClock(START), shape)
    references = {"indexed_repositories": ["acme/shop"]}
    async with speaking("nia", server, "/v2") as nia:
        sent = await nia.send(appending(content="Short.", nia_references=references), None)
        remote_id = sent.remote_id
        files = [{"file_path": "a.py", "lines_added": 3}]
        await nia.send(updating(edited_files=files), remote_id)
        await nia.send(updating(ttl_seconds=None), remote_id)
        lineage = DeclaredLineage(confidence=0.5, source_ids=("doc:x",))
        await nia.send(updating(lineage=lineage), remote_id)
        await nia.search(ADA, SearchContext(query="Short", tags=("a",)), 10)
        server.vectors = False
        await nia.search(ADA, SearchContext(query="Short", tags=("a",)), 10)
        await nia.search(ADA, SearchContext(), 10)
        await nia.sent_before(appending())
        await nia.get(remote_id or "")
        await nia.send(deleting(remote_id or ""), None)
        with pytest.raises(Refused):
            await nia.get(remote_id or "")
    # The later shape refuses the bare edited file once.
    assert held(contract("Nia"), server) == {"earlier": 13, "later": 15}[shape]


async def test_mem0_is_spoken_as_it_is_written() -> None:
    server = Mem0Contract(CANARY, pending=1)
    async with speaking("mem0", server) as mem0:
        sent = await mem0.send(appending(expires_at=START), None)
        remote_id = sent.remote_id or ""
        await mem0.send(updating(content="x" * 60, tags=("a",), ttl_seconds=None), remote_id)
        await mem0.search(ADA, SearchContext(query="x"), 10)
        await mem0.search(ADA, SearchContext(), 10)
        await mem0.sent_before(appending())
        await mem0.get(remote_id)
        await mem0.send(deleting(remote_id), None)
    assert held(contract("Mem0"), server) == 5


async def test_a_contract_refuses_what_is_missing() -> None:
    """The servers are as strict as what they stand for."""
    for server, base, auth, path, body, status in (
        (JeanContract("k"), "/v1", "Bearer k", "/context", {"user_id": "a"}, 400),
        (JeanContract("k"), "/v1", "Bearer k", "/nowhere", {}, 404),
        (JeanContract("k"), "/v1", "Token k", "/context", {}, 401),
        (NiaContract("k", ManualClock(START)), "/v2", "Bearer k", "/contexts", {"title": ""}, 400),
        (
            NiaContract("k", ManualClock(START), "later"),
            "/v2",
            "Bearer k",
            "/contexts",
            {"title": "x" * 201, "summary": "x", "content": "x", "agent_source": "a"},
            422,
        ),
        (Mem0Contract("k"), "", "Token k", "/v3/memories/add/", {"messages": [{}]}, 400),
        (Mem0Contract("k"), "", "Token k", "/v3/memories/add", {}, 404),
        (
            Mem0Contract("k"),
            "",
            "Token k",
            "/v3/memories/search/",
            {"query": "x", "user_id": "a"},
            400,
        ),
        (Mem0Contract("k"), "", "Bearer k", "/v3/memories/", {}, 401),
    ):
        async with serving(server) as address:
            url = address_of(address + base, "URL", key_setting="KEY", example="")
            caller = Caller(url, {"authorization": auth}, timeout_s=5.0)
            reply = await caller.call("POST", path, json=body)
            await caller.close()
        assert (path, reply.status) == (path, status)
