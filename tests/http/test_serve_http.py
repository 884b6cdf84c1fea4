"""`lineal serve --http` as a process: where it listens, what it withstands, how it ends."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.abc import SocketStream
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from tests.faces.clients import DOMAIN, LONG, error_in, ok
from tests.http.serving import (
    END_WITHIN_S,
    NOTICED_S,
    Process,
    bearer,
    connected,
    new_token,
    process,
    tokens_in,
)

from lineal import __version__
from lineal.faces.http.serving import listen, serve_app

BODY_BYTES = 100_000


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One without tokens."""
    with process(tmp_path_factory.mktemp("open"), LINEAL_BODY_BYTES=str(BODY_BYTES)) as running:
        yield running


@pytest.fixture
def raw(open_server: Process) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", open_server.port), timeout=15)) as line:
        yield line


def status_of(line: socket.socket) -> int:
    return int(line.recv(65_536).split(b" ", 2)[1])


def test_it_says_where_it_listens_and_how_to_connect(open_server: Process) -> None:
    said = open_server.says("listens on")
    assert f"claude mcp add --transport http lineal {open_server.mcp}" in said
    assert open_server.port != 0
    assert "Bearer" not in said


def test_it_says_how_it_is(open_server: Process) -> None:
    told = httpx.get(f"{open_server.address}/healthz")
    assert told.status_code == 200
    assert told.json() == {"ok": True, "version": __version__, "backend": "reachable"}


def test_its_numbers_are_prometheuss(open_server: Process) -> None:
    httpx.get(f"{open_server.address}/healthz")
    told = httpx.get(f"{open_server.address}/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert 'lineal_http_requests_total{method="GET",route="/healthz",status="200"}' in told.text
    assert "lineal_mcp_sessions 0.0" in told.text
    assert "lineal_http_answer_seconds_bucket" in told.text


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"host": "evil.example"}]
)
@pytest.mark.parametrize("path", ["/mcp", "/v1/context", "/v2/contexts", "/healthz", "/metrics"])
def test_a_foreign_page_or_name_is_refused_everywhere(
    open_server: Process, path: str, headers: dict[str, str]
) -> None:
    told = httpx.post(f"{open_server.address}{path}", headers=headers, json={})
    assert told.status_code == 403
    assert error_in(told.json())["code"] == "forbidden"


def test_what_is_not_there_is_said_in_the_envelope(open_server: Process) -> None:
    told = httpx.get(f"{open_server.address}/nowhere")
    assert told.status_code == 404
    assert error_in(told.json())["code"] == "not_found"


def test_a_method_that_is_not_taken_is_said_with_those_that_are(open_server: Process) -> None:
    told = httpx.delete(f"{open_server.address}/metrics")
    assert told.status_code == 405
    assert "GET" in told.headers["allow"]


async def test_both_faces_show_one_memory(open_server: Process) -> None:
    async with connected(open_server.mcp) as client:
        await ok(client, "upsert_user", user_id="both", domain=DOMAIN, fields={"x": 1})
    async with httpx.AsyncClient(base_url=open_server.address) as plain:
        told = await plain.get("/v1/users/both", params={"domain": DOMAIN})
    assert told.status_code == 200
    assert told.json()["user_id"] == "both"


# --- what is sent on purpose ---


def test_ten_megabytes_are_refused_and_the_sender_hears_it(open_server: Process) -> None:
    with httpx.Client() as client:
        for path in ("/mcp", "/v1/context"):
            told = client.post(f"{open_server.address}{path}", content=b"x" * 10_000_000)
            assert told.status_code == 413
            assert error_in(told.json())["code"] == "invalid_request"


def test_ten_megabytes_in_chunks_are_refused_too(open_server: Process) -> None:
    chunks = (b"x" * 10_000 for _ in range(1_000))
    told = httpx.post(f"{open_server.address}/mcp", content=chunks)
    assert told.status_code == 413


@asynccontextmanager
async def hurried() -> AsyncIterator[int]:
    """A server that waits a third of a second for a head; its port."""
    listening = listen("127.0.0.1", 0)
    ready = anyio.Event()
    app = Starlette(routes=[Route("/", lambda request: Response("here"))])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve_app, app, listening, ready.set, head_within_s=0.33))
        await ready.wait()
        yield listening.getsockname()[1]
        tasks.cancel_scope.cancel()


async def test_a_connection_that_says_nothing_is_cut_off() -> None:
    async with hurried() as port, await anyio.connect_tcp("127.0.0.1", port) as line:
        with anyio.fail_after(5):
            assert (await line.receive()).startswith(b"HTTP/1.1 408")
            with pytest.raises(anyio.EndOfStream):
                await line.receive()


async def drip(line: SocketStream) -> None:
    """A head that never ends, a letter at a time."""
    for letter in itertools.chain(b"GET / HTTP/1.1\r\nHost: a\r\nX: ", itertools.repeat(97)):
        await line.send(bytes([letter]))
        await anyio.sleep(0.02)


async def test_a_head_that_drips_is_cut_off() -> None:
    async with hurried() as port, await anyio.connect_tcp("127.0.0.1", port) as line:
        with anyio.fail_after(5), pytest.raises(anyio.BrokenResourceError):
            await drip(line)


async def test_a_quick_head_is_served_again_and_again() -> None:
    async with hurried() as port, await anyio.connect_tcp("127.0.0.1", port) as line:
        for _ in range(4):
            await line.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await line.receive()).startswith(b"HTTP/1.1 200")
            await anyio.sleep(0.15)


def test_a_head_that_never_ends_is_refused(open_server: Process, raw: socket.socket) -> None:
    raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 100_000)
    assert status_of(raw) == 400


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_a_head_that_is_wrong_is_refused(
    open_server: Process, raw: socket.socket, head: bytes
) -> None:
    raw.sendall(head)
    assert status_of(raw) in (400, 403)


