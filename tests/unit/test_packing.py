"""From candidates to hits within a budget."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.models.context import MemoryType
from lineal.models.search import Candidate, Hit
from lineal.policy.packing import CONTENT_CHARS_MIN, folded, hit_of, packed, told
from lineal.testing.samples import START, a_context

DAY = timedelta(days=1)


def a_hit(content: str, place: int = 0) -> Hit:
    return hit_of(a_context(f"ctx_{place}", content=content), 1.0)


def size(hits: list[Hit]) -> int:
    """Characters of the JSON of what is told of all hits, with a comma each."""
    whole = [told(hit, START) for hit in hits]
    return sum(len(json.dumps(w, ensure_ascii=False, separators=(",", ":"))) + 1 for w in whole)


OVERHEAD = size([a_hit("").model_copy(update={"missing_chars": 1_000_000})])
"""Characters of a cut hit without its content."""


def test_a_hit_shows_hidden_characters_by_name() -> None:
    """The body is as it was stored."""
    hit = a_hit("\u202eevil")
    assert (hit.content, hit.flags) == ("\u202eevil", ("bidi",))


def test_a_project_is_said_only_of_what_comes_from_elsewhere() -> None:
    note = a_context("ctx_1", project="a")
    assert hit_of(note, 1.0, ("a",)).project is None
    assert hit_of(note, 1.0, ("b",)).project == "a"


def test_a_memory_is_told_in_one_line_beside_its_text() -> None:
    note = a_context(
        "ctx_1",
        memory_type=MemoryType.EPISODIC,
        occurred_at=START - 3 * DAY,
        expires_at=START + 2 * DAY,
        source="chat",
        speaker="Ada",
        revision=2,
    )
    assert told(hit_of(note, 1.0), START) == {
        "context_id": "ctx_1",
        "about": "episodic · 2026-02-26 (3 d ago) · ends in 2 d · coding · chat · Ada · revision 2",
        "content": "The note ctx_1.",
        "score": 1.0,
    }


def test_what_has_yet_to_happen_is_told_so() -> None:
    note = a_context("ctx_1", occurred_at=START + timedelta(hours=5))
    assert "(in 5 h)" in told(hit_of(note, 1.0), START)["about"]


def candidates(*texts: str) -> list[Candidate]:
    return [Candidate(context=a_context(f"ctx_{n}", content=t)) for n, t in enumerate(texts)]


def test_what_says_the_same_again_stands_behind_the_first() -> None:
    found = candidates("We use uv here.", "Tabs, not spaces.", "we use  UV here", "Tabs not spaces")
    shown = [(one.context.context_id, also) for one, also in folded(found)]
    assert shown == [("ctx_0", ("ctx_2",)), ("ctx_1", ("ctx_3",))]


def test_a_changed_number_is_never_folded_away() -> None:
    found = candidates("Build 41 failed at noon.", "Build 42 failed at noon.")
    assert [also for _, also in folded(found)] == [(), ()]


def test_nothing_is_lost_by_folding() -> None:
    texts = ("a b c", "A b c.", "d", "a b c", "", "d!", "7")
    names = [
        name for one, also in folded(candidates(*texts)) for name in (one.context.context_id, *also)
    ]
    assert sorted(names) == [f"ctx_{n}" for n in range(len(texts))]


def test_hits_that_fit_are_whole() -> None:
    hits = [a_hit("x" * 300, n) for n in range(3)]
    assert packed(hits, size(hits), START) == hits


def test_the_first_hit_that_doesnt_fit_is_cut_and_says_by_how_much() -> None:
    hits = [a_hit("x" * 1_000, n) for n in range(3)]
    room = size(hits[:1]) + OVERHEAD + 500
    first, cut = packed(hits, room, START)
    assert first == hits[0]
    assert 480 <= len(cut.content) <= 500
    assert cut.missing_chars == 1_000 - len(cut.content)


def test_nothing_but_the_best_is_cut_to_less_than_a_sentence() -> None:
    hits = [a_hit("x" * 1_000, n) for n in range(2)]
    room = size(hits[:1]) + OVERHEAD + CONTENT_CHARS_MIN - 10
    assert packed(hits, room, START) == hits[:1]
    assert packed(hits, 10, START) == []
    assert packed([], 10_000, START) == []
    (cut,) = packed(hits, OVERHEAD + CONTENT_CHARS_MIN - 10, START)
    assert 0 < len(cut.content) < CONTENT_CHARS_MIN


@pytest.mark.parametrize("line", ["a line of text\n", 'say "so"\\n ', "\x1b[31m", "\t"])
def test_a_text_of_many_lines_is_cut_like_any_other(line: str) -> None:
    """Line breaks and quotes take two characters in JSON; the hit must not vanish for that."""
    hit = a_hit(line * 2_000)
    (cut,) = packed([hit], 3_000, START)
    assert size([cut]) <= 3_000
    assert size([cut]) > 2_900
    assert hit.content.startswith(cut.content)


ALPHABET = st.sampled_from(["a", "é", "🐈", '"', "\\", "\n", "\x00", "\x1b", "\u2028", " "])
CONTENTS = st.builds(
    lambda letters, times: "".join(letters) * times,
    st.lists(ALPHABET, max_size=30) | st.text(max_size=30).map(list),
    st.integers(min_value=1, max_value=80),
)


@settings(max_examples=200)
@given(contents=st.lists(CONTENTS, max_size=6), room=st.integers(min_value=0, max_value=9_000))
def test_what_is_packed_never_exceeds_its_budget_and_is_whole_but_for_the_last(
    contents: list[str], room: int
) -> None:
    hits = [a_hit(content, place) for place, content in enumerate(contents)]
    chosen = packed(hits, room, START)
    assert size(chosen) <= room
    for place, hit in enumerate(chosen):
        whole = hits[place]
        if hit == whole:
            continue
        assert place == len(chosen) - 1
        assert whole.content.startswith(hit.content)
        assert hit.missing_chars == len(whole.content) - len(hit.content) > 0
        assert hit.model_copy(update={"content": "", "missing_chars": None}) == whole.model_copy(
            update={"content": ""}
        )


@given(
    letters=st.lists(ALPHABET, min_size=1, max_size=9),
    room=st.integers(min_value=OVERHEAD + 100, max_value=5_000),
)
def test_the_best_hit_is_shown_at_least_in_part(letters: list[str], room: int) -> None:
    """An empty answer would say that there is nothing."""
    hit = a_hit("".join(letters) * 5_000)
    (cut,) = packed([hit], room, START)
    assert room - size([cut]) < 20
