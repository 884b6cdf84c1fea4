"""A server process and the official client that talks to it over stdio."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, Implementation, TextContent

from lineal import __version__
from lineal.errors import ErrorCode, LinealError

__all__ = ["Connection", "connected"]

TIMEOUT_S = 30.0
"""For one answer; a first start on a cold disk takes seconds."""

LOG_LINES_SHOWN = 5
"""Of what the server said on stderr before it failed: the end says why."""


class Connection:
    """Calls tools by name. ready_ms: from the start of the process to the list of its tools."""

    def __init__(self, client: Client, tools: Sequence[str], ready_ms: float, log: Path) -> None:
        self._client = client
        self._log = log
        self.tools = tuple(tools)
        self.ready_ms = ready_ms
        self.protocol_version = client.protocol_version

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The tool's structured answer. Raises LinealError: what the server refused, or
        `unavailable` when it doesn't answer."""
        try:
            result = await self._client.call_tool(tool, arguments)
        except (MCPError, TimeoutError, anyio.ClosedResourceError) as failure:
            raise _silence(failure, self._log) from failure
        if result.is_error:
            raise _refusal(tool, result)
        if not isinstance(result.structured_content, dict):
            raise LinealError(ErrorCode.INTERNAL, f"{tool} answered without structured content.")
        return result.structured_content


@asynccontextmanager
async def connected(
    command: str,
    args: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    name: str,
    *,
    cwd: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> AsyncIterator[Connection]:
    """Start the server, connect as the client `name`, and end it at the end.

    env: all it gets besides what any client hands on (PATH, HOME and the like). log: takes its
    stderr; unless `cwd` says otherwise it starts in the log's directory, so that nothing is
    imported from the caller's. timeout_s: for one answer.
    Raises LinealError `unavailable` when it can't be started or doesn't list its tools.
    """
    server = StdioServerParameters(
        command=command, args=list(args), env=dict(env), cwd=str(cwd or log.parent)
    )
    began = anyio.current_time()
    failed: LinealError | None = None
    with log.open("a", encoding="utf-8") as errlog:
        client = Client(
            stdio_client(server, errlog=errlog),
            client_info=Implementation(name=name, version=__version__),
            read_timeout_seconds=timeout_s,
        )
        try:
            await client.__aenter__()
        except (MCPError, OSError, TimeoutError, ValueError, ExceptionGroup) as failure:
            raise _silence(failure, log) from failure
        try:
            tools = await _listed(client, log)
            ready_ms = (anyio.current_time() - began) * 1000
            yield Connection(client, tools, ready_ms, log)
        except LinealError as failure:
            # Raised outside the client's task group, which would wrap it.
            failed = failure
        finally:
            await client.__aexit__(None, None, None)
    if failed is not None:
        raise failed


async def _listed(client: Client, log: Path) -> tuple[str, ...]:
    try:
        listed = await client.list_tools()
    except (MCPError, TimeoutError, anyio.ClosedResourceError) as failure:
        raise _silence(failure, log) from failure
    return tuple(tool.name for tool in listed.tools)


def _silence(failure: Exception, log: Path) -> LinealError:
    cause = _first(failure)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = "\n".join(lines[-LOG_LINES_SHOWN:])
    why = cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
    return LinealError.unavailable(
        f"The server process doesn't answer ({why}). "
        + (f"It said: {said}" if said else "It said nothing on stderr."),
        retryable=False,
    )


def _first(failure: Exception) -> Exception:
    """What failed, out of the groups that task groups make of it."""
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def _refusal(tool: str, result: CallToolResult) -> LinealError:
    """The error as the server meant it, or its text when it isn't in our envelope."""
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    body: Any = result.structured_content
    if not isinstance(body, dict) and texts:
        try:
            body = json.loads(texts[0])
        except ValueError:
            body = None
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return LinealError(ErrorCode.INTERNAL, f"{tool} failed: {' '.join(texts)[:500]}")
    return LinealError(
        ErrorCode(error["code"]),
        str(error["message"]),
        details=error.get("details"),
        retryable=bool(error.get("retryable")),
    )
