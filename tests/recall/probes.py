"""Memories, questions whose answers they are, and how well a search finds these.

tests/data/recall/README.md says what is in the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import apsw

from lineal.app import local_call
from lineal.models.context import AppendAnswer, AppendContext
from lineal.models.search import ALL_PROJECTS, SearchContext
from lineal.service.service import Service
from lineal.settings import Settings

__all__ = [
    "DEPTH",
    "SETS",
    "Memory",
    "PlainIndex",
    "Probe",
    "Rank",
    "memories",
    "probes",
    "quality",
    "rank_of",
    "ranks",
    "remember",
    "settings_at",
    "settle",
    "stems",
]

DATA = Path(__file__).parents[1] / "data" / "recall"

SETS = ("paraphrase", "cjk", "code", "typo", "other")

DEPTH = 10
"""Hits that are asked for."""

ROOM = 50_000
"""Tokens of an answer: the order of ten hits is measured, not how many of them fit."""

TOGETHER = 32
"""Appends at a time: what is sent together shares a sync."""

TURNS_MAX = 1_000

Rank = int | None
"""Place of the first right memory among the hits, from 1; None: not among them."""


class Memory(NamedTuple):
    """One row of memories.jsonl."""

    id: str
    content: str
    occurred_at: datetime
    speaker: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    lang: str = "en"

    @property
    def said(self) -> str:
        """The content after who said it, as a reader would see the line."""
        return f"{self.speaker}: {self.content}" if self.speaker else self.content


class Probe(NamedTuple):
    """A question and the ids of the memories of which each answers it."""

    question: str
    ids: frozenset[str]


def memories() -> list[Memory]:
    """All, in the order of the file."""
    return [_memory(row) for row in _rows("memories")]


def probes(name: str) -> list[Probe]:
    """The questions of one of SETS."""
    return [Probe(row["question"], frozenset(row["ids"])) for row in _rows(name)]


def _rows(name: str) -> list[dict[str, Any]]:
    lines = (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _memory(row: dict[str, Any]) -> Memory:
    at = datetime.fromisoformat(row["occurred_at"])
    return Memory(**{**row, "occurred_at": at, "tags": tuple(row.get("tags", ()))})


def settings_at(home: Path, embedder: str) -> Settings:
    """The defaults, but for the embedder; nothing outside `home` is looked at."""
    return Settings(
        home=home,
        user="ada",
        domain="coding",
        project="none",
        capture="off",
        durability="normal",
        embedder=embedder,
    )


async def remember(
    service: Service, settings: Settings, kept: Sequence[Memory]
) -> dict[str, AppendAnswer]:
    """Append all; the answers by the ids of the file."""
    answers: dict[str, AppendAnswer] = {}
    call = local_call(settings, "append_context")

    async def append(memory: Memory) -> None:
        answers[memory.id] = await service.append_context(call, _asked(memory))

    await append(kept[0])  # alone: it provisions the user
    for start in range(1, len(kept), TOGETHER):
        async with anyio.create_task_group() as group:
            for memory in kept[start : start + TOGETHER]:
                group.start_soon(append, memory)
    return answers


def _asked(memory: Memory) -> AppendContext:
    return AppendContext(
        content=memory.content,
        speaker=memory.speaker,
        session_id=memory.session,
        occurred_at=memory.occurred_at,
        tags=memory.tags,
    )


async def settle(service: Service) -> None:
    """Until nothing that the writes left is to be done, vectors included."""
    for _ in range(TURNS_MAX):
        if not await service.catch_up():
            await service.reindex()
            return
    raise AssertionError(f"After {TURNS_MAX} turns of catching up there is still work.")


async def ranks(
    service: Service,
    settings: Settings,
    answers: dict[str, AppendAnswer],
    asked: Iterable[Probe],
) -> list[Rank]:
    """Each question's rank; DEPTH hits are looked at."""
    ours = {answer.context_id: name for name, answer in answers.items()}
    call = local_call(settings, "search_context")
    found = []
    for probe in asked:
        request = SearchContext(
            query=probe.question, limit=DEPTH, max_tokens=ROOM, project=ALL_PROJECTS
        )
        hits = (await service.search_context(call, request)).hits
        found.append(rank_of(probe, [ours[hit.context_id] for hit in hits]))
    return found


def rank_of(probe: Probe, ids: Sequence[str]) -> Rank:
    """Of the first of `ids` that answers."""
    return next((place for place, found in enumerate(ids, 1) if found in probe.ids), None)


def quality(found: Sequence[Rank]) -> dict[str, float]:
    """hit@1, hit@10 and the mean reciprocal rank (0 beyond DEPTH), each in [0, 1]."""
    reached = [rank for rank in found if rank is not None]
    figures = {
        "hit_at_1": reached.count(1) / len(found),
        "hit_at_10": len(reached) / len(found),
        "mrr": sum(1 / rank for rank in reached) / len(found),
    }
    return {name: round(value, 3) for name, value in figures.items()}


class PlainIndex:
    """SQLite's own full text, as it comes: FTS5, porter over unicode61, bm25, words joined by OR.

    What the probes are weighed against: a probe that this finds says little of a search.
    """

    def __init__(self, kept: Sequence[Memory] = ()) -> None:
        self._db = apsw.Connection(":memory:")
        self._db.execute(
            "CREATE VIRTUAL TABLE said USING fts5(id UNINDEXED, text, tokenize=porter)"
        )
        self._db.executemany(
            "INSERT INTO said VALUES (?, ?)", [(memory.id, memory.said) for memory in kept]
        )

    def search(self, question: str) -> list[str]:
        """Ids, best first, at most DEPTH."""
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        if not words:
            return []
        query = "SELECT id FROM said WHERE said MATCH ? ORDER BY bm25(said) LIMIT ?"
        return [str(row[0]) for row in self._db.execute(query, (words, DEPTH))]

    def ranks(self, asked: Iterable[Probe]) -> list[Rank]:
        return [rank_of(probe, self.search(probe.question)) for probe in asked]


def stems(texts: Sequence[str]) -> list[frozenset[str]]:
    """The distinct stems of each text, by SQLite's porter tokenizer."""
    db = apsw.Connection(":memory:")
    db.execute("CREATE VIRTUAL TABLE said USING fts5(text, tokenize=porter)")
    db.execute("CREATE VIRTUAL TABLE stem USING fts5vocab(said, instance)")
    db.executemany("INSERT INTO said (rowid, text) VALUES (?, ?)", list(enumerate(texts)))
    found: list[set[str]] = [set() for _ in texts]
    for term, place in db.execute("SELECT term, doc FROM stem"):
        found[int(place)].add(str(term))
    return [frozenset(one) for one in found]
