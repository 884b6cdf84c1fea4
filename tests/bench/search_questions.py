"""Questions to made-up memories (zipf.py): what people ask, and what nobody should."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from zipf import FUNCTION_WORDS, Memory, spelled

__all__ = ["HOSTILE", "Question", "questions"]

WORDS_MIN, WORDS_MAX = 3, 8
"""Of one question."""

TELLING_MAX = 4
"""Words of a question that say what it is about."""

FREQUENT_SHARE = 0.1
"""Questions of nothing but frequent words."""

FREQUENT = tuple(spelled(len(FUNCTION_WORDS) + 1 + 3 * place) for place in range(48))
"""The most frequent words that aren't function words, of a stem each."""

_COMMON = frozenset(word.lower() for word in FUNCTION_WORDS)
_WORD = re.compile(r"\w+")


class Question(NamedTuple):
    """wanted: which memory it was made from, None for one of frequent words alone. both: two or
    three of its words, to be looked for together."""

    kind: str
    text: str
    both: tuple[str, ...]
    wanted: int | None


def questions(memories: Sequence[Memory], number: int, seed: int) -> list[Question]:
    """So many, each about one of these memories. A memory's words are rare and frequent ones as it
    has them, so a question's are too."""
    chance = random.Random(seed)
    asked: list[Question] = []
    while len(asked) < number:
        if chance.random() < FREQUENT_SHARE:
            asked.append(_frequent(chance))
            continue
        wanted = chance.randrange(len(memories))
        telling = _telling(memories[wanted].text)
        if len(telling) > 1:
            asked.append(_about(chance, wanted, telling))
    return asked


def _telling(text: str) -> list[str]:
    words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
    return [word for word in words if word not in _COMMON and not word.isdigit()]


def _about(chance: random.Random, wanted: int, telling: list[str]) -> Question:
    chosen = chance.sample(telling, min(len(telling), chance.randint(2, TELLING_MAX)))
    size = chance.randint(max(WORDS_MIN, len(chosen)), WORDS_MAX)
    words = [*chosen, *chance.choices(FUNCTION_WORDS[:60], k=size - len(chosen))]
    chance.shuffle(words)
    return Question("mixed", " ".join(words) + "?", tuple(chosen[:3]), wanted)


def _frequent(chance: random.Random) -> Question:
    """Function words alone, or the most frequent of the others among them."""
    words = chance.sample(FUNCTION_WORDS[:40], chance.randint(WORDS_MIN, WORDS_MAX))
    if chance.random() < 0.5:
        words[: TELLING_MAX // 2] = chance.sample(FREQUENT, TELLING_MAX // 2)
    return Question("frequent", " ".join(words) + "?", tuple(words[:2]), None)


def _many(number: int) -> str:
    """So many words, cut so that they fit into what a question may hold."""
    return " ".join(spelled(rank)[:4] for rank in range(1, number + 1))


HOSTILE: dict[str, str] = {
    "100 kB of (": "(" * 100_000,
    '100 kB of "': '"' * 100_000,
    "100 kB of NEAR(": "NEAR(" * 20_000,
    "NEAR(": f"NEAR({FREQUENT[0]} {FREQUENT[1]}, 2",
    "*": "*",
    "word*": f"{FREQUENT[0]}*",
    "unpaired quotes": f'"{FREQUENT[0]} \' "" {FREQUENT[1]}',
    "col:x": f"content:{FREQUENT[0]} col:x -{FREQUENT[1]}",
    "AND OR NOT": f"{FREQUENT[0]} AND OR NOT ({FREQUENT[1]}",
    "NUL": f"{FREQUENT[0]}\0{FREQUENT[1]}",
    "one word of 100 kB": "x" * 100_000,
    "20,000 words": _many(20_000),
    "the 8 most frequent words": " ".join(FUNCTION_WORDS[:8]),
    "the 48 most frequent words": " ".join(FUNCTION_WORDS[:48]),
    "48 frequent words": " ".join(FREQUENT),
}
"""What a query language would stumble over, and what is dear for an index."""
