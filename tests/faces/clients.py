"""Ways to reach the MCP face: in this process, as a client's subprocess, and by bare lines.

python tests/faces/clients.py > tests/faces/tools.json     after a reviewed change of the tools
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Literal

from mcp import Client, StdioServerParameters
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    CallToolResult,
    Implementation,
    TextContent,
    Tool,
)

from lineal.app import open_service
from lineal.errors import Capability
from lineal.faces.mcp.access import OneClient
from lineal.faces.mcp.server import build_server
from lineal.faces.mcp.tools import TOOLS, listed
from lineal.models.changes import Call, StoreStats
from lineal.models.lineage import Evidence
from lineal.policy.limits import Limits
from lineal.service import Defaults, Service
from lineal.settings import Settings
from lineal.testing.fake_backend import FakeBackend

DOMAIN = "notes"
"""A domain without a schema, so that these tests see the face and no extraction."""

USER = "ada"
MODES = ("auto", "legacy", "2026-07-28")
PLACES = ("process", "subprocess")
ME = Implementation(name="face-tests", version="7.1")
LONG = "The pump station of Delft was repaired on 3 May because its second valve leaked."
ANSWER_WITHIN_S = 15.0
"""How long a bare line may wait: a cold start on a busy machine, with room."""

Where = Literal["process", "subprocess"]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "append_context": {
        "content": "The valve of pump 4 leaks.",
        "user_id": USER,
        "domain": DOMAIN,
        "source": "chat",
        "occurred_at": "2026-05-03T10:00:00+02:00",
        "title": "Leak",
        "summary": "Pump 4 leaks at its valve.",
        "tags": ["pump"],
        "metadata": {"shift": 2},
        "nia_references": {"web_searches": ["valves"]},
        "edited_files": [{"file_path": "log.md", "operation": "modified"}],
        "session_id": "s-1",
        "speaker": "Ada",
        "project": "",
        "memory_type": "fact",
        "ttl_seconds": 86_400,
        "lineage": {"confidence": 0.5, "source_ids": ["mail-9"]},
        "idempotency_key": None,
    },
    "upsert_user": {
        "user_id": USER,
        "domain": DOMAIN,
        "context": "Ada runs the pump station.",
        "fields": {"role": "operator"},
        "memory_ref": "mem0://ada",
        "replace_all": False,
        "memory_type": "fact",
        "ttl_seconds": None,
        "lineage": {"model_version": "m-1"},
        "idempotency_key": None,
    },
    "update_context": {
        "context_id": "…",
        "title": "Leak found",
        "summary": "Pump 4 leaks at its valve no more.",
        "content": LONG,
        "tags": ["pump", "done"],
        "metadata": {"shift": 3},
        "nia_references": {"web_searches": ["seals"]},
        "edited_files": [],
        "memory_type": "fact",
        "ttl_seconds": None,
        "lineage": {"confidence": 0.9},
        "expected_revision": None,
        "idempotency_key": None,
    },
    "search_context": {
        "query": "valve",
        "user_id": USER,
        "domain": DOMAIN,
        "memory_types": ["fact"],
        "tags": ["pump"],
        "sources": ["chat"],
        "agents": ["face-tests"],
        "occurred_from": "2026-05-01T00:00:00Z",
        "occurred_to": "2027-05-01T00:00:00Z",
        "recorded_from": "2026-05-01T00:00:00Z",
        "recorded_to": None,
        "derived_from": "mail-8",
        "model_version": "m-1",
        "project": "*",
        "as_of": None,
        "limit": 5,
        "max_tokens": 2_000,
        "explain": True,
    },
    "get_context": {"context_id": "…", "revision": 1, "as_of": None, "max_chars": 4_000},
    "get_user": {"user_id": USER, "domain": DOMAIN, "provenance": True},
    "match_users": {
        "user_id": USER,
        "description": None,
        "domain": "dating",
        "filters": {"diet": "vegan"},
        "limit": 5,
    },
    "record_outcome": {
        "user_id": USER,
        "domain": DOMAIN,
        "candidate_id": "grace",
        "outcome": "accepted",
        "weight": 2.0,
        "score": 0.5,
        "lineage": {"confidence": 0.5},
        "idempotency_key": None,
    },
    "forget_context": {
        "context_id": "…",
        "cascade": False,
        "used": False,
        "erase": False,
        "undo": False,
        "dry_run": True,
        "idempotency_key": None,
    },
    "trace_lineage": {"context_id": "…", "direction": "both", "depth": 3},
}
"""Every argument of every tool, right; "…" is where a live context's id goes. A tool or an argument
that is not in here fails the tests until it is."""


def arguments_of(tool: str, context_id: str) -> dict[str, Any]:
    """The right arguments, without those that are null here."""
    chosen = {name: value for name, value in ARGUMENTS[tool].items() if value is not None}
    return {name: context_id if value == "…" else value for name, value in chosen.items()}


def access_of(
    service: Service, *, tenant: str = "local", session_id: str | None = None
) -> OneClient:
    """The way of one client to a service that is there already."""

    async def connect() -> Service:
        return service

    return OneClient(connect, tenant=tenant, client_session_id=session_id)


def fake_service(backend: FakeBackend) -> Service:
    """A service over a fake, with ada's notes as what a call means by default."""
    return Service(backend, limits=Limits(), defaults=Defaults(user_id=USER, domain=DOMAIN))


