"""MCP over HTTP by the official client: each request behind its own token's wall, and within its
scopes."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from tests.faces.clients import DOMAIN, LONG, arguments_of, error_in, ok, told
from tests.http.serving import ME, Process, bearer, connected, new_token, process

from lineal.faces.http.tokens import Grant
from lineal.faces.mcp.opening import NOTE_EVENT
from lineal.faces.mcp.server import scope_of
from lineal.faces.mcp.tools import TOOLS

MODES = ("legacy", "2026-07-28")
WORD_OF_A = "quetzal"
NUMBERS = itertools.count()
NEVER = "ctx_" + "a" * 26
SCOPES: dict[str, Sequence[Grant]] = {
    "a": ("read", "write", "erase"),
    "b": ("read", "write", "erase"),
    "reader": ("read",),
    "writer": ("write",),
    "eraser": ("erase",),
    "keeper": ("read", "write"),
}
READING, WRITING, ERASING = (
    {name for name, spec in TOOLS.items() if scope_of(spec) == scope}
    for scope in ("read", "write", "erase")
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Tokens: a and the others of tenant a, b of tenant b."""
    home = tmp_path_factory.mktemp("home")
    made = {
        name: new_token(home, "b" if name == "b" else "a", scopes, name=f"{name}-name").secret
        for name, scopes in SCOPES.items()
    }
    return {**made, "home": str(home)}


@pytest.fixture(scope="module")
def server(secrets: dict[str, str]) -> Iterator[Process]:
    settings = {
        "LINEAL_RATE_PER_SECOND": "0",
        "LINEAL_USER": "ada",
        "LINEAL_DOMAIN": DOMAIN,
        "CLAUDE_CODE_SESSION_ID": "canary-session",
        "CLAUDE_PROJECT_DIR": "/canary/project",
    }
    with process(Path(secrets["home"]), **settings) as running:
        yield running


@pytest.fixture(params=MODES)
async def both(
    request: pytest.FixtureRequest, server: Process, secrets: dict[str, str]
) -> AsyncIterator[tuple[Client, Client]]:
    async with AsyncExitStack() as stack:
        a, b = [
            await stack.enter_async_context(
                connected(server.mcp, secrets[name], mode=request.param)
            )
            for name in "ab"
        ]
        yield a, b


def fresh() -> str:
    """A user that no other test has made."""
    return f"user-{next(NUMBERS)}"


async def kept_by(client: Client, user_id: str = "secret-user") -> str:
    """What tenant a keeps; the id of its memory."""
    whose = {"user_id": user_id, "domain": DOMAIN}
    await ok(client, "upsert_user", **whose, fields={"pet": WORD_OF_A})
    content = f"The {WORD_OF_A} lives behind the pump station of Delft, under the stairs."
    made = await ok(client, "append_context", **whose, content=content, tags=[WORD_OF_A])
    return str(made["context_id"])


def aimed(tool: str, context_id: str, user_id: str) -> dict[str, Any]:
    """A tool's right arguments, aimed at this id and this user."""
    sent = arguments_of(tool, context_id)
    return {**sent, "user_id": user_id} if "user_id" in sent else sent


def alike(answer: dict[str, Any], *names: str) -> Any:
    """An answer without the names that it repeats from its question."""
    text = json.dumps(answer)
    for name in names:
        text = text.replace(name, "…")
    return json.loads(text)


# --- walls ---


@pytest.mark.parametrize("tool", list(TOOLS))
async def test_another_tenants_ids_are_as_unknown_as_ids_that_never_were(
    both: tuple[Client, Client], tool: str
) -> None:
    """Made from tools/list: a new tool is in it, or fails."""
    a, b = both
    assert tool in {listed.name for listed in (await b.list_tools()).tools}
    theirs, nobodys = fresh(), fresh()
    context_id = await kept_by(a, theirs)
    aims = {context_id: theirs, NEVER: nobodys}
    found, wanted = [
        alike(told(await b.call_tool(tool, aimed(tool, *aim))), *aim) for aim in aims.items()
    ]
    assert WORD_OF_A not in json.dumps(found)
    if tool == "upsert_user":  # it makes the tenant's own row, of that name, and touches no other
        assert found["extras"] == wanted["extras"]
    else:
        assert found == wanted
    if tool == "search_context":
        assert found == {"hits": [], "more": 0}
    elif tool != "upsert_user":
        assert error_in(found)["code"] == "not_found"
    assert WORD_OF_A in json.dumps(await ok(a, "get_context", context_id=context_id))


