"""What a match costs among many users of one domain, in a SQLite store.

    python tests/bench/bench_match.py [--users 10000] [--rounds 5] > match.json

Rows as an extractor leaves them (seven fields with their claims) and vectors of 384 floats. Bar:
one match among 10,000 users in 1.5 s.
read_s: of it, reading the pages; rank_s: the rest.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from lineal.clock import ManualClock
from lineal.engine.matching import PAGE, Matcher
from lineal.engine.reading import Reader
from lineal.extractors.rules import RulesExtractor
from lineal.ids import SequentialIds
from lineal.models.changes import Changes, Plan, Reads, Scope, Stamp
from lineal.models.claim import Claim, Claims, FieldValue, ValueSource
from lineal.models.lineage import Evidence
from lineal.models.matching import MatchUsers
from lineal.models.schema import FieldSpec, Match, Schema
from lineal.models.user import Head, HeadInfo, UserRow
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import a_user

START = datetime(2026, 3, 1, tzinfo=UTC)
DIM = 384
TOGETHER = 200
"""Users written at once, so that they share a sync."""

DIETS = ("vegan", "vegetarian", "omnivore")
HOBBIES = ("hiking", "reading", "chess", "sailing", "cooking", "running")


def a_field(**values: Any) -> FieldSpec:
    return FieldSpec(**values)


SCHEMA = Schema(
    domain="dating",
    version=1,
    fields={
        "age": a_field(kind="hard", type="integer", match=Match(rule="near", scale=15)),
        "location": a_field(kind="hard", type="string", match=Match(rule="same")),
        "diet": a_field(
            kind="hard",
            type="enum",
            values=dict.fromkeys(DIETS, ()),
            match=Match(rule="compatible", fits={"vegan": ("vegan", "vegetarian")}),
        ),
        "smoker": a_field(kind="hard", type="boolean", match=Match(rule="same", filter=True)),
        "languages": a_field(kind="hard", type="list", merge="union", match=Match(rule="overlap")),
        "interests": a_field(kind="soft", type="list", merge="union"),
        "values_text": a_field(kind="soft", type="string"),
    },
)


class OneSchema:
    def get(self, domain: str) -> Schema:
        return SCHEMA

    def domains(self) -> tuple[str, ...]:
        return (SCHEMA.domain,)


class RandomEmbedder:
    """Vectors as a model's, without a model."""

    version = "random-384.v1"
    dim = DIM
    ready = True

    def __init__(self) -> None:
        self._random = random.Random(3)

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        return [self.vector() for _ in texts]

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def free_if_idle(self) -> bool:
        return False

    async def close(self) -> None:
        """Nothing to let go of."""

    def reads(self, text: str) -> float:
        return 1.0

    def vector(self) -> tuple[float, ...]:
        floats = [self._random.gauss(0, 1) for _ in range(DIM)]
        length = math.sqrt(sum(x * x for x in floats))
        return tuple(x / length for x in floats)


def said(value: Any) -> FieldValue:
    members = value if isinstance(value, list) else [value]
    claims = [
        Claim(
            value=member,
            source=ValueSource.EXTRACTED,
            origin="append",
            occurred_at=START,
            recorded_at=START,
            context_id="ctx_" + "a" * 26,
            span=(3, 9),
            confidence=0.8,
            model_version="rules.v1",
        )
        for member in members
    ]
    return FieldValue(value=value, claims=Claims(claims), standing=tuple(range(len(claims))))


def a_person(number: int, chance: random.Random) -> UserRow:
    fields = {
        "age": chance.randint(18, 80),
        "location": chance.choice(("Paris", "Delft", "Lima")),
        "diet": chance.choice(DIETS),
        "smoker": chance.random() < 0.2,
        "languages": chance.sample(("fr", "nl", "es", "en"), 2),
        "interests": chance.sample(HOBBIES, 3),
        "values_text": "Family and long walks matter to me.",
    }
    return a_user(
        user_id=f"u{number:06}",
        domain=SCHEMA.domain,
        schema_version=SCHEMA.schema_version,
        fields={name: said(value) for name, value in fields.items()},
        heads={SCHEMA.domain: HeadInfo(dim=DIM, version=RandomEmbedder.version)},
    )


async def fill(store: SqliteStore, users: int, embedder: RandomEmbedder) -> None:
    chance = random.Random(7)

    async def put(row: UserRow) -> None:
        head = Head(name=row.domain, version=embedder.version, vector=embedder.vector())
        scope = Scope(tenant="acme", user_id=row.user_id, domain=row.domain)
        changes = Changes(users=(row,), heads=(head,))
        await store.commit(scope, Reads(), lambda _: Plan(changes, None))

    for first in range(0, users, TOGETHER):
        async with anyio.create_task_group() as tasks:
            for number in range(first, min(first + TOGETHER, users)):
                tasks.start_soon(put, a_person(number, chance))


async def read_all(store: SqliteStore) -> float:
    """Seconds that reading every page takes."""
    start, after = time.perf_counter(), 0
    scope = Scope(tenant="acme", domain=SCHEMA.domain)
    while page := await store.peers(scope, SCHEMA.domain, after=after, limit=PAGE):
        after = page[-1].after
    return time.perf_counter() - start


async def measure(users: int, rounds: int, home: Path) -> dict[str, Any]:
    clock, embedder, schemas = ManualClock(START), RandomEmbedder(), OneSchema()
    store = SqliteStore(home / "bench.db", clock=clock)
    await store.open()
    await fill(store, users, embedder)
    extractor, ids = RulesExtractor(), SequentialIds()
    reader = Reader(
        store,
        schemas=schemas,
        extractor=extractor,
        embedder=embedder,
        ids=ids,
        clock=clock,
        heads_per_minute=6,
    )
    matcher = Matcher(store, reader, schemas=schemas, embedder=embedder)
    scope = Scope(tenant="acme", user_id="u000000", domain=SCHEMA.domain)
    stamp = Stamp(scope=scope, evidence=Evidence(tool="match_users"))
    reads, matches = [], []
    for _ in range(rounds):
        reads.append(await read_all(store))
        start = time.perf_counter()
        answer = await matcher.match(stamp, MatchUsers(user_id="u000000"))
        matches.append(time.perf_counter() - start)
    await store.close()
    read_s, match_s = statistics.median(reads), statistics.median(matches)
    return {
        "users": users,
        "considered": answer.considered,
        "filtered": answer.filtered,
        "match_s": round(match_s, 3),
        "match_s_min": round(min(matches), 3),
        "read_s": round(read_s, 3),
        "rank_s": round(match_s - read_s, 3),
        "rounds": rounds,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "bar_met": match_s <= 1.5,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(anyio.run(measure, options.users, options.rounds, Path(home)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
