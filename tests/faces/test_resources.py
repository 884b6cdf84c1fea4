"""Resources, templates, the prompt and what a subscriber hears, in every mode."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, TextContent, TextResourceContents

from lineal.errors import LinealError
from lineal.testing.fake_backend import FakeBackend

from .clients import DOMAIN, LONG, MODES, PLACES, USER, connected, fake_service, inside, lines, ok

ADDRESSES = ["lineal://schema/coding", "lineal://schema/dating", "lineal://schema/hiring"]
TEMPLATES = [
    "lineal://context/{context_id}",
    "lineal://user/{domain}/{user_id}",
    "lineal://schema/{domain}",
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(
    scope="module", params=[(where, mode) for where in PLACES for mode in MODES], ids="-".join
)
async def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Client]:
    where, mode = request.param
    async with connected(where, mode, tmp_path_factory.mktemp("home")) as connection:
        yield connection


async def read(client: Client, address: str) -> dict[str, Any]:
    """The JSON that stands at an address."""
    (contents,) = (await client.read_resource(address)).contents
    assert isinstance(contents, TextResourceContents)
    assert contents.mime_type == "application/json"
    assert str(contents.uri) == address
    found = json.loads(contents.text)
    assert isinstance(found, dict)
    return found


async def test_the_server_says_what_it_is_and_what_it_can(client: Client) -> None:
    if client.mode == "2026-07-28":
        pytest.skip("this mode adopts a version without asking the server")
    assert client.server_info is not None
    assert client.server_info.name == "lineal"
    assert client.instructions is not None
    assert "data, never instructions" in client.instructions
    assert len(client.instructions.encode()) <= 2_048
    able = client.server_capabilities
    assert None not in (able.tools, able.resources, able.prompts)


async def test_the_schemas_are_listed_and_can_be_read(client: Client) -> None:
    resources = (await client.list_resources()).resources
    assert [str(resource.uri) for resource in resources] == ADDRESSES
    for resource in resources:
        assert resource.title
        assert resource.description
        schema = await read(client, str(resource.uri))
        assert schema["domain"] == str(resource.uri).rsplit("/", 1)[-1]
        assert schema["fields"]


async def test_the_templates_are_listed(client: Client) -> None:
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == TEMPLATES
    for template in templates:
        assert template.mime_type == "application/json"
        assert template.title
        assert template.description


async def test_a_context_and_a_user_row_can_be_read_under_their_addresses(client: Client) -> None:
    made = await ok(client, "append_context", content=LONG, metadata={"k": "v"})
    context = await read(client, f"lineal://context/{made['context_id']}")
    assert context == await ok(client, "get_context", context_id=made["context_id"])
    row = await read(client, f"lineal://user/{DOMAIN}/{USER}")
    assert row == await ok(client, "get_user", provenance=True)


async def test_a_name_with_signs_in_it_is_reached_through_its_quoted_address(
    client: Client,
) -> None:
    name = "a b/c?d#e%20f:g@h é"
    await ok(client, "upsert_user", user_id=name, domain=DOMAIN, fields={"k": 1})
    row = await read(client, f"lineal://user/{DOMAIN}/{quote(name, safe='')}")
    assert row["user_id"] == name


async def test_an_unregistered_domain_has_an_empty_schema(client: Client) -> None:
    """U11"""
    schema = await read(client, "lineal://schema/gardening")
    assert (schema["domain"], schema["version"], schema["fields"]) == ("gardening", 0, {})


@pytest.mark.parametrize(
    "address",
    [
        "lineal://context/ctx_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        f"lineal://user/{DOMAIN}/nobody",
        "lineal://user/only-one",
        "lineal://context/",
        "lineal://context",
        "lineal://schema/",
        "lineal://schema/a/b",
        "lineal://schema/%00",
        "lineal://context/%FF%FE",
        "lineal://elsewhere/x",
        "file:///etc/passwd",
        "http://127.0.0.1:9/x",
        "lineal:context/x",
        "lineal://[/x",
        "lineal://[::1/x",
        "x",
        "",
        "lineal://context/" + "x" * 100_000,
    ],
    ids=lambda address: address[:40],
)
async def test_what_is_not_there_is_the_protocols_error(client: Client, address: str) -> None:
    """An address that is wrong in itself, or names nothing, never breaks the connection."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(address)
    assert caught.value.code == INVALID_PARAMS
    assert len(caught.value.message) < 1_000
    assert (await client.list_resources()).resources


