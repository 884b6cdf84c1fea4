"""The full-text index of the present of every context."""

from __future__ import annotations

import apsw

from lineal.models.context import Context
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.context_rows import ContextRow, index_text
from lineal.stores.sqlite.statements import one_row

__all__ = ["COLUMNS", "add", "remove", "replace"]

COLUMNS = """
    content, title, summary, tags, speaker,
    content = '', tokenize = 'porter unicode61 remove_diacritics 2'
"""
"""As the tables' first version made the index, for others that must find as it does."""

_INSERT = (
    "INSERT INTO context_text (rowid, content, title, summary, tags, speaker) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_DELETE = (
    "INSERT INTO context_text (context_text, rowid, content, title, summary, tags, speaker) "
    "VALUES ('delete', ?, ?, ?, ?, ?, ?)"
)
_SELECT_BODY = "SELECT body, body_digest FROM context_revision WHERE context_seq = ? AND number = ?"


def add(connection: apsw.Connection, seq: int, context: Context) -> None:
    connection.execute(_INSERT, (seq, *index_text(context)))


def replace(connection: apsw.Connection, old: ContextRow, new: Context) -> None:
    """Index the new text of a row instead of the old; nothing to do when the words are the same."""
    before, after = _indexed(connection, old), index_text(new)
    if before != after:
        connection.execute(_DELETE, (old.seq, *before))
        connection.execute(_INSERT, (old.seq, *after))


def remove(connection: apsw.Connection, row: ContextRow) -> None:
    """Take the row's words out of the index."""
    connection.execute(_DELETE, (row.seq, *_indexed(connection, row)))


def _indexed(connection: apsw.Connection, row: ContextRow) -> tuple[str, ...]:
    """The very text that the index was given: a contentless one needs it to forget it, so a damaged
    text raises LinealError rather than leaving words behind."""
    values = one_row(connection, _SELECT_BODY, row.seq, row.revision)
    if values is None:
        raise trouble.damaged(f"The memory '{row.context_id}'", context_id=row.context_id)
    return index_text(row.context(row.revision, *values))
