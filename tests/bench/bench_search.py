"""What a search costs, over stdio: one user of 10,000 and of 100,000 memories, in one run.

    python tests/bench/bench_search.py [--size 1000000] [--rounds 300] [--keep DIR] > search.json

The memories are made up with a language's frequencies (zipf.py), and so are the questions
(search_questions.py). Each question goes to every server and every floor in turn, so that a machine
whose speed drifts is compared with itself. JSON to stdout, a table for people to stderr.

Floors: the round trip of an echo over the SDK's quicker server, FTS5 asked for two or three of the
question's words together, and with vectors also a scan of all signs and two embeddings of the
question. Bars: search p50 <= 3 x (the sum of its floors), a hostile question <= 200 ms, a store
<= 3 x its texts + 1,500 bytes a memory. "found": of the memories that questions were made from, how
many were among ten hits, since a quick answer is worth nothing without. "cpu_ms": what the server
computes a search, on average with what it does besides; it tells on a busy machine, too.

A user of 1,000 memories is asked for both alone in a store and among the others' in the large ones.
--keep DIR leaves loaded stores there and takes them from there; a run works on copies.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from rpc import Rpc, clean_environment
from search_fill import LARGE, SMALL, SMALL_SIZE, Loaded, kept, loaded_copy
from search_floors import Embedding, SignScan, WordsIndex
from search_questions import Question, questions
from search_rounds import (
    ECHO,
    WARM_UP,
    Ask,
    Place,
    Report,
    appends,
    cpu_ms,
    found,
    hostile,
    in_turn,
    searching,
    server_on,
    starts,
    times,
)
from zipf import memories

EMBEDDERS = ("none", "minilm")
SIZES = (10_000, 100_000)

RATIO_MAX = 3.0
HOSTILE_MAX_MS = 200.0
TEXT_TIMES, BYTES_BESIDE = 3, 1_500
BYTES_MAX = f"{TEXT_TIMES} x text + {BYTES_BESIDE}"


class Options(NamedTuple):
    sizes: Sequence[int]
    embedders: Sequence[str]
    rounds: int
    seed: int


class Bench:
    """Loaded stores, servers on copies of them, and the floors; all closed with the stack."""

    def __init__(self, options: Options, kept_in: Path, scratch: Path, stack: ExitStack) -> None:
        self.options = options
        self._scratch, self._stack = scratch, stack
        self.stores = [asyncio.run(kept(kept_in, SMALL_SIZE, options.seed, SMALL))]
        for size in options.sizes:
            self.stores.append(asyncio.run(kept(kept_in, size, options.seed, LARGE)))
        self.alone = self._places(self.stores[0], SMALL)
        self.large = [place for store in self.stores[1:] for place in self._places(store, LARGE)]
        self.floors = self._floors()

    def asked(self, user: str) -> tuple[list[Question], list[Question]]:
        """(those that count, those before): of the smallest store's memories, the same for all."""
        size = SMALL_SIZE if user == SMALL else min(self.options.sizes)
        seed = self.options.seed + (user == SMALL)
        said = list(itertools.islice(memories(seed), size))
        every = questions(said, self.options.rounds + WARM_UP, seed)
        return every[WARM_UP:], every[:WARM_UP]

    def _places(self, loaded: Loaded, user: str) -> list[Place]:
        places = []
        for embedder in self.options.embedders:
            home = loaded_copy(loaded, self._scratch / embedder)
            server = self._closed(server_on(home, embedder))
            places.append(Place(loaded, user, embedder, home, server))
        return places

    def _closed(self, server: Rpc) -> Rpc:
        self._stack.callback(server.close)
        return server

    def _floors(self) -> dict[str, Ask]:
        echo = self._closed(Rpc(ECHO, clean_environment()))
        echo.handshake()
        embedding = self._stack.enter_context(Embedding())
        floors: dict[str, Ask] = {
            "echo": lambda question: echo.call("echo", text=question.text),
            "embedding": lambda question: embedding.of(question.text),
        }
        for store in self.stores[1:]:
            floors |= self._floors_of(store)
        return floors

    def _floors_of(self, store: Loaded) -> dict[str, Ask]:
        size, seed = store.size, self.options.seed
        texts = (memory.text for memory in itertools.islice(memories(seed), size))
        index = WordsIndex(store.home / "words.db", texts)
        self._stack.callback(index.close)
        scan = SignScan(size, seed)
        return {
            f"words {size}": lambda question: index.find(question.both),
            f"signs {size}": lambda question: scan.find(),
        }


