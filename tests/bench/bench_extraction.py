"""How well the offline extractor reads the labelled texts, and how fast. Prints JSON.

    python tests/bench/bench_extraction.py [--split seen|more|unseen|both] [--misses] [--speed]

Scalars are equal after casefold and whitespace, numbers as numbers; each member of a list counts;
soft text counts from a token F1 of a half. What is only denied is no positive.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio

from lineal.extractors.rules import RulesExtractor
from lineal.models.schema import FieldSpec, Schema
from lineal.ports.extractor import Extraction
from lineal.schemas.book import SchemaBook

__all__ = ["Tally", "scored"]

DATA = Path(__file__).parents[1] / "data" / "extraction"
DOMAINS = ("dating", "hiring", "coding")
TOKEN_F1_MIN = 0.5


class Tally:
    """Right, wrong and missed values of something."""

    def __init__(self) -> None:
        self.right = self.wrong = self.missed = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)

    def shown(self) -> dict[str, float]:
        """As JSON has it."""
        return {
            "f1": round(self.f1, 3),
            "precision": round(self.precision, 3),
            "recall": round(self.recall, 3),
            "labels": self.right + self.missed,
        }


def scored(domain: str, split: str, *, misses: bool = False) -> dict[str, Tally]:
    """A tally per field, and "all", over a domain's split. misses: print what went wrong."""
    schema = SchemaBook().get(domain)
    tallies: dict[str, Tally] = {"all": Tally()}
    for line in (DATA / f"{domain}.{split}.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        found = read(schema, case["text"], case["occurred_at"])
        wrong: list[str] = []
        for field in {*found, *case["labels"]}:
            spec = schema.fields[field]
            right, extra, lacking = _met(spec, found.get(field, []), case["labels"].get(field))
            for tally in (tallies["all"], tallies.setdefault(field, Tally())):
                tally.right += right
                tally.wrong += len(extra)
                tally.missed += len(lacking)
            wrong += [f"  {field}: +{value!r}" for value in extra]
            wrong += [f"  {field}: -{value!r}" for value in lacking]
        if wrong and misses:
            print(f"{case['id']}: {case['text']}", *wrong, sep="\n")
    return tallies


def read(schema: Schema, text: str, occurred_at: str) -> dict[str, list[Any]]:
    """Field → the values that the text is said to assert."""
    values: dict[str, list[Any]] = {}
    for find in _extracted(schema, text, occurred_at):
        if not find.denied:
            values.setdefault(find.field, []).append(find.value)
    return values


def _extracted(schema: Schema, text: str, occurred_at: str) -> tuple[Extraction, ...]:
    at = datetime.fromisoformat(occurred_at)
    return anyio.run(RulesExtractor().extract, schema, text, at).finds


def _met(spec: FieldSpec, found: list[Any], label: Any) -> tuple[int, list[Any], list[Any]]:
    """(values that meet, values too many, values missed)."""
    lacking = [] if label is None else list(label) if isinstance(label, list) else [label]
    loose = spec.kind == "soft" and not spec.values
    extra = []
    for value in found:
        match = next((one for one in lacking if _same(value, one, loose=loose)), None)
        if match is None:
            extra.append(value)
        else:
            lacking.remove(match)
    return len(found) - len(extra), extra, lacking


def _same(one: Any, other: Any, *, loose: bool) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) < 1e-6
    if loose:
        return _token_f1(str(one), str(other)) >= TOKEN_F1_MIN
    return " ".join(str(one).casefold().split()) == " ".join(str(other).casefold().split())


def _token_f1(one: str, other: str) -> float:
    left, right = (Counter(re.findall(r"\w+", text.casefold())) for text in (one, other))
    shared = (left & right).total()
    return 2 * shared / max(1, left.total() + right.total())


def speed() -> dict[str, float]:
    """Milliseconds a text of 200 characters takes, median of many."""
    text = (
        "We use Python with FastAPI and uv here, tests run with `uv run pytest -q`. I prefer small "
        "pull requests. We decided to keep SQLite for now, and the editor is Neovim on an old Mac."
    )
    times = {}
    for domain in DOMAINS:
        schema, took = SchemaBook().get(domain), []
        for _ in range(300):
            start = time.process_time()
            _run(schema, text)
            took.append(time.process_time() - start)
        times[domain] = round(sorted(took)[len(took) // 2] * 1e3, 3)
    return times


def _run(schema: Schema, text: str) -> None:
    """Without an event loop: the extractor never waits."""
    coroutine = RulesExtractor().extract(schema, text, datetime.fromisoformat("2026-01-01"))
    try:
        coroutine.send(None)
    except StopIteration:
        return


def main() -> None:
    """Print the tallies of each domain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("seen", "more", "unseen", "both"), default="both")
    parser.add_argument("--domain", choices=DOMAINS)
    parser.add_argument("--misses", action="store_true", help="never of the unseen split")
    parser.add_argument("--speed", action="store_true")
    asked = parser.parse_args()
    answer: dict[str, Any] = {}
    for split in ("seen", "unseen") if asked.split == "both" else (asked.split,):
        for domain in (asked.domain,) if asked.domain else DOMAINS:
            tallies = scored(domain, split, misses=asked.misses and split != "unseen")
            shown = {name: tally.shown() for name, tally in sorted(tallies.items())}
            answer.setdefault(split, {})[domain] = shown
    if asked.speed:
        answer["median_ms"] = speed()
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main()
