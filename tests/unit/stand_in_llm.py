"""A chat endpoint on a real socket, which answers as it was told to, badly if need be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

__all__ = ["Asked", "StandIn", "chat", "drip", "hang", "http", "hung_up", "listening"]

MODEL = "stand-in-1"

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""What is done with one request: writes an answer, or what it likes."""


class Asked(NamedTuple):
    """One request as it came. headers: lower-case names."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class StandIn:
    """Does the acts in their order, one for each request; the last one again and again."""

    def __init__(self, *acts: Act) -> None:
        self._acts = list(acts)
        self.asked: list[Asked] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
        lines = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in lines}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(head[0].split()[1], headers, json.loads(body or b"{}")))
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        try:
            await act(writer)
        except ConnectionError:
            return  # the client has had enough
        finally:
            writer.close()


@asynccontextmanager
async def listening(*acts: Act) -> AsyncIterator[StandIn]:
    """A stand-in at a free port of this machine, gone at the end with all it was doing."""
    stand_in = StandIn(*acts)
    busy: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(stand_in.serve(reader, writer))
        busy.add(task)
        task.add_done_callback(busy.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    stand_in.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield stand_in
    finally:
        server.close()
        for task in list(busy):
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


def http(status: int, body: bytes | str = b"", **headers: str) -> Act:
    """An HTTP answer. headers: with _ for -."""
    raw = body if isinstance(body, bytes) else body.encode()
    given = {"content-type": "application/json", "connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, f"content-length: {len(raw)}", "", ""])

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode("ascii") + raw)
        await writer.drain()

    return act


def chat(content: object, model: object = MODEL) -> Act:
    """A chat completion. content: a text, or what is sent as JSON in one."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return http(200, json.dumps({"id": "c-1", "model": model, "choices": [choice]}))


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