async def test_another_tenants_row_is_not_there(both: tuple[Client, Client]) -> None:
    a, b = both
    whose = {"user_id": "only-as", "domain": DOMAIN}
    await ok(a, "upsert_user", **whose, fields={"pet": WORD_OF_A})
    error = error_in(told(await b.call_tool("get_user", whose)))
    assert error["code"] == "not_found"
    with pytest.raises(MCPError):
        await b.read_resource(f"lineal://user/{DOMAIN}/only-as")


@pytest.mark.parametrize("name", ["tenant", "tenant_id", "organization_id", "principal", "scopes"])
async def test_no_argument_names_a_tenant(both: tuple[Client, Client], name: str) -> None:
    a, b = both
    context_id = await kept_by(a)
    result = await b.call_tool("get_context", {"context_id": context_id, name: "a"})
    assert result.is_error
    assert WORD_OF_A not in json.dumps(told(result))


async def test_what_changes_is_told_behind_its_own_wall_only(
    server: Process, secrets: dict[str, str]
) -> None:
    """A row's address can be guessed, so that it changed must not be seen through the wall."""
    heard: list[str] = []
    came = anyio.Event()
    uri = f"lineal://user/{DOMAIN}/watched"

    async def listen(name: str, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with (
            connected(server.mcp, secrets[name], mode="2026-07-28") as client,
            client.listen(resource_subscriptions=[uri]) as events,
        ):
            task_status.started()
            async for _ in events:
                heard.append(name)
                came.set()

    async with connected(server.mcp, secrets["a"]) as a, anyio.create_task_group() as tasks:
        await tasks.start(listen, "b")
        await tasks.start(listen, "a")
        await ok(a, "upsert_user", user_id="watched", domain=DOMAIN, fields={"x": 1})
        with anyio.fail_after(5):
            await came.wait()
        await ok(a, "get_user", user_id="watched", domain=DOMAIN)  # b's would have come by now
        tasks.cancel_scope.cancel()
    assert heard == ["a"]


# --- sessions ---


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bare", "version": "1"},
    },
}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
TAKES = {"accept": "application/json, text/event-stream"}


async def test_a_stolen_session_is_of_no_use_with_another_token(
    server: Process, secrets: dict[str, str]
) -> None:
    async with httpx2.AsyncClient() as http:
        mine = {**TAKES, **bearer(secrets["a"])}
        opened = await http.post(server.mcp, json=INITIALIZE, headers=mine)
        assert opened.status_code == 200
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        for name in ("b", "reader", "keeper"):
            stolen = {**TAKES, **bearer(secrets[name]), **session}
            for method in ("POST", "GET", "DELETE"):
                sent = LIST if method == "POST" else None
                answer = await http.request(method, server.mcp, json=sent, headers=stolen)
                assert answer.status_code == 404, (name, method)
        nobody = await http.post(server.mcp, json=LIST, headers={**TAKES, **session})
        assert nobody.status_code == 401
        again = await http.post(server.mcp, json=LIST, headers={**mine, **session})
        assert again.status_code == 200
        assert "append_context" in again.text


async def test_the_environments_session_and_project_are_told_of_no_call(
    both: tuple[Client, Client],
) -> None:
    """They are of whoever started the server."""
    a, _ = both
    made = await ok(a, "append_context", content=LONG)
    whole = await ok(a, "get_context", context_id=made["context_id"])
    assert whole["agent_source"] == f"{ME.name}/{ME.version}"
    assert "canary" not in json.dumps(whole)
    assert "project" not in whole


