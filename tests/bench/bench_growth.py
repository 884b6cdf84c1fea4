"""What an append costs as one user's memory grows: 100 against 100,000 contexts, in one run.

    python tests/bench/bench_growth.py [--large 100000] [--rounds 300] > growth.json

Each append does everything: reads the text against the coding schema, merges, looks for the same
content, keeps lineage, commits durably. Rounds alternate between the two servers. Bar: p50 of the
large memory <= 1.2 x that of the small one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import tempfile
import time
from pathlib import Path

from bench_calls import CONTENT, summary, timed
from rpc import LINEAL, Rpc, clean_environment

from lineal.clock import SystemClock
from lineal.embedders.none import NoEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.changes import Life, Scope, Stamp
from lineal.models.context import AppendContext
from lineal.models.lineage import Evidence
from lineal.models.user import UpsertUser
from lineal.schemas.book import SchemaBook
from lineal.stores.sqlite import SqliteStore

WORDS = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split()
WARM_UP = 20


def said(rng: random.Random, number: int) -> str:
    """Half of a template that differs in a number, half of words at random."""
    if number % 2:
        return CONTENT.format(number)
    return " ".join(rng.choices(WORDS, k=rng.randint(8, 40)))


async def fill(path: Path, count: int) -> None:
    """One user's memory of that many contexts, written without waiting for the disk."""
    store = SqliteStore(path, clock=SystemClock(), durability="normal")
    backend = EmbeddedBackend(
        store,
        schemas=SchemaBook(),
        extractor=RulesExtractor(),
        embedder=NoEmbedder(),
        ids=RandomIds(),
    )
    await backend.open()
    scope = Scope(tenant="local", user_id="u", domain="coding")
    stamp = Stamp(scope=scope, evidence=Evidence(tool="append_context"))
    await backend.upsert_user(stamp, UpsertUser(fields={"os": "linux"}), Life())
    rng = random.Random(7)
    for start in range(0, count, 64):
        batch = range(start, min(start + 64, count))
        texts = [AppendContext(content=said(rng, number)) for number in batch]
        await asyncio.gather(*(backend.append_context(stamp, text, Life()) for text in texts))
    await backend.close()


def measure(large: int, rounds: int, home: Path) -> dict[str, object]:
    servers: dict[str, Rpc] = {}
    filled: dict[str, float] = {}
    for name, count in (("small", 100), ("large", large)):
        (home / name).mkdir(mode=0o700)
        start = time.perf_counter()
        asyncio.run(fill(home / name / "lineal.db", count))
        filled[name] = round(time.perf_counter() - start, 1)
        servers[name] = Rpc(LINEAL, clean_environment(LINEAL_HOME=str(home / name)))
        servers[name].handshake()
    samples: dict[str, list[float]] = {name: [] for name in servers}
    for i in range(-WARM_UP, rounds):
        for name, server in servers.items():
            text = CONTENT.format(1_000_000 + i)
            took = timed(
                lambda said, at=server: at.call(  # type: ignore[misc]
                    "append_context", user_id="u", domain="coding", content=said
                ),
                text,
            )
            if i >= 0:
                samples[name].append(took)
    for server in servers.values():
        server.close()
    times = {name: summary(values) for name, values in samples.items()}
    return {
        "machine": platform.platform(),
        "contexts": {"small": 100, "large": large},
        "filled_s": filled,
        "times": times,
        "large / small, p50": round(times["large"]["p50_ms"] / times["small"]["p50_ms"], 2),
        "bar": 1.2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as home:
        print(json.dumps(measure(arguments.large, arguments.rounds, Path(home)), indent=2))


if __name__ == "__main__":
    main()
