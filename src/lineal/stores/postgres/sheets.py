"""Entries as ranking sees them: their words of a question, and their neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from lineal.models.sheet import Entry, Meaning
from lineal.stores.postgres.pieces import best_matches
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.vectors import LIKENESS, asked_halves, space_of
from lineal.stores.rows.sheets import Hashes, counts_in, needles_of
from lineal.stores.rows.values import Row

__all__ = ["Reader"]

# Three on each side: two are read, and the third is the next of the second.
_CHOSEN = (
    "WITH chosen AS MATERIALIZED (SELECT entry_seq AS of_seq, entry_shelf AS of_shelf, "
    "session AS of_session, happened_at AS of_at FROM lineal.entry "
    "WHERE tenant_id = %s AND entry_seq = ANY(%s::bigint[])), "
    "beside AS MATERIALIZED (SELECT of_seq, "
    "ARRAY(SELECT entry_seq FROM lineal.entry WHERE tenant_id = %s AND entry_shelf = of_shelf "
    "AND session = of_session AND (happened_at, entry_seq) < (of_at, of_seq) "
    "ORDER BY happened_at DESC, entry_seq DESC LIMIT 3) AS before, "
    "ARRAY(SELECT entry_seq FROM lineal.entry WHERE tenant_id = %s AND entry_shelf = of_shelf "
    "AND session = of_session AND (happened_at, entry_seq) > (of_at, of_seq) "
    "ORDER BY happened_at, entry_seq LIMIT 3) AS after FROM chosen), "
    "wanted AS MATERIALIZED (SELECT want_seq, max(before) AS before, max(after) AS after FROM "
    "(SELECT of_seq AS want_seq, before, after FROM beside UNION ALL "
    "SELECT unnest(before[1:2]), NULL, NULL FROM beside UNION ALL "
    "SELECT unnest(after[1:2]), NULL, NULL FROM beside) AS near GROUP BY want_seq) "
    "SELECT entry_seq, session, happened_at, entry_speaker, traits, entry_own_words, "
    "entry_head_words, entry_words, before, after,"
)
_BEFORE, _AFTER = 8, 9
"""Where these stand in a row; its likeness comes last."""

_FROM = "FROM wanted JOIN lineal.entry ON entry.tenant_id = %s AND entry_seq = want_seq"
_WITHOUT = sql(_CHOSEN, "NULL::real AS likeness", _FROM)
_LIKENESS = sql(
    _CHOSEN,
    LIKENESS,
    _FROM,
    "LEFT JOIN lineal.embedding ON embedding.tenant_id = %s AND space_id = %s "
    "AND vector_shelf = entry_shelf AND vector_seq = entry_seq",
)


class Reader:
    """Reads entries and those around them, all at once. without: entries that have ended: they are
    passed over, and so is what lies behind them."""

    def __init__(self, session: Session, hashes: Hashes, without: frozenset[int]) -> None:
        self._session = session
        self._needles = needles_of(hashes)
        self._without = without
        self._kept: dict[int, Row] = {}
        self._previous: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._read: dict[int, None] = {}
        self._pieces: dict[int, float] = {}

    async def read(self, seqs: Iterable[int], meaning: Meaning | None) -> None:
        """These, with their cosines where a meaning is given, and what lies up to two places beside
        them, of which `around` tells."""
        wanted = [seq for seq in seqs if seq not in self._without]
        tenant = self._session.tenant
        bound = (tenant, wanted, tenant, tenant)
        if not wanted:
            return
        if meaning is None:
            rows = await self._session.rows(_WITHOUT, *bound, tenant)
        else:
            space = (tenant, space_of(meaning.space))
            halves = asked_halves(meaning.vector)
            rows = await self._session.rows(_LIKENESS, *bound, *halves, tenant, *space)
        for row in rows:
            seq, before, after = row[0], row[_BEFORE], row[_AFTER]
            self._kept[seq] = row
            if before is not None:
                self._link([*reversed(before), seq, *after])
        self._take(wanted)

    def around(self, seqs: Iterable[int]) -> list[int]:
        """Take the neighbours of those that were taken; which these are."""
        taken = [seq for seq in seqs if seq in self._read]
        near = {*map(self._previous.get, taken), *map(self._next.get, taken)}
        return self._take(seq for seq in near if seq is not None)

    async def match(self, meaning: Meaning, seqs: Iterable[int]) -> None:
        """Look at the pieces of these."""
        if meaning.pieces is not None:
            space = space_of(meaning.space)
            self._pieces = await best_matches(self._session, space, seqs, meaning.pieces)

    def entries(self) -> dict[int, Entry]:
        return {seq: self._entry(self._kept[seq]) for seq in self._read}

    def _link(self, line: list[int]) -> None:
        """line: neighbours in their order."""
        for before, after in pairwise(line):
            self._next[before], self._previous[after] = after, before

    def _take(self, seqs: Iterable[int]) -> list[int]:
        taken = [seq for seq in seqs if seq in self._kept and seq not in self._without]
        self._read.update(dict.fromkeys(taken))
        return taken

    def _entry(self, row: Row) -> Entry:
        seq, session, at, speaker, traits, own_words, head_words, words, _, _, likeness = row
        own, head = counts_in(words, self._needles)
        return Entry(
            *(seq, own, head, own_words, head_words, self._previous.get(seq), self._next.get(seq)),
            *(session, speaker, traits, at, likeness, self._pieces.get(seq)),
        )
