"""When two texts say the same."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.policy.duplicates import content_key, fingerprint, same
from lineal.policy.slips import is_slip

SAME = [
    ("We use uv.", "we use UV"),
    ("We use uv.", "  We\n use\t uv !! "),
    ("Straße", "STRASSE"),
    ("ﬁle", "file"),
    ("Ｗｉｄｅ", "wide"),
    ("caf\u00e9", "cafe\u0301"),
    ("“quoted” — words…", '"quoted" - words'),
    ("snake_case", "snake case"),
    ("We use uv ❤️", "we use uv"),
    ("Works 👍🏽", "👍 works"),
    ("# Notes", "notes"),
    ("我用 uv 写代码。", "我用uv写代码"),
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
    ("Lunch was the 🍕", "Lunch was the 🍣"),
    ("Tests pass ✅", "Tests pass ❌"),
    ("Take .5 mg", "Take 5 mg"),
    ("Stop if x != 5", "Stop if x = 5"),
    ("Run if (!ready)", "Run if (ready)"),
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


# Near-duplicates.

PAIRS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "duplicates.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]

RETYPED = [
    ("I do not like the new office at all", "I don't like the new office at all"),
    ("It’s raining in the “old” town today", "its raining in the old town today"),
    ("I'll call you tomorrow at 5pm", "I will call you tomorrow at 5 pm"),
    ("Remember to check the database logs", "remember to really check  database logs"),
    ("She loves the old bakery in town", "she loves the the old bakery in town"),
    ("We meet at 9 a.m. in the office", "we meet at 9 am in the office"),
    ("The e-mail server is down right now", "the email server  is down right now"),
    ("The Ｐython ３.11 build is green now", "the Python 3.11 biuld is green now"),
    ("Ich fahre für zwei Tage nach Bonn", "ich fahre fuer zwei Tage nach Bonn"),
]

MEANT = [
    ("Marta moved to the new house", "Maria moved to the new house"),
    ("the cat is not really asleep now", "the cat is not asleep now"),
    ("we eat a few apples each day", "we eat few apples each day"),
    ("plan A costs less than the other", "plan costs less than the other"),
    ("I eat meat with every meal", "I eat only meat with every meal"),
    ("je la vois demain au bureau", "je le vois demain au bureau"),
    ("sie stellten die Fragen am Montag", "sie stellen die Fragen am Montag"),
    ("the test is now here for us", "the test is nowhere for us"),
    ("we use uv for every project", "we used uv for every project"),
    ("the flat is legal to rent out", "the flat is illegal to rent out"),
    ("my brother has a contract with them", "my brother has a contact with them"),
    ("it weighs 5 kg in the box", "it weighs 5 g in the box"),
    ("Ann likes tea", "Ann likes teas"),
]


@pytest.mark.parametrize(("one", "other"), RETYPED)
def test_a_text_typed_again_is_the_same(one: str, other: str) -> None:
    """A7"""
    assert same(one, other)
    assert set(fingerprint(one).keys) & set(fingerprint(other).keys)


@pytest.mark.parametrize(("one", "other"), MEANT)
def test_a_word_that_was_changed_is_never_a_slip(one: str, other: str) -> None:
    """A7"""
    assert not same(one, other)


@pytest.mark.parametrize("split", ["dev", "held"])
def test_labelled_pairs_are_judged_as_people_do(split: str) -> None:
    """A7: precision at least 0.99, recall at least 0.95. The rules were fitted to "dev" only."""
    pairs = [pair for pair in PAIRS if pair["split"] == split]
    found = [pair for pair in pairs if same(pair["a"], pair["b"])]
    right = sum(pair["same"] for pair in found)
    assert len(pairs) >= 120
    assert right >= 0.99 * len(found)
    assert right >= 0.95 * sum(pair["same"] for pair in pairs)


@pytest.mark.parametrize(
    "kind", ["number_changed", "number_words_changed", "negated", "name_changed", "date_changed"]
)
def test_a_changed_number_name_date_or_negation_is_never_a_duplicate(kind: str) -> None:
    """A7"""
    pairs = [pair for pair in PAIRS if pair["kind"] == kind]
    assert len(pairs) >= 20
    assert [pair["id"] for pair in pairs if same(pair["a"], pair["b"])] == []


def test_texts_that_are_the_same_share_a_key() -> None:
    """A7: without it a duplicate wouldn't be found."""
    for pair in PAIRS:
        one, other = fingerprint(pair["a"]), fingerprint(pair["b"])
        if same(pair["a"], pair["b"]):
            assert one.content_key == other.content_key or set(one.keys) & set(other.keys)


def test_templates_that_differ_in_a_number_share_no_key() -> None:
    """Else each new reading would be compared with all earlier ones."""
    keys = [
        key
        for number in range(2_000)
        for key in fingerprint(f"Reading {number} of the sensor was within its limits.").keys
    ]
    assert len(set(keys)) == len(keys) > 2_000


