"""What the detector of secrets finds, what it takes wrongly, and what it costs.

    python tests/bench/bench_secrets.py > secrets.json

Both halves of the corpus are scored: `tuning` was looked at while the rules were written, `held`
was not. `wrapped` holds secrets in a disguise; no bar is set for them. Bars: recall >= 0.95, false
positives <= 1 %, 30 µs for a plain text of 200 characters, 150 ms for one of 1 MB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.unit.secret_corpus import Case, cases, look_alikes, wrapped

from lineal.detectors.detector import Detector

PROSE = (
    "Mara said on Tuesday that the importer must keep the old column order, because the finance "
    "export of 12 still reads by position; she will tell us when that is gone. We then had lunch "
    "and a walk. "
)
DIGEST = "7f3a9c1e-2b4d-4e6f-8a9b-0c1d2e3f4a5b"
MINIFIED = "function a(b,c){return b<c?a(b+1,c):b.t[3]};var token=n.token,key=e.key;"
MEGABYTE = 1_000_000

LOADING = """
import json, sys, time
from pathlib import Path
def rss():
    lines = Path("/proc/self/status").read_text().splitlines()
    shown = [line for line in lines if line.startswith(("VmRSS", "RssAnon"))]
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in shown}
import lineal.models.context
a = rss(); start = time.perf_counter()
from lineal.detectors.detector import Detector
own = time.perf_counter() - start; b = rss(); start = time.perf_counter()
Detector(Path(sys.argv[1])).warm()
library = time.perf_counter() - start; c = rss()
print(json.dumps({"own_ms": own * 1e3, "own_rss_mib": b["VmRSS"] - a["VmRSS"],
    "library_ms": library * 1e3, "library_rss_mib": c["VmRSS"] - b["VmRSS"],
    "library_anonymous_mib": c["RssAnon"] - b["RssAnon"]}))
"""


def recall(detector: Detector, made: Iterable[Case]) -> dict[str, object]:
    total: Counter[str] = Counter()
    hidden: Counter[str] = Counter()
    for case in made:
        start = case.text.index(case.secret)
        end = start + len(case.secret)
        found = detector.find(case.text)
        total[case.kind] += 1
        hidden[case.kind] += any(one.start <= start and end <= one.end for one in found)
    return {
        "texts": total.total(),
        "kinds": len(total),
        "recall": round(hidden.total() / total.total(), 4),
        "recall_by_kind": {kind: round(hidden[kind] / n, 2) for kind, n in total.items()},
    }


def false_positives(detector: Detector, made: Iterable[Case]) -> dict[str, object]:
    total: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for case in made:
        total[case.kind] += 1
        wrong[case.kind] += bool(detector.find(case.text))
    return {
        "texts": total.total(),
        "rate": round(wrong.total() / total.total(), 4),
        "wrong_by_kind": {kind: wrong[kind] for kind in total},
    }


def best_us(detector: Detector, text: str, times: int) -> float:
    """Microseconds of one look, the best of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            detector.find(text)
        rounds.append((time.perf_counter() - start) / times * 1e6)
    return round(min(rounds), 1)


def repeated(text: str) -> str:
    return text * (MEGABYTE // len(text) + 1)


def costs(detector: Detector) -> dict[str, float]:
    small = {"plain_200": PROSE, "with_uuid_240": PROSE + DIGEST}
    large = {
        "plain_1mb_one_line": repeated(PROSE),
        "plain_1mb_lines": repeated(PROSE.replace(". ", ".\n")),
        "uuids_1mb": repeated(PROSE + DIGEST + " "),
        "minified_1mb": repeated(MINIFIED),
        "one_word_1mb": "a" * MEGABYTE,
        "hostile_names_1mb": repeated("token="),
        "hostile_key_marks_1mb": repeated("-----BEGIN PRIVATE " + "KEY-----"),
    }
    micro = {f"{name}_us": best_us(detector, text, 500) for name, text in small.items()}
    milli = {f"{name}_ms": best_us(detector, text, 1) / 1e3 for name, text in large.items()}
    return {**micro, **{name: round(value, 1) for name, value in milli.items()}}


def loading(cache: Path) -> dict[str, float]:
    """Of a process of its own, with what it adds to the resident memory."""
    run = [sys.executable, "-c", LOADING, str(cache)]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    return {name: round(value, 1) for name, value in json.loads(out).items()}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as home:
        cache = Path(home) / "rules"
        load = {"first_ever": loading(cache), "later": loading(cache)}
        detector = Detector(cache)
        detector.warm()
        print(
            json.dumps(
                {
                    "secrets": {
                        "tuning": recall(detector, cases("tuning")),
                        "held": recall(detector, cases("held")),
                    },
                    "look_alikes": {
                        "tuning": false_positives(detector, look_alikes("tuning")),
                        "held": false_positives(detector, look_alikes("held")),
                    },
                    "wrapped": recall(detector, wrapped()),
                    "cost": costs(detector),
                    "loading": load,
                    "rules_on_disk_mib": round(
                        sum(f.stat().st_size for f in cache.rglob("*") if f.is_file()) / 2**20, 1
                    ),
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
