"""Vectors of contexts, made after the writes: in the background, and never inside one."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import NamedTuple

import anyio

from lineal.clock import monotonic_s
from lineal.errors import LinealError
from lineal.models.sheet import EmbedBatch, Meaning, Pieces, Space
from lineal.policy.indexing import embedded
from lineal.ports.embedder import OFF, Embedder, TokenEmbedder, TokenVectors
from lineal.ports.store import Progress, Store

__all__ = ["Embedding"]

_log = logging.getLogger("lineal")

BATCH = 32
"""Contexts embedded between two commits: a third of a second or so."""

QUIET_S = 0.15
QUIET_MAX_S = 30.0
"""Writes in a row go first, as long as they are close together, but not for longer than this."""

AGAIN_S = 30.0
"""Until what failed is tried again."""

LOOK_AGAIN_S = 0.05
"""Until it is looked again whether another process has embedded what a question waits for."""

TEXT_S = 0.02
"""What a text is thought to take before one was embedded here."""

COUNTED_MAX = 2_000
"""Contexts in waiting that are counted: more are not waited for anyway."""


class Asked(NamedTuple):
    """A question as a vector. note: why there is none, or what it can't find yet."""

    meaning: Meaning | None = None
    note: str | None = None


class Embedding:
    """Embeds what was written, one process at a time, and the questions that are asked.

    wait_s: how long a question waits for what was written just before it, where that is enough.
    finer: makes vectors of pieces too; the embedder itself, if it can.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        *,
        wait_s: float,
        finer: TokenEmbedder | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._finer = finer
        self._wait_s = wait_s
        self._owner = secrets.token_hex(8)
        self._wanted = anyio.Event()
        self._stepped = anyio.Event()
        self._hurried = anyio.Event()
        self._turn = anyio.Lock()
        self._running = False
        self._text_s = TEXT_S
        self._failure: LinealError | None = None

    @property
    def space(self) -> Space:
        made = (self._embedder.version, *((self._finer.token_version,) if self._finer else ()))
        return Space("+".join(made), self._embedder.dim)

    @property
    def off(self) -> bool:
        """There is no embedder."""
        return self._embedder.version == OFF

    def wake(self) -> None:
        """Something was written, or is asked for."""
        self._wanted.set()

    async def run(self) -> None:
        """Embed whenever something was written, until cancelled. Failures are tried again."""
        self._running = True
        try:
            while not self.off:
                await self._wanted.wait()
                self._wanted = anyio.Event()
                await self._caught_up()
        finally:
            self._running = False

    async def catch_up(self, progress: Progress | None = None) -> int:
        """Embed all that waits; how many there were. progress: told (done, in all) now and then.

        Raises unavailable where the embedder can't be used.
        """
        if self.off:
            return 0
        await self._embedder.warm_up()
        total = await self._store.unembedded(self.space, most=2**31) if progress else 0
        done = 0
        while (step := await self._step()) is not None:
            done += step
            if progress is not None:
                progress(done, max(done, total))
        return done

    async def complete(self, progress: Progress | None = None) -> int:
        """Embed until nothing waits, whoever does it; how many were embedded here."""
        done = await self.catch_up(progress)
        while not self.off and await self._store.unembedded(self.space, most=1):
            await anyio.sleep(LOOK_AGAIN_S)
            done += await self.catch_up()
        return done

    async def ask(self, texts: Sequence[str], *, read_only: bool = False) -> Asked:
        """The question as one vector: the mean of its wordings'. read_only: nothing is to be kept,
        so nothing that waits is embedded for it."""
        if self.off:
            return Asked()
        self._hurry()
        if self._failure is not None:
            return Asked(note=f"Found by words only: {self._failure.message}")
        if self._running and not self._embedder.ready:
            return Asked(note="Found by words only: the model for meanings is being loaded.")
        try:
            await self._embedder.warm_up()
            note = None if read_only or self._store.read_only else await self._settled()
            vectors, pieces = await self._made(texts)
        except LinealError as error:
            return Asked(note=f"Found by words only: {error.message}")
        return Asked(_mean(self.space, vectors, self._embedder.reads(texts[0]), pieces), note)

    async def _settled(self) -> str | None:
        """Wait for what was written just now; what to say where that would take too long."""
        until_s, before = monotonic_s() + self._wait_s, 0
        while waiting := await self._store.unembedded(self.space, most=COUNTED_MAX):
            left_s = until_s - monotonic_s()
            if waiting * self._text_s > left_s:
                return f"{_counted(waiting)} so far found by words only: meanings follow."
            if waiting == before:  # another process is at it
                await anyio.sleep(LOOK_AGAIN_S)
            before = waiting
            if self._running:
                self._hurry()
                stepped = self._stepped
                with anyio.move_on_after(left_s):
                    await stepped.wait()
            elif await self._step() is None:
                return None
        return None

    def _hurry(self) -> None:
        """A question waits: what was written is embedded now."""
        self.wake()
        self._hurried.set()

    async def _quiet(self) -> None:
        """A moment after the last write, unless a question waits."""
        until_s = monotonic_s() + QUIET_MAX_S
        while monotonic_s() < until_s and not self._hurried.is_set():
            self._wanted = anyio.Event()
            with anyio.move_on_after(QUIET_S):
                await self._hurried.wait()
            if not self._wanted.is_set():
                break
        self._hurried = anyio.Event()

    async def _caught_up(self) -> None:
        try:
            await self._embedder.warm_up()
            self._failure = None
            await self._quiet()
            await self.catch_up()
        except LinealError as error:
            self._failure = None if error.retryable else error
            _log.warning("embedding: %s", error.message)
            await anyio.sleep(AGAIN_S)

    async def _step(self) -> int | None:
        """Embed one batch; how many texts, None where nothing is left to this process."""
        async with self._turn:
            batch = await self._store.claim(self.space, self._owner, limit=BATCH)
            if batch is not None:
                await self._embed(batch)
        stepped, self._stepped = self._stepped, anyio.Event()
        stepped.set()
        return None if batch is None else len(batch.items)

    async def _embed(self, batch: EmbedBatch) -> None:
        texts = [embedded(item.context) for item in batch.items]
        began_s = monotonic_s()
        made, pieces = await self._made(texts)
        if texts:
            took_s = (monotonic_s() - began_s) / len(texts)
            self._text_s += (took_s - self._text_s) / 4
        await self._store.keep_vectors(batch, made, pieces)

    async def _made(
        self, texts: Sequence[str]
    ) -> tuple[list[tuple[float, ...]], tuple[Pieces, ...]]:
        """A vector of each text, and of its pieces where that is asked for."""
        if self._finer is None:
            return await self._embedder.embed(texts), ()
        found = await self._finer.embed_with_tokens(texts)
        silent, dim = self._finer.stop_pieces(), self._finer.token_dim
        return [each.vector for each in found], tuple(_telling(e, silent, dim) for e in found)


def _telling(found: TokenVectors, silent: frozenset[int], dim: int) -> Pieces:
    """The pieces that say something."""
    kept = [place for place, number in enumerate(found.pieces) if number not in silent]
    rows = b"".join(found.tokens[place * dim : (place + 1) * dim] for place in kept)
    return Pieces(tuple(found.pieces[place] for place in kept), rows)


def _mean(
    space: Space, vectors: Sequence[Sequence[float]], read: float, pieces: Sequence[Pieces]
) -> Meaning | None:
    """At length 1; None for a question without words."""
    sums = [sum(column) for column in zip(*vectors, strict=True)]
    length = sum(value * value for value in sums) ** 0.5
    if not length:
        return None
    unit = tuple(value / length for value in sums)
    return Meaning(space, unit, read, pieces[0] if pieces else None)


def _counted(number: int) -> str:
    least = "At least " if number >= COUNTED_MAX else ""
    return f"{least}{number} {'memory is' if number == 1 else 'memories are'}"
