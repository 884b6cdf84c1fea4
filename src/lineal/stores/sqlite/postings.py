"""Which entries hold a word: read from the full-text index, within a bound."""

from __future__ import annotations

import heapq
import importlib
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import apsw

from lineal.stores.rows.sums import best_of_arrays
from lineal.stores.sqlite.entries import token
from lineal.stores.sqlite.statements import one_row, one_value

__all__ = ["Postings", "best_sums", "holds_any", "matching", "postings"]

READ_MAX = 200_000
"""Postings that one question reads, shared among its words: some 20 ms. Of a word that more
contexts hold the newest are read: it tells little apart, and counts again when these are ranked."""

READ_MIN = 2_000
"""Postings read of each word, however many words there are."""

ARRAYS_FROM = 4_000
"""Postings from which on arrays are quicker than a dict."""

ARRAYS_AT_ONCE = 60_000
"""Postings for which it is worth waiting for what arrays need, a tenth of a second once; for fewer
it is loaded beside the first question that would use it."""

_READ = (
    "SELECT group_concat(number), count(*) FROM (SELECT rowid AS number FROM entry_text "
    "WHERE entry_text MATCH ? ORDER BY rowid DESC LIMIT ?)"
)
_OLDEST = "SELECT rowid FROM entry_text WHERE entry_text MATCH ? ORDER BY rowid LIMIT 1"
_ANY = "SELECT 1 FROM entry_text WHERE entry_text MATCH ? LIMIT 1"


class Postings(NamedTuple):
    """numbers: of the entries that hold a word, newest first, as text between commas. read: how
    many these are. holders: how many there are in all, estimated where they were too many."""

    numbers: str
    read: int
    holders: int


def matching(shelves: Iterable[int], words: Sequence[int], marks: Sequence[Sequence[int]]) -> str:
    """An expression for entries on these shelves that hold any of the words, and of each group of
    marks one. Tokens are letters and digits, so nothing in it can be syntax."""
    groups = [words, *marks]
    shelves = tuple(shelves)
    parts = [" OR ".join(token(shelf, word) for shelf in shelves for word in g) for g in groups]
    return " AND ".join(f"({part})" for part in parts)


def postings(connection: apsw.Connection, expression: str, most: int) -> Postings:
    """Of an expression, at most `most`, the newest."""
    numbers, read = one_row(connection, _READ, expression, most) or ("", 0)
    if read < most:
        return Postings(numbers or "", read, read)
    newest, low = int(numbers[: numbers.find(",")]), int(numbers[numbers.rfind(",") + 1 :])
    oldest: int = one_value(connection, _OLDEST, expression)
    share = (newest - low + 1) / (newest - oldest + 1)
    return Postings(numbers, read, max(read, round(read / share)))


def holds_any(connection: apsw.Connection, expression: str) -> bool:
    return one_row(connection, _ANY, expression) is not None


def best_sums(
    found: Sequence[Postings], weights: Sequence[float], most: int, without: frozenset[int]
) -> tuple[list[int], int]:
    """(at most `most` entries whose words weigh most together, later ones first at the same
    weight; how many hold any). without: entries that aren't counted."""
    if _in_arrays(sum(each.read for each in found)):
        import numpy as np

        arrays = [np.fromstring(each.numbers, np.int64, sep=",") for each in found]
        return best_of_arrays(arrays, weights, most, without)
    sums: dict[int, float] = {}
    for each, weight in zip(found, weights, strict=True):
        for number in map(int, each.numbers.split(",") if each.numbers else ()):
            sums[number] = sums.get(number, 0.0) + weight
    for number in without & sums.keys():
        del sums[number]
    best = heapq.nlargest(most, sums, key=lambda number: (sums[number], number))
    return best, len(sums)


def _in_arrays(read: int) -> bool:
    if read < ARRAYS_FROM:
        return False
    if "numpy" in sys.modules or read >= ARRAYS_AT_ONCE:
        return True
    threading.Thread(target=importlib.import_module, args=("numpy",), daemon=True).start()
    return False
