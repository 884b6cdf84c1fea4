"""Whether the full-text index holds the words of the memories, each in its place, and no others."""

from __future__ import annotations

import apsw

from lineal.models.context import Context
from lineal.stores.sqlite.context_rows import index_text
from lineal.stores.sqlite.fulltext import COLUMNS
from lineal.stores.sqlite.statements import one_value, sql

__all__ = ["WordCheck"]

# The engine's own check of an index without content can't know which words should be there, so
# the index is made a second time, in memory (about 1 kB a memory), and both are compared.
_MAKE = (
    sql("CREATE VIRTUAL TABLE temp.expected USING fts5 (", COLUMNS, ")"),
    "CREATE VIRTUAL TABLE temp.expected_words USING fts5vocab ('temp', 'expected', 'instance')",
    "CREATE VIRTUAL TABLE temp.present_words USING fts5vocab ('main', 'context_text', 'instance')",
)
_INSERT = (
    "INSERT INTO temp.expected (rowid, content, title, summary, tags, speaker) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
# One number for all the places of a term: which memory, which column, which position.
_COUNT_DIFFERENT = """
SELECT count(DISTINCT term) FROM (
    SELECT term, number, places FROM (
        SELECT term, count(*) AS number,
            sum((doc * 1000003 + offset * 31 + instr('content title summary tags speaker', col))
                % 2147483647) AS places
        FROM temp.expected_words GROUP BY term
        UNION ALL
        SELECT term, count(*),
            sum((doc * 1000003 + offset * 31 + instr('content title summary tags speaker', col))
                % 2147483647)
        FROM temp.present_words GROUP BY term
    ) GROUP BY term, number, places HAVING count(*) <> 2
)
"""


class WordCheck:
    """Collects what should be indexed, then compares. The connection must be read-only."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        connection.pragma("query_only", "OFF")  # tables in memory; the file stays read-only
        for statement in _MAKE:
            connection.execute(statement)

    def expect(self, seq: int, context: Context) -> None:
        self._connection.execute(_INSERT, (seq, *index_text(context)))

    def different(self) -> int:
        """How many words are missing, too many, or in other places."""
        count: int = one_value(self._connection, _COUNT_DIFFERENT)
        return count
