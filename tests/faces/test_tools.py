"""The tools, through the official client in every mode, in this process and over a subprocess."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, ListToolsResult

from lineal.errors import Capability, LinealError
from lineal.faces.mcp.budget import fitted
from lineal.faces.mcp.server import build_server
from lineal.models.changes import Stamp
from lineal.models.context import ContextAnswer, GetContext
from lineal.policy.limits import Limits
from lineal.service import Defaults, Service
from lineal.testing.fake_backend import FakeBackend

from .clients import (
    ARGUMENTS,
    DOMAIN,
    LONG,
    MODES,
    PLACES,
    USER,
    access_of,
    arguments_of,
    connected,
    counted,
    fake_service,
    inside,
    lines,
    ok,
    refused,
    refusing,
    told,
    wire_form,
)

GOLDEN = Path(__file__).with_name("tools.json")
NAMES = [
    "append_context",
    "upsert_user",
    "update_context",
    "search_context",
    "get_context",
    "get_user",
    "match_users",
    "record_outcome",
    "forget_context",
    "trace_lineage",
]
READERS = ["search_context", "get_context", "get_user", "match_users", "trace_lineage"]
CHARS_PER_TOKEN = 4
DESCRIPTION_BYTES_MAX = 2_048  # Claude Code cuts what is longer
RESULT_CHARS = 8_000

APPEND_KEYS = {
    *("user_id", "domain", "context_id", "fields_updated", "embeddings_refreshed"),
    *("memory_type", "expires_at", "lineage"),
}
USER_KEYS = {
    *("user_id", "domain", "schema_version", "fields", "derived", "embeddings"),
    *("last_enriched_at", "memory_type", "expires_at", "lineage"),
}
CONTEXT_KEYS = {
    *("id", "user_id", "organization_id", "title", "summary", "content", "tags", "agent_source"),
    *("created_at", "updated_at", "metadata", "nia_references", "edited_files", "memory_type"),
    *("expires_at", "lineage", "domain", "revision", "source", "occurred_at", "session_id"),
    "speaker",
}
LINEAGE_KEYS = {
    *("source_ids", "confidence", "derived_from", "tool_calls", "model_version", "created_at"),
    "agent_source",
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(
    scope="module", params=[(where, mode) for where in PLACES for mode in MODES], ids="-".join
)
async def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Client]:
    """One connection for the whole file: a started server costs a second."""
    where, mode = request.param
    async with connected(where, mode, tmp_path_factory.mktemp("home")) as connection:
        yield connection


async def listed_by(client: Client) -> ListToolsResult:
    return await client.list_tools(cache_mode="bypass")


async def remembered(client: Client, content: str = LONG, **more: Any) -> str:
    """The id of a new context of ada's."""
    answer = await ok(client, "append_context", content=content, **more)
    return str(answer["context_id"])


# --- the lists ---


async def test_every_tool_is_listed_with_title_annotations_and_an_output_schema(
    client: Client,
) -> None:
    tools = (await listed_by(client)).tools
    assert [tool.name for tool in tools] == NAMES
    for tool in tools:
        assert tool.title
        assert tool.description
        assert len(tool.description.encode()) <= DESCRIPTION_BYTES_MAX
        hints = tool.annotations
        assert hints is not None
        given = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint)
        assert None not in (*given, hints.open_world_hint)
        assert hints.read_only_hint is (tool.name in READERS)
        assert not (hints.read_only_hint and hints.destructive_hint)
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False


async def test_the_tools_are_the_reviewed_ones(client: Client) -> None:
    """A change of tools.json changes what every model reads: look at it first."""
    tools = [wire_form(tool) for tool in (await listed_by(client)).tools]
    reviewed = json.loads(GOLDEN.read_text("ascii"))
    assert tools == reviewed
    properties = [list(tool["inputSchema"]["properties"]) for tool in tools]
    assert properties == [list(tool["inputSchema"]["properties"]) for tool in reviewed]


def test_the_tools_hide_no_characters_from_a_reviewer() -> None:
    text = GOLDEN.read_text("ascii")
    hidden = {c for c in json.dumps(json.loads(text), ensure_ascii=False) if not c.isprintable()}
    assert not hidden
    assert "Cf" not in {unicodedata.category(c) for c in text}


