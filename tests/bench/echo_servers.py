"""Floors for the benches: the smallest servers that the SDK allows, each with one echo tool."""

from __future__ import annotations

import sys
from typing import Any


def low() -> None:
    """The SDK's low-level server."""
    import anyio
    import mcp_types as types
    from mcp.server.lowlevel.server import Server
    from mcp.server.stdio import stdio_server

    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        return types.ListToolsResult(tools=[types.Tool(name="echo", input_schema=schema)])

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text = str((params.arguments or {}).get("text", ""))
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], structured_content={"text": text}
        )

    server: Server[Any] = Server("echo", on_list_tools=list_tools, on_call_tool=call_tool)

    async def main() -> None:
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    anyio.run(main)


def high() -> None:
    """The SDK's MCPServer."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("echo")

    @server.tool()
    async def echo(text: str) -> dict[str, str]:
        return {"text": text}

    server.run()


if __name__ == "__main__":
    {"low": low, "high": high}[sys.argv[1]]()
