"""What the front says early is, byte for byte, what the SDK server says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client, StdioServerParameters
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse, jsonrpc_message_adapter
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

import lineal
from lineal.errors import LinealError
from lineal.faces.mcp import snapshot
from lineal.faces.mcp.access import OneClient
from lineal.faces.mcp.opening import Opening, from_snapshot, shipped
from lineal.faces.mcp.server import build_server
from lineal.service import Service

VERSIONS = (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS)
UNKNOWN = ("2023-01-01", "unknown", "", "2026-07-28")
"""Versions that a handshake may ask for and not get."""
METHODS = ("ping", "tools/list", "prompts/list", "resources/list", "resources/templates/list")

BARE = """
import sys, anyio
from mcp.server.stdio import stdio_server
from lineal.faces.mcp.access import OneClient
from lineal.faces.mcp.server import build_server
async def main():
    server = build_server(OneClient(None), read_only="--read-only" in sys.argv)
    async with stdio_server() as (stdin, stdout):
        await server.run(stdin, stdout, server.create_initialization_options())
anyio.run(main)
"""
SERVE = (sys.executable, "-m", "lineal", "serve")
SDK_ALONE = (sys.executable, "-c", BARE)

RESERVED = "io.modelcontextprotocol/"
CLIENT = {"name": "parity", "version": "1"}


def opening(version: str) -> list[bytes]:
    """A client's opening in this version: everything that may be answered early."""
    if version in MODERN_PROTOCOL_VERSIONS:
        meta = {RESERVED + "protocolVersion": version, RESERVED + "clientCapabilities": {}}
        asked = [(method, {"_meta": meta}) for method in ("server/discover", *METHODS[1:])]
    else:
        asked = [("initialize", greeting(version)), *((method, {}) for method in METHODS)]
    return [request(number, method, params) for number, (method, params) in enumerate(asked)]


def greeting(version: str) -> dict[str, Any]:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}


def request(number: int | str, method: str, params: dict[str, Any]) -> bytes:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(message).encode()


def spoken(command: Sequence[str], lines: Sequence[bytes], home: Path) -> list[bytes]:
    """What a process answers, asked one line after the other."""
    with running(command, home) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for line in lines:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            answers.append(process.stdout.readline())
        return answers


@contextmanager
def running(command: Sequence[str], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"LINEAL_HOME": str(home), "LINEAL_BACKEND": "memory://"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        yield process


# --- over real processes ---


@pytest.mark.parametrize("mode", [[], ["--read-only"]], ids=["read-write", "read-only"])
@pytest.mark.parametrize("version", [*VERSIONS, "unknown"])
def test_an_early_answer_is_what_the_sdk_says(
    version: str, mode: list[str], tmp_path: Path
) -> None:
    lines = opening(version)
    early = spoken([*SERVE, *mode], lines, tmp_path)
    assert early == spoken([*SDK_ALONE, *mode], lines, tmp_path)
    assert all(b'"result"' in answer for answer in early)


@pytest.mark.parametrize("version", VERSIONS)
def test_all_of_an_opening_is_answered_early(version: str) -> None:
    """Else parity would be trivial: the SDK answers whatever the front leaves."""
    front = shipped(read_only=False)
    assert all(front.hear(line)[0] is not None for line in opening(version))


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
@pytest.mark.parametrize("options", [["serve"], ["serve", "--read-only"]], ids=" ".join)
async def test_the_sdk_client_is_served(mode: Any, options: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"LINEAL_HOME": str(tmp_path), "LINEAL_BACKEND": "memory://"}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "lineal", *options], env=environment
    )
    async with Client(server, mode=mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert ("append_context" in tools) is ("--read-only" not in options)
        assert (await client.list_prompts()).prompts
        found = await client.call_tool("search_context", {"query": "tea", "user_id": "u"})
        assert not found.is_error
        assert await client.list_tools() == await client.list_tools()


# --- the snapshot ---


async def test_the_snapshot_is_fresh() -> None:
    """Else: python -m lineal.faces.mcp.snapshot"""
    assert snapshot.PATH.read_text("utf-8") == await snapshot.build()


@pytest.mark.parametrize("name", ["USER", "DOMAIN", "TENANT", "EXTRA_SOURCES"])
async def test_no_setting_changes_the_snapshot(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LINEAL_{name}", "other")
    monkeypatch.setenv("LINEAL_RESULT_CHARS", "1234")
    assert snapshot.PATH.read_text("utf-8") == await snapshot.build()


def test_the_snapshot_is_json_with_this_version() -> None:
    told = json.loads(snapshot.PATH.read_bytes())
    assert told["lineal"] == lineal.__version__
    greeted = told["results"][told["read_write"]["2025-11-25"]["initialize"]]
    assert greeted["serverInfo"]["version"] == lineal.__version__


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: b"{}\n]}\n",
        lambda data: data.replace(b'"lineal":"', b'"lineal":"0.'),
        lambda data: data.replace(b'"tools/list":', b'"tools/list":9'),
    ],
    ids=["empty", "half", "cut", "no index", "another version", "a wrong place"],
)
def test_a_snapshot_that_does_not_fit_answers_nothing(spoilt: Any) -> None:
    front = from_snapshot(spoilt(snapshot.PATH.read_bytes()), read_only=False)
    assert front.hear(request(1, "initialize", greeting("2025-11-25")))[0] is None


