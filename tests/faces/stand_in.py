"""`lineal serve` with a second stage of the tests' own: the real front and wire, no store.

    python tests/faces/stand_in.py [noisy | broken]

noisy: prints and starts children that print. broken: the second stage can't be imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lineal.faces.mcp.front import Front, run

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server


def run_stdio(front: Front, *, read_only: bool) -> int:
    import anyio

    from lineal.faces.mcp.serve import serve_stdio

    if "noisy" in sys.argv:
        make_noise()
    anyio.run(serve_stdio, server(), front)
    return 0


def make_noise() -> None:
    print("a stray print", flush=True)  # noqa: T201 that it misses the wire is tested
    os.write(1, b"a stray write\n")
    subprocess.run(["/bin/echo", "a child's print"], check=True)
    subprocess.run(["/bin/cat"], check=True)  # ends at once: its stdin is not the wire


def server() -> Server[Any]:
    """One tool that does what its arguments say."""
    import anyio.to_thread
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

    async def list_tools(ctx: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="do", input_schema={"type": "object"})])

    async def call_tool(ctx: Any, params: Any) -> CallToolResult:
        wanted = params.arguments or {}
        if "touch" in wanted:
            os.close(os.open(wanted["touch"], os.O_CREAT))
        if "print" in wanted:
            print(wanted["print"], flush=True)  # noqa: T201 that it misses the wire is tested
        if "raise" in wanted:
            raise RuntimeError(wanted["raise"])
        await anyio.sleep(wanted.get("sleep_s", 0))
        if "block_s" in wanted:
            await anyio.to_thread.run_sync(time.sleep, wanted["block_s"])
        text = wanted.get("text", "x" * wanted.get("size", 0))
        return CallToolResult(content=[TextContent(type="text", text=text)])

    return Server("stand-in", on_list_tools=list_tools, on_call_tool=call_tool)


if __name__ == "__main__":
    stage_two = ModuleType("lineal.app")
    if "broken" not in sys.argv:
        stage_two.run_stdio = run_stdio  # type: ignore[attr-defined]
    sys.modules["lineal.app"] = stage_two
    sys.exit(run())
