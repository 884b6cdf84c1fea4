"""Stores on disk to test with, and other processes that use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from lineal.clock import Clock, ManualClock
from lineal.errors import LinealError
from lineal.models.changes import Reads, Scope, Snapshot
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import ADA, START, a_context, keep

__all__ = [
    "SCRIPT",
    "always",
    "files_of",
    "note",
    "opened",
    "other_process",
    "read",
    "refusal",
    "said",
    "told",
]

SCRIPT = Path(__file__).with_name("sqlite_process.py")


def always() -> ManualClock:
    """A clock that stands at the beginning."""
    return ManualClock(START)


@asynccontextmanager
async def opened(
    path: Path, clock: Clock | None = None, **options: Any
) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock=clock or always(), **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def note(store: SqliteStore, name: str, scope: Scope = ADA, **values: Any) -> None:
    """Keep one context."""
    await keep(store, scope, contexts=(a_context(name, **values),))


async def read(store: SqliteStore, *names: str, scope: Scope = ADA) -> Snapshot:
    return await store.read(scope, Reads(context_ids=names))


async def refusal(store: SqliteStore) -> LinealError:
    """The error that opening it raises."""
    try:
        await store.open()
    except LinealError as error:
        return error
    await store.close()
    raise AssertionError("it was opened")


def files_of(path: Path) -> list[Path]:
    """Everything that lies beside the store, and the store."""
    return sorted(path.parent.glob(path.name + "*"))


@contextmanager
def other_process(command: str, path: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """`sqlite_process.py command path words…`; killed at the end if it still runs."""
    line = [sys.executable, str(SCRIPT), command, str(path), *map(str, words)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def told(process: subprocess.Popen[str]) -> Any:
    """The next thing that it said."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def said(process: subprocess.Popen[str]) -> list[Any]:
    """Everything whole that it said until it ended."""
    assert process.stdout is not None
    lines = process.stdout.read().split("\n")
    process.wait(30)
    return [json.loads(line) for line in lines[:-1]]
