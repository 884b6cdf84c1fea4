"""Stores full of made-up memories: loaded in process, many memories a transaction."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from zipf import Memory, memories

from lineal.clock import SystemClock
from lineal.embedders.minilm import MiniLmEmbedder
from lineal.models.changes import Changes, Plan, Reads, Scope, Snapshot
from lineal.models.context import Context, MemoryType
from lineal.models.lineage import Evidence, Lineage
from lineal.models.sheet import Space
from lineal.policy import provenance
from lineal.policy.duplicates import fingerprint
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.schema import MIGRATIONS

__all__ = ["DOMAIN", "LARGE", "SMALL", "SMALL_SIZE", "Loaded", "context_id", "kept", "loaded_copy"]

TENANT, DOMAIN = "local", "notes"
LARGE, SMALL = "large", "small"
"""Users: whose the memories are, and who has a few among them."""

STORE = "lineal.db"
SMALL_SIZE = 1_000
TOGETHER = 500
"""Memories of one transaction."""

START = datetime(2024, 1, 1, tzinfo=UTC)

TABLES = hashlib.blake2b("".join(MIGRATIONS).encode(), digest_size=4).hexdigest()
"""In the name of a kept store, so that one of other tables is not taken for it."""

EVIDENCE = Evidence(
    tool="append_context",
    client_name="claude-code",
    client_version="2.0.1",
    tool_use_id="toolu_01A09q90qw90lq917835lq9",
    session_id="754238ae-ad89-4676-8080-bbcee1172751",
)
"""What is seen of a write through a client, so that lineage takes the room that it takes."""

Owned = tuple[str, int, Memory]
"""Whose it is, its number among theirs from 0, and what was said."""


class Loaded(NamedTuple):
    """A store of a user's `size` memories. number: of all in it. loaded_s: 0 where it was kept
    from an earlier run. store_bytes: of the file when nothing has it open; vector_bytes: of these
    the vectors'; text_bytes: of what was said."""

    home: Path
    loaded_s: float
    size: int
    number: int
    text_bytes: int
    store_bytes: int
    vector_bytes: int


def context_id(user: str, number: int) -> str:
    """As RandomIds makes them, but the same in every run."""
    token = hashlib.blake2b(f"{user}/{number}".encode(), digest_size=16).digest()
    return "ctx_" + base64.b32encode(token).decode("ascii").rstrip("=").lower()


async def kept(place: Path, size: int, seed: int, user: str) -> Loaded:
    """The store under `place`, loaded unless an earlier run has.

    The large user's has the small one's thousand spread among them; the small one's is alone.
    """
    home = place / f"{user}-{size}-seed{seed}-{TABLES}"
    facts = home / "facts.json"
    if facts.exists():
        return Loaded(home, 0.0, *json.loads(facts.read_text(encoding="utf-8")))
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700, parents=True)
    start = time.perf_counter()
    said = _small(seed, size) if user == SMALL else _crowd(seed, size)
    number, text_bytes = await _fill(home / STORE, said)
    bare_bytes = (home / STORE).stat().st_size
    await _fill_vectors(home / STORE, seed)
    store_bytes = (home / STORE).stat().st_size
    loaded_s = round(time.perf_counter() - start, 1)
    told = (size, number, text_bytes, store_bytes, store_bytes - bare_bytes)
    facts.write_text(json.dumps(told), encoding="utf-8")
    return Loaded(home, loaded_s, *told)


def loaded_copy(loaded: Loaded, place: Path) -> Path:
    """A data directory of its own, since a run also writes."""
    home = place / loaded.home.name
    home.mkdir(mode=0o700, parents=True)
    shutil.copy2(loaded.home / STORE, home / STORE)
    return home


def _small(seed: int, size: int) -> Iterator[Owned]:
    said = itertools.islice(memories(seed + 1), size)
    return ((SMALL, number, memory) for number, memory in enumerate(said))


def _crowd(seed: int, size: int) -> Iterator[Owned]:
    """The large user's memories, with the small one's spread among them."""
    few, every = _small(seed, SMALL_SIZE), max(1, size // SMALL_SIZE)
    for number, memory in enumerate(itertools.islice(memories(seed), size)):
        yield LARGE, number, memory
        if number % every == 0:
            yield from itertools.islice(few, 1)
    yield from few


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[SqliteStore]:
    """A store that doesn't wait for the disk."""
    store = SqliteStore(path, clock=SystemClock(), durability="normal")
    await store.open()
    yield store
    await store.close()


async def _fill(path: Path, said: Iterable[Owned]) -> tuple[int, int]:
    """(memories, bytes of their texts) that were written."""
    number = text_bytes = 0
    rest = iter(said)
    async with _opened(path) as store:
        while batch := list(itertools.islice(rest, TOGETHER)):
            for user in sorted({user for user, _, _ in batch}):
                await _keep(store, user, [owned for owned in batch if owned[0] == user])
            number += len(batch)
            text_bytes += sum(len(memory.text.encode()) for _, _, memory in batch)
    return number, text_bytes


async def _fill_vectors(path: Path, seed: int) -> None:
    """A direction at random for each memory, in the space of the model that servers have: as dear
    to search as real ones, and a hundred times as quickly made."""
    rng = np.random.Generator(np.random.PCG64(seed))
    space = Space(MiniLmEmbedder.version, MiniLmEmbedder.dim)
    async with _opened(path) as store:
        while batch := await store.claim(space, "bench", limit=TOGETHER):
            drawn = rng.standard_normal((len(batch.items), space.dim))
            units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
            await store.keep_vectors(batch, units.tolist())


async def _keep(store: SqliteStore, user: str, batch: list[Owned]) -> None:
    def decide(snapshot: Snapshot) -> Plan[None]:
        contexts = tuple(_context(owned, snapshot.now) for owned in batch)
        marks = {context.context_id: fingerprint(context.content) for context in contexts}
        return Plan(Changes(contexts=contexts, fingerprints=marks), None)

    scope = Scope(tenant=TENANT, user_id=user, domain=DOMAIN)
    await store.commit(scope, Reads(), decide)


def _context(owned: Owned, now: datetime) -> Context:
    user, number, memory = owned
    seen = provenance.observed(EVIDENCE)
    return Context(
        context_id=context_id(user, number),
        user_id=user,
        domain=DOMAIN,
        revision=1,
        content=memory.text,
        occurred_at=START + timedelta(hours=7 * memory.session, minutes=memory.place),
        session_id=f"{user}-{memory.session:06}",
        speaker=memory.speaker,
        agent_source=provenance.agent_source(EVIDENCE),
        memory_type=MemoryType.FACT,
        created_at=now,
        updated_at=now,
        lineage=Lineage(
            created_at=now,
            tool_calls=seen.tool_calls,
            agent_source=seen.agent_source,
            observed=seen,
        ),
    )
