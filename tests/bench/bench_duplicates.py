"""How well, how fast and how far texts that say the same are found.

    python tests/bench/bench_duplicates.py [--texts 100000] > duplicates.json

Labelled pairs (tests/data/duplicates.jsonl): precision and recall, per split and kind; how many of
the pairs that are the same share a key. A synthetic person of so many texts: how many earlier texts
each new one shares a key with, which is what a store hands back before anything is compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lineal.policy.duplicates import content_key, fingerprint, same

PAIRS = Path(__file__).parents[1] / "data" / "duplicates.jsonl"

TEMPLATES = (
    "Meeting with {name} about {topic} moved to {hour}:{minute:02}, room {room}.",
    "{name} told me that {topic} is {state} and will be looked at again on {day}.",
    "Deploy {room} of {topic} finished after {minute} minutes without errors.",
    "I paid {name} {hour}.{minute:02} euros for {thing} on {day}.",
    "My favourite {thing} is the one that {name} brought from {place}.",
    "{name} lives in {place} and works on {topic} for a company that sells {thing}.",
    "The {thing} in the {topic} module should be renamed before {day}, says {name}.",
)
_SYLLABLES = "ka mi ro ten sal vor lin da pe gru nah tos bel wi cor zan fi lo mar que"
SYLLABLES = _SYLLABLES.split()

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Pair(NamedTuple):
    """Two texts and whether they are the same. keys: whether they share a key or content_key."""

    split: str
    kind: str
    same: bool
    found: bool
    keys: bool


def pairs() -> list[Pair]:
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    return [
        Pair(r["split"], r["kind"], r["same"], same(r["a"], r["b"]), share(r["a"], r["b"]))
        for r in rows
    ]


def share(one: str, other: str) -> bool:
    first, second = fingerprint(one), fingerprint(other)
    return first.content_key == second.content_key or not set(first.keys).isdisjoint(second.keys)


def quality(found: list[Pair]) -> dict[str, object]:
    """precision, recall: in [0, 1]. keys_shared: of the pairs that are labelled the same."""
    alike = [pair for pair in found if pair.same]
    kept = [pair for pair in found if pair.found]
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for pair in found:
        by_kind[pair.kind].append(pair.found == pair.same)
    return {
        "pairs": len(found),
        "precision": round(sum(pair.same for pair in kept) / len(kept), 4),
        "recall": round(sum(pair.found for pair in alike) / len(alike), 4),
        "keys_shared_by_labelled_same": round(sum(p.keys for p in alike) / len(alike), 4),
        "right_by_kind": {k: f"{sum(v)}/{len(v)}" for k, v in sorted(by_kind.items())},
    }


def texts(count: int, rng: random.Random) -> Iterator[str]:
    """Half free word order, half templates whose slots are filled."""
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) for _ in range(3_000)]
    names = [word.title() for word in words[:300]]
    for number in range(count):
        if number % 2:
            yield " ".join(rng.choices(words, k=rng.randint(6, 40)))
        else:
            yield rng.choice(TEMPLATES).format(
                name=rng.choice(names),
                topic=rng.choice(words[300:600]),
                state=rng.choice(words[600:900]),
                thing=rng.choice(words[900:1_200]),
                place=rng.choice(names),
                day=rng.choice(DAYS),
                hour=rng.randrange(24),
                minute=rng.randrange(60),
                room=rng.randrange(1_000),
            )


def numbered(count: int) -> Iterator[str]:
    """The hardest of templates: only a number differs."""
    return (f"Reading {n} of the garden sensor was within the usual limits." for n in range(count))


def candidates(source: Iterator[str]) -> dict[str, float]:
    """Earlier, different texts per text that share a key, each counted once per shared key."""
    seen: dict[int, int] = defaultdict(int)
    kept: set[str] = set()
    counts: list[int] = []
    for text in source:
        mark = fingerprint(text)
        if mark.content_key not in kept:
            counts.append(sum(seen[key] for key in mark.keys))
            kept.add(mark.content_key)
            for key in mark.keys:
                seen[key] += 1
    ordered = sorted(counts)
    return {
        "texts": len(ordered),
        "mean": round(sum(ordered) / len(ordered), 4),
        "p99": ordered[int(len(ordered) * 0.99)],
        "max": ordered[-1],
    }


def microseconds(action: Callable[[], object], rounds: int) -> float:
    """The best of five runs' mean."""
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(rounds):
            action()
        runs.append((time.perf_counter() - start) / rounds * 1e6)
    return round(min(runs), 1)


def cost() -> dict[str, float]:
    sentence = "Hannah said that the rent rises every April by 3 percent, and she isn't amused. "
    short, ascii_text = (sentence * 3)[:200], (sentence * 13_000)[:1_000_000]
    wide = ("我们的团队用写后端，前端部署在东京的服务器上。" * 50_000)[:1_000_000]
    other = ascii_text[:500_000] + ascii_text[500_001:]
    return {
        "fingerprint_200_chars_us": microseconds(lambda: fingerprint(short), 2_000),
        "content_key_200_chars_us": microseconds(lambda: content_key(short), 2_000),
        "same_200_chars_us": microseconds(
            lambda: same(short, short.replace("rises", "rsies")), 500
        ),
        "fingerprint_1m_ascii_ms": microseconds(lambda: fingerprint(ascii_text), 1) / 1e3,
        "fingerprint_1m_chinese_ms": microseconds(lambda: fingerprint(wide), 1) / 1e3,
        "same_1m_ascii_ms": microseconds(lambda: same(ascii_text, other), 1) / 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--split", action="append", help="only these splits")
    arguments = parser.parse_args()
    found = [p for p in pairs() if not arguments.split or p.split in arguments.split]
    splits = sorted(Counter(pair.split for pair in found))
    report = {
        "python": platform.python_version(),
        "all": quality(found),
        **{split: quality([p for p in found if p.split == split]) for split in splits},
        "cost": cost(),
        "candidates": candidates(texts(arguments.texts, random.Random(7))),
        "candidates_of_numbered": candidates(numbered(arguments.texts)),
    }
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
