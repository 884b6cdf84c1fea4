"""The order of candidates, over sheets made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lineal.models.sheet import Entry, Scored, Sheet, Trait
from lineal.policy.ranking import LIKENESS_MIN, PARTS, Weights, named, ranked, ranking

HELD = {0: 1}
"""A text that holds the question's first word once."""

NEIGHBOURS = ("previous", "answering", "next", "before_previous", "after_next")


def an_entry(number: int, own: dict[int, int] | None = None, **values: Any) -> Entry:
    return Entry(number, own or {}, values.pop("head", {}), values.pop("own_words", 5), 0, **values)


def a_sheet(
    *entries: Entry,
    question: str = "walnut",
    candidates: Iterable[int] | None = None,
    holders: tuple[int, ...] = (1,),
    size: int = 100,
    weak: frozenset[int] = frozenset(),
) -> Sheet:
    """All of these are candidates unless it is said which."""
    chosen = [entry.number for entry in entries] if candidates is None else candidates
    return Sheet(
        *(question, weak, holders, size, 5.0, 1.0),
        {entry.number: entry for entry in entries},
        tuple(chosen),
    )


def order(sheet: Sheet, weights: Weights | None = None) -> list[int]:
    return [one.number for one in ranked(sheet, weights or Weights())]


def scores(sheet: Sheet, weights: Weights | None = None) -> dict[int, float]:
    return {one.number: one.score for one in ranked(sheet, weights or Weights())}


def a_talk(*texts: dict[int, int], **of_each: Any) -> list[Entry]:
    """Texts of one session, numbered from 1, each between its neighbours."""
    last = len(texts)
    return [
        an_entry(
            *(n, own),
            previous=n - 1 if n > 1 else None,
            next=n + 1 if n < last else None,
            session=7,
            happened_at=n,
            **of_each,
        )
        for n, own in enumerate(texts, 1)
    ]


def test_a_rarer_word_weighs_more() -> None:
    sheet = a_sheet(an_entry(1, {1: 1}), an_entry(2, {0: 1}), holders=(50, 2))
    assert order(sheet) == [1, 2]


def test_a_word_that_only_frames_the_question_weighs_less() -> None:
    entries = (an_entry(1, {0: 1}), an_entry(2, {1: 1}))
    assert order(a_sheet(*entries, holders=(5, 5), weak=frozenset({0}))) == [2, 1]
    assert order(a_sheet(*entries, holders=(5, 5), weak=frozenset({1}))) == [1, 2]


def test_more_of_the_question_weighs_more_than_one_word_repeated() -> None:
    sheet = a_sheet(an_entry(1, {0: 1, 1: 1}), an_entry(2, {0: 9}), holders=(5, 5))
    assert order(sheet) == [1, 2]


def test_in_a_shorter_text_a_word_weighs_more() -> None:
    sheet = a_sheet(an_entry(1, HELD, own_words=3), an_entry(2, HELD, own_words=80))
    assert order(sheet) == [1, 2]


def test_a_word_over_a_text_counts_too() -> None:
    assert order(a_sheet(an_entry(1, head={0: 1}), an_entry(2))) == [1]


def test_at_the_same_score_the_later_event_then_the_later_received_comes_first() -> None:
    entries = [an_entry(n, HELD, happened_at=at) for n, at in ((1, 5), (2, 9), (3, 5), (4, 9))]
    assert order(a_sheet(*entries)) == [4, 2, 3, 1]


@pytest.mark.parametrize(
    ("place", "share"), [(1, "after_next"), (2, "next"), (4, "previous"), (5, "before_previous")]
)
def test_each_neighbour_up_to_two_away_is_lent_a_text_s_words(place: int, share: str) -> None:
    talk = a_talk({}, {}, HELD, {}, {})
    assert place in order(a_sheet(*talk))
    assert place not in order(a_sheet(*talk), Weights(**{share: 0.0}))


def test_three_away_lends_nothing() -> None:
    talk = a_talk({}, {}, {}, HELD, {}, {}, {})
    assert set(order(a_sheet(*talk))) == {2, 3, 4, 5, 6}


def test_an_answer_is_lent_more_than_what_follows_a_statement() -> None:
    asked = a_talk(HELD, {})
    asked[0] = asked[0]._replace(traits=int(Trait.ASKS))
    told = a_talk(HELD, {})
    assert scores(a_sheet(*asked))[2] > scores(a_sheet(*told))[2]
    plain = Weights(answering=0.2)
    assert scores(a_sheet(*asked), plain)[2] == scores(a_sheet(*told), plain)[2]


def test_a_neighbour_that_is_no_candidate_lends_its_words() -> None:
    """What passes no filter is not shown, and says still what the answer is about."""
    talk = a_talk(HELD, {})
    assert order(a_sheet(*talk, candidates=(2,))) == [2]


def test_a_neighbour_that_has_ended_lends_nothing() -> None:
    one = an_entry(2, previous=1, next=3, session=7)
    assert order(a_sheet(one)) == []


def test_what_neither_holds_a_word_nor_is_alike_is_left_out() -> None:
    near, far = an_entry(1, likeness=LIKENESS_MIN), an_entry(2, likeness=LIKENESS_MIN - 0.01)
    assert order(a_sheet(near, far, an_entry(3))) == [1]


def test_what_is_more_alike_comes_first() -> None:
    entries = [an_entry(n, likeness=1 - n / 10) for n in (3, 7, 5)]
    assert order(a_sheet(*entries)) == [3, 5, 7]


def test_of_two_as_alike_the_one_that_says_more_comes_first() -> None:
    entries = [an_entry(n, likeness=0.5, own_words=words) for n, words in ((1, 30), (2, 3))]
    assert order(a_sheet(*entries)) == [1, 2]