# --- whatever a client says: an early answer is the SDK's, or there is none ---

WORDS = st.sampled_from(["", "a", "2025-06-18", "2026-07-28", "café", 'quote"', "light", "\n"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


def mostly(
    plausible: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """The first nine times of ten, so that what is made of many parts is often right in all."""
    return st.integers(0, 9).flatmap(lambda dice: odd if dice == 9 else plausible)


def objects(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly objects with these keys or some of them and plausible values."""
    some = st.fixed_dictionaries({}, optional=known)
    odd = st.fixed_dictionaries({}, optional={**dict.fromkeys(known, VALUES), "more": VALUES})
    return mostly(st.fixed_dictionaries(dict(known)), some | odd | VALUES)


def renamed(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`x_y` stands for the reserved key of `_meta`, which is no Python name."""
    names = {
        "version": RESERVED + "protocolVersion",
        "info": RESERVED + "clientInfo",
        "capabilities": RESERVED + "clientCapabilities",
        "level": RESERVED + "logLevel",
        "vendor": "vendor/key",
    }
    return strategy.map(
        lambda meta: (
            {names.get(key, key): value for key, value in meta.items()}
            if isinstance(meta, dict)
            else meta
        )
    )


EMPTY: st.SearchStrategy[dict[str, Any]] = st.just({})
ICON = objects(src=WORDS, mimeType=WORDS, sizes=st.lists(WORDS), theme=st.just("dark"))
INFO = objects(
    name=WORDS,
    version=WORDS,
    title=WORDS,
    description=WORDS,
    websiteUrl=WORDS,
    icons=st.lists(ICON, max_size=1),
)
CAPABILITIES = objects(
    roots=objects(listChanged=st.booleans()),
    sampling=objects(context=EMPTY, tools=EMPTY),
    elicitation=objects(form=EMPTY, url=EMPTY),
    experimental=st.dictionaries(WORDS, mostly(EMPTY, VALUES), max_size=1),
    extensions=st.dictionaries(WORDS, mostly(EMPTY, VALUES), max_size=1),
    tasks=objects(
        list=EMPTY, cancel=EMPTY, requests=objects(sampling=objects(createMessage=EMPTY))
    ),
)
PLAIN_META = renamed(
    objects(progressToken=mostly(st.integers(0, 5) | WORDS, VALUES), vendor=VALUES)
)
ENVELOPE = renamed(
    objects(
        version=mostly(st.just("2026-07-28"), VALUES),
        info=INFO,
        capabilities=mostly(EMPTY, CAPABILITIES),
    )
)
CROWDED = renamed(objects(version=WORDS, progressToken=VALUES, level=WORDS, traceparent=WORDS))
GREETING = st.fixed_dictionaries(
    {"protocolVersion": mostly(st.sampled_from([*VERSIONS, *UNKNOWN]), SCALARS)},
    optional={"_meta": mostly(PLAIN_META, ENVELOPE), "more": VALUES},
).flatmap(
    lambda params: st.fixed_dictionaries(
        {name: st.just(value) for name, value in params.items()}
        | {"capabilities": CAPABILITIES, "clientInfo": INFO}
    )
)
LISTS = st.sampled_from([*METHODS, "server/discover"])


def asked(meta: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """A method and its params, with such a `_meta`."""
    proper = st.fixed_dictionaries({"_meta": meta})
    odd = st.fixed_dictionaries({}, optional={"_meta": CROWDED, "cursor": SCALARS, "more": VALUES})
    lists = st.tuples(LISTS, mostly(proper, odd | EMPTY | st.none()))
    return mostly(lists, st.tuples(st.just("initialize"), GREETING))


TWISTS = st.sampled_from(
    [
        lambda line: line + b"\r",
        lambda line: b" " + line,
        lambda line: b"\xef\xbb\xbf" + line,
        lambda line: line[:-1],
        lambda line: line + b"}",
        lambda line: line.replace(b"{", b'{"jsonrpc":"1.0",', 1),
        lambda line: line.replace(b"{", b'{"method":"ping",', 1),
        lambda line: line.replace(b'"2.0"', b'"2"'),
        lambda line: line.replace(b'"id"', b'"jd"'),
        lambda line: line.replace(b'"id": ', b'"id": true, "was": ', 1),
        lambda line: line.replace(b'{"', b'{"x":1,"', 1),
        lambda line: line.replace(b'"params": ', b'"params": [', 1),
        lambda line: line.replace(b'"method"', b'"result": {}, "method"'),
    ]
)
SAME = st.just(lambda line: line)


@st.composite
def openings(draw: st.DrawFn) -> list[bytes]:
    """A few lines of a client of either era, or of one that mixes them; ids are all different."""
    eras = draw(st.sampled_from([[PLAIN_META], [ENVELOPE], [PLAIN_META, ENVELOPE]]))
    lines = []
    for number in range(draw(st.integers(1, 6))):
        meta = draw(st.sampled_from(eras))
        greets = number == 0 and meta is PLAIN_META
        method, params = ("initialize", draw(GREETING)) if greets else draw(asked(meta))
        message = {"jsonrpc": "2.0", "id": draw(st.sampled_from([number, f"n{number}"]))}
        message |= {"method": method} | ({} if params is None else {"params": params})
        lines.append(draw(mostly(SAME, TWISTS))(json.dumps(message).encode()))
        if draw(st.integers(0, 5)) == 5:
            lines.append(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    return lines


@pytest.fixture(scope="module")
def lists() -> Server[Any]:
    async def nowhere() -> Service:
        raise LinealError.unavailable("no store here")

    return build_server(OneClient(nowhere))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=openings())
def test_an_early_answer_is_the_sdks_or_there_is_none(
    lists: Server[Any], lines: list[bytes]
) -> None:
    said = anyio.run(answers_of, lists, lines)
    for answer in early_answers(shipped(read_only=False), lines):
        assert answer in said


def early_answers(front: Opening, lines: list[bytes]) -> list[dict[str, Any]]:
    replies = [front.hear(line)[0] for line in lines]
    return [json.loads(reply) for reply in replies if reply is not None]


async def answers_of(server: Server[Any], lines: list[bytes]) -> list[dict[str, Any]]:
    """What the SDK answers to these lines, read as its stdio transport reads them."""
    to_server, server_reads = anyio.create_memory_object_stream[SessionMessage | Exception](50)
    server_writes, from_server = anyio.create_memory_object_stream[SessionMessage](50)
    items = [read_as_the_sdk(line) for line in lines]
    for item in items:
        to_server.send_nowait(item)
    wanted = sum(
        isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCRequest)
        for item in items
    )
    said = []
    async with anyio.create_task_group() as group, to_server, from_server:
        options = server.create_initialization_options()
        group.start_soon(server.run, server_reads, server_writes, options)
        for _ in range(wanted):
            message = (await from_server.receive()).message
            assert isinstance(message, JSONRPCResponse | JSONRPCError)
            said.append(json.loads(message.model_dump_json(by_alias=True, exclude_unset=True)))
        to_server.close()
    return said


def read_as_the_sdk(line: bytes) -> SessionMessage | Exception:
    try:
        text = line.decode("utf-8", "replace")
        return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
    except ValueError as error:
        return error
