"""Entries as ranking sees them: their words of a question, and their neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import apsw

from lineal.models.sheet import Entry, Meaning
from lineal.stores.rows.sheets import Hashes, counts_in, needles_of
from lineal.stores.sqlite import vectors
from lineal.stores.sqlite.entries import EntryRow
from lineal.stores.sqlite.pieces import best_matches
from lineal.stores.sqlite.statements import all_rows

__all__ = ["Reader"]

_SELECT = "SELECT entry.* FROM json_each(?) JOIN entry ON entry_seq = value"


class Reader:
    """Reads entries and those around them, each once. without: entries that have ended."""

    def __init__(
        self, connection: apsw.Connection, hashes: Hashes, without: frozenset[int]
    ) -> None:
        self._connection = connection
        self._needles = needles_of(hashes)
        self._without = without
        self._rows: dict[int, EntryRow] = {}
        self._likeness: dict[int, float] = {}
        self._pieces: dict[int, float] = {}

    def read(self, seqs: Iterable[int]) -> None:
        wanted = [s for s in seqs if s not in self._rows and s not in self._without]
        listed = "[" + ",".join(map(str, wanted)) + "]"
        for values in all_rows(self._connection, _SELECT, listed) if wanted else ():
            self._rows[values[0]] = EntryRow._make(values)

    def read_around(self, seqs: Iterable[int]) -> list[int]:
        """Read the neighbours of those that were read; which these are."""
        rows = [self._rows[seq] for seq in seqs if seq in self._rows]
        around = {n for row in rows for n in (row.previous, row.next) if n is not None}
        self.read(around)
        return [seq for seq in around if seq in self._rows]

    def measure(self, meaning: Meaning, known: dict[int, float]) -> None:
        """Find the cosine of every entry that has a vector. known: of some already."""
        self._likeness = dict(known)
        unknown: defaultdict[int, list[int]] = defaultdict(list)
        for seq, row in self._rows.items():
            if seq not in known:
                unknown[row.shelf].append(seq)
        found = vectors.likenesses(self._connection, meaning.space, meaning.vector, unknown)
        self._likeness.update(found)

    def match(self, meaning: Meaning, seqs: Iterable[int]) -> None:
        """Look at the pieces of these."""
        space = vectors.space_id(self._connection, meaning.space)
        if meaning.pieces is not None and space is not None:
            self._pieces = best_matches(self._connection, space, seqs, meaning.pieces)

    def entries(self) -> dict[int, Entry]:
        return {seq: self._entry(row) for seq, row in self._rows.items()}

    def _entry(self, row: EntryRow) -> Entry:
        own, head = counts_in(row[-1], self._needles)
        seq, _, session, at, previous, following, speaker, traits, own_words, head_words, _ = row
        return Entry(
            *(seq, own, head, own_words, head_words, previous, following, session, speaker),
            *(traits, at, self._likeness.get(seq), self._pieces.get(seq)),
        )
