"""Another process that uses a store: `python sqlite_process.py command path words…`.

It prints what it did as JSON, one line each, only after it was acknowledged.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from lineal.clock import SystemClock
from lineal.errors import LinealError
from lineal.models.changes import Changes, Plan, Reads, Snapshot
from lineal.models.sheet import Space
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.connection import reader
from lineal.testing.samples import ADA, a_context, a_receipt, an_edge, keep

NOBODY = 65534


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def a_store(path: Path, **options: Any) -> SqliteStore:
    return SqliteStore(path, clock=SystemClock(), **options)


async def opens(directory: Path, start: str, rounds: str) -> None:
    """Each quarter of a second from then on: open a new file, write one note, close."""
    name = f"ctx_{os.getpid()}"
    for number in range(int(rounds)):
        store = a_store(directory / f"{number}.db")
        await asyncio.sleep(max(0.0, float(start) + number * 0.25 - time.time()))
        await store.open()
        await keep(store, contexts=(a_context(name),))
        await store.close()
        say(name)


async def writes(path: Path, prefix: str) -> None:
    """Note after note, each with an edge and a receipt, until killed."""
    store = a_store(path)
    await store.open()
    for number in range(1_000_000):
        name = f"{prefix}{number}"
        await keep(
            store,
            contexts=(a_context(name, content=f"walnut {name}"),),
            edges=(an_edge(name, "ctx_root"),),
            receipt=a_receipt(name, json.dumps({"id": name})),
        )
        say(name)


async def holds(path: Path) -> None:
    """Keep the store locked inside a decision, until killed."""
    store = a_store(path)
    await store.open()

    def decide(_: Snapshot) -> Plan[None]:
        say("held")
        time.sleep(600)
        return Plan(Changes(), None)

    await store.commit(ADA, Reads(), decide)


async def looks(path: Path) -> None:
    """Hold a snapshot of the store, until killed."""
    connection = reader(path, busy_timeout_s=1.0)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM context").fetchall()
    say("looking")
    await asyncio.sleep(600)


async def forks(path: Path) -> None:
    """Try the store in a forked process, then go on in this one."""
    store = a_store(path)
    await store.open()
    await keep(store, contexts=(a_context("ctx_1"),))
    child = os.fork()
    if child == 0:
        try:
            store.read(ADA, Reads()).send(None)
        except LinealError as error:
            say(error.message)
        del store
        gc.collect()
        os._exit(0)  # an asyncio loop must not be closed in a forked process: it shares its epoll
    os.waitpid(child, 0)  # noqa: ASYNC222 - there is nothing else to do
    await keep(store, contexts=(a_context("ctx_2"),))
    seen = await store.read(ADA, Reads(context_ids=("ctx_1", "ctx_2")))
    say({"seen": list(seen.contexts), "ok": (await store.verify()).ok})
    await store.close()


async def fills(path: Path, limit_bytes: str) -> None:
    """Write until the storage is full, then forget, then write again with more room."""
    store = a_store(path)
    await store.open()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), hard))
    kept: list[str] = []
    refused = ""
    for number in range(10_000):
        try:
            await keep(store, contexts=(a_context(f"ctx_{number}", content="walnut " * 2_000),))
        except LinealError as error:
            refused = error.message
            break
        kept.append(f"ctx_{number}")
    seen = await store.read(ADA, Reads(context_ids=tuple(kept)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await keep(store, contexts=(a_context("ctx_after"),))
    await store.close()
    say({"kept": kept, "refused": refused, "seen": len(seen.contexts)})


async def watched(path: Path) -> None:
    """Do everything, and tell which of the database's files Python itself opened."""
    guarded = {str(path), f"{path}-wal", f"{path}-shm", f"{path}-journal"}
    touched: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.open") and str(arguments[0]) in guarded:
            touched.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    store = a_store(path)
    await store.open()
    await keep(store, contexts=(a_context("ctx_1"), a_context("ctx_2")))
    await keep(store, forget=("ctx_1",))
    await store.sweep()
    await store.stats(ADA)
    await store.verify()
    await store.backup(path.with_name("copy.db"))
    await store.close()
    say(touched)


async def reads_only(path: Path, name: str) -> None:
    """As whoever runs it: read a note, try to write one."""
    store = a_store(path)
    try:
        await store.open()
        seen = await store.read(ADA, Reads(context_ids=(name,)))
        say({"read_only": store.read_only, "seen": list(seen.contexts)})
        await keep(store, contexts=(a_context("ctx_new"),))
        say("written")
    except LinealError as error:
        say({"code": error.code, "retryable": error.retryable, "message": error.message})


async def as_nobody(path: Path, command: str, *words: str) -> None:
    """Run another command without any rights of root's."""
    with tempfile.TemporaryDirectory() as warm:
        store = a_store(Path(warm) / "m.db")  # what is imported late lies in root's directories
        await store.open()
        await store.stats(ADA)
        await store.close()
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    await COMMANDS[command](path, *words)


async def claims(path: Path, version: str, dim: str) -> None:
    """Take what waits to embed it, and never come to keep it."""
    store = a_store(path)
    await store.open()
    batch = await store.claim(Space(version, int(dim)), "killed")
    say(batch and len(batch.items))
    await asyncio.sleep(600)


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "as_nobody": as_nobody,
    "opens": opens,
    "writes": writes,
    "holds": holds,
    "forks": forks,
    "looks": looks,
    "fills": fills,
    "watched": watched,
    "reads_only": reads_only,
    "claims": claims,
}

if __name__ == "__main__":
    signal.alarm(90)  # no test waits for a process that hangs
    asyncio.run(COMMANDS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
