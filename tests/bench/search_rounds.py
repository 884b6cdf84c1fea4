"""Rounds of the search bench: who is asked what, in turn, and what came of it."""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench_calls import summary
from rpc import LINEAL, Rpc, clean_environment
from search_fill import DOMAIN, Loaded, context_id
from search_questions import HOSTILE, Question
from zipf import memories

__all__ = [
    "ECHO",
    "WARM_UP",
    "Ask",
    "Asked",
    "Place",
    "Report",
    "appends",
    "cpu_ms",
    "found",
    "hostile",
    "in_turn",
    "searching",
    "server_on",
    "starts",
    "times",
]

ECHO = [sys.executable, str(Path(__file__).parent / "echo_servers.py"), "low"]

WARM_UP = 20
"""Questions that don't count, and appends."""

STARTS = 5
HOSTILE_TRIES = 3

Ask = Callable[[Question], object]
Report = dict[str, Any]


class Asked(NamedTuple):
    """A question, how long its answer took, and what it was."""

    question: Question
    took_ms: float
    answer: object


class Place(NamedTuple):
    """A copy of a loaded store, whose memories are asked for there, and a server on it."""

    loaded: Loaded
    user: str
    embedder: str
    home: Path
    server: Rpc

    @property
    def name(self) -> str:
        return f"{self.embedder} {self.loaded.size}"


def server_on(home: Path, embedder: str) -> Rpc:
    """A real server that has been greeted."""
    settings = {"LINEAL_HOME": str(home), "LINEAL_EMBEDDER": embedder, "LINEAL_PROJECT": "none"}
    server = Rpc(LINEAL, clean_environment(**settings))
    server.handshake()
    return server


def cpu_ms(server: Rpc) -> float:
    """What the server's process has computed so far (Linux): no other process adds to that."""
    stat = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") * 1e3


def searching(server: Rpc, user: str) -> Ask:
    return lambda question: server.call(
        "search_context", query=question.text, user_id=user, domain=DOMAIN
    )


def in_turn(
    asks: Mapping[str, Ask], asked: Iterable[Question], warm_up: Iterable[Question] = ()
) -> dict[str, list[Asked]]:
    """Each question to everybody, after those that don't count."""
    for question in warm_up:
        for ask in asks.values():
            ask(question)
    answers: dict[str, list[Asked]] = {name: [] for name in asks}
    for question in asked:
        for name, ask in asks.items():
            start = time.perf_counter()
            answer = ask(question)
            took_ms = (time.perf_counter() - start) * 1e3
            answers[name].append(Asked(question, took_ms, answer))
    return answers


def times(answers: Sequence[Asked]) -> Report:
    """Of all, and p50 of each kind of question where there are several."""
    kinds: dict[str, list[float]] = {}
    for one in answers:
        kinds.setdefault(one.question.kind, []).append(one.took_ms)
    report: Report = dict(summary([one.took_ms for one in answers]))
    if len(kinds) > 1:
        medians = {kind: round(statistics.median(took), 3) for kind, took in kinds.items()}
        report["p50_ms_by_kind"] = dict(sorted(medians.items()))
    return report


def found(answers: Sequence[Asked], user: str) -> float:
    """The share of the memories asked for that were among the hits."""
    wanted = [one for one in answers if one.question.wanted is not None]
    return round(sum(_is_hit(one, user) for one in wanted) / max(1, len(wanted)), 3)


def _is_hit(one: Asked, user: str) -> bool:
    assert isinstance(one.answer, dict)
    assert one.question.wanted is not None
    wanted = context_id(user, one.question.wanted)
    return wanted in [hit["context_id"] for hit in one.answer["hits"]]


def starts(places: Sequence[Place], question: Question) -> Report:
    """Start → first answer, medians in ms. The files are in the system's cache."""
    samples: dict[str, list[float]] = {}
    for _ in range(STARTS):
        samples.setdefault("echo", []).append(_first_echo_ms())
        for place in places:
            samples.setdefault(place.name, []).append(_first_search_ms(place, question))
    return {name: round(statistics.median(taken), 1) for name, taken in samples.items()}


def _first_search_ms(place: Place, question: Question) -> float:
    start = time.perf_counter()
    server = server_on(place.home, place.embedder)
    searching(server, place.user)(question)
    took_ms = (time.perf_counter() - start) * 1e3
    server.close()
    return took_ms


def _first_echo_ms() -> float:
    start = time.perf_counter()
    server = Rpc(ECHO, clean_environment())
    server.handshake()
    server.call("echo", text="now")
    took_ms = (time.perf_counter() - start) * 1e3
    server.close()
    return took_ms


def hostile(place: Place) -> Report:
    """The slowest of some tries of each, in ms, and its hits. An error ends the run."""
    ask, rows = searching(place.server, place.user), {}
    for name, text in HOSTILE.items():
        question = Question("hostile", text, (), None)
        taken = in_turn({name: ask}, [question] * HOSTILE_TRIES)[name]
        rows[name] = {
            "max_ms": round(max(one.took_ms for one in taken), 1),
            "hits": min(_hits(one) for one in taken),
        }
    return rows


def _hits(one: Asked) -> int:
    assert isinstance(one.answer, dict)
    return len(one.answer["hits"])


def appends(places: Sequence[Place], rounds: int, seed: int) -> dict[str, list[Asked]]:
    """What nobody has said before, to each in turn."""
    asks = {place.name: _appending(place) for place in places}
    said = (Question("append", memory.text, (), None) for memory in memories(seed))
    warm_up = list(itertools.islice(said, WARM_UP))
    return in_turn(asks, itertools.islice(said, rounds), warm_up)


def _appending(place: Place) -> Ask:
    server, user = place.server, place.user
    server.call("upsert_user", user_id=user, domain=DOMAIN, fields={"name": "Mara"})
    return lambda question: server.call(
        "append_context", user_id=user, domain=DOMAIN, content=question.text
    )
