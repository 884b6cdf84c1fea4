"""What one tenant keeps is not there for another: not its words, not its ids, not its count.

The matrix is made from tools/list, so that a new tool is in it or fails.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from psycopg.conninfo import conninfo_to_dict

from lineal.app import open_service
from lineal.faces.mcp.server import build_server
from lineal.faces.mcp.tools import TOOLS
from lineal.service import Service

from .clients import (
    DOMAIN,
    LONG,
    access_of,
    arguments_of,
    counted,
    error_in,
    ok,
    settings_of,
    told,
)

STORES = ("memory", "sqlite", "postgres")
NEVER = "ctx_" + "a" * 26
WORD_OF_A = "quetzal"
"""A word that only tenant a ever stores."""


@asynccontextmanager
async def tenants(
    backend: str, home: Path, *names: str
) -> AsyncIterator[list[tuple[Client, Service]]]:
    """A client and its service for each tenant, over one store."""
    async with AsyncExitStack() as stack:
        found: list[tuple[Client, Service]] = []
        shared: Service | None = None
        for name in names:
            if backend == "memory://" and shared is not None:
                service = shared  # one process behind one store; the others are opened by each
            else:
                settings = settings_of(home, tenant=name, backend=backend)
                service = shared = await stack.enter_async_context(open_service(settings))
            server = build_server(access_of(service, tenant=name))
            found.append((await stack.enter_async_context(Client(server)), service))
        yield found


def backend_of(store: str, request: pytest.FixtureRequest) -> str:
    """The address of an empty one."""
    if store != "postgres":
        return {"memory": "memory://", "sqlite": ""}[store]
    dsn: str = request.getfixturevalue("cluster").new_database()
    told = conninfo_to_dict(dsn)
    return f"postgres://{told['user']}@/{told['dbname']}?host={quote(str(told['host']), safe='')}"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=STORES)
async def two(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[list[tuple[Client, Service]]]:
    async with tenants(backend_of(request.param, request), tmp_path, "a", "b") as both:
        yield both


async def secrets_of(client: Client) -> str:
    """What tenant a keeps; the id of its memory."""
    await ok(
        client,
        "upsert_user",
        user_id="secret-user",
        domain=DOMAIN,
        fields={"pet": WORD_OF_A},
        context=f"Keeps a {WORD_OF_A}.",
    )
    made = await ok(
        client,
        "append_context",
        user_id="secret-user",
        domain=DOMAIN,
        content=f"The {WORD_OF_A} lives behind the pump station of Delft, under the stairs.",
        tags=[WORD_OF_A],
        metadata={WORD_OF_A: 1},
    )
    return str(made["context_id"])


def aimed(tool: str, context_id: str, user_id: str) -> dict[str, Any]:
    """A tool's right arguments, aimed at this id and this user."""
    sent = arguments_of(tool, context_id)
    if "user_id" in sent:
        sent["user_id"] = user_id
    return sent


def alike(answer: dict[str, Any], *names: str) -> Any:
    """An answer without the names that it repeats from its question, and without its time."""
    text = json.dumps(answer)
    for name in names:
        text = text.replace(name, "…")
    return json.loads(text)


@pytest.mark.parametrize("tool", list(TOOLS))
async def test_another_tenants_ids_are_as_unknown_as_ids_that_never_were(
    two: list[tuple[Client, Service]], tool: str
) -> None:
    (a, a_service), (b, b_service) = two
    context_id = await secrets_of(a)
    before = await counted(a_service, "a")
    nothing = await counted(b_service, "b")

    theirs = await b.call_tool(tool, aimed(tool, context_id, "secret-user"))
    never = await b.call_tool(tool, aimed(tool, NEVER, "never-user"))
    assert theirs.is_error == never.is_error
    found, wanted = (
        alike(told(theirs), context_id, "secret-user"),
        alike(told(never), NEVER, "never-user"),
    )
    assert WORD_OF_A not in json.dumps(found)
    if tool == "upsert_user":  # it makes the tenant's own row, of that name, and touches no other
        assert shape(found) == shape(wanted)
        assert found["extras"] == wanted["extras"]
    else:
        assert found == wanted
        assert await counted(b_service, "b") == nothing
    if tool == "search_context":
        assert found == {"hits": [], "more": 0}
    elif tool != "upsert_user":
        assert error_in(found)["code"] == "not_found"
    assert await counted(a_service, "a") == before
    assert WORD_OF_A in json.dumps(await ok(a, "get_context", context_id=context_id))