def test_many_slow_connections_stand_in_nobodys_way(open_server: Process) -> None:
    slow = [socket.create_connection(("127.0.0.1", open_server.port)) for _ in range(200)]
    try:
        for line in slow:
            line.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        told = httpx.get(f"{open_server.address}/healthz", timeout=5)
        assert told.status_code == 200
    finally:
        for line in slow:
            line.close()


# --- tokens ---


def test_tokens_are_made_and_revoked_while_it_runs(tmp_path: Path) -> None:
    with process(tmp_path) as running:
        address = f"{running.address}/metrics"
        assert httpx.get(address).status_code == 200
        first, second = new_token(tmp_path), new_token(tmp_path)
        time.sleep(NOTICED_S + 0.2)
        assert httpx.get(address).status_code == 401
        for made in (first, second):
            assert httpx.get(address, headers=bearer(made.secret)).status_code == 200
        wrong = httpx.get(address, headers=bearer(first.secret + "x"))
        assert wrong.status_code == 401
        assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
        tokens_in(tmp_path).revoke(first.token.id)
        time.sleep(NOTICED_S + 0.2)
        assert httpx.get(address, headers=bearer(first.secret)).status_code == 401
        assert httpx.get(address, headers=bearer(second.secret)).status_code == 200
        assert httpx.get(f"{running.address}/healthz").status_code == 200
        assert first.secret not in running.heard()


def test_one_token_over_its_rate_slows_no_other(tmp_path: Path) -> None:
    one, other = new_token(tmp_path, name="one"), new_token(tmp_path, name="other")
    with process(tmp_path, LINEAL_RATE_PER_SECOND="20") as running:
        assert "--header 'Authorization: Bearer TOKEN'" in running.says("listens on")
        address = f"{running.address}/metrics"

        with httpx.Client() as client, ThreadPoolExecutor(8) as pool:

            def call(secret: str) -> httpx.Response:
                return client.get(address, headers=bearer(secret))

            statuses = list(pool.map(call, [one.secret] * 300))
            refused = [told for told in statuses if told.status_code == 429]
            assert len(refused) > 150
            assert int(refused[0].headers["retry-after"]) >= 1
            assert error_in(refused[0].json())["code"] == "rate_limited"
            assert all(call(other.secret).status_code == 200 for _ in range(20))


def test_reading_only_is_a_matter_of_scopes_too(tmp_path: Path) -> None:
    with process(tmp_path, "--read-only") as running:
        row = {"user_id": "ada", "domain": DOMAIN, "context": LONG}
        told = httpx.post(f"{running.address}/v1/users", json=row)
        assert told.status_code == 403
        said = running.says("denied POST /v1/users to 'local'")
        assert "WARNING lineal.audit" in said


# --- beginning and ending ---


def serve(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lineal", "serve", *options]
    settings = {"LINEAL_HOME": str(home), "PATH": "", "LINEAL_EMBEDDER": "hashing"}
    return subprocess.run(
        command, env=settings, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - refused
def test_it_refuses_to_be_open_to_other_machines(tmp_path: Path, host: str) -> None:
    done = serve(tmp_path, "--http", "--port", "0", "--host", host)
    assert done.returncode == 1
    assert "lineal token create" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_with_a_token_it_listens_for_other_machines(tmp_path: Path) -> None:
    made = new_token(tmp_path)
    with process(tmp_path, "--host", "0.0.0.0") as running:  # noqa: S104 - the claim
        address = f"http://127.0.0.1:{running.port}/metrics"
        assert httpx.get(address).status_code == 401
        assert httpx.get(address, headers=bearer(made.secret)).status_code == 200


def test_a_port_that_is_taken_is_said(open_server: Process, tmp_path: Path) -> None:
    done = serve(tmp_path, "--http", "--port", str(open_server.port))
    assert done.returncode == 1
    assert str(open_server.port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_opened_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "lineal.db").write_bytes(b"no store" * 1_000)
    done = serve(tmp_path, "--http", "--port", "0")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_an_address_without_http_is_a_wrong_call(tmp_path: Path) -> None:
    done = serve(tmp_path, "--port", "8765")
    assert done.returncode == 2
    assert "--http" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_within_two_seconds_whoever_listens(
    tmp_path: Path, number: signal.Signals
) -> None:
    with process(tmp_path) as running:
        initialize = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "bare", "version": "1"},
            },
        }
        takes = {"accept": "application/json, text/event-stream"}
        async with httpx.AsyncClient() as client:
            opened = await client.post(running.mcp, json=initialize, headers=takes)
            session = {**takes, "mcp-session-id": opened.headers["mcp-session-id"]}
            async with client.stream("GET", running.mcp, headers=session) as stream:
                assert stream.status_code == 200
                assert (
                    "lineal_mcp_sessions 1.0"
                    in (await client.get(f"{running.address}/metrics")).text
                )
                began_s = time.monotonic()
                running.running.send_signal(number)
                assert running.running.wait(timeout=10) == 0
                assert time.monotonic() - began_s < END_WITHIN_S
        assert "Traceback" not in running.heard()


def test_what_was_answered_is_kept(tmp_path: Path) -> None:
    row = {"user_id": "ada", "domain": DOMAIN, "context": LONG}
    for told in (False, True):
        with process(tmp_path) as running:
            place = f"{running.address}/v1/users"
            if told:
                found = httpx.get(f"{place}/ada", params={"domain": DOMAIN})
                assert found.status_code == 200, json.dumps(found.json())
            else:
                assert httpx.post(place, json=row).status_code == 200