async def test_the_tools_cost_few_tokens(client: Client) -> None:
    tools = [wire_form(tool) for tool in (await listed_by(client)).tools]
    parts = ("name", "description", "inputSchema")
    asked = [{part: tool[part] for part in parts} for tool in tools]
    assert characters(asked) / CHARS_PER_TOKEN < 2_000
    assert characters(tools) / CHARS_PER_TOKEN < 3_000


def characters(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def test_the_list_is_the_same_bytes_each_time_and_the_same_tools_in_both_eras(
    tmp_path: Path,
) -> None:
    """The first answer is the front's, the last one the SDK's."""
    with lines(tmp_path / "modern") as modern:
        early = modern.ask("tools/list")["result"]["tools"]
        assert modern.call("get_user")["isError"]
        late = modern.ask("tools/list")["result"]["tools"]
    with lines(tmp_path / "legacy") as legacy:
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}}
        old = {"clientInfo": {"name": "old", "version": "1"}, **hello}
        legacy.say(line(1, "initialize", old))
        assert legacy.answer_to(1)["result"]["protocolVersion"] == "2025-06-18"
        legacy.say(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        legacy.say(line(2, "tools/list", {}))
        first = legacy.answer_to(2)["result"]["tools"]
        legacy.say(line(3, "tools/call", {"name": "get_user", "arguments": {}}))
        assert legacy.answer_to(3)["result"]["isError"]
        legacy.say(line(4, "tools/list", {}))
        last = legacy.answer_to(4)["result"]["tools"]
    assert json.dumps(early) == json.dumps(late)
    assert json.dumps(first) == json.dumps(last)
    assert early == first == json.loads(GOLDEN.read_text("ascii"))


def line(number: int, method: str, params: dict[str, Any]) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode()


async def test_every_argument_of_every_tool_is_among_the_tested_ones(client: Client) -> None:
    for tool in (await listed_by(client)).tools:
        assert ARGUMENTS[tool.name].keys() == tool.input_schema["properties"].keys()
        assert set(tool.input_schema.get("required", [])) <= ARGUMENTS[tool.name].keys()


# --- what each tool gives ---


async def test_every_tool_takes_all_of_its_arguments(client: Client) -> None:
    context_id = await remembered(client, tags=["all"])
    await ok(client, "upsert_user", user_id=USER, domain="dating", fields={"age": 30})
    await ok(client, "upsert_user", user_id="grace", domain=DOMAIN, fields={"role": "pilot"})
    for tool in NAMES:
        answer = await ok(client, tool, **arguments_of(tool, context_id))
        assert answer


async def test_append_answers_whose_it_is_how_long_it_lives_and_where_it_came_from(
    client: Client,
) -> None:
    answer = await ok(client, "append_context", content="Tea at four.", memory_type="scratchpad")
    assert answer.keys() == APPEND_KEYS
    assert (answer["user_id"], answer["domain"]) == (USER, DOMAIN)
    assert answer["context_id"].startswith("ctx_")
    assert answer["fields_updated"] == []
    assert answer["embeddings_refreshed"] is False
    made, ends = (instant(x) for x in (answer["lineage"]["created_at"], answer["expires_at"]))
    assert (ends - made).total_seconds() == 3_600


def instant(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def test_lineage_shows_the_client_the_call_and_what_was_read_before(client: Client) -> None:
    read = await remembered(client, "The seal is of type B7.")
    await ok(client, "get_context", context_id=read)
    answer = await ok(
        client,
        "append_context",
        content="Order a seal of type B7.",
        lineage={"confidence": 0.75, "derived_from": [read], "tool_calls": ["shop:1"]},
    )
    lineage = answer["lineage"]
    assert lineage.keys() >= LINEAGE_KEYS
    assert lineage["agent_source"] == "face-tests/7.1"
    assert lineage["tool_calls"] == ["append_context", "shop:1"]
    assert read in lineage["source_ids"]
    assert lineage["derived_from"] == [read]
    assert lineage["confidence"] == 0.75
    assert lineage["model_version"] is None
    assert lineage["declared"]["derived_from"] == [read]
    assert "derived_from" not in lineage["observed"]


async def test_upsert_and_get_user_answer_the_row(client: Client) -> None:
    sent = {"user_id": "grace", "domain": DOMAIN, "fields": {"likes": "tea"}}
    written = await ok(client, "upsert_user", **sent)
    assert written.keys() == USER_KEYS | {"extras"}
    assert written["schema_version"] == f"{DOMAIN}.v0"
    assert written["extras"] == {"likes": "tea"}
    assert written["fields"] == {}
    read = await ok(client, "get_user", user_id="grace", domain=DOMAIN)
    assert {**read, "lineage": None} == {**written, "lineage": None}
    with_sources = await ok(client, "get_user", user_id="grace", domain=DOMAIN, provenance=True)
    assert with_sources.keys() == read.keys() | {"provenance"}


async def test_update_changes_only_what_is_sent_and_the_past_stays_readable(
    client: Client,
) -> None:
    context_id = await remembered(client, "Old text of the pump.", title="Pump", tags=["a"])
    changed = await ok(
        client, "update_context", context_id=context_id, content=LONG, expected_revision=1
    )
    assert changed.keys() - {"project"} == CONTEXT_KEYS
    assert (changed["id"], changed["revision"]) == (context_id, 2)
    assert (changed["title"], changed["tags"], changed["content"]) == ("Pump", ["a"], LONG)
    now = await ok(client, "get_context", context_id=context_id)
    assert now.keys() - {"project"} == CONTEXT_KEYS
    assert now["content"] == LONG
    past = await ok(client, "get_context", context_id=context_id, revision=1)
    assert past["content"] == "Old text of the pump."
    before = await ok(client, "get_context", context_id=context_id, as_of=past["updated_at"])
    known = 1 if past["updated_at"] < now["updated_at"] else 2  # both may fall in one millisecond
    assert before["revision"] == known
    both = {"revision": 1, "as_of": past["updated_at"]}
    await refused(client, "get_context", "invalid_request", context_id=context_id, **both)
    long_ago = {"as_of": "2020-01-01T00:00:00Z"}
    await refused(client, "get_context", "not_found", context_id=context_id, **long_ago)
    error = await refused(
        client,
        "update_context",
        "conflict",
        context_id=context_id,
        title="Pump 4",
        expected_revision=1,
    )
    assert "2" in error["message"]


async def test_search_finds_what_was_said_and_follows_a_change_at_once(client: Client) -> None:
    """N22"""
    context_id = await remembered(client, "The heron of the harbour is grey.", tags=["bird"])
    found = await ok(client, "search_context", query="heron", tags=["bird"])
    assert found.keys() - {"note"} == {"hits", "more"}
    (hit,) = found["hits"]
    assert hit["context_id"] == context_id
    assert hit["content"] == "The heron of the harbour is grey."
    assert hit["about"].startswith("fact · ")
    assert f" · {DOMAIN} · face-tests/7.1" in hit["about"]
    assert hit["tags"] == ["bird"]
    assert hit["score"] > 0
    new = "The bird at the harbour turned out to be a white spoonbill after all."
    await ok(client, "update_context", context_id=context_id, content=new)
    asked = {"tags": ["bird"], "explain": True}
    for hit in (await ok(client, "search_context", query="heron", **asked))["hits"]:
        assert hit["content"] == new  # a spoonbill is like a heron
        assert not hit["explain"].get("words")
    (now,) = (await ok(client, "search_context", query="spoonbill", **asked))["hits"]
    assert now["explain"]["words"] > 0


async def test_an_empty_query_lists_the_newest_and_says_how_many_more(client: Client) -> None:
    await ok(client, "upsert_user", user_id="lister", domain=DOMAIN, fields={"known": True})
    ids = [
        await remembered(client, f"Note {number} of the list.", user_id="lister")
        for number in range(4)
    ]
    found = await ok(client, "search_context", user_id="lister", limit=2)
    assert [hit["context_id"] for hit in found["hits"]] == ids[:1:-1]
    assert found["more"] == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", PLACES)
async def test_lineage_is_walked_both_ways_and_what_is_forgotten_leaves_no_words(
    where: str, mode: str, tmp_path: Path
) -> None:
    """L5, L6; on its own connection, whose reads are the only ones in the graph."""
    async with connected(where, mode, tmp_path) as client:
        root = await remembered(client, "Mandrill is the name of the test rig.")
        said = {"derived_from": [root, "mail-7"]}
        child = await remembered(client, "So mandrill needs a plug.", lineage=said)

        up = await ok(client, "trace_lineage", context_id=child)
        assert up.keys() == {"root", "direction", "depth", "nodes", "edges", "truncated"}
        assert (up["root"], up["direction"], up["depth"], up["truncated"]) == (child, "up", 5, 0)
        assert states(up) == {child: "live", root: "live", "mail-7": "external"}
        edge = {"relation": "was_derived_from", "basis": "declared", "revision": 1}
        assert {**edge, "child_id": child, "parent_id": root} in up["edges"]
        down = await ok(client, "trace_lineage", context_id=root, direction="down")
        assert states(down) == {root: "live", child: "live"}

        plan = await ok(client, "forget_context", context_id=root, cascade=True, dry_run=True)
        gone = {"forgotten": [root, child], "count": 2}
        assert plan.pop("undo_until") > "2026"
        assert plan == {"context_id": root, "dry_run": True, **gone}
        assert len((await ok(client, "search_context", query="mandrill"))["hits"]) == 2
        done = await ok(client, "forget_context", context_id=root, cascade=True)
        assert done.pop("undo_until") > "2026"
        assert done == {"context_id": root, "dry_run": False, **gone}
        assert (await ok(client, "search_context", query="mandrill"))["hits"] == []
        await refused(client, "get_context", "not_found", context_id=child)
        back = await ok(client, "forget_context", context_id=root, undo=True)
        assert back["restored"] == [root, child]
        assert len((await ok(client, "search_context", query="mandrill"))["hits"]) == 2
        for_good = {"cascade": True, "erase": True}
        erased = await ok(client, "forget_context", context_id=root, **for_good)
        assert erased == {"context_id": root, "dry_run": False, **gone}
        await refused(client, "forget_context", "not_found", context_id=root, undo=True)
        graph = await ok(client, "trace_lineage", context_id=child)
        assert states(graph) == {child: "forgotten", root: "forgotten", "mail-7": "external"}
        assert "mandrill" not in json.dumps(graph).lower()


def states(graph: dict[str, Any]) -> dict[str, str]:
    return {node["context_id"]: node["state"] for node in graph["nodes"]}


async def test_the_same_key_writes_once_and_another_request_under_it_is_a_conflict(
    client: Client,
) -> None:
    sent = {"content": "Counted once only.", "idempotency_key": "once-1"}
    first = await ok(client, "append_context", **sent)
    again = await ok(client, "append_context", **sent)
    assert again == first
    found = (await ok(client, "search_context", query="counted once"))["hits"]
    assert [hit["content"] for hit in found].count("Counted once only.") == 1
    other = {**sent, "content": "Another thing."}
    await refused(client, "append_context", "conflict", **other)


# --- the answer's size ---


async def test_a_large_content_is_cut_to_the_budget_and_says_how_much_is_missing(
    client: Client,
) -> None:
    text = "".join(f"{number:07d}, " for number in range(11_112))[:100_000]
    context_id = await remembered(client, text)
    for asked, limit in (({}, RESULT_CHARS), ({"max_chars": 1_500}, 1_500)):
        answer = await ok(client, "get_context", context_id=context_id, **asked)
        assert characters(answer) <= limit
        assert characters(answer) > limit * 0.8
        assert answer["cut"]["context_id"] == context_id
        assert text.startswith(answer["content"])
        assert answer["cut"]["missing_chars"] == 100_000 - len(answer["content"])
    whole = await ok(client, "get_context", context_id=context_id, max_chars=200_000)
    assert whole["content"] == text
    assert "cut" not in whole
    changed = await ok(client, "update_context", context_id=context_id, title="Numbers")
    assert characters(changed) <= RESULT_CHARS
    await ok(client, "forget_context", context_id=context_id)


CHARACTERS = ("x", '"', "\n", "é", "𝄞", "\\")
SKELETON_CHARS = 1_200
"""What a context's names, times and own lineage take when there is nothing else in it."""


@pytest.mark.parametrize("character", CHARACTERS, ids=ascii)
@pytest.mark.parametrize("max_chars", [200, 1_000, 2_000, 8_000])
def test_the_budget_holds_whatever_the_characters_and_the_other_parts(
    character: str, max_chars: int
) -> None:
    sources = [f"source-{number:04d}" for number in range(200)]
    whole = {
        **SKELETON,
        "content": character * 20_000,
        "metadata": {"notes": [character * 50] * 100},
        "tags": [f"{number:03d}{character * 50}" for number in range(40)],
        "lineage": {
            **SKELETON["lineage"],
            "source_ids": sources,
            "declared": {"source_ids": sources},
        },
    }
    small = fitted(whole, max_chars, "ctx_1")
    assert characters(small) <= max(max_chars, SKELETON_CHARS)
    assert small["cut"]["missing_chars"] == 20_000 - len(small["content"])
    assert small["cut"]["context_id"] == "ctx_1"


@pytest.mark.parametrize("max_chars", [200, 1_000, 8_000])
def test_cutting_never_touches_an_id_a_time_or_a_kind(max_chars: int) -> None:
    tags = [f"{number:03d}" + "t" * 50 for number in range(40)]
    whole = {**SKELETON, "content": "x" * 20_000, "tags": tags}
    small = fitted(whole, max_chars, "ctx_1")
    kept = ("id", "user_id", "domain", "agent_source", "created_at", "memory_type", "expires_at")
    assert {name: small[name] for name in kept} == {name: SKELETON[name] for name in kept}


@pytest.mark.parametrize("character", CHARACTERS, ids=ascii)
def test_heavy_metadata_goes_before_the_content_does(character: str) -> None:
    metadata = {"notes": [character * 50] * 1_000}
    small = fitted({**SKELETON, "content": "The point.", "metadata": metadata}, 8_000, "ctx_1")
    assert small["content"] == "The point."
    assert small["cut"]["left_out"] == ["metadata"]
    long = {**SKELETON, "content": character * 20_000, "metadata": metadata}
    assert len(fitted(long, 8_000, "ctx_1")["content"]) > 3_000


SKELETON: dict[str, Any] = {
    "id": "ctx_" + "a" * 26,
    "user_id": "ada",
    "domain": "notes",
    "organization_id": None,
    "revision": 1,
    "title": None,
    "summary": None,
    "content": "",
    "tags": [],
    "agent_source": "face-tests/7.1",
    "created_at": "2026-05-03T10:00:00Z",
    "updated_at": "2026-05-03T10:00:00Z",
    "occurred_at": "2026-05-03T10:00:00Z",
    "metadata": {},
    "nia_references": None,
    "edited_files": [],
    "memory_type": "fact",
    "expires_at": None,
    "lineage": {
        "created_at": "2026-05-03T10:00:00Z",
        "source_ids": [],
        "confidence": None,
        "derived_from": [],
        "tool_calls": ["append_context"],
        "model_version": None,
        "agent_source": "face-tests/7.1",
        "observed": {"agent_source": "face-tests/7.1", "tool_calls": ["append_context"]},
    },
}


async def test_search_keeps_to_its_tokens(client: Client) -> None:
    await ok(client, "upsert_user", user_id="wordy", domain=DOMAIN, fields={"known": True})
    for number in range(12):
        await remembered(client, f"Zebra {number}. " + LONG * 12, user_id="wordy")
    for max_tokens in (300, 1_500, 6_000):
        found = await ok(
            client, "search_context", query="zebra", user_id="wordy", max_tokens=max_tokens
        )
        assert characters(found) <= max_tokens * CHARS_PER_TOKEN
        assert found["hits"]
        assert len(found["hits"]) + found["more"] == 12


async def test_one_hit_that_is_too_large_is_shown_cut(client: Client) -> None:
    await ok(client, "upsert_user", user_id="giant", domain=DOMAIN, fields={"known": True})
    text = "Okapi. " + LONG * 200
    context_id = await remembered(client, text, user_id="giant")
    found = await ok(client, "search_context", query="okapi", user_id="giant", max_tokens=500)
    (hit,) = found["hits"]
    assert hit["context_id"] == context_id
    assert hit["missing_chars"] == len(text) - len(hit["content"])
    assert characters(found) <= 500 * CHARS_PER_TOKEN


# --- what goes wrong ---


async def test_a_wrong_argument_is_named_with_its_kind_and_its_bound(client: Client) -> None:
    error = await refused(client, "append_context", "invalid_request", user_id=USER)
    assert error["message"] == "Field 'content' is required."
    assert error["details"]["field"] == "content"
    error = await refused(client, "search_context", "invalid_request", limit=10**9)
    assert error["details"]["field"] == "limit"
    assert error["details"]["le"] == 200
    assert "1000000000" in error["message"]
    error = await refused(client, "append_context", "invalid_request", content="x", colour="red")
    assert error["details"]["field"] == "colour"
    error = await refused(
        client, "update_context", "invalid_request", context_id="ctx_x", content="short"
    )
    assert error["details"] == {"field": "content", "length": 5, "minimum": 50} | {
        "maximum": 1_000_000
    }


@pytest.mark.parametrize("ttl", [-1, 1.5, True, "60", 2**63, 1e18])
async def test_a_life_that_is_no_number_of_seconds_is_refused(client: Client, ttl: object) -> None:
    """N6"""
    for tool in ("append_context", "upsert_user", "update_context"):
        sent = {**arguments_of(tool, "ctx_x"), "ttl_seconds": ttl}
        error = await refused(client, tool, "invalid_request", **sent)
        assert error["details"]["field"] == "ttl_seconds"


async def test_an_unknown_user_is_not_found_and_never_made(client: Client) -> None:
    """A2"""
    sent = {"content": "x", "user_id": "nobody", "domain": DOMAIN}
    error = await refused(client, "append_context", "not_found", **sent)
    assert "upsert_user" in error["message"]
    await refused(client, "get_user", "not_found", user_id="nobody", domain=DOMAIN)


@pytest.mark.parametrize(
    "tool", ["get_context", "update_context", "forget_context", "trace_lineage"]
)
async def test_an_unknown_id_is_not_found(client: Client, tool: str) -> None:
    sent = arguments_of(tool, "ctx_aaaaaaaaaaaaaaaaaaaaaaaaaa")
    error = await refused(client, tool, "not_found", **sent)
    assert error["details"]["context_id"] == "ctx_aaaaaaaaaaaaaaaaaaaaaaaaaa"
    assert error["retryable"] is False


async def test_a_life_of_zero_seconds_is_over_at_once(client: Client) -> None:
    """N12, T1"""
    context_id = await remembered(client, "Quokka for an instant.", ttl_seconds=0)
    await refused(client, "get_context", "not_found", context_id=context_id)
    found = (await ok(client, "search_context", query="quokka"))["hits"]
    assert context_id not in [hit["context_id"] for hit in found]


async def test_an_unknown_tool_is_the_protocols_error(client: Client) -> None:
    with pytest.raises(MCPError) as caught:
        await client.call_tool("drop_everything", {})
    assert caught.value.code == INVALID_PARAMS
    assert "drop_everything" in caught.value.message


async def test_without_defaults_a_call_says_whose_memory_it_means() -> None:
    nobody = Service(FakeBackend(), limits=Limits(), defaults=Defaults())
    async with inside(nobody) as client:
        error = await refused(client, "append_context", "invalid_request", content="x")
        assert error["message"] == "Field 'user_id' is required."
        sent = {"content": "x", "user_id": USER}
        error = await refused(client, "append_context", "invalid_request", **sent)
        assert error["message"] == "Field 'domain' is required."
        assert error["details"]["field"] == "domain"
        for tool in ("upsert_user", "get_user", "search_context"):
            error = await refused(client, tool, "invalid_request")
            assert error["details"]["field"] in ("user_id", "context")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tool", NAMES)
async def test_a_failing_backend_is_shown_as_it_failed(mode: str, tool: str) -> None:
    backend = FakeBackend()
    async with inside(fake_service(backend), mode) as client:
        busy = LinealError.unavailable("Another process is writing; try again.", waited_s=10.0)
        backend.fail_when(tool, busy)
        error = await refused(client, tool, "unavailable", **arguments_of(tool, "ctx_x"))
        assert error == {
            "code": "unavailable",
            "message": "Another process is writing; try again.",
            "details": {"waited_s": 10.0},
            "retryable": True,
        }
        backend.fail_when(tool, None)
        await ok(client, "upsert_user", user_id=USER, domain=DOMAIN, fields={"known": True})


async def test_what_a_backend_cannot_do_is_refused_by_name() -> None:
    async with inside(refusing(Capability.LINEAGE)) as client:
        error = await refused(client, "trace_lineage", "unsupported", context_id="ctx_x")
        assert error["details"] == {"capability": "lineage", "backend": "fake"}


CANARY = "canary-7f1c /root/secret.py"


class Broken(FakeBackend):
    """A fake with a defect."""

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        raise RuntimeError(CANARY)


@pytest.mark.parametrize("mode", MODES)
async def test_a_defect_is_internal_and_shows_nothing_of_itself(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with inside(fake_service(Broken()), mode) as client:
        error = await refused(client, "get_context", "internal", context_id="ctx_x")
        assert "canary" not in json.dumps(error)
        assert "RuntimeError" not in json.dumps(error)
        assert error["details"] == {}
        assert error["retryable"] is False
        await ok(client, "search_context")
        with pytest.raises(MCPError) as caught:
            await client.read_resource("lineal://context/ctx_x")
        assert "canary" not in f"{caught.value} {caught.value.error!r}"
    assert CANARY in caplog.text  # the people who run it see what happened


async def test_a_detail_that_json_cannot_hold_does_not_end_the_call() -> None:
    backend = FakeBackend()
    odd = LinealError.conflict("Odd.", number=float("nan"), path=Path("/x"), raw=b"\xff")
    backend.fail_next(odd)
    async with inside(fake_service(backend)) as client:
        error = await refused(client, "get_user", "conflict")
        assert error["details"]["path"] == "/x"


# --- a server that only reads ---


@pytest.mark.parametrize(
    ("where", "mode"), [("process", m) for m in MODES] + [("subprocess", "auto")]
)
async def test_a_read_only_server_lists_and_calls_no_tool_that_writes(
    where: str, mode: str, tmp_path: Path
) -> None:
    async with connected(where, mode, tmp_path, read_only=True) as client:
        assert [tool.name for tool in (await listed_by(client)).tools] == READERS
        for tool in NAMES:
            if tool in READERS:
                await client.call_tool(tool, arguments_of(tool, "ctx_x"))
                continue
            with pytest.raises(MCPError) as caught:
                await client.call_tool(tool, arguments_of(tool, "ctx_x"))
            assert caught.value.code == INVALID_PARAMS
        assert (await ok(client, "search_context"))["hits"] == []


async def test_a_read_only_server_forwards_no_write() -> None:
    backend = FakeBackend()
    service = fake_service(backend)
    before = await counted(service)
    async with Client(build_server(access_of(service), read_only=True)) as client:
        for tool in set(NAMES) - set(READERS):
            with pytest.raises(MCPError):
                await client.call_tool(tool, arguments_of(tool, "ctx_x"))
    assert {call.verb for call in backend.calls} == {"stats"}
    assert await counted(service) == before


async def test_a_cancelled_write_leaves_the_connection_usable() -> None:
    backend = FakeBackend()
    gate = backend.hold("append_context")
    async with inside(fake_service(backend), "legacy") as client:
        with anyio.move_on_after(0.05) as scope:
            await client.call_tool("append_context", {"content": "Never waited for."})
        assert scope.cancelled_caught
        assert told(await client.call_tool("search_context", {}))["hits"] == []
        gate.open()
        assert told(await client.call_tool("search_context", {}))["hits"] == []
