"""Stage two's side of stdin and stdout: lines to the SDK's messages and back, no protocol.

The SDK drops a line that it can't read; here such a line is answered, and the next one works.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import time
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import NamedTuple, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from pydantic_core import from_json

from lineal.faces.mcp.front import END, LINE_MAX_BYTES, TOO_LONG, Front, write_all
from lineal.faces.mcp.opening import ANSWERED

__all__ = ["Stdin", "Stdout", "open_wire"]

_DRAIN_S = 1.0  # how long requests in flight may still be answered after stdin has ended
_EXIT_S = 1.8  # after which the process ends whatever a handler is waiting for; hosts expect 2 s
_BOM = b"\xef\xbb\xbf"
_CANCELLED = "notifications/cancelled"


@asynccontextmanager
async def open_wire(front: Front) -> AsyncIterator[tuple[Stdin, Stdout]]:
    """The streams for `Server.run`; the front answers nothing from here on."""
    requests = Requests()
    stdout = Stdout(front, requests)
    yield Stdin(front, requests, stdout), stdout


class Requests:
    """Which requests the client still waits for, and whose answers it already has."""

    def __init__(self) -> None:
        self._waiting: set[RequestId] = set()
        self._muted: set[RequestId] = set()
        self._changed = asyncio.Event()

    def mute(self, request: JSONRPCRequest) -> None:
        """Give a replayed request an id that no client uses, so that its answer can be told."""
        request.id = f"lineal-replay-{os.urandom(8).hex()}"
        self._muted.add(request.id)

    def came(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            # A subscription lives as long as the wire: nobody waits for its answer.
            if message.method != "subscriptions/listen":
                self._waiting.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
            self._settle((message.params or {}).get("requestId"))

    def goes(self, message: JSONRPCMessage) -> bool:
        """Note what is answered; False for an answer that the client already has."""
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._settle(message.id)
            if message.id in self._muted:
                self._muted.remove(message.id)
                return False
        return True

    async def settled(self, timeout_s: float) -> None:
        """Return when nothing is waited for any more, or after the timeout."""
        with anyio.move_on_after(timeout_s):
            while self._waiting:
                self._changed.clear()
                await self._changed.wait()

    def _settle(self, request_id: object) -> None:
        if isinstance(request_id, int | str):
            self._waiting.discard(request_id)
            self._changed.set()


class _Stream:
    """What the SDK asks of a stream beside its verb."""

    async def aclose(self) -> None:
        """Nothing to close: the descriptors live as long as the process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.aclose()


class Stdin(_Stream):
    """The client's messages, in the order of its lines."""

    def __init__(self, front: Front, requests: Requests, stdout: Stdout) -> None:
        self._front = front
        self._requests = requests
        self._stdout = stdout
        self._items: deque[tuple[str, bytes]] = deque()
        self._came = asyncio.Event()
        loop = asyncio.get_running_loop()
        front.hand_over(lambda: _call(loop, self._came.set))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> SessionMessage:
        """The next message. Raises EndOfStream once the client has left and is answered."""
        while True:
            kind, line = await self._next()
            if kind is END:
                start_new_thread(_leave, ())
                await self._requests.settled(_DRAIN_S)
                raise anyio.EndOfStream
            message = _too_long() if kind is TOO_LONG else _parse(line)
            if isinstance(message, Refusal):
                await self._stdout.send(SessionMessage(message.answer))
            elif message is not None:
                if kind is ANSWERED and isinstance(message, JSONRPCRequest):
                    self._requests.mute(message)
                self._requests.came(message)
                return SessionMessage(message)

    async def _next(self) -> tuple[str, bytes]:
        while not self._items:
            self._came.clear()
            self._items.extend(self._front.take())
            if not self._items:
                await self._came.wait()
        return self._items.popleft()


