"""Feature hashing: vectors without a model, for a machine that has none."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence

__all__ = ["HashingEmbedder"]

TRIGRAM_WEIGHT = 0.3

_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """Signed hashing of words and their letter trigrams (Weinberger et al. 2009).

    Equal words give equal directions and related spellings near ones; it knows no meanings.
    """

    version = "hashing-256.v1"
    dim = 256
    ready = True

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """texts: (n,) → (n, 256), unit length, or zeros for a text without words."""
        return [self._vector(text) for text in texts]

    async def warm_up(self) -> None:
        """There is nothing to load."""

    def reads(self, text: str) -> float:
        """Spellings of any script."""
        return 1.0

    async def free_if_idle(self) -> bool:
        """It holds nothing."""
        return False

    async def close(self) -> None:
        """It holds nothing."""

    def _vector(self, text: str) -> tuple[float, ...]:
        sums = [0.0] * self.dim
        for feature, weight in _features(text):
            code = zlib.crc32(feature.encode("utf-8", "replace"))
            sums[code % self.dim] += weight if code & 0x8000_0000 else -weight
        length = math.sqrt(sum(value * value for value in sums))
        return tuple(value / length for value in sums) if length else tuple(sums)


def _features(text: str) -> list[tuple[str, float]]:
    """Each distinct word and trigram once, with its weight times how often it occurs."""
    words = Counter(_WORD.findall(text.casefold()))
    trigrams: Counter[str] = Counter()
    for word, times in words.items():
        framed = f"^{word}$"
        for start in range(len(word)):
            trigrams[framed[start : start + 3]] += times
    whole = [(word, float(times)) for word, times in words.items()]
    return whole + [(part, TRIGRAM_WEIGHT * times) for part, times in trigrams.items()]