def shape(value: Any) -> Any:
    """The names in an answer, without its values."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return type(value).__name__


async def test_another_tenants_memory_is_not_in_a_resource(
    two: list[tuple[Client, Service]],
) -> None:
    (a, _), (b, _) = two
    context_id = await secrets_of(a)
    for address, never in (
        (f"lineal://context/{context_id}", f"lineal://context/{NEVER}"),
        (f"lineal://user/{DOMAIN}/secret-user", f"lineal://user/{DOMAIN}/never-user"),
    ):
        errors = []
        for uri in (address, never):
            with pytest.raises(MCPError) as caught:
                await b.read_resource(uri)
            told_of = {"code": caught.value.code, "said": caught.value.message}
            told_of["data"] = caught.value.data
            errors.append(alike(told_of, context_id, NEVER, "secret-user", "never-user"))
        assert errors[0] == errors[1]


async def test_declaring_another_tenants_memory_shows_nothing_of_it(
    two: list[tuple[Client, Service]],
) -> None:
    """L5: an id from elsewhere is an external node, whether or not it is someone's."""
    (a, a_service), (b, _) = two
    context_id = await secrets_of(a)
    before = await counted(a_service, "a")
    made = await ok(b, "append_context", content=LONG, lineage={"derived_from": [context_id]})
    graph = await ok(b, "trace_lineage", context_id=made["context_id"])
    (node,) = [node for node in graph["nodes"] if node["context_id"] == context_id]
    assert node == {"context_id": context_id, "state": "external", "depth": 1}
    down = await ok(a, "trace_lineage", context_id=context_id, direction="down")
    assert [node["context_id"] for node in down["nodes"]] == [context_id]
    gone = await ok(a, "forget_context", context_id=context_id, cascade=True, dry_run=True)
    assert gone["forgotten"] == [context_id]
    await ok(b, "get_context", context_id=made["context_id"])
    assert await counted(a_service, "a") == before


async def test_the_same_key_of_two_tenants_is_two_keys(two: list[tuple[Client, Service]]) -> None:
    (a, _), (b, _) = two
    sent = {"content": "Keyed.", "idempotency_key": "k-1"}
    first, second = await ok(a, "append_context", **sent), await ok(b, "append_context", **sent)
    assert first["context_id"] != second["context_id"]
    other = {**sent, "content": "Keyed otherwise."}
    for client in (a, b):
        result = await client.call_tool("append_context", other)
        assert error_in(told(result))["code"] == "conflict"


async def test_what_was_read_behind_one_wall_is_in_no_lineage_behind_another(
    two: list[tuple[Client, Service]],
) -> None:
    """One service may serve both."""
    (a, _), (b, _) = two
    context_id = await secrets_of(a)
    await ok(a, "get_context", context_id=context_id)
    await ok(a, "search_context", query=WORD_OF_A, user_id="secret-user")
    made = await ok(b, "append_context", content=LONG)
    assert made["lineage"]["source_ids"] == []


async def test_forgetting_the_same_content_takes_one_tenants_only(
    two: list[tuple[Client, Service]],
) -> None:
    (a, _), (b, _) = two
    ids = [(await ok(client, "append_context", content=LONG))["context_id"] for client in (a, b)]
    await ok(b, "forget_context", context_id=ids[1])
    assert (await ok(a, "get_context", context_id=ids[0]))["content"] == LONG
    assert len((await ok(a, "search_context", query="valve"))["hits"]) == 1
    assert (await ok(b, "search_context", query="valve"))["hits"] == []


# --- names that look alike ---

