"""Taking content out physically: rows, history, index, answers. Edges and a mark stay."""

from __future__ import annotations

import apsw

from lineal.models.changes import Tombstone
from lineal.stores.sqlite import fulltext, receipts
from lineal.stores.sqlite.context_rows import ContextRow
from lineal.stores.sqlite.rows import tombstone_values
from lineal.stores.sqlite.user_rows import UserKept

__all__ = ["erase_context", "erase_user"]

_DELETE_REVISIONS = "DELETE FROM context_revision WHERE context_seq = ?"
_DELETE_CONTEXT = "DELETE FROM context WHERE seq = ?"
_REPLACE_TOMBSTONE = "INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE_USER_REVISIONS = "DELETE FROM user_revision WHERE of_user = ?"
_DELETE_USER = "DELETE FROM user_row WHERE user_seq = ?"
_DELETE_HEADS = "DELETE FROM head WHERE tenant = ? AND user_id = ? AND domain = ?"


def erase_context(connection: apsw.Connection, row: ContextRow, mark: Tombstone) -> None:
    """Raises LinealError (damaged) when the text to take out of the index can't be trusted."""
    fulltext.remove(connection, row)
    receipts.drop_of_context(connection, row.tenant, row.context_id)
    connection.execute(_DELETE_REVISIONS, (row.seq,))
    connection.execute(_DELETE_CONTEXT, (row.seq,))
    connection.execute(_REPLACE_TOMBSTONE, tombstone_values(row.tenant, mark))


def erase_user(connection: apsw.Connection, row: UserKept) -> None:
    """The user row with its history and vectors; the user's contexts have lives of their own."""
    receipts.drop_of_user(connection, row.tenant, row.user_id, row.domain)
    connection.execute(_DELETE_USER_REVISIONS, (row.user_seq,))
    connection.execute(_DELETE_USER, (row.user_seq,))
    connection.execute(_DELETE_HEADS, (row.tenant, row.user_id, row.domain))