def test_what_stands_before_counts_more_than_what_comes_after() -> None:
    after_it = an_entry(1, likeness=0.3, previous=3)
    before_it = an_entry(2, likeness=0.3, next=3)
    near = an_entry(3, likeness=0.9)
    assert order(a_sheet(after_it, before_it, near)) == [3, 1, 2]


def test_a_text_without_a_vector_yet_goes_by_its_words_alone() -> None:
    """It is neither behind all that have one nor before them."""
    sheet = a_sheet(an_entry(1, HELD), an_entry(2, HELD, likeness=0.9), an_entry(3, likeness=0.3))
    assert order(sheet) == [2, 1, 3] or order(sheet) == [1, 2, 3]
    assert order(sheet)[-1] == 3


def test_likeness_of_those_around_counts() -> None:
    warm = a_talk({}, {}, {}, likeness=0.8)
    alone = an_entry(9, likeness=0.8, session=8, previous=10, happened_at=99)
    cold = an_entry(10, likeness=0.0, session=8, next=9, happened_at=98)
    weights = Weights(session=0.0)
    found = scores(a_sheet(*warm, alone, cold), weights)
    assert found[2] > found[9]
    assert found[2] == pytest.approx(scores(a_sheet(*warm, an_entry(9, likeness=0.8)), weights)[2])


def test_the_speaker_that_a_question_names_comes_first() -> None:
    talk = (an_entry(1, HELD, speaker="melanie"), an_entry(2, HELD, speaker="ada byron"))
    assert order(a_sheet(*talk, question="What does Melanie say?"))[0] == 1
    assert order(a_sheet(*talk, question="What is Ada's walnut?"))[0] == 2


def test_two_named_speakers_are_nobody_in_particular() -> None:
    talk = (an_entry(1, HELD, speaker="melanie"), an_entry(2, HELD, speaker="ada"))
    both = ranked(a_sheet(*talk, question="Did Melanie and Ada talk?"), Weights())
    assert all("speaker" not in named(one.parts) for one in both)


@pytest.mark.parametrize(
    ("question", "trait"),
    [
        ("When did it happen?", Trait.TELLS_WHEN),
        ("Where was it?", Trait.TELLS_WHERE),
        ("How many were there?", Trait.TELLS_NUMBER),
    ],
)
def test_what_could_tell_what_is_asked_comes_first(question: str, trait: Trait) -> None:
    entries = (an_entry(1, HELD, traits=int(trait)), an_entry(2, HELD))
    assert order(a_sheet(*entries, question=question)) == [1, 2]
    assert order(a_sheet(*entries, question="walnut")) == [2, 1]


def test_a_text_that_ends_in_a_question_answers_less() -> None:
    entries = (an_entry(1, HELD), an_entry(2, HELD, traits=int(Trait.ENDS_ASKING)))
    assert order(a_sheet(*entries)) == [1, 2]


def test_the_best_of_a_session_lifts_the_others() -> None:
    beside = an_entry(1, HELD, session=7)
    best = an_entry(2, {0: 1, 1: 1}, session=7)
    elsewhere = an_entry(3, HELD, session=8)
    found = scores(a_sheet(beside, best, elsewhere, holders=(5, 5)))
    assert found[2] > found[1] > found[3]
    plain = scores(a_sheet(beside, best, elsewhere, holders=(5, 5)), Weights(session=0.0))
    assert plain[1] == plain[3]


def test_a_rank_by_weights_is_the_same_rank() -> None:
    sheet = a_sheet(*a_talk(HELD, {}, HELD), question="walnut?")
    weights = Weights(next=0.9)
    assert ranking(weights)(sheet) == ranked(sheet, weights)


def test_nothing_is_ranked_where_nothing_is() -> None:
    assert ranked(a_sheet(), Weights()) == []
    assert ranked(a_sheet(an_entry(1), holders=()), Weights()) == []


@pytest.mark.parametrize("wrong", [-0.1, 10.1, float("nan"), float("inf")])
def test_a_weight_out_of_range_is_refused(wrong: float) -> None:
    with pytest.raises(ValidationError):
        Weights(words=wrong)


counts = st.dictionaries(st.integers(0, 2), st.integers(1, 3), max_size=3)
entries = st.builds(
    lambda own, head, likeness, session, speaker, traits, at: an_entry(
        *(0, own),
        head=head,
        likeness=likeness,
        session=session,
        speaker=speaker,
        traits=traits,
        happened_at=at,
    ),
    counts,
    counts,
    st.none() | st.floats(-1, 1),
    st.none() | st.integers(1, 2),
    st.sampled_from(("", "ada", "melanie")),
    st.integers(0, 31),
    st.integers(0, 3),
)
sheets = st.lists(entries, max_size=8).map(
    lambda every: a_sheet(
        *(one._replace(number=n, previous=n - 1, next=n + 1) for n, one in enumerate(every, 1)),
        question="When did ada buy 3?",
        holders=(1, 4, 9),
    )
)


@given(sheet=sheets)
def test_a_score_is_the_sum_of_its_named_parts(sheet: Sheet) -> None:
    found = ranked(sheet, Weights())
    for one in found:
        assert one.score == pytest.approx(sum(named(one.parts).values()))
        assert len(one.parts) == len(PARTS)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@given(sheet=sheets, seed=st.randoms())
def test_the_order_is_not_that_of_the_candidates(sheet: Sheet, seed: Any) -> None:
    mixed = list(sheet.candidates)
    seed.shuffle(mixed)
    assert _same(
        ranked(sheet, Weights()), ranked(sheet._replace(candidates=tuple(mixed)), Weights())
    )


def _same(one: list[Scored], other: list[Scored]) -> bool:
    return [s.number for s in one] == [s.number for s in other]
