"""A service on a real socket, which answers as it was told to, badly if need be."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

__all__ = ["Act", "Asked", "StandIn", "drip", "hang", "http", "hung_up", "listening", "raw"]

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What is done with one request: writes an answer, or what it likes."""


class Asked(NamedTuple):
    """One request as it came. headers: lower-case names. body: of its JSON, {} for none.
    connection: by which it came, from 0."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    method: str
    connection: int


class StandIn:
    """Does the acts in their order, one for each request; the last one again and again."""

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)
        self.asked: list[Asked] = []
        self.connections = 0
        self.url = ""
        self.leave: Callable[[], None] = lambda: None
        """Takes no more connections; those that are there go on."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection, self.connections = self.connections, self.connections + 1
        try:
            while not writer.is_closing():
                self.asked.append(await _request(reader, connection))
                act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                await act(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client has had enough
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader, connection: int) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
    lines = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in lines}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = head[0].split()
    return Asked(path, headers, json.loads(body or b"{}"), method, connection)


@asynccontextmanager
async def listening(*acts: Act, tls: ssl.SSLContext | None = None) -> AsyncIterator[StandIn]:
    """A stand-in at a free port of this machine, gone at the end with all it was doing."""
    stand_in = StandIn(*acts)
    busy: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(stand_in.serve(reader, writer))
        busy.add(task)
        task.add_done_callback(busy.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    stand_in.leave = server.close
    stand_in.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
    try:
        yield stand_in
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def http(status: int, body: bytes | str = b"", **headers: str) -> Act:
    """An HTTP answer. headers: with _ for -; connection="keep-alive" for one that is kept."""
    sent = body if isinstance(body, bytes) else body.encode()
    given = {
        "content-type": "application/json",
        "connection": "close",
        "content-length": str(len(sent)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in given.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""])
    return raw(head.encode("ascii") + sent, keep=given["connection"] != "close")


def raw(answer: bytes, *, keep: bool = False) -> Act:
    """These very bytes, and then the connection's end. keep: or the wait for the next request."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if not keep:
            writer.close()

    return act


async def hang(writer: asyncio.StreamWriter) -> None:
    """Takes the question and says nothing, for longer than any test."""
    await asyncio.sleep(3_600)


async def drip(writer: asyncio.StreamWriter) -> None:
    """A good beginning and then a byte now and then, without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def hung_up(writer: asyncio.StreamWriter) -> None:
    """Resets the connection instead of answering."""
    writer.transport.abort()