NFC, NFD = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
PAIRS = [
    (("a", "b:c", "d"), ("a:b", "c", "d")),
    (("a", "b", "c:d"), ("a", "b:c", "d")),
    (("a", "b", "c"), ("a", "c", "b")),
    (("a", "b/c", "d"), ("a/b", "c", "d")),
    (("a", "b|c", "d"), ("a|b", "c", "d")),
    (("a", "b\x1fc", "d"), ("a|b", "c", "d")),
    (("a", "b\x00c", "d"), ("a", "b", "d")),
    (("a", "ada", "d"), ("a", "Ada", "d")),
    (("a", "ada", "d"), ("a", "ada ", "d")),
    (("a", "ada", "d"), ("a", " ada", "d")),
    (("a", "ada", "d"), ("A", "ada", "d")),
    (("a", "ada", "d"), ("a", "ada", "D")),
    (("a", NFC, "d"), ("a", NFD, "d")),
    (("a", "ada", "d"), ("a", "аda", "d")),
    (("a", "straße", "d"), ("a", "strasse", "d")),
    (("a", "..", "d"), ("a", ".", "d")),
    (("a", "ada", "d"), ("a", "ad\u200ba", "d")),
    (("a", "ada", "d"), ("a", "ad\u00ada", "d")),
    (("a", "x" * 10_000, "d"), ("a", "x" * 10_001, "d")),
    (("a", "x" * 255 + "y", "d"), ("a", "x" * 255 + "z", "d")),
    (("a", "1", "d"), ("a", "01", "d")),
    (("a", "None", "d"), ("a", "null", "d")),
    (("a", "%", "d"), ("a", "ada", "d")),
    (("a", "a_a", "d"), ("a", "aba", "d")),
    (("a", "*", "d"), ("a", "ada", "d")),
    (("a", "''", "d"), ("a", '"', "d")),
]


@pytest.fixture(scope="module", params=STORES)
async def by_tenant(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[dict[str, Client]]:
    """A client of each tenant in PAIRS, over one store for all of them."""
    names = sorted({names[0] for pair in PAIRS for names in pair})
    backend = backend_of(request.param, request)
    async with tenants(backend, tmp_path_factory.mktemp("home"), *names) as found:
        yield {name: client for name, (client, _) in zip(names, found, strict=True)}


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=lambda n: f"{n}-{ascii(PAIRS[n])[:60]}")
async def test_names_that_look_alike_are_two_or_refused_never_one(
    by_tenant: dict[str, Client], number: int
) -> None:
    one, other = PAIRS[number]
    first, second = by_tenant[one[0]], by_tenant[other[0]]
    # Each pair has domains of its own, so that the pairs can't meet.
    whose = {"user_id": one[1], "domain": f"{number}{one[2]}"}
    others = {"user_id": other[1], "domain": f"{number}{other[2]}"}
    if await refused_as_a_name(first, whose) or await refused_as_a_name(second, others):
        return
    await ok(first, "upsert_user", **whose, fields={"mine": WORD_OF_A})
    made = await ok(first, "append_context", **whose, content=f"A {WORD_OF_A} of mine.")

    missing = await second.call_tool("get_user", others)
    assert error_in(told(missing))["code"] == "not_found"
    assert (await ok(second, "search_context", **others))["hits"] == []
    assert (await ok(second, "search_context", **others, query=WORD_OF_A))["hits"] == []
    refusal = await second.call_tool("append_context", {**others, "content": "Not mine."})
    assert error_in(told(refusal))["code"] == "not_found"

    await ok(second, "upsert_user", **others, fields={"theirs": 1})
    await ok(second, "append_context", **others, content="One of theirs.")
    row = await ok(first, "get_user", **whose)
    assert {name: row[name] for name in whose} == whose
    assert row["extras"] == {"mine": WORD_OF_A}
    found = await ok(first, "search_context", **whose)
    assert [hit["context_id"] for hit in found["hits"]] == [made["context_id"]]


async def refused_as_a_name(client: Client, whose: dict[str, str]) -> bool:
    """Whether a name is refused; then it is by its field and nothing was stored."""
    result = await client.call_tool("get_user", whose)
    error = error_in(told(result))
    if error["code"] == "not_found":
        return False
    assert error["code"] == "invalid_request"
    assert error["details"]["field"] in whose
    return True