class Stdout(_Stream):
    """The server's messages, each a line, one after the other."""

    def __init__(self, front: Front, requests: Requests) -> None:
        self._front = front
        self._requests = requests
        self._loop = asyncio.get_running_loop()
        self._poll = _poll_for_writing(front.stdout)
        self._lock = allocate_lock()  # around the two names below, shared with the writing thread
        self._waiting: deque[tuple[bytes, asyncio.Future[None]]] = deque()
        self._writing = False

    async def send(self, item: SessionMessage, /) -> None:
        """Write one message. Raises BrokenResourceError when nobody reads any more."""
        if not self._requests.goes(item.message):
            return
        line = item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        try:
            await self._write(line)
        except OSError as error:
            self._front.end()
            raise anyio.BrokenResourceError from error

    async def _write(self, line: bytes) -> None:
        """At once as far as the pipe has room, the rest in a thread: the loop never stalls."""
        rest = line if self._writing else self._write_at_once(line)
        if rest:
            written = self._loop.create_future()
            with self._lock:
                self._waiting.append((rest, written))
                if not self._writing:
                    self._writing = True
                    start_new_thread(self._write_waiting, ())
            await written

    def _write_at_once(self, data: bytes) -> bytes:
        """Write without blocking; returns what is left.

        A pipe that polls as writable takes PIPE_BUF bytes without blocking (POSIX, write(2)).
        """
        while data and self._poll is not None and self._poll.poll(0):
            data = data[os.write(self._front.stdout, data[: select.PIPE_BUF]) :]
        return data

    def _write_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._writing = False
                    return
                data, written = self._waiting.popleft()
            try:
                write_all(self._front.stdout, data)
            except OSError as error:
                _call(self._loop, _fail, written, error)
            else:
                _call(self._loop, _fulfil, written)


class Refusal(NamedTuple):
    """A line that is no message, and the error that answers it."""

    answer: JSONRPCError


def _parse(line: bytes) -> JSONRPCMessage | Refusal | None:
    """The message of a line, its refusal, or None for a blank one."""
    line = line.removeprefix(_BOM).strip()
    if not line:
        return None
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        return _refusal(line)
    # The SDK reads a request whose id is wrong as a notification, and would leave it unanswered.
    if isinstance(message, JSONRPCNotification) and b'"id"' in line and "id" in from_json(line):
        return _refusal(line)
    return message


def _refusal(line: bytes) -> Refusal:
    try:
        value = from_json(line)
    except ValueError as error:
        return _error(_lenient_id(line), PARSE_ERROR, f"Parse error: {error}")
    return _error(_id(value), INVALID_REQUEST, "Invalid request: not a JSON-RPC 2.0 message")


def _lenient_id(line: bytes) -> RequestId | None:
    """The id of a request that only a stricter parser refuses, for half a character or its depth:
    an answer without the id would leave its client waiting."""
    try:
        return _id(json.loads(line.decode()))
    except (ValueError, RecursionError):
        return None


def _id(value: object) -> RequestId | None:
    """A request's id, if it is a valid one. A broken response's is ours, not the client's."""
    if not isinstance(value, dict) or "method" not in value:
        return None
    found = value.get("id")
    if isinstance(found, bool) or not isinstance(found, int | str):
        return None
    try:
        str(found).encode()
    except ValueError:  # half a character, or more digits than Python writes out
        return None
    return found


def _too_long() -> Refusal:
    text = f"Invalid request: a line is longer than {LINE_MAX_BYTES} bytes"
    return _error(None, INVALID_REQUEST, text)


def _error(request_id: RequestId | None, code: int, message: str) -> Refusal:
    error = ErrorData(code=code, message=message)
    return Refusal(JSONRPCError(jsonrpc="2.0", id=request_id, error=error))


def _poll_for_writing(fd: int) -> select.poll | None:
    """A poll of this descriptor; None where there is none, and then a thread does every write."""
    if sys.platform == "win32":
        return None
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return poll


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: object) -> None:
    """Call on the loop from another thread; nothing when the loop has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, *args)


def _fulfil(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)


def _fail(written: asyncio.Future[None], error: OSError) -> None:
    if not written.done():
        written.set_exception(error)


def _leave() -> None:
    """End the process when the server does not: a host waits two seconds, then kills."""
    time.sleep(_EXIT_S)
    os._exit(0)
