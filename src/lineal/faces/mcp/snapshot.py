"""Writes snapshot.json: what the SDK server answers to a client's opening, asked of the SDK itself.

    python -m lineal.faces.mcp.snapshot            write the file
    python -m lineal.faces.mcp.snapshot --check    exit 1 when the file is stale

One result a line, so that a diff shows which one changed and the front reads none that it doesn't
need; the first line is the index: mode → protocol version → method → which of the results.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    JSONRPCRequest,
    JSONRPCResponse,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic_core import to_json

from lineal import __version__
from lineal.errors import LinealError
from lineal.faces.mcp.access import OneClient
from lineal.faces.mcp.opening import NOTE_EVENT, NOTED
from lineal.faces.mcp.server import build_server
from lineal.service import Service

__all__ = ["build", "main", "render"]

PATH = Path(__file__).with_name("snapshot.json")

_METHODS = (
    "ping",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
)
_UNKNOWN_VERSION = "unknown"


async def build() -> str:
    """The text of snapshot.json, from the servers that `lineal serve` runs."""
    access = OneClient(_nowhere)
    return await render(
        read_write=build_server(access, read_only=False),
        read_only=build_server(access, read_only=True),
    )


async def _nowhere() -> Service:
    raise LinealError.unavailable("a snapshot is made without a store", retryable=False)


async def render(**modes: Server[Any]) -> str:
    """The text of a snapshot of these servers, one a mode."""
    results: list[str] = []
    index: dict[str, Any] = {"lineal": __version__}
    for mode, server in modes.items():
        greeting = await _ask(server, _UNKNOWN_VERSION, ["initialize"])
        index["fallback"] = json.loads(greeting["initialize"])["protocolVersion"]
        index[mode] = {}
        for version in (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS):
            # The first request decides the era, and `initialize` always opens the older one.
            first = "initialize" if version in HANDSHAKE_PROTOCOL_VERSIONS else "server/discover"
            answers = await _ask(server, version, [first, *_METHODS, NOTED])
            index[mode][version] = {m: _place(results, text) for m, text in answers.items()}
    head = json.dumps(index, separators=(",", ":")).removesuffix("}")
    return head + ',"results":[\n' + ",\n".join(results) + "\n]}\n"


def _place(results: list[str], text: str) -> int:
    if text not in results:
        results.append(text)
    return results.index(text)


async def _ask(server: Server[Any], version: str, methods: Iterable[str]) -> dict[str, str]:
    """Method → result as the SDK writes it, for each that the server answers, on one connection."""
    to_server, server_reads = anyio.create_memory_object_stream[SessionMessage | Exception](1)
    server_writes, from_server = anyio.create_memory_object_stream[SessionMessage](1)
    answers = {}
    async with anyio.create_task_group() as group:
        options = server.create_initialization_options()
        group.start_soon(server.run, server_reads, server_writes, options)
        async with to_server, from_server:
            for number, method in enumerate(methods):
                params = _params(version, method)
                answer = await _exchange(to_server, from_server, number, method, params)
                if answer is not None:
                    answers[method] = answer
    return answers


async def _exchange(
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    from_server: MemoryObjectReceiveStream[SessionMessage],
    number: int,
    method: str,
    params: dict[str, Any],
) -> str | None:
    name = method.split(" ")[0]
    request = JSONRPCRequest(jsonrpc="2.0", id=number, method=name, params=params)
    await to_server.send(SessionMessage(request))
    answer = (await from_server.receive()).message
    return to_json(answer.result).decode() if isinstance(answer, JSONRPCResponse) else None


def _params(version: str, method: str) -> dict[str, Any]:
    called = {"name": NOTE_EVENT, "arguments": {}} if method == NOTED else {}
    if version in MODERN_PROTOCOL_VERSIONS:
        meta = {PROTOCOL_VERSION_META_KEY: version, CLIENT_CAPABILITIES_META_KEY: {}}
        return {**called, "_meta": meta}
    if method == "initialize":
        client = {"name": "snapshot", "version": __version__}
        return {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
    return called


def main() -> int:
    text = anyio.run(build)
    if "--check" in sys.argv[1:]:
        fresh = PATH.exists() and PATH.read_text("utf-8") == text
        sys.stdout.write(f"{PATH.name} is {'fresh' if fresh else 'stale: write it again'}\n")
        return 0 if fresh else 1
    PATH.write_text(text, "utf-8")
    sys.stdout.write(f"wrote {PATH} ({len(text)} characters)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