def measure(bench: Bench) -> Report:
    """All of it, one after the other; what writes comes last. load: of the machine before it; with
    more than one processor's the figures are of others' work too."""
    return {
        "machine": platform.platform(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "options": bench.options._asdict(),
        "stores": {store.home.name: stored(store) for store in bench.stores},
        **searched(bench),
        "few": among_others(bench),
        "first_search_ms": starts(bench.large, bench.asked(LARGE)[0][0]),
        "hostile": {place.name: hostile(place) for place in bench.large},
        "append": appended(bench),
    }


def searched(bench: Bench) -> Report:
    """The large users' questions, and the floors beside them."""
    asks = {place.name: searching(place.server, LARGE) for place in bench.large}
    asked, before = bench.asked(LARGE)
    started = {place.name: cpu_ms(place.server) for place in bench.large}
    answers = in_turn(asks | bench.floors, asked, before)
    each = {
        place.name: (cpu_ms(place.server) - started[place.name]) / len((*asked, *before))
        for place in bench.large
    }
    figures = {name: times(taken) for name, taken in answers.items()}
    p50 = {name: row["p50_ms"] for name, row in figures.items()}
    search = {
        place.name: {
            **figures[place.name],
            **against_floors(p50, place),
            "cpu_ms": round(each[place.name], 2),
            "found": found(answers[place.name], LARGE),
            "rss_mib": round(place.server.rss_bytes() / 2**20, 1),
        }
        for place in bench.large
    }
    floors = {name: figures[name] for name in bench.floors}
    return {"search": search, "floors": floors, "growth": growth(p50, bench.options)}


def among_others(bench: Bench) -> Report:
    """The user of 1,000, alone in a store and among the large ones' memories."""
    everywhere = (*bench.alone, *bench.large)
    asks = {place.name: searching(place.server, SMALL) for place in everywhere}
    answers = in_turn(asks, *bench.asked(SMALL))
    rows = {name: {**times(one), "found": found(one, SMALL)} for name, one in answers.items()}
    return to_alone(rows)


def appended(bench: Bench) -> Report:
    """By embedder in turn, so that what one does afterwards isn't in another's way."""
    rows: Report = {}
    for embedder in bench.options.embedders:
        places = [one for one in (*bench.alone, *bench.large) if one.embedder == embedder]
        answers = appends(places, bench.options.rounds, bench.options.seed + 2)
        rows |= {name: times(taken) for name, taken in answers.items()}
    return to_alone(rows)


def to_alone(rows: Report) -> Report:
    """Each row with its p50 to that of the same embedder's store of 1,000."""
    return {
        name: {**row, "to_alone": round(row["p50_ms"] / rows[alone_of(name)]["p50_ms"], 2)}
        for name, row in rows.items()
    }


def alone_of(name: str) -> str:
    return f"{name.split()[0]} {SMALL_SIZE}"


def against_floors(p50: Mapping[str, float], place: Place) -> Report:
    """The sum of the floors that such a search stands on, and how many times it took that."""
    size = place.loaded.size
    names = ["echo", f"words {size}"]
    names += ["embedding", f"signs {size}"] if place.embedder == "minilm" else []
    floor = sum(p50[name] for name in names)
    return {"floor_ms": round(floor, 3), "ratio": round(p50[place.name] / floor, 2)}


def growth(p50: Mapping[str, float], options: Options) -> Report:
    """Each size's p50 to the one before."""
    return {
        f"{name} {large} / {small}": round(p50[f"{name} {large}"] / p50[f"{name} {small}"], 2)
        for name in options.embedders
        for small, large in itertools.pairwise(options.sizes)
    }


def stored(store: Loaded) -> Report:
    """bytes_each: of the file, for each memory; vectors_each: those of it that vectors take."""
    text = store.text_bytes / store.number
    return {
        "memories": store.number,
        "loaded_s": store.loaded_s,
        "bytes_each": round(store.store_bytes / store.number),
        "vectors_each": round(store.vector_bytes / store.number),
        "text_each": round(text),
        "bar": round(TEXT_TIMES * text + BYTES_BESIDE),
    }


def missed(report: Report) -> list[str]:
    """What lies over its bar."""
    over = [f"search {name}" for name, row in report["search"].items() if row["ratio"] > RATIO_MAX]
    for name, row in report["stores"].items():
        over += [f"store {name}"] if row["bytes_each"] > row["bar"] else []
    for name, rows in report["hostile"].items():
        slow = [what for what, row in rows.items() if row["max_ms"] > HOSTILE_MAX_MS]
        over += [f"hostile {name}: {what}" for what in slow]
    return over


COLUMNS = ("p50_ms", "p95_ms", "floor_ms", "ratio", "cpu_ms", "to_alone", "found")
STORE_COLUMNS = ("memories", "loaded_s", "bytes_each", "vectors_each", "text_each", "bar")


def table(report: Report) -> str:
    """The same for people; of the hostile questions the slowest."""
    rooms = ("search", "floors", "few", "append")
    lines = [line for room in rooms for line in rows_of(room, report[room], COLUMNS)]
    lines += rows_of("stores", report["stores"], STORE_COLUMNS)
    for room in ("growth", "first_search_ms"):
        lines += rows_of(room, {name: {"": value} for name, value in report[room].items()}, ("",))
    slowest = {
        name: {"max_ms": max(row["max_ms"] for row in rows.values())}
        for name, rows in report["hostile"].items()
    }
    lines += rows_of("hostile", slowest, ("max_ms",))
    return "\n".join([*lines, "", "missed", *(f"  {what}" for what in report["missed"])])


def rows_of(room: str, rows: Report, columns: Sequence[str]) -> list[str]:
    """A heading, and a line for each row."""
    lines = [f"{room:<30}" + "".join(f"{column:>14.14}" for column in columns)]
    for name, row in rows.items():
        lines.append(f"  {name:<28}" + "".join(f"{row.get(key, '')!s:>14}" for key in columns))
    return lines


def run(options: Options, kept_in: Path, scratch: Path) -> Report:
    with ExitStack() as stack:
        report = measure(Bench(options, kept_in, scratch, stack))
    bars = {"ratio": RATIO_MAX, "hostile_ms": HOSTILE_MAX_MS, "bytes_each": BYTES_MAX}
    return {**report, "bars": bars, "missed": missed(report)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, action="append", help="memories; may be repeated")
    parser.add_argument("--embedder", choices=EMBEDDERS, action="append")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="where loaded stores lie between runs")
    given = parser.parse_args()
    sizes = tuple(sorted(set(given.size or SIZES)))
    if sizes[0] <= SMALL_SIZE:
        parser.error(f"--size: more than {SMALL_SIZE}, which is the size of the small store")
    options = Options(sizes, tuple(given.embedder or EMBEDDERS), given.rounds, given.seed)
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as scratch:
        place = Path(scratch)
        report = run(options, given.keep or place / "kept", place / "copies")
    print(json.dumps(report, indent=2))
    print(table(report), file=sys.stderr)


if __name__ == "__main__":
    main()