def refusing(*capabilities: Capability) -> Service:
    """A service over a fake that cannot do these."""
    return fake_service(FakeBackend(refused=capabilities))


def settings_of(home: Path, **more: Any) -> Settings:
    """Settings of a store below `home`, with ada's notes as the default."""
    return Settings(**{"home": home, "user": USER, "domain": DOMAIN, **more})


@asynccontextmanager
async def inside(service: Service, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """The official client on a server in this process."""
    server = build_server(access_of(service, **more))
    async with Client(server, mode=mode, client_info=ME) as client:
        yield client


def server_command(home: Path, *options: str, **environment: str) -> StdioServerParameters:
    """How a client starts the server; everything it writes is below `home`."""
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "lineal", "serve", *options],
        env=server_environment(home, **environment),
    )


def server_environment(home: Path, **more: str) -> dict[str, str]:
    """A bare environment with ada's notes as the default."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "LINEAL_HOME": str(home / "lineal"),
        "LINEAL_USER": USER,
        "LINEAL_DOMAIN": DOMAIN,
        **more,
    }


@asynccontextmanager
async def connected(
    where: str, mode: str, home: Path, *, read_only: bool = False
) -> AsyncIterator[Client]:
    """The official client on a new server and store, in this process or in a subprocess."""
    if where == "subprocess":
        command = server_command(home, *(["--read-only"] if read_only else []))
        async with Client(command, mode=mode, client_info=ME) as client:
            yield client
        return
    async with open_service(settings_of(home, backend="memory://")) as service:
        server = build_server(access_of(service), read_only=read_only)
        async with Client(server, mode=mode, client_info=ME) as client:
            yield client


def told(result: CallToolResult) -> dict[str, Any]:
    """What a call answered; its text says the same as its structure, whatever happened."""
    assert isinstance(result.structured_content, dict)
    assert len(result.content) == 1
    assert isinstance(result.content[0], TextContent)
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def ok(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The answer of a call that must succeed."""
    result = await client.call_tool(tool, arguments)
    answer = told(result)
    assert not result.is_error, answer
    return answer


async def refused(client: Client, tool: str, code: str, **arguments: Any) -> dict[str, Any]:
    """The error of a call that must fail with this code."""
    result = await client.call_tool(tool, arguments)
    answer = told(result)
    assert result.is_error, answer
    error = error_in(answer)
    assert error["code"] == code, error
    return error


def error_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The documented envelope's inside; nothing may be missing or more (E1)."""
    assert answer.keys() == {"error"}
    error = answer["error"]
    assert isinstance(error, dict)
    assert error.keys() == {"code", "message", "details", "retryable"}
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["details"], dict)
    assert isinstance(error["retryable"], bool)
    return error


