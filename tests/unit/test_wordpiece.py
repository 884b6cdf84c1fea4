"""Texts as numbers of word pieces."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.embedders.wordpiece import WordPiece, vocabulary

PIECES = vocabulary()
WORDS = WordPiece(PIECES)

REFERENCE: list[tuple[str, list[int]]] = json.loads(
    Path(__file__).with_name("wordpiece_pairs.json").read_text(encoding="utf-8")
)
"""Texts in many scripts, and the numbers that the model's own tokenizer gives, cut at 256."""

ANY_TEXT = st.text(st.characters(), max_size=300)


def pieces(text: str) -> list[str]:
    """What a text is cut into, without the marks at its ends."""
    return [PIECES[number] for number in WORDS.encode(text, 256)[1:-1]]


def test_the_vocabulary_is_the_published_one() -> None:
    file = files("lineal.embedders").joinpath("bert_base_uncased.txt").read_bytes()
    assert hashlib.sha256(file.replace(b"\r\n", b"\n")).hexdigest() == (
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    )
    assert len(PIECES) == len(set(PIECES)) == 30_522


def test_a_text_gets_the_numbers_the_model_was_trained_on() -> None:
    assert len(REFERENCE) >= 200
    wrong = [text for text, ids in REFERENCE if WORDS.encode(text, 256) != ids]
    assert wrong == []


def test_an_unknown_word_is_cut_into_the_longest_pieces_it_begins_with() -> None:
    assert pieces("unaffable") == ["una", "##ffa", "##ble"]


def test_case_and_accents_make_no_difference() -> None:
    assert pieces("CAFÉ Crème") == pieces("cafe\u0301 creme") == pieces("cafe creme")


def test_punctuation_and_chinese_characters_are_words_of_their_own() -> None:
    assert pieces("ctx_1, 東京!") == ["ct", "##x", "_", "1", ",", "東", "京", "!"]


def test_what_a_text_calls_a_mark_is_only_brackets_and_letters() -> None:
    assert pieces("[SEP][PAD]") == ["[", "sep", "]", "[", "pad", "]"]
    assert pieces("[unused1] tea")[:2] == ["[", "unused"]


@pytest.mark.parametrize("text", ["", "  \n", "!?", "…", "\x00\u200b", "😀", "ქართ" * 30, "\ud800"])
def test_a_text_in_which_no_word_is_known_is_nothing(text: str) -> None:
    assert WORDS.encode(text, 256) == []


@given(text=ANY_TEXT, tokens_max=st.integers(min_value=3, max_value=40))
def test_whatever_the_text_it_fits_between_the_marks(text: str, tokens_max: int) -> None:
    ids = WORDS.encode(text, tokens_max)
    assert len(ids) <= tokens_max
    assert not ids or (ids[0], ids[-1]) == (101, 102)
    assert all(number == 100 or 999 <= number < len(PIECES) for number in ids[1:-1])


@given(text=ANY_TEXT, tokens_max=st.integers(min_value=3, max_value=40))
def test_a_text_is_cut_at_its_end(text: str, tokens_max: int) -> None:
    cut = WORDS.encode(text, tokens_max)
    assert not cut or cut[:-1] == WORDS.encode(text, 1000)[: len(cut) - 1]
