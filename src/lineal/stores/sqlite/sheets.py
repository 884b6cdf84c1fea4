"""Entries as ranking sees them: their words of a question, and their neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import apsw

from lineal.analysis.analyzer import Analyzer
from lineal.clock import to_ms
from lineal.models.context import Context
from lineal.models.sheet import Entry, Meaning
from lineal.policy.indexing import indexed
from lineal.stores.rows.words import HEAD_AT, OWN_AT, WORD_BYTES, hashed, needle
from lineal.stores.sqlite import vectors
from lineal.stores.sqlite.entries import EntryRow
from lineal.stores.sqlite.pieces import best_matches
from lineal.stores.sqlite.statements import all_rows

__all__ = ["Reader", "past_entry"]

_SELECT = "SELECT entry.* FROM json_each(?) JOIN entry ON entry_seq = value"

Hashes = Sequence[tuple[int, ...]]
"""Of each term, the hashes that stand for it."""


_NONE: dict[int, int] = {}
"""Most entries hold none of a question's words: one that nobody may change."""


class Reader:
    """Reads entries and those around them, each once. without: entries that have ended."""

    def __init__(
        self, connection: apsw.Connection, hashes: Hashes, without: frozenset[int]
    ) -> None:
        self._connection = connection
        self._needles = [
            (needle(word), place) for place, group in enumerate(hashes) for word in group
        ]
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
        own, head = self._counts(row[-1])
        seq, _, session, at, previous, following, speaker, traits, own_words, head_words, _ = row
        return Entry(
            *(seq, own, head, own_words, head_words, previous, following, session, speaker),
            *(traits, at, self._likeness.get(seq), self._pieces.get(seq)),
        )

    def _counts(self, words: bytes) -> tuple[dict[int, int], dict[int, int]]:
        """By searching the bytes: most entries hold few of the words, and there are hundreds."""
        own, head = _NONE, _NONE
        for sought, place in self._needles:
            at = words.find(sought)
            while at > 0 and at % WORD_BYTES:
                at = words.find(sought, at + 1)
            if at >= 0:
                in_own, in_head = words[at + OWN_AT], words[at + HEAD_AT]
                own = _added(own, place, in_own)
                head = _added(head, place, in_head)
        return own, head


def past_entry(analyzer: Analyzer, seq: int, context: Context, hashes: Hashes) -> Entry:
    """An earlier text of a context, without neighbours: those of now say what came later."""
    kept = indexed(analyzer, context)
    times = {hashed(term): counts for term, counts in kept.terms.items()}
    held = [
        (place, *times[word])
        for place, group in enumerate(hashes)
        for word in group
        if word in times
    ]
    return Entry(
        number=seq,
        own=_summed((at, own) for at, own, _ in held),
        head=_summed((at, head) for at, _, head in held),
        own_words=kept.own_words,
        head_words=kept.head_words,
        speaker=kept.speaker,
        traits=kept.traits,
        happened_at=to_ms(context.occurred_at),
    )


def _summed(counts: Iterable[tuple[int, int]]) -> dict[int, int]:
    """By place, how often in all; without those that don't occur."""
    sums = _NONE
    for place, count in counts:
        sums = _added(sums, place, count)
    return sums


def _added(sums: dict[int, int], place: int, count: int) -> dict[int, int]:
    return {**sums, place: sums.get(place, 0) + count} if count else sums