def test_long_texts_are_found_and_told_apart() -> None:
    """Beyond the bound, keys cover the ends and the numbers; the judgement covers all."""
    text = "Hannah said that the landlord raises the rent by 3 percent every year. " * 3_000
    middle = len(text) // 2
    mistyped = text[:middle] + text[middle:].replace("landlord", "landlrod", 1)
    changed = text[:middle] + text[middle:].replace("landlord", "neighbour", 1)
    renumbered = text[:middle] + text[middle:].replace("3", "4", 1)
    assert same(text, mistyped)
    assert set(fingerprint(text).keys) & set(fingerprint(mistyped).keys)
    assert not same(text, changed)
    assert not set(fingerprint(text).keys) & set(fingerprint(renumbered).keys)


@given(text=st.text())
def test_keys_are_few_and_fit_a_column(text: str) -> None:
    mark = fingerprint(text)
    assert mark.content_key == content_key(text)
    assert len(mark.keys) <= 8
    assert all(0 <= key < 2**63 for key in mark.keys)


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """It is stored: Python's own hash would change with each start."""
    text = "Hannah said that the landlord raises the rent"
    script = f"from lineal.policy.duplicates import fingerprint as f; print(f({text!r}).keys)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert run.stdout.strip() == str(fingerprint(text).keys)


TOKENS = (
    "the a just really not never landlord raises rent seven monday friend fiend with data base "
    "don t can it s I'm Anna 3 11 3.5 kg €5 very so schön 東京 く ❤️ form from"
)
VOCABULARY = st.sampled_from(TOKENS.split())
SENTENCES = st.lists(VOCABULARY | st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=14)


@given(words=SENTENCES, other=SENTENCES)
def test_sameness_is_symmetric_and_a_text_equals_itself(words: list[str], other: list[str]) -> None:
    one, two = " ".join(words), " ".join(other)
    assert same(one, one)
    assert same(one, two) == same(two, one)


@given(words=WORDS, gaps=st.lists(GAPS, min_size=6, max_size=6))
def test_other_punctuation_and_case_say_the_same(words: list[str], gaps: list[str]) -> None:
    text = "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    assert same(" ".join(words), text.upper())


@given(words=SENTENCES, data=st.data())
def test_a_not_that_is_put_in_is_never_the_same(words: list[str], data: st.DataObject) -> None:
    """A7"""
    at = data.draw(st.integers(0, len(words)))
    assert not same(" ".join(words), " ".join([*words[:at], "not", *words[at:]]))


@given(words=SENTENCES, number=st.from_regex(r"[0-9]{1,6}", fullmatch=True), data=st.data())
def test_a_digit_that_is_changed_is_never_the_same(
    words: list[str], number: str, data: st.DataObject
) -> None:
    """A7"""
    at = data.draw(st.integers(0, len(words)))
    place = data.draw(st.integers(0, len(number) - 1))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    changed = number[:place] + digit + number[place + 1 :]
    one, other = ([*words[:at], n, *words[at:]] for n in (number, changed))
    assert not same(" ".join(one), " ".join(other))


@given(words=SENTENCES, data=st.data())
def test_what_is_the_same_shares_a_key(words: list[str], data: st.DataObject) -> None:
    """Slips at random places; whatever is judged the same must be found."""
    text = " ".join(words)
    at = data.draw(st.integers(0, max(0, len(text) - 2)))
    slip = data.draw(st.sampled_from(["drop", "double", "swap", "gap"]))
    middle = {
        "drop": "",
        "double": text[at : at + 1] * 2,
        "swap": text[at : at + 2][::-1],
        "gap": text[at : at + 1] + " ",
    }[slip]
    other = text[:at] + middle + text[at + (2 if slip == "swap" else 1) :]
    if same(text, other):
        one, two = fingerprint(text), fingerprint(other)
        assert one.content_key == two.content_key or set(one.keys) & set(two.keys)


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [
        ("tomatoes", "tomatos", True),
        ("writers", "writes", False),
        ("address", "adress", True),
        ("loose", "lose", False),
        ("calendar", "calender", True),
        ("friend", "freind", True),
        ("friend", "fiend", False),
        ("house", "mouse", False),
        ("test", "tests", False),
        ("three", "there", False),
        ("東京大学", "東大京学", False),
    ],
)
def test_a_slip_makes_no_other_word(one: str, other: str, slip: bool) -> None:
    assert is_slip(one, other, english=True) is slip
    assert is_slip(other, one, english=True) is slip


@pytest.mark.parametrize("marks", ["?", "？", "?!", " ?"])
def test_a_question_is_not_the_statement_of_the_same_words(marks: str) -> None:
    stated = "She is moving to Lisbon in the spring with both of her dogs"
    assert not same(stated + marks, stated + ".")
    assert content_key(stated + marks) != content_key(stated)
    assert same(stated + marks, stated.upper() + "??")
