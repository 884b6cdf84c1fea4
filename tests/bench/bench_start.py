"""How soon a client is answered: `python tests/bench/bench_start.py` prints one JSON object.

Milliseconds from starting the process to an answer, medians of rounds that interleave every
contender, so that a busy machine slows all of them alike. Ratios are medians over medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

FAST_ROUNDS = 25
SLOW_ROUNDS = 9

PASS = [sys.executable, "-c", "pass"]
MODULE = [sys.executable, "-m", "lineal", "serve"]
SCRIPT = [str(Path(sys.executable).with_name("lineal")), "serve"]

HIGH_LEVEL = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("echo")
@server.tool()
def echo(text: str) -> str:
    return text
server.run()
"""
LOW_LEVEL = """
import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool
schema = {"type": "object", "properties": {"text": {"type": "string"}}}
async def list_tools(ctx, params):
    return ListToolsResult(tools=[Tool(name="echo", input_schema=schema)])
async def call_tool(ctx, params):
    text = params.arguments["text"]
    return CallToolResult(content=[TextContent(type="text", text=text)])
async def main():
    server = Server("echo", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (stdin, stdout):
        await server.run(stdin, stdout, server.create_initialization_options())
anyio.run(main)
"""
ECHO = {"name": "echo", "arguments": {"text": "tea"}}
SEARCH = {"name": "search_context", "arguments": {"query": "tea", "user_id": "u"}}

CLIENT = {"name": "bench", "version": "1"}
HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Server:
    """One server process and the milliseconds since it was started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._started_s = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def ask(self, method: str, params: dict[str, Any]) -> float:
        """Send a request and wait for the answer: ms since the start."""
        self._send({"jsonrpc": "2.0", "id": method, "method": method, "params": params})
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        elapsed_ms = (time.perf_counter() - self._started_s) * 1000
        if "result" not in answer or answer["result"].get("isError"):
            raise RuntimeError(f"{method}: {answer}")
        return elapsed_ms

    def tell(self, method: str) -> None:
        self._send({"jsonrpc": "2.0", "method": method})

    def leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def just_python(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
    started_s = time.perf_counter()
    subprocess.run(command, check=True, env=environment)
    return {"": (time.perf_counter() - started_s) * 1000}


def legacy(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
    """initialize → tools/list by the handshake of 2025-11-25."""
    server = Server(command, environment)
    first = server.ask("initialize", HANDSHAKE)
    server.tell("notifications/initialized")
    listed = server.ask("tools/list", {})
    server.leave()
    return {" initialize": first, " tools/list": listed}


def modern(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
    """server/discover → tools/list with the envelope of 2026-07-28."""
    server = Server(command, environment)
    server.ask("server/discover", {"_meta": ENVELOPE})
    listed = server.ask("tools/list", {"_meta": ENVELOPE})
    server.leave()
    return {" tools/list": listed}


def first_call(call: dict[str, Any]) -> Callable[..., dict[str, float]]:
    """initialize → tools/list → the first tools/call, then how long the next calls take."""

    def measure(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
        server = Server(command, environment)
        server.ask("initialize", HANDSHAKE)
        server.tell("notifications/initialized")
        server.ask("tools/list", {})
        called = server.ask("tools/call", call)
        trips = []
        for _ in range(50):
            sent_ms = (time.perf_counter() - server._started_s) * 1000
            trips.append(server.ask("ping", {}) - sent_ms)
        server.leave()
        return {" tools/call": called, " ping": statistics.median(trips)}

    return measure


Contender = tuple[str, Callable[..., dict[str, float]], list[str]]

FAST: list[Contender] = [
    ("python -c pass", just_python, PASS),
    ("lineal (script, handshake)", legacy, SCRIPT),
    ("lineal (script, 2026-07-28)", modern, SCRIPT),
    ("lineal (-m, handshake)", legacy, MODULE),
    ("lineal (-m, 2026-07-28)", modern, MODULE),
]
SLOW: list[Contender] = [
    ("lineal", first_call(SEARCH), SCRIPT),
    ("MCPServer", first_call(ECHO), [sys.executable, "-c", HIGH_LEVEL]),
    ("Server", first_call(ECHO), [sys.executable, "-c", LOW_LEVEL]),
]


def race(
    contenders: list[Contender], rounds: int, environment: Mapping[str, str]
) -> dict[str, float]:
    """Contender and what it answered → median ms, after one round that warms the caches."""
    taken: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, measure, command in contenders:
            for what, elapsed_ms in measure(command, environment).items():
                if number:
                    taken.setdefault(name + what, []).append(elapsed_ms)
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        # As pip installs it: compiled once, in the round that warms up.
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{home}/pycache"}
        environment = {**os.environ, "LINEAL_HOME": home, **compiled}
        fast = race(FAST, FAST_ROUNDS, environment)
        slow = race(SLOW, SLOW_ROUNDS, environment)
    ratios = {
        f"{name} / python -c pass": fast[name] / fast["python -c pass"]
        for name in fast
        if name.endswith("tools/list")
    }
    for bare in ("MCPServer", "Server"):
        ratios[f"lineal tools/call / {bare} tools/call"] = (
            slow["lineal tools/call"] / slow[f"{bare} tools/call"]
        )
    report = {
        "unit": "ms",
        "rounds": {"fast": FAST_ROUNDS, "slow": SLOW_ROUNDS},
        "medians": {name: round(value, 2) for name, value in (fast | slow).items()},
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
