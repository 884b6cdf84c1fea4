"""Vectors on disk: measured exactly on small shelves, found by their signs on large ones."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from lineal.clock import SystemClock
from lineal.models.changes import Withholding
from lineal.models.search import TextQuery
from lineal.models.sheet import EmbedBatch, Meaning, Space
from lineal.stores.sqlite import SqliteStore, vectors
from lineal.testing.faults import kill_hard
from lineal.testing.samples import ADA, START, a_context, keep

from .sqlite_rooms import always, files_of, note, opened, other_process, told

DIM = 16
SPACE = Space("random.v1", DIM)
MANY = vectors.EXACT_MAX + 1_200
"""More than one block of codes."""

HELD = Withholding(root="r", context_ids=("ctx_1",), until=START + timedelta(hours=1))

Vectors = np.ndarray[Any, np.dtype[np.float32]]


def units(number: int, dim: int = DIM) -> Vectors:
    """(number, dim), each of length 1."""
    rows = np.random.default_rng(number).normal(size=(number, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


async def claimed(store: SqliteStore, limit: int = 64) -> EmbedBatch:
    batch = await store.claim(SPACE, "one", limit=limit)
    assert batch is not None
    return batch


async def embed(store: SqliteStore, rows: Sequence[Sequence[float]] | Vectors) -> EmbedBatch:
    """All that waits, each with its row."""
    batch = await claimed(store, limit=len(rows))
    await store.keep_vectors(batch, [tuple(map(float, row)) for row in rows])
    return batch


async def fill(store: SqliteStore, number: int) -> Vectors:
    """So many notes of one shelf, each with a vector of its own: row n is of ctx_n."""
    await keep(store, contexts=tuple(a_context(f"ctx_{n}") for n in range(number)))
    rows = units(number)
    await embed(store, rows)
    return rows


def rows_of(path: Path, statement: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def count(path: Path, table: str) -> int:
    ((number,),) = rows_of(path, f"SELECT count(*) FROM {table}")
    return int(number)


async def nearest(store: SqliteStore, question: Vectors, most: int) -> list[str]:
    query = TextQuery(
        terms=("absent",), meaning=Meaning(SPACE, tuple(map(float, question))), limit=most
    )
    page = await store.find(ADA, query, by_likeness)
    return [found.context.context_id for found in page.candidates]


def by_likeness(sheet: Any) -> Any:
    entries = [sheet.entries[number] for number in sheet.candidates]
    entries.sort(key=lambda entry: -(entry.likeness or -1.0))
    parts = (0.0,) * len(vectors_parts())
    return [sheet_scored(entry.number, entry.likeness or 0.0, parts) for entry in entries]
