"""Vectors without a model."""

from __future__ import annotations

import math

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.embedders.hashing import HashingEmbedder

EMBEDDER = HashingEmbedder()


def embedded(*texts: str) -> list[tuple[float, ...]]:
    return anyio.run(EMBEDDER.embed, texts)


def cosine(one: str, other: str) -> float:
    a, b = embedded(one, other)
    return sum(x * y for x, y in zip(a, b, strict=True))


@given(texts=st.lists(st.text(max_size=100), max_size=5))
def test_each_text_gets_a_unit_vector_of_the_promised_dimension(texts: list[str]) -> None:
    vectors = embedded(*texts)
    assert len(vectors) == len(texts)
    for vector in vectors:
        length = math.sqrt(sum(value * value for value in vector))
        assert len(vector) == EMBEDDER.dim
        assert math.isclose(length, 1.0, abs_tol=1e-9) or set(vector) == {0.0}


def test_a_text_without_words_is_all_zeros() -> None:
    assert embedded("", " !?") == [(0.0,) * EMBEDDER.dim] * 2


def test_the_same_words_give_the_same_vector_on_every_machine() -> None:
    """A stored vector is compared with one made elsewhere; the version says which."""
    (vector,) = embedded("hiking and climbing")
    places = {place: round(value, 6) for place, value in enumerate(vector) if abs(value) > 0.2}
    assert EMBEDDER.version == "hashing-256.v1"
    assert embedded("Hiking, AND climbing!")[0] == vector
    assert places == {59: 0.42679, 109: -0.554826, 111: 0.256074, 137: 0.256074, 215: -0.42679}


def test_alike_words_are_nearer_than_others() -> None:
    assert cosine("hiking", "hiking") == pytest.approx(1.0)
    assert cosine("hiking climbing", "climbing hiker") > cosine("hiking climbing", "chess piano")
