"""Ways to reach the HTTP process: a real one on a socket, and the gate alone in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Message

from lineal.clock import Clock, ManualClock, SystemClock, monotonic_s
from lineal.faces.http.tokens import GRANTS, TOKENS_NAME, Grant, Made, TokenFile

START = datetime(2026, 5, 17, 22, tzinfo=UTC)
READY_WITHIN_S = 30.0
END_WITHIN_S = 2.0
"""What the process promises."""

NOTICED_S = 1.0
"""Within which a running process notices a change of its tokens."""

ME = Implementation(name="http-tests", version="7.2")


class Seconds:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Process:
    """`lineal serve --http` on a free port, over a home of its own."""

    def __init__(self, home: Path, running: subprocess.Popen[str], said: SimpleQueue[str]) -> None:
        self.home = home
        self.running = running
        self._said = said
        self.log: list[str] = []
        self.address = self._address()

    @property
    def mcp(self) -> str:
        return f"{self.address}/mcp"

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    def says(self, words: str) -> str:
        """The first line on stderr with these words, said already or soon."""
        while not any(words in line for line in self.log):
            self.log.append(self._next())
        return next(line for line in self.log if words in line)

    def heard(self) -> str:
        """All that stderr has said by now."""
        while not self._said.empty():
            self.log.append(self._said.get())
        return "".join(self.log)

    def _address(self) -> str:
        line = self.says("listens on")
        return next(word for word in line.split() if word.startswith("http://"))

    def _next(self) -> str:
        try:
            line = self._said.get(timeout=READY_WITHIN_S)
        except Empty:
            raise AssertionError(f"nothing more was said after {self.log}") from None
        if not line:
            raise AssertionError(f"the process ended: {self.log}")
        return line


@contextmanager
def process(home: Path, *options: str, **environment: str) -> Iterator[Process]:
    """A running process; ended at the end."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    settings = {"LINEAL_HOME": str(home), "LINEAL_EMBEDDER": "hashing", "LINEAL_SECRETS": "off"}
    command = [sys.executable, "-m", "lineal", "serve", "--http", "--port", "0", *options]
    running = subprocess.Popen(
        command, env={**kept, **settings, **environment}, stderr=subprocess.PIPE, text=True
    )
    said: SimpleQueue[str] = SimpleQueue()
    assert running.stderr is not None
    listener = Thread(target=_listen, args=(running.stderr, said), daemon=True)
    listener.start()
    try:
        yield Process(home, running, said)
    finally:
        running.terminate()
        running.wait(timeout=10)
        listener.join(timeout=10)
        running.stderr.close()


def _listen(stderr: Iterator[str], said: SimpleQueue[str]) -> None:
    for line in stderr:
        said.put(line)
    said.put("")


def tokens_in(home: Path) -> TokenFile:
    return TokenFile(home / TOKENS_NAME, monotonic_s)


def new_token(
    home: Path,
    tenant: str = "local",
    scopes: Sequence[Grant] = GRANTS,
    *,
    name: str = "test",
    clock: Clock | None = None,
    days: float | None = None,
) -> Made:
    """A token, as the command line makes them."""
    now = (clock or SystemClock()).now()
    end = None if days is None else now + timedelta(days=days)
    return tokens_in(home).create(
        name=name, tenant=tenant, scopes=frozenset(scopes), now=now, expires_at=end
    )


def bearer(secret: str | None) -> dict[str, str]:
    return {} if secret is None else {"authorization": f"Bearer {secret}"}


@asynccontextmanager
async def connected(
    address: str, secret: str | None = None, mode: str = "auto"
) -> AsyncIterator[Client]:
    """The official client over streamable HTTP."""
    async with (
        httpx2.AsyncClient(headers=bearer(secret), timeout=30) as http,
        Client(
            streamable_http_client(address, http_client=http), mode=mode, client_info=ME
        ) as client,
    ):
        yield client


class Sent:
    """One request to an ASGI application in this process, and what it answered."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode().lower(): value.decode() for name, value in message["headers"]
            }
        else:
            self.body += message.get("body", b"")

    @property
    def error(self) -> dict[str, object]:
        """The envelope's inside."""
        envelope = TypeAdapter(dict[str, dict[str, object]]).validate_json(self.body)
        assert envelope.keys() == {"error"}
        return envelope["error"]


async def ask(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/here",
    *,
    headers: Sequence[tuple[str, str]] = (("host", "localhost:8765"),),
    body: Sequence[bytes] = (),
    port: int = 8765,
) -> Sent:
    """Ask the application. body: its parts; without a Content-Length they come in chunks."""
    parts = list(body)
    named = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    if parts and not any(name == b"content-length" for name, _ in named):
        named.append((b"transfer-encoding", b"chunked"))

    async def receive() -> Message:
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": named,
        "server": ("127.0.0.1", port),
        "client": ("127.0.0.1", 50_000),
    }
    sent = Sent()
    await app(scope, receive, sent.send)
    return sent


def manual() -> ManualClock:
    return ManualClock(START)
