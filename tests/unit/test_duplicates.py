"""When two texts say the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.policy.duplicates import content_key

SAME = [
    ("We use uv.", "we use UV"),
    ("We use uv.", "  We\n use\t uv !! "),
    ("Straße", "STRASSE"),
    ("ﬁle", "file"),
    ("Ｗｉｄｅ", "wide"),
    ("caf\u00e9", "cafe\u0301"),
    ("“quoted” — words…", '"quoted" - words'),
    ("snake_case", "snake case"),
]

OTHER = [
    ("I weigh 70 kg", "I weigh 71 kg"),
    ("I like it", "I do not like it"),
    ("Ada lives here", "Eva lives here"),
    ("Born on 2026-03-01", "Born on 2026-03-02"),
    ("1.5 apples", "15 apples"),
    ("It is -5 degrees", "It is 5 degrees"),
    ("I write C++", "I write C#"),
    ("I write C++", "I write C"),
    ("It costs $5", "It costs €5"),
    ("x < 5", "x > 5"),
    ("I feel 😀", "I feel 😭"),
    ("की", "कि"),
    ("!!!", "???"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_texts_that_differ_in_case_space_and_punctuation_are_one(one: str, other: str) -> None:
    """A7"""
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_texts_that_differ_in_what_they_say_are_two(one: str, other: str) -> None:
    """A7: never when a number, a name, a date or a negation differs."""
    assert content_key(one) != content_key(other)


@given(text=st.text())
def test_a_key_is_32_hex_digits_and_always_the_same(text: str) -> None:
    key = content_key(text)
    assert len(key) == 32
    assert int(key, 16) >= 0
    assert content_key(text) == key


WORDS = st.lists(st.from_regex(r"[a-zA-Zß0-9é]{1,8}", fullmatch=True), min_size=1, max_size=6)
GAPS = st.sampled_from([" ", "  ", "\n", "\t ", ", ", ". ", "! "])


@given(words=WORDS, gaps=st.lists(GAPS, min_size=6, max_size=6), upper=st.booleans())
def test_however_the_same_words_are_set_the_key_is_the_same(
    words: list[str], gaps: list[str], upper: bool
) -> None:
    """A7"""
    text = "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    text = text.upper() if upper else unicodedata.normalize("NFD", text)
    assert content_key(text) == content_key(" ".join(words))


@given(one=WORDS, other=WORDS)
def test_other_words_have_another_key(one: list[str], other: list[str]) -> None:
    """A7; the oracle is the folded words themselves."""
    folded = [[w.casefold() for w in words] for words in (one, other)]
    assert (content_key(" ".join(one)) == content_key(" ".join(other))) == (folded[0] == folded[1])
