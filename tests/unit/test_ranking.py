"""From words to hits within a budget."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.models.search import Candidate, Hit
from lineal.policy.ranking import (
    CONTENT_CHARS_MIN,
    STOP_WORDS,
    TERMS_MAX,
    WORD_CHARS_MAX,
    hit_of,
    packed,
    ranked,
    terms_of,
)
from lineal.testing.samples import START, a_context


def a_hit(content: str, place: int = 0) -> Hit:
    return hit_of(a_context(f"ctx_{place}", content=content), 1.0)


def size(hits: list[Hit]) -> int:
    """Characters of the JSON of all hits, with a comma each."""
    return sum(len(hit.model_dump_json()) + 1 for hit in hits)


OVERHEAD = size([a_hit("").model_copy(update={"missing_chars": 1_000_000})])
"""Characters of a cut hit without its content."""


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("", ()),
        ("  \n", ()),
        ("?!", ()),
        ("Python", ("python",)),
        ("which python version do we use", ("python", "version", "use")),
        ("uv uv UV", ("uv",)),
        ("who are you", ("who", "are", "you")),
        ("Straße 李雷 naïve", ("strasse", "李雷", "naïve")),
        ('NEAR("a b", 2) OR -x*', ("near", "b", "2", "x")),
    ],
)
def test_a_query_becomes_its_telling_words(query: str, terms: tuple[str, ...]) -> None:
    assert terms_of(query) == terms


def test_stop_words_stay_when_there_are_no_others() -> None:
    assert terms_of("to be or not to be") == ("not",) or "be" in terms_of("to be or to be")


@given(query=st.text(max_size=2_000))
def test_terms_are_distinct_bounded_and_never_lost_entirely(query: str) -> None:
    terms = terms_of(query)
    assert len(set(terms)) == len(terms) <= TERMS_MAX
    assert all(0 < len(term) <= WORD_CHARS_MAX for term in terms)
    assert bool(terms) == any(letter.isalnum() or letter == "_" for letter in query)
    assert not STOP_WORDS & set(terms) or set(terms) <= STOP_WORDS


def test_a_query_of_a_hundred_thousand_words_is_cut() -> None:
    terms = terms_of(" ".join(f"w{n}" for n in range(20_000)) + " " + "x" * 100_000)
    assert terms == tuple(f"w{n}" for n in range(TERMS_MAX))


def test_scores_are_between_0_and_1_and_the_best_is_1() -> None:
    found = [
        Candidate(context=a_context("ctx_1"), text_score=2.0),
        Candidate(context=a_context("ctx_2"), text_score=8.0),
    ]
    assert [(c.context_id, score) for c, score in ranked(found)] == [
        ("ctx_2", 1.0),
        ("ctx_1", 0.25),
    ]


def test_at_the_same_score_the_later_event_comes_first() -> None:
    found = [
        Candidate(
            context=a_context(f"ctx_{n}", occurred_at=START + timedelta(hours=n)), text_score=1.0
        )
        for n in (1, 3, 2)
    ]
    assert [c.context_id for c, _ in ranked(found)] == ["ctx_3", "ctx_2", "ctx_1"]


def test_without_words_the_stores_order_stands() -> None:
    found = [Candidate(context=a_context(f"ctx_{n}")) for n in (2, 1, 3)]
    assert [(c.context_id, s) for c, s in ranked(found)] == [
        ("ctx_2", 0.0),
        ("ctx_1", 0.0),
        ("ctx_3", 0.0),
    ]
    assert ranked([]) == []


def test_a_hit_shows_hidden_characters_by_name() -> None:
    """The body is as it was stored."""
    hit = a_hit("\u202eevil")
    assert (hit.content, hit.flags) == ("\u202eevil", ("bidi",))


def test_hits_that_fit_are_whole() -> None:
    hits = [a_hit("x" * 300, n) for n in range(3)]
    assert packed(hits, size(hits)) == hits


def test_the_first_hit_that_doesnt_fit_is_cut_and_says_by_how_much() -> None:
    hits = [a_hit("x" * 1_000, n) for n in range(3)]
    room = size(hits[:1]) + OVERHEAD + 500
    first, cut = packed(hits, room)
    assert first == hits[0]
    assert 480 <= len(cut.content) <= 500
    assert cut.missing_chars == 1_000 - len(cut.content)


def test_nothing_is_cut_to_less_than_a_sentence() -> None:
    hits = [a_hit("x" * 1_000, n) for n in range(2)]
    assert packed(hits, size(hits[:1]) + OVERHEAD + CONTENT_CHARS_MIN - 10) == hits[:1]
    assert packed(hits, 10) == []
    assert packed([], 10_000) == []


@pytest.mark.parametrize("line", ["a line of text\n", 'say "so"\\n ', "\x1b[31m", "\t"])
def test_a_text_of_many_lines_is_cut_like_any_other(line: str) -> None:
    """Line breaks and quotes take two characters in JSON; the hit must not vanish for that."""
    hit = a_hit(line * 2_000)
    (cut,) = packed([hit], 3_000)
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
    chosen = packed(hits, room)
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
    room=st.integers(min_value=OVERHEAD + 6 * CONTENT_CHARS_MIN + 20, max_value=5_000),
)
def test_the_best_hit_is_shown_at_least_in_part(letters: list[str], room: int) -> None:
    """An empty answer would say that there is nothing."""
    hit = a_hit("".join(letters) * 5_000)
    (cut,) = packed([hit], room)
    assert room - size([cut]) < 20
