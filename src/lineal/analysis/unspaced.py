"""Words of scripts that put no spaces between them: pairs of letters."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from lineal.analysis.folding import WIDE, folded

__all__ = ["grams", "is_wide"]

_SLICE = 512
"""Characters of a run that are normalised at once: a run of marks takes its square."""


class _Patterns(NamedTuple):
    """wide: one letter of such a script. han: one character. word: of Katakana or of Hangul, where
    a shorter one is the pair itself. cluster: a letter with the signs and tones that stand on it.
    """

    wide: re.Pattern[str]
    han: re.Pattern[str]
    word: re.Pattern[str]
    cluster: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """Compiled at the first text that isn't ASCII: it takes milliseconds."""
    signs = (
        "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059"
        "\u105e-\u1060\u1062-\u106d\u1071-\u1074\u1082-\u108d\u17b4-\u17d3\u3099\u309a"
    )
    return _Patterns(
        re.compile(f"[{WIDE}]"),
        re.compile("[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"),
        re.compile("[\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff]{3,64}|[\uac00-\ud7a3]{3,64}"),
        re.compile(f".[{signs}]{{0,8}}", re.DOTALL),
    )


def is_wide(chunk: str) -> bool:
    """Whether a chunk is a run of such a script."""
    return _patterns().wide.match(chunk) is not None


def grams(run: str, *, asking: bool) -> list[str]:
    """Pairs of neighbouring letters, in order; single Han characters and whole words too.

    asking: without the single characters where there are pairs, which are more exact. A run of one
    letter is that letter, so a question of one character finds a text with it.
    """
    found: list[str] = []
    for start in range(0, max(len(run) - 1, 1), _SLICE):
        # One letter more, so that the pair across two slices is there.
        found += _grams(folded(run[start : start + _SLICE + 1]), asking)
    return found


def _grams(run: str, asking: bool) -> list[str]:
    letters = _patterns().cluster.findall(run)
    if len(letters) < 2:
        return letters
    pairs = [one + other for one, other in pairwise(letters)]
    singles = [] if asking else _patterns().han.findall(run)
    return [*pairs, *singles, *_patterns().word.findall(run)]