async def counted(service: Service, tenant: str = "local") -> tuple[int, ...]:
    """How much is stored behind a tenant's wall: equal before and after means nothing was."""
    stats: StoreStats = await service.stats(Call(tenant=tenant, evidence=Evidence(tool="stats")))
    return stats.contexts, stats.revisions, stats.users, stats.tombstones, stats.edges


class Lines:
    """A client that speaks bare lines, so that it can say what the official one never would.

    Every line that the server writes must be a JSON-RPC message.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._came: SimpleQueue[dict[str, Any] | Exception] = SimpleQueue()
        self._ids = 0
        self.heard = b""
        self._ears = Thread(target=self._listen, daemon=True)
        self._ears.start()

    @property
    def stderr(self) -> str:
        """What the server has said on stderr so far."""
        return self._log.read_text("utf-8")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def say(self, line: bytes) -> None:
        """Send bytes as one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def next(self, timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
        """The next message. Raises AssertionError when none comes."""
        deadline_s = monotonic() + timeout_s
        while True:
            ended = not self._ears.is_alive()
            try:
                message = self._came.get(timeout=0 if ended else 0.1)
            except Empty:
                late = monotonic() > deadline_s
                assert not ended, f"the server has closed the wire; stderr: {self.stderr}"
                assert not late, f"no line within {timeout_s} s; stderr: {self.stderr}"
                continue
            if isinstance(message, Exception):
                raise message
            return message

    def settle(self) -> None:
        """Pass over everything that is still on its way."""
        self._ids += 1
        self.say(json.dumps(request(self._ids, "tools/list")).encode())
        while self.next().get("id") != self._ids:
            pass

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A request as the 2026-07-28 era writes it, answered."""
        self._ids += 1
        number = self._ids
        self.say(json.dumps(request(number, method, **params)).encode())
        return self.answer_to(number)

    def answer_to(self, request_id: int | str) -> dict[str, Any]:
        """The answer with this id; notifications before it are passed over."""
        while True:
            message = self.next()
            if "method" not in message:
                assert message["id"] == request_id, message
                return message

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool's result, an error's or not."""
        result = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        assert isinstance(result, dict)
        return result

    def silent(self) -> bool:
        """Nothing is waiting to be read."""
        return self._came.empty()

    def leave(self, within_s: float = 5.0) -> int:
        """Close stdin; the server's exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=within_s)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard += line
            try:
                message = json.loads(line)
                assert message["jsonrpc"] == "2.0", line
                assert "method" in message or ("id" in message and len(message) == 3), line
                self._came.put(message)
            except Exception as broken:
                broken.add_note(f"on stdout: {line[:300]!r}")
                self._came.put(broken)


def request(request_id: int | str, method: str, **params: Any) -> dict[str, Any]:
    """A request of the 2026-07-28 era."""
    meta = {PROTOCOL_VERSION_META_KEY: "2026-07-28", CLIENT_CAPABILITIES_META_KEY: {}}
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": method,
        "params": {**params, "_meta": meta},
    }


@contextmanager
def lines(
    home: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Lines]:
    """A bare client on a new server, gone at the end whatever happened."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "stderr.txt"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "lineal", "serve", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(environment or server_environment(home)),
        )
    try:
        client = Lines(process, log)
        yield client
        while not client.silent():
            client.next()  # nothing that came unasked may be other than JSON-RPC
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def tools_json() -> str:
    """The tools as tools/list shows them, for the reviewed copy in tools.json."""
    return json.dumps([wire_form(tool) for tool in listed(read_only=False)], indent=1) + "\n"


def wire_form(tool: Tool) -> dict[str, Any]:
    """A tool as it stands on the wire."""
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)


assert ARGUMENTS.keys() == TOOLS.keys(), "each tool needs its arguments in clients.ARGUMENTS"

if __name__ == "__main__":
    sys.stdout.write(tools_json())
