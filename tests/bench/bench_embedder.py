"""What a vector costs and what it is worth: MiniLM, with feature hashing beside it.

    python tests/bench/bench_embedder.py [--rounds 30] > embedder.json

Times are wall-clock medians through the embedder's own door, worker threads included. Resident
memory is that of this process, which has nothing else to do (Linux only); "peak" is the highest so
far, which the load or a long text needs for a moment. "alone_or_together" compares a text's vector
alone with its vector among texts of other lengths; "runs" compares two processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import anyio

from lineal.clock import monotonic_s
from lineal.embedders.hashing import HashingEmbedder
from lineal.embedders.minilm import MiniLmEmbedder
from lineal.ports.embedder import Embedder

Vector = tuple[float, ...]

LENGTHS = (10, 40, 200)
"""Words."""

SEED = 7

WORDS = """
    the a her his and with after before about because tea coffee walk mountain river night shift
    nurse teacher garden python database queue memory lineage project column importer report city
    Lisbon flat rent train bicycle music guitar concert dinner vegan peanut allergy doctor visit
    likes wants asked moved started finished prefers remembers forgot promised Tuesday March
""".split()  # noqa: SIM905 - a list of them fills the page

PAIRS = (
    ("I love hiking in the mountains.", "Her favourite hobby is mountain walking."),
    ("He works as a nurse at night.", "His job is caring for patients on the late shift."),
    ("We deploy with Docker on Fridays.", "Releases go out in containers at the week's end."),
    ("She can't eat peanuts.", "Nuts give her an allergic reaction."),
    ("My flat has two bedrooms.", "The apartment I live in sleeps a small family."),
    ("The meeting was moved to Tuesday.", "They rescheduled our appointment by a day."),
    ("He is saving up for a car.", "Money goes aside each month so that he can buy a vehicle."),
    ("She plays the violin.", "An instrument with strings is what she practises."),
    ("The tests fail on Windows.", "On Microsoft's system the suite is red."),
    ("I'd rather have tea.", "Coffee isn't what I like to drink."),
)


def resident_mb() -> float:
    """Of this process; 0 where it can't be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines() if resident_mb() else []
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return round(max(peaks, default=0.0), 1)


def sentences(words: int, number: int, seed: int = SEED) -> list[str]:
    source = random.Random(f"{seed}/{words}")
    return [" ".join(source.choices(WORDS, k=words)) + "." for _ in range(number)]


def cosine(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


async def per_text_ms(embedder: Embedder, rounds: int) -> dict[str, float]:
    """One text a call: what a write or a search waits for."""
    medians = {}
    for words in LENGTHS:
        taken = []
        for text in sentences(words, rounds):
            start = time.perf_counter()
            await embedder.embed([text])
            taken.append((time.perf_counter() - start) * 1e3)
        medians[f"{words}_words"] = round(statistics.median(taken), 2)
    return medians


async def texts_per_s(embedder: Embedder, rounds: int) -> dict[str, float]:
    """Many texts in one call: what embedding a whole store takes. mixed: all three lengths."""
    lists = {f"{words}_words": sentences(words, 4 * rounds) for words in LENGTHS}
    lists["mixed"] = [text for texts in lists.values() for text in texts]
    speeds = {}
    for name, texts in lists.items():
        start = time.perf_counter()
        await embedder.embed(texts)
        speeds[name] = round(len(texts) / (time.perf_counter() - start), 1)
    return speeds


async def worth(embedder: Embedder) -> dict[str, float]:
    """Sentences that mean the same against ones that don't; few of them share a word."""
    vectors = await embedder.embed([text for pair in PAIRS for text in pair])
    left, right = vectors[::2], vectors[1::2]
    same = [cosine(a, b) for a, b in zip(left, right, strict=True)]
    other = [cosine(a, b) for i, a in enumerate(left) for j, b in enumerate(right) if i != j]
    nearest = [max(range(len(right)), key=lambda j: cosine(a, right[j])) for a in left]
    return {
        "same_mean": round(statistics.mean(same), 3),
        "same_min": round(min(same), 3),
        "other_mean": round(statistics.mean(other), 3),
        "other_max": round(max(other), 3),
        "nearest_is_right": sum(i == j for i, j in enumerate(nearest)) / len(nearest),
    }


def compared(one: Sequence[Vector], other: Sequence[Vector]) -> dict[str, float | bool]:
    pairs = list(zip(one, other, strict=True))
    return {
        "equal": all(a == b for a, b in pairs),
        "cosine_min": min(cosine(a, b) for a, b in pairs),
        "difference_max": max(abs(x - y) for a, b in pairs for x, y in zip(a, b, strict=True)),
    }


def mixture() -> list[str]:
    return [text for words in (3, 10, 40, 120, 300) for text in sentences(words, 6, seed=1)]


async def steadiness(embedder: Embedder) -> dict[str, dict[str, float | bool]]:
    texts = mixture()
    alone = [(await embedder.embed([text]))[0] for text in texts]
    shuffled = list(enumerate(texts))
    random.Random(SEED).shuffle(shuffled)
    mixed = await embedder.embed([text for _, text in shuffled])
    together = [vector for _, vector in sorted(zip([i for i, _ in shuffled], mixed, strict=True))]
    command = [sys.executable, __file__, "--vectors"]
    child = await anyio.run_process(command)
    elsewhere = [tuple(vector) for vector in json.loads(child.stdout)]
    return {
        "alone_or_together": compared(alone, together),
        "runs": compared(await embedder.embed(texts), elsewhere),
    }


async def measure(rounds: int) -> dict[str, object]:
    embedder = MiniLmEmbedder(tick=monotonic_s, idle_s=0.0)
    memory = {"before": resident_mb()}
    start = time.perf_counter()
    await embedder.warm_up()
    first_ms = (time.perf_counter() - start) * 1e3
    memory["loaded"] = resident_mb()
    times = await per_text_ms(embedder, rounds)
    speeds = await texts_per_s(embedder, rounds)
    memory["after_work"], memory["peak"] = resident_mb(), peak_mb()
    steady = await steadiness(embedder)
    values = {one.version: await worth(one) for one in (embedder, HashingEmbedder())}
    await embedder.free_if_idle()
    memory["freed"] = resident_mb()
    start = time.perf_counter()
    await embedder.warm_up()
    again_ms = (time.perf_counter() - start) * 1e3
    memory["loaded_again"] = resident_mb()
    return {
        "machine": platform.platform(),
        "packages": {name: version(name) for name in ("onnxruntime", "numpy")},
        "embedder": embedder.version,
        "load_ms": {"first_with_imports": round(first_ms), "again": round(again_ms)},
        "per_text_ms": times,
        "texts_per_s": speeds,
        "resident_mb": memory,
        "steadiness": steady,
        "worth": values,
    }


async def vectors() -> list[Vector]:
    return await MiniLmEmbedder(tick=monotonic_s).embed(mixture())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--vectors", action="store_true", help="only print the mixture's vectors")
    asked = parser.parse_args()
    if asked.vectors:
        print(json.dumps(anyio.run(vectors)))
    else:
        print(json.dumps(anyio.run(measure, asked.rounds), indent=2))


if __name__ == "__main__":
    main()