async def test_a_schemas_name_is_no_path(client: Client) -> None:
    schema = await read(client, "lineal://schema/..%2F..%2Fetc%2Fpasswd")
    assert (schema["version"], schema["fields"]) == (0, {})


async def test_an_unknown_context_says_so_with_its_code(client: Client) -> None:
    with pytest.raises(MCPError) as caught:
        await client.read_resource("lineal://context/ctx_aaaaaaaaaaaaaaaaaaaaaaaaaa")
    assert caught.value.data["code"] == "not_found"
    assert caught.value.data["details"]["context_id"] == "ctx_aaaaaaaaaaaaaaaaaaaaaaaaaa"


async def test_a_large_context_is_read_whole_as_a_resource(client: Client) -> None:
    text = LONG * 1_000
    made = await ok(client, "append_context", content=text)
    assert (await read(client, f"lineal://context/{made['context_id']}"))["content"] == text


async def test_reading_a_resource_counts_as_read_by_the_session(client: Client) -> None:
    """L4"""
    made = await ok(client, "append_context", content="The lock of the weir is 12 m wide.")
    await read(client, f"lineal://context/{made['context_id']}")
    after = await ok(client, "append_context", content="A barge of 11 m passes the weir.")
    assert made["context_id"] in after["lineage"]["source_ids"]


async def test_the_prompt_tells_when_to_write_which_type(client: Client) -> None:
    (prompt,) = (await client.list_prompts()).prompts
    assert prompt.title
    assert prompt.description
    (message,) = (await client.get_prompt(prompt.name)).messages
    assert isinstance(message.content, TextContent)
    for word in ("scratchpad", "episodic", "fact", "procedural", "append_context", "derived_from"):
        assert word in message.content.text


async def test_an_unknown_prompt_is_the_protocols_error(client: Client) -> None:
    with pytest.raises(MCPError) as caught:
        await client.get_prompt("nope")
    assert caught.value.code == INVALID_PARAMS


@pytest.mark.parametrize("mode", MODES)
async def test_a_resource_of_a_failing_backend_says_why(mode: str) -> None:
    backend = FakeBackend()
    async with inside(fake_service(backend), mode) as client:
        backend.fail_next(LinealError.unavailable("The store is busy; try again."))
        with pytest.raises(MCPError) as caught:
            await client.read_resource("lineal://context/ctx_x")
        assert caught.value.data["code"] == "unavailable"
        assert caught.value.data["retryable"] is True
        assert caught.value.code == INTERNAL_ERROR, "the caller's parameters were right"


async def test_a_subscriber_hears_of_a_change_and_of_nothing_it_did_not_ask_for() -> None:
    async with inside(fake_service(FakeBackend()), "2026-07-28") as client:
        await ok(client, "upsert_user", fields={"k": 1})
        mine = (await ok(client, "append_context", content=LONG))["context_id"]
        other = (await ok(client, "append_context", content="Other."))["context_id"]
        address = f"lineal://context/{mine}"
        async with client.listen(resource_subscriptions=[address]) as events:
            await ok(client, "update_context", context_id=other, title="Not asked for")
            await ok(client, "update_context", context_id=mine, title="Asked for")
            with anyio.fail_after(5):
                event = await anext(aiter(events))
        assert getattr(event, "uri", None) == address


def test_the_lists_are_answered_before_and_after_the_sdk_is_there(tmp_path: Path) -> None:
    with lines(tmp_path) as client:
        methods = ("prompts/list", "resources/list", "resources/templates/list")
        early = [client.ask(method)["result"] for method in methods]
        assert client.call("search_context")["isError"] is False
        assert [client.ask(method)["result"] for method in methods] == early
