"""What forwarding adds: an append through lineal against the same request sent by itself.

    python tests/bench/bench_forward.py [--writes 400] [--warm 50]

The remote is a contract server in a process of its own. Measured in turn, so that each figure has
its floors beside it: the bare request (the same HTTP client, the same body), one durable commit of
a row (SQLite, WAL, synchronous FULL), and an append at the backend with its ledger and its outbox.
Milliseconds, medians. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import apsw
import httpx
from bench_outbox_crowd import DOMAIN, KEY, settings_of, text_of

from lineal.backends import backend_of
from lineal.clock import SystemClock, monotonic_s
from lineal.models.changes import Life, Scope, Stamp
from lineal.models.context import AppendContext
from lineal.models.lineage import Evidence
from lineal.ports.backend import Backend
from lineal.testing.contracts.nia import NiaContract
from lineal.testing.contracts.server import serving

USERS = 50


async def serve() -> None:
    async with serving(NiaContract(KEY, SystemClock())) as address:
        print(address, flush=True)
        await anyio.sleep_forever()


@contextmanager
def remote() -> Iterator[str]:
    """The address of a contract server in its own process."""
    command = [sys.executable, __file__, "--role", "serve"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


async def timed(work: Callable[[int], Awaitable[None]], number: int) -> float:
    began_s = monotonic_s()
    await work(number)
    return (monotonic_s() - began_s) * 1_000


def committing(path: Path) -> Callable[[int], Awaitable[None]]:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "WAL")
    connection.pragma("synchronous", "FULL")
    connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, body TEXT)")

    async def commit(number: int) -> None:
        connection.execute("INSERT INTO row VALUES (?, ?)", (number, text_of(number, "ada") * 4))

    return commit


def posting(client: httpx.AsyncClient, url: str) -> Callable[[int], Awaitable[None]]:
    async def post(number: int) -> None:
        text = text_of(number, "ada")
        body = {
            "title": text[:60],
            "summary": text,
            "content": text,
            "agent_source": "bench",
            "memory_type": "fact",
            "metadata": {"lineal": {"id": f"ctx_{number:026}", "tenant": "local"}},
        }
        response = await client.post(f"{url}/contexts", json=body)
        response.raise_for_status()

    return post


def appending(backend: Backend) -> Callable[[int], Awaitable[None]]:
    async def append(number: int) -> None:
        user = f"user{number % USERS}"
        scope = Scope(tenant="local", user_id=user, domain=DOMAIN)
        stamp = Stamp(scope=scope, evidence=Evidence(tool="append_context"), provision=True)
        request = AppendContext(content=text_of(number, user), source="chat")
        answer = await backend.append_context(stamp, request, Life())
        assert answer.forwarded is not None
        assert answer.forwarded.queued is None, answer.forwarded

    return append


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory, remote() as address:
        url = f"{address}/v2"
        backend = backend_of(settings_of(Path(directory), "nia", url))
        await backend.open()
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(headers=headers) as client, anyio.create_task_group() as t:
            t.start_soon(backend.background)
            works = {
                "request": posting(client, url),
                "commit": committing(Path(directory) / "floor.db"),
                "append": appending(backend),
            }
            times: dict[str, list[float]] = {name: [] for name in works}
            for number in range(options.warm + options.writes):
                for name, work in works.items():
                    spent = await timed(work, number)
                    if number >= options.warm:
                        times[name].append(spent)
            t.cancel_scope.cancel()
        await backend.close()
    p50 = {name: statistics.median(found) for name, found in times.items()}
    added = p50["append"] - p50["request"]
    return {
        **{f"{name}_ms": round(value, 3) for name, value in p50.items()},
        "added_ms": round(added, 3),
        "added_less_a_commit_ms": round(added - p50["commit"], 3),
        "ratio": round(p50["append"] / (p50["request"] + p50["commit"]), 2),
        "writes": options.writes,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", default="measure")
    parser.add_argument("--writes", type=int, default=400)
    parser.add_argument("--warm", type=int, default=50)
    options = parser.parse_args()
    if options.role == "serve":
        anyio.run(serve)
    else:
        print(json.dumps(anyio.run(measure, options)))


if __name__ == "__main__":
    main()
