"""What a search finds with the settings as they come, over a store of some hundred memories."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from tests.recall.probes import (
    SETS,
    Rank,
    memories,
    probes,
    quality,
    ranks,
    remember,
    settings_at,
    settle,
)

from lineal.app import open_service
from lineal.models.context import AppendAnswer

FLOORS = {"paraphrase": 0.90, "cjk": 0.95, "code": 0.95, "typo": 0.80, "other": 0.85}
"""hit@10 of each set with the MiniLM embedder; a search that finds less has become worse."""

MISSED_SHOWN = 30

pytestmark = pytest.mark.slow


class Measured(NamedTuple):
    answers: dict[str, AppendAnswer]
    ranks: dict[str, list[Rank]]


async def measure(home: Path) -> Measured:
    settings = settings_at(home, "minilm")
    async with open_service(settings) as service:
        answers = await remember(service, settings, memories())
        await settle(service)
        found = {name: await ranks(service, settings, answers, probes(name)) for name in SETS}
    return Measured(answers, found)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return anyio.run(measure, tmp_path_factory.mktemp("recall"))


def test_every_memory_is_kept_as_it_was_written(measured: Measured) -> None:
    """Else a question would ask for what isn't there."""
    changed = [n for n, a in measured.answers.items() if a.duplicate_of or a.redacted]
    assert changed == []
    assert len(measured.answers) == len(memories())


@pytest.mark.parametrize("name", SETS)
def test_a_search_finds_what_answers_the_question(measured: Measured, name: str) -> None:
    found = measured.ranks[name]
    missed = [p.question for p, rank in zip(probes(name), found, strict=True) if rank is None]
    assert quality(found)["hit_at_10"] >= FLOORS[name], missed[:MISSED_SHOWN]
