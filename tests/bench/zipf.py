"""Memories as people leave them, made up: the words' frequencies are a language's, the words not.

- A word of rank r is said in proportion to 1 / (r + SHIFT) ** EXPONENT (Zipf-Mandelbrot). The
  first ranks are English function words, in about their own order.
- The vocabulary grows as HEAPS_K * words ** HEAPS_BETA with the text (Heaps), so that there are
  always words that were never said before.
- The other words are spelled in syllables, frequent ones shorter, and bent as English bends them
  (-s, -ful, -ed, -ing), so that a stemmer finds their stem and folds three forms into one.
- Talk comes in sessions of two speakers and one topic; half of what isn't a function word comes
  from the topic's own words, so that words go together.

The same seed gives the same memories, and a shorter memory is the beginning of a longer one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FUNCTION_WORDS", "Memory", "memories", "ranks", "spelled"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHIFT = 2.7
"""Mandelbrot's own, of English."""

EXPONENT = 1.05
"""With the shift it makes two in five words function words and one in thirty "the"."""

HEAPS_K = 30.0
HEAPS_BETA = 0.58
"""Within what is measured of English (K 10 to 100, beta 0.4 to 0.6). Talk brings names, slips and
identifiers, so near the upper end."""

WORDS_MIN, WORDS_MAX = 8, 40
"""Of one memory; short ones are more frequent."""

TOGETHER = 20
"""Memories of one session, on average."""

TOPICS = 400
TOPIC_WORDS = 120
TOPIC_SHARE = 0.5
"""How many of the words that aren't function words are the topic's."""

KNOWN = 20_000
"""A topic's words are among so many of the most frequent."""

NUMBER_SHARE = 0.02
"""Words that are a number: a year, a sum, a time."""

FUNCTION_WORDS: tuple[str, ...] = tuple(
    """
    the and to I a of in that is it for was on with you he at be this have from or had by not but
    what all were we when your can said there an which do their if will how she about they his has
    up out them then so some her would make like him into time look more go see no way could people
    my than been who its now did get come made may after back only our just over know also most me
    where much before right too any same tell here why does well off down should because each those
    own under last while us
    """.split()  # noqa: SIM905 - a list of them fills the page
)

_ONSETS: tuple[str, ...] = (*"bdfghjklmnprstvz", "br", "dr", "gl", "kr", "pl", "sk", "st", "tr")
_VOWELS: tuple[str, ...] = (*"aeiou", "ai", "ea", "oo")
_ENDS: tuple[str, ...] = (*"nrltkmdp", "nd", "rt", "mp", "lk")
_SYLLABLES = len(_ONSETS) * len(_VOWELS)
_FORMS = (("", "s", "ful"), ("", "ed", "ing"))
"""Of a thing and of a doing: three words of one stem each."""

_STRIDE = 7_919
"""A prime that divides no number of spellings, so that neighbours in rank don't look alike."""


class Memory(NamedTuple):
    """One thing said. session: from 0. place: within it, from 0."""

    session: int
    place: int
    speaker: str
    text: str


def memories(seed: int) -> Iterator[Memory]:
    """Without end."""
    rng = np.random.Generator(np.random.PCG64(seed))
    lexicons = _content(rng.random((TOPICS, TOPIC_WORDS)), KNOWN)
    said = 0
    for session in count():
        lexicon = lexicons[int(rng.integers(TOPICS))]
        pair = [spelled(int(rank)).title() for rank in rng.integers(2_000, 4_000, 2)]
        for place in range(int(rng.integers(TOGETHER // 2, 2 * TOGETHER - TOGETHER // 2 + 1))):
            words = _words(rng, lexicon, said)
            said += len(words)
            yield Memory(session, place, pair[place % 2], _sentences(words))


def ranks(chances: NDArray[Any], vocabulary: int) -> Ints:
    """Zipf-Mandelbrot ranks of uniform chances. chances: (n,) in [0, 1) → (n,) in [1, vocabulary].

    The integral of the density in closed form, so that a growing vocabulary costs no table.
    """
    power = 1 - EXPONENT
    first, last = (1 + SHIFT) ** power, (vocabulary + 1 + SHIFT) ** power
    found = (first + chances * (last - first)) ** (1 / power) - SHIFT
    whole: Ints = np.minimum(found.astype(np.int64), vocabulary)
    return whole


@lru_cache(maxsize=200_000)
def spelled(rank: int) -> str:
    """The word of that rank (from 1). Three ranks in a row are forms of one stem; a few words
    have two ranks, as "net" is English too."""
    if rank <= len(FUNCTION_WORDS):
        return FUNCTION_WORDS[rank - 1]
    stem, form = divmod(rank - len(FUNCTION_WORDS) - 1, 3)
    return _stem(stem) + _FORMS[stem % 2][form]


def _stem(number: int) -> str:
    """Syllables from the number's digits: one for the first two thousand, then two, then three."""
    choices, syllables = _SYLLABLES * len(_ENDS), 1
    while number >= choices:
        number -= choices
        choices, syllables = choices * _SYLLABLES, syllables + 1
    number = number * _STRIDE % choices
    number, end = divmod(number, len(_ENDS))
    parts = []
    for _ in range(syllables):
        number, syllable = divmod(number, _SYLLABLES)
        onset, vowel = divmod(syllable, len(_VOWELS))
        parts.append(_ONSETS[onset] + _VOWELS[vowel])
    return "".join(parts) + _ENDS[end]


def _content(chances: NDArray[Any], vocabulary: int) -> Ints:
    """Ranks as `ranks` gives them of what comes after the function words."""
    first = _chance_of(len(FUNCTION_WORDS) + 1, vocabulary)
    return ranks(first + chances * (1 - first), vocabulary)


def _chance_of(rank: int, vocabulary: int) -> float:
    """How many of all words are of a lower rank, in [0, 1)."""
    power = 1 - EXPONENT
    first, last = (1 + SHIFT) ** power, (vocabulary + 1 + SHIFT) ** power
    return float(((rank + SHIFT) ** power - first) / (last - first))


def _words(rng: np.random.Generator, lexicon: Ints, said: int) -> list[str]:
    """Of one memory, after so many words said in all."""
    number = int(rng.triangular(WORDS_MIN, WORDS_MIN, WORDS_MAX + 1))
    vocabulary = max(KNOWN, int(HEAPS_K * max(said, 1) ** HEAPS_BETA))
    chances = rng.random((3, number))
    found = ranks(chances[0], vocabulary)
    topical = (found > len(FUNCTION_WORDS)) & (chances[1] < TOPIC_SHARE)
    found[topical] = lexicon[ranks(chances[2][topical], len(lexicon)) - 1]
    words = [spelled(rank) for rank in found.tolist()]
    for place in np.flatnonzero(chances[1] > 1 - NUMBER_SHARE).tolist():
        words[place] = str(int(10 ** (4 * chances[2][place])))
    return words


def _sentences(words: list[str]) -> str:
    """Of about twelve words each, with capitals and stops."""
    pieces = -(-len(words) // 16)
    size = -(-len(words) // pieces)
    lines = (" ".join(words[start : start + size]) for start in range(0, len(words), size))
    return " ".join(line[:1].upper() + line[1:] + "." for line in lines)
