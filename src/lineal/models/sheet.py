"""What ranking sees of a question and of the contexts that may answer it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from typing import NamedTuple

from lineal.models.context import Context

__all__ = [
    "EmbedBatch",
    "Entry",
    "Meaning",
    "Pieces",
    "Rank",
    "Scored",
    "Sheet",
    "Space",
    "Trait",
    "Unembedded",
]


class Space(NamedTuple):
    """A space of vectors: the model that makes them and how many numbers each has. Vectors of
    different spaces are never compared."""

    version: str
    dim: int


class Pieces(NamedTuple):
    """The pieces of a text, those that say something. numbers: (n,), in the model's vocabulary.
    rows: (n, dim) signed bytes, row after row, each a vector of length 1 times 127."""

    numbers: tuple[int, ...]
    rows: bytes


class Meaning(NamedTuple):
    """A question as a vector. vector: (dim,), of length 1. read: how much of the
    question the model could read, in [0, 1]. pieces: its pieces', where texts have them too."""

    space: Space
    vector: tuple[float, ...]
    read: float = 1.0
    pieces: Pieces | None = None


class Trait(IntFlag):
    """Something in a text. The numbers lie in stores: none may ever mean something else."""

    TELLS_WHEN = 1
    TELLS_WHERE = 2
    TELLS_NUMBER = 4
    ASKS = 8
    ENDS_ASKING = 16


class Entry(NamedTuple):
    """One context as the index has it.

    number: the store's own. own, head: by the place of a term of the sheet, how often it occurs in
    the text, and in what stands over it (title, tags, speaker, date); absent where it doesn't.
    previous, next: its neighbours within its session, by number. speaker: as a question would name
    them, folded. traits: what its text could tell,
    as a Trait.  happened_at: milliseconds. likeness: cosine
    with the question, in [-1, 1]; None where it has no vector (yet). pieces: how well its pieces
    match the question's, likewise.
    """

    number: int
    own: dict[int, int]
    head: dict[int, int]
    own_words: int
    head_words: int
    previous: int | None = None
    next: int | None = None
    session: int | None = None
    speaker: str = ""
    traits: int = 0
    happened_at: int = 0
    likeness: float | None = None
    pieces: float | None = None


class Sheet(NamedTuple):
    """A question, its scope, and the entries to choose from.

    question: as asked. weak: places of terms that only frame it. holders: how many contexts of the
    scope hold each term. size: contexts in
    the scope. own_mean, head_mean: words in a text, and over it, on average; at least 1.
    read: how much of the question the embedder could read, in [0, 1].
    candidates: numbers, in no order; their neighbours are among the entries too where they are
    live.
    """

    question: str
    weak: frozenset[int]
    holders: tuple[int, ...]
    size: int
    own_mean: float
    head_mean: float
    entries: dict[int, Entry]
    candidates: tuple[int, ...]
    read: float = 1.0

    def at(self, number: int | None) -> Entry | None:
        """The entry of that number, if it is there."""
        return None if number is None else self.entries.get(number)


class Scored(NamedTuple):
    """A candidate's place in the order. score: higher is better, and nothing but the order is
    meant by it. parts: its summands, as the rank names them."""

    number: int
    score: float
    parts: tuple[float, ...]


Rank = Callable[[Sheet], list[Scored]]
"""Pure: a sheet to its candidates in order, best first; those that don't answer at all are left
out."""


class Unembedded(NamedTuple):
    """A context without a vector. number: the store's own."""

    number: int
    context: Context


class EmbedBatch(NamedTuple):
    """Contexts to embed, for `owner` alone for a while. upto: the store's own mark of how far this
    reaches, which it takes back with the vectors. tenant: the wall behind which all of it lies, ""
    of a store whose batches go over several."""

    space: Space
    owner: str
    items: tuple[Unembedded, ...]
    upto: int
    tenant: str = ""
