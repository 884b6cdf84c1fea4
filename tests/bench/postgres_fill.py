"""A PostgreSQL store full of made-up memories and their vectors, written as the store would."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import psycopg
from search_questions import Question
from tests.postgres.cluster import SUPERUSER
from zipf import memories

from lineal.analysis.analyzer import Analyzer
from lineal.models.changes import Scope
from lineal.models.context import Context, MemoryType
from lineal.models.lineage import Lineage
from lineal.models.sheet import Space
from lineal.policy.indexing import indexed
from lineal.stores.postgres import PostgresStore, vectors
from lineal.stores.postgres.entries import shelf_of, tokens
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.rows.vectors import in_bytes
from lineal.stores.rows.words import packed_words

__all__ = ["SPACE", "Made", "loaded"]

SPACE = Space("made-up.v1", 256)
FACTORS = 48
"""Vectors of models lie in far fewer directions than they have numbers."""

TOPICS = 400
START = datetime(2026, 1, 1, tzinfo=UTC)
CROWD, EACH = 200, 500
"""Tenants beside the large one, and the memories of each."""

TABLES = ("context", "context_revision", "entry", "posting", "embedding")
INDEX = "SELECT pg_get_indexdef('lineal.posting_tokens'::regclass)"
"""Made after the rows, which takes a tenth of the time."""

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Made:
    """A tenant's memories and their vectors. seq: the number before its first."""

    def __init__(self, tenant: str, size: int, seed: int, seq: int) -> None:
        self.tenant, self.seq = tenant, seq
        self.scope = Scope(tenant=tenant, user_id="ada", domain="life")
        self.shelf = shelf_of(tenant, "ada", "life", "")
        self.said = list(itertools.islice(memories(seed), size))
        self.rng = np.random.default_rng(seed)
        self.vectors = self._vectors()

    def _vectors(self) -> Floats:
        """Of a session's memories near each other, and of sessions of one topic."""
        session = np.asarray([memory.session for memory in self.said])
        topic = np.random.default_rng(2).standard_normal((TOPICS, FACTORS))
        around = self.rng.standard_normal((int(session.max()) + 1, FACTORS))
        own = self.rng.standard_normal((len(session), FACTORS))
        return unit((topic[session % TOPICS] + 0.6 * around[session] + 0.6 * own) @ mix())

    def asked(self, question: Question) -> tuple[float, ...]:
        """Near what the question is about; anywhere for one that is about nothing."""
        noise = unit(self.rng.standard_normal(FACTORS) @ mix())
        base = 0 if question.wanted is None else self.vectors[question.wanted]
        return tuple(unit(base + 0.6 * noise).tolist())

    def contexts(self) -> list[Context]:
        """In order of receipt, a minute each."""
        lineage = Lineage(created_at=START)
        return [
            Context(
                context_id=f"ctx_{self.tenant}_{number}",
                user_id="ada",
                domain="life",
                revision=1,
                content=memory.text,
                speaker=memory.speaker,
                session_id=f"s{memory.session}",
                occurred_at=(at := START + timedelta(minutes=number)),
                memory_type=MemoryType.FACT,
                created_at=at,
                updated_at=at,
                lineage=lineage,
            )
            for number, memory in enumerate(self.said)
        ]


@lru_cache(maxsize=1)
def mix() -> Any:
    """From factors to numbers."""
    return np.random.default_rng(1).standard_normal((FACTORS, SPACE.dim))


def unit(numbers: Any) -> Floats:
    lengths = np.linalg.norm(numbers, axis=-1, keepdims=True)
    return np.asarray(numbers / lengths, np.float32)


def load(connection: psycopg.Connection[Any], made: Made) -> None:
    """As the store would write it, by COPY: as the superuser, whom no wall hinders."""
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    analyzer, space, seq = Analyzer("english"), vectors.space_of(SPACE), made.seq
    own = head = 0
    for context, vector in zip(made.contexts(), made.vectors, strict=True):
        seq += 1
        row = ContextRow.made(made.tenant, context, Marks(), seq)
        kept = indexed(analyzer, context)
        words, (scale, numbers) = packed_words(kept), in_bytes(vector.tolist())
        own, head = own + kept.own_words, head + kept.head_words
        rows["context"].append(row)
        rows["context_revision"].append((made.tenant, *row.revision_values(context)))
        rows["entry"].append(
            (
                *(made.tenant, seq, made.shelf, kept.session, row.occurred_at, kept.speaker),
                *(int(kept.traits), kept.own_words, kept.head_words, words),
            )
        )
        rows["posting"].append((made.tenant, seq, made.shelf, tokens(made.shelf, words)))
        packed = str(numbers.tolist())
        rows["embedding"].append((made.tenant, space, made.shelf, seq, scale, packed))
    for table, values in rows.items():
        with connection.cursor().copy(f"COPY lineal.{table} FROM STDIN") as copy:
            for value in values:
                copy.write_row(value)
    place = (made.tenant, made.shelf, "ada", "life", "", len(made.said), own, head)
    connection.execute(f"INSERT INTO lineal.shelf VALUES ({', '.join(['%s'] * 8)})", place)


async def loaded(dsn: str, size: int) -> list[Made]:
    """The large tenant first."""
    store = PostgresStore(dsn, pool_max=1)
    await store.open()
    await store.close()
    made = [Made("large", size, 1, 0)]
    made += [Made(f"t{n}", EACH, 2 + n, size + n * EACH) for n in range(CROWD)]
    with psycopg.connect(dsn, user=SUPERUSER) as connection:
        (index,) = connection.execute(INDEX).fetchone() or ("",)
        connection.execute("DROP INDEX lineal.posting_tokens")
        for one in made:
            load(connection, one)
        connection.execute(index)
    with psycopg.connect(dsn, user=SUPERUSER, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    apart: Any = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with apart:
        await vectors.ensure_near_index(apart, SPACE)
    return made
