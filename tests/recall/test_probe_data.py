"""The probes are what they say: answerable, distinct, and not found by plain words alone."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from tests.recall.probes import SETS, PlainIndex, memories, probes, quality, stems

MEMORIES = {memory.id: memory for memory in memories()}

QUESTIONS_MIN = {"paraphrase": 110, "cjk": 110, "code": 110, "typo": 110, "other": 40}

PLAIN_MAX = {"paraphrase": 0.20, "cjk": 0.30, "code": 0.90, "typo": 0.75, "other": 0.82}
"""hit@10 of SQLite's own full text: a set that it finds would say nothing of a search."""

SHARED_MAX = 2
"""Stems that a paraphrase may have in common with its memory, beside those of FUNCTION_WORDS."""

FUNCTION_WORDS = """
a about after all am an and any are as at be been before but by can could did do does for from get
got had has have he her him his how i if in into is it its me more much must my no not of off on
only or other our out own s she should so t than that the their them then there these they this
those to too under until up us was we were what when where which while who whom whose why will with
would you your
"""


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def test_there_are_enough_memories_of_each_kind() -> None:
    rooms = Counter(name.split("-")[0] for name in MEMORIES)
    assert len(MEMORIES) >= 700
    assert rooms["sw"] >= 250
    assert rooms["me"] + rooms["dlg"] >= 250
    assert min(rooms[name] for name in ("zh", "ja", "ko")) >= 40
    assert rooms["de"] + rooms["fr"] + rooms["es"] >= 60


def test_no_memory_is_written_twice() -> None:
    assert len(MEMORIES) == len(memories())
    assert len({memory.content.casefold() for memory in MEMORIES.values()}) == len(MEMORIES)


@pytest.mark.parametrize("name", SETS)
def test_each_question_is_asked_once_and_its_answer_is_there(name: str) -> None:
    asked = probes(name)
    assert len({probe.question.casefold() for probe in asked}) == len(asked) >= QUESTIONS_MIN[name]
    assert all(probe.ids and probe.ids <= MEMORIES.keys() for probe in asked)


def test_a_paraphrase_shares_few_words_with_its_memory() -> None:
    asked = probes("paraphrase")
    telling = stems([probe.question for probe in asked])
    said = stems([" ".join(MEMORIES[name].said for name in probe.ids) for probe in asked])
    idle = stems([FUNCTION_WORDS])[0]
    shared = [(one & other) - idle for one, other in zip(telling, said, strict=True)]
    assert [
        (p.question, s) for p, s in zip(asked, shared, strict=True) if len(s) > SHARED_MAX
    ] == []
    assert sum(not one for one in shared) / len(shared) > 0.7


def test_a_question_with_a_slip_has_a_word_that_is_in_no_memory() -> None:
    known = set().union(*(words(memory.said) for memory in MEMORIES.values()))
    for probe in probes("typo"):
        assert {word for word in words(probe.question) - known if len(word) >= 4}, probe.question


@pytest.mark.parametrize("name", SETS)
def test_plain_full_text_does_not_find_them_all(name: str) -> None:
    found = PlainIndex(list(MEMORIES.values())).ranks(probes(name))
    assert quality(found)["hit_at_10"] <= PLAIN_MAX[name]
