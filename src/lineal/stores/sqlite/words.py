"""Whether the index says of every context what its text says, and nothing else."""

from __future__ import annotations

import apsw

from lineal.clock import to_ms
from lineal.models.context import Context
from lineal.policy.indexing import indexed
from lineal.stores.rows.words import packed_words
from lineal.stores.sqlite.entries import EntryRow, tokens
from lineal.stores.sqlite.lexicon import analyzer_of
from lineal.stores.sqlite.statements import one_row, one_value

__all__ = ["WordCheck"]

# The engine's own check of an index without content can't know which words should be there, so
# the index is made a second time, in memory (about 200 bytes a memory), and both are compared.
_MAKE = (
    "CREATE VIRTUAL TABLE temp.expected USING fts5 "
    "(words, content = '', columnsize = 0, detail = none, tokenize = 'ascii')",
    "CREATE VIRTUAL TABLE temp.expected_words USING fts5vocab ('temp', 'expected', 'instance')",
    "CREATE VIRTUAL TABLE temp.present_words USING fts5vocab ('main', 'entry_text', 'instance')",
)
_INSERT = "INSERT INTO temp.expected (rowid, words) VALUES (?, ?)"
_ENTRY = "SELECT * FROM entry WHERE entry_seq = ?"
# One number for all the places of a term: which memories.
_COUNT_DIFFERENT = """
SELECT count(DISTINCT term) FROM (
    SELECT term, number, places FROM (
        SELECT term, count(*) AS number, sum((doc * 1000003) % 2147483647) AS places
        FROM temp.expected_words GROUP BY term
        UNION ALL
        SELECT term, count(*), sum((doc * 1000003) % 2147483647)
        FROM temp.present_words GROUP BY term
    ) GROUP BY term, number, places HAVING count(*) <> 2
)
"""


class WordCheck:
    """Collects what should be indexed, then compares. The connection must be read-only."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._analyzer = analyzer_of(connection)
        self.untrue = 0
        """Entries that don't say what their text says."""
        connection.pragma("query_only", "OFF")  # tables in memory; the file stays read-only
        for statement in _MAKE:
            connection.execute(statement)

    def expect(self, seq: int, context: Context) -> None:
        kept = indexed(self._analyzer, context)
        words = packed_words(kept)
        values = one_row(self._connection, _ENTRY, seq)
        entry = None if values is None else EntryRow(*values)
        if entry is None:
            self.untrue += 1
            return
        self._connection.execute(_INSERT, (seq, tokens(entry.shelf, words)))
        said = (entry.session, entry.happened_at, entry.speaker, entry.traits)
        true = (kept.session, to_ms(context.occurred_at), kept.speaker, int(kept.traits))
        counts = (entry.own_words, entry.head_words, entry.words)
        self.untrue += said != true or counts != (kept.own_words, kept.head_words, words)

    def different(self) -> int:
        """How many words are missing, too many, or in other memories."""
        count: int = one_value(self._connection, _COUNT_DIFFERENT)
        return count
