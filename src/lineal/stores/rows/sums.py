"""Which entries a question's words weigh most in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["best_of_arrays"]

SPAN = 16
"""Numbers for each posting, up to which it is quicker to have a place for every number between the
least and the greatest than to sort them."""

SPAN_MIN = 100_000
"""Places that cost next to nothing, however few the postings."""


def best_of_arrays(
    found: Sequence[np.ndarray[Any, Any]],
    weights: Sequence[float],
    most: int,
    without: frozenset[int],
) -> tuple[list[int], int]:
    """(at most `most` numbers whose words weigh most together, later ones first at the same weight;
    how many hold any). found: by word, whole numbers of its entries, each once. weights: of each
    word, > 0. without: numbers that aren't counted."""
    import numpy as np

    if not any(map(len, found)):
        return [], 0
    every, sums = _summed(found, weights)
    if without:
        kept = ~np.isin(every, np.fromiter(without, np.int64))
        every, sums = every[kept], sums[kept]
    number = len(every)
    if number > most:  # what can be among the best, before it is put in order
        close = np.flatnonzero(sums >= np.partition(sums, number - most)[number - most])
        every, sums = every[close], sums[close]
    best: list[int] = every[np.lexsort((-every, -sums))][:most].tolist()
    return best, number


def _summed(
    found: Sequence[np.ndarray[Any, Any]], weights: Sequence[float]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(each number once, its words' weights added up in their order)."""
    import numpy as np

    numbers = np.concatenate(found)
    each_weight = np.repeat(np.asarray(weights, np.float64), [len(array) for array in found])
    least = int(numbers.min())
    span = int(numbers.max()) - least + 1
    if span <= max(SPAN_MIN, SPAN * len(numbers)):
        sums = np.bincount(numbers - least, each_weight, span)
        places = np.flatnonzero(sums)
        return places + least, sums[places]
    every, at = np.unique(numbers, return_inverse=True)
    return every, np.bincount(at.ravel(), each_weight, len(every))
