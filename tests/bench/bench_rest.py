"""Appends a second over REST with 16 clients, against a bare route that commits one row.

    python tests/bench/bench_rest.py [--seconds 8] [--clients 16]

Both are uvicorn processes of their own on this machine, asked in turn by the same clients over kept
connections. The bare one is a Starlette route that parses the body as JSON and commits it as a row
(SQLite, WAL, synchronous FULL). Prints JSON: requests a second, latencies in ms, and the ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

from rpc import LINEAL, clean_environment
from zipf import memories

from lineal.clock import monotonic_s

USERS = 64
TEXTS = [memory.text for memory in islice(memories(7), 20_000)]
"""As people leave them; each is sent once."""

NEXT = count()

BARE = """
import json, sys
import apsw, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

connection = apsw.Connection(sys.argv[1])
connection.pragma("journal_mode", "WAL")
connection.pragma("synchronous", "FULL")
connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body TEXT)")


async def append(request):
    body = json.loads(await request.body())
    connection.execute("INSERT INTO row (body) VALUES (?)", (json.dumps(body),))
    return JSONResponse({"context_id": str(connection.last_insert_rowid())})


app = Starlette(routes=[Route("/v1/context", append, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
"""


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


async def asked(port: int, method: str, path: str, body: Any = None) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await exchange(reader, writer, request_of(port, method, path, body))
    finally:
        writer.close()


def request_of(port: int, method: str, path: str, body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> int:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(one[15:]) for one in lines if one.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def ready(port: int) -> None:
    for _ in range(400):
        try:
            await asked(port, "GET", "/healthz")
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return
    raise TimeoutError("the server did not start")


async def client(port: int, number: int, until_s: float, spent: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failed = n = 0
    while monotonic_s() < until_s:
        n += 1
        key = number * 1_000_000 + n
        body = {
            "user_id": f"u{key % USERS}",
            "domain": "notes",
            "source": "chat",
            "content": TEXTS[next(NEXT) % len(TEXTS)],
        }
        began_s = monotonic_s()
        status = await exchange(reader, writer, request_of(port, "POST", "/v1/context", body))
        spent.append((monotonic_s() - began_s) * 1_000)
        failed += status != 200
    writer.close()
    return failed


async def load(port: int, clients: int, seconds: float) -> dict[str, Any]:
    warm: list[float] = []
    await asyncio.gather(*(client(port, 900 + n, monotonic_s() + 2, warm) for n in range(clients)))
    spent: list[float] = []
    began_s = monotonic_s()
    each = (client(port, n, began_s + seconds, spent) for n in range(clients))
    failed = sum(await asyncio.gather(*each))
    took_s = monotonic_s() - began_s
    return {
        "requests_s": round(len(spent) / took_s),
        "p50_ms": round(statistics.median(spent), 2),
        "p99_ms": round(statistics.quantiles(spent, n=100)[98], 2),
        "failed": failed,
    }


async def provisioned(port: int) -> None:
    for number in range(USERS):
        body = {"user_id": f"u{number}", "domain": "notes", "fields": {}}
        assert await asked(port, "POST", "/v1/users", body) == 200


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        home, port, other = Path(directory), free_port(), free_port()
        environment = {
            **clean_environment(),
            "LINEAL_HOME": str(home / "home"),
            "LINEAL_RATE_PER_SECOND": "0",
            "LINEAL_EMBEDDER": options.embedder,
        }
        serve = [*LINEAL, "--http", "--port", str(port)]
        bare = [sys.executable, "-c", BARE, str(home / "bare.db"), str(other)]
        with running(bare, dict(os.environ)):
            await ready(other)
            floor = await load(other, options.clients, options.seconds)
        with running(serve, environment):
            await ready(port)
            await provisioned(port)
            ours = await load(port, options.clients, options.seconds)
    ratio = round(ours["requests_s"] / floor["requests_s"], 3)
    return {"lineal": ours, "bare": floor, "ratio": ratio, "clients": options.clients}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--embedder", default="none")
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
