"""What a search finds of our own probes, with each embedder, beside SQLite's plain full text.

    python tests/bench/bench_recall.py [--embedder minilm] > recall.json

The probes (tests/data/recall) are questions whose answers are known, in sets: paraphrases, Chinese,
Japanese and Korean, code, questions with slips, and other languages. hit_at_1, hit_at_10 and mrr
(the mean reciprocal rank among ten hits) are in [0, 1]. "plain" is FTS5 with its porter tokenizer
and bm25 over the same memories: the floor, to which each embedder's figures are to be compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.recall.probes import (
    SETS,
    PlainIndex,
    memories,
    probes,
    quality,
    ranks,
    remember,
    settings_at,
    settle,
)

from lineal.app import open_service

EMBEDDERS = ("none", "hashing", "minilm")

Figures = dict[str, Any]


def plain() -> Figures:
    index = PlainIndex(memories())
    return {name: quality(index.ranks(probes(name))) for name in SETS}


async def searched(embedder: str, home: Path) -> Figures:
    """The quality of each set; how long filling took, and a search in the mean."""
    settings = settings_at(home, embedder)
    async with open_service(settings) as service:
        start = time.perf_counter()
        answers = await remember(service, settings, memories())
        await settle(service)
        filled = time.perf_counter()
        found = {name: await ranks(service, settings, answers, probes(name)) for name in SETS}
        asked_s = time.perf_counter() - filled
    questions = sum(map(len, found.values()))
    times = {"fill_s": round(filled - start, 1), "search_ms": round(asked_s / questions * 1e3, 2)}
    return {name: quality(one) for name, one in found.items()} | times


def measure(embedder: str) -> Figures:
    with tempfile.TemporaryDirectory() as home:
        return anyio.run(searched, embedder, Path(home))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--embedder", action="append", choices=EMBEDDERS, help="only these")
    chosen = parser.parse_args().embedder or EMBEDDERS
    report = {
        "machine": platform.platform(),
        "memories": len(memories()),
        "questions": {name: len(probes(name)) for name in SETS},
        "plain": plain(),
        **{embedder: measure(embedder) for embedder in chosen},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