async def test_what_was_read_with_one_token_is_in_no_lineage_of_another(
    both: tuple[Client, Client], request: pytest.FixtureRequest
) -> None:
    a, b = both
    context_id = await kept_by(a)
    await ok(a, "get_context", context_id=context_id)
    made = await ok(b, "append_context", content=LONG)
    assert context_id not in json.dumps(made)
    mine = await ok(a, "append_context", content="The valve was changed for a brass one today.")
    # The newer protocol has no sessions: several agents may share a token.
    known = request.node.callspec.params["both"] == "legacy"
    assert (context_id in mine["lineage"]["source_ids"]) is known


# --- scopes ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a", {*TOOLS}),
        ("reader", READING),
        ("writer", WRITING),
        ("eraser", ERASING),
        ("keeper", READING | WRITING),
    ],
)
async def test_a_token_is_shown_what_it_may_call(
    server: Process, secrets: dict[str, str], name: str, shown: set[str], mode: str
) -> None:
    async with connected(server.mcp, secrets[name], mode) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == shown


@pytest.mark.parametrize("tool", list(TOOLS))
@pytest.mark.parametrize("name", ["reader", "writer", "eraser", "keeper"])
async def test_a_token_is_refused_what_it_may_not_call(
    server: Process, secrets: dict[str, str], name: str, tool: str
) -> None:
    scope = scope_of(TOOLS[tool])
    async with connected(server.mcp, secrets[name]) as client:
        result = await client.call_tool(tool, aimed(tool, NEVER, "ada"))
    error = told(result).get("error", {})
    if scope in SCOPES[name]:
        assert error.get("code") != "forbidden"
        return
    assert result.is_error
    assert error["code"] == "forbidden"
    assert error["details"] == {"scope": scope}
    assert f"'{scope}'" in error["message"]
    said = server.says(f"denied {tool} to '{name}-name'")
    assert "WARNING lineal.audit" in said
    assert scope in said


async def test_who_may_not_read_reads_nothing_by_writing_or_by_address(
    server: Process, secrets: dict[str, str]
) -> None:
    async with connected(server.mcp, secrets["a"]) as a:
        context_id = await kept_by(a)
    async with connected(server.mcp, secrets["writer"]) as writer:
        row = await ok(writer, "upsert_user", user_id="secret-user", domain=DOMAIN, context=LONG)
        changed = await ok(writer, "update_context", context_id=context_id, memory_type="fact")
        assert WORD_OF_A not in json.dumps([row, changed])
        assert changed["id"] == context_id
        with pytest.raises(MCPError) as caught:
            await writer.read_resource(f"lineal://context/{context_id}")
        assert caught.value.error.data["code"] == "forbidden"
        with pytest.raises(MCPError):
            async with writer.listen(resource_subscriptions=[f"lineal://context/{context_id}"]):
                pass


async def test_a_hooks_word_is_not_believed_from_afar(
    server: Process, secrets: dict[str, str]
) -> None:
    """It names files of this machine to be read."""
    event = {"hook_event_name": "PreToolUse", "session_id": "canary-hook-session"}
    async with connected(server.mcp, secrets["a"], mode="legacy") as a:
        result = await a.session.call_tool(NOTE_EVENT, event)
        assert not result.is_error
    assert not list(server.home.rglob("*canary-hook*"))


# --- calls in a crowd ---


async def test_a_thousand_calls_at_once_are_each_answered_once(
    server: Process, secrets: dict[str, str]
) -> None:
    answers: list[bool] = []
    async with connected(server.mcp, secrets["a"]) as a:
        made = await ok(a, "append_context", content=LONG)

        async def call() -> None:
            result = await a.call_tool("get_context", {"context_id": made["context_id"]})
            answers.append(bool(result.is_error))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(1_000):
                    tasks.start_soon(call)
    assert answers == [False] * 1_000
