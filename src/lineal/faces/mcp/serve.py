"""Stage two of `lineal serve`: the SDK server on the wire that the front opened."""

from __future__ import annotations

from typing import Any

from mcp.server.lowlevel import Server

from lineal.faces.mcp.front import Front
from lineal.faces.mcp.wire import open_wire

__all__ = ["serve_stdio"]


async def serve_stdio(server: Server[Any], front: Front) -> None:
    """Run the SDK server until the client leaves; it serves everything the front did not."""
    async with open_wire(front) as (stdin, stdout):
        await server.run(stdin, stdout, server.create_initialization_options())
