"""Taking content out physically: rows, history, index, answers. Edges and a mark stay."""

from __future__ import annotations

from collections.abc import Container

import apsw

from lineal.models.changes import Tombstone
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.small_rows import tombstone_values
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.sqlite import counterparts, entries, receipts
from lineal.stores.sqlite.alike import drop_keys
from lineal.stores.sqlite.letters import erase_letters
from lineal.stores.sqlite.statements import all_rows
from lineal.stores.sqlite.tasks import tasks_of_context, tasks_of_user

__all__ = ["erase_context", "erase_heads", "erase_user", "unlist_context"]

_DELETE_REVISIONS = "DELETE FROM context_revision WHERE context_seq = ?"
_DELETE_SIGHTINGS = "DELETE FROM sighting WHERE sighted_seq = ?"
_DELETE_CONTEXT = "DELETE FROM context WHERE seq = ?"
_REPLACE_TOMBSTONE = "INSERT OR REPLACE INTO tombstone VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE_USER_REVISIONS = "DELETE FROM user_revision WHERE of_user = ?"
_DELETE_USER = "DELETE FROM user_row WHERE user_seq = ?"
_SELECT_HEADS = "SELECT name FROM head WHERE tenant = ? AND user_id = ? AND domain = ?"
_DELETE_HEAD = "DELETE FROM head WHERE tenant = ? AND user_id = ? AND domain = ? AND name = ?"


def erase_context(connection: apsw.Connection, row: ContextRow, mark: Tombstone) -> None:
    """Raises LinealError (damaged) when the text to take out of the index can't be trusted."""
    unlist_context(connection, row)
    connection.execute(_DELETE_REVISIONS, (row.seq,))
    connection.execute(_DELETE_SIGHTINGS, (row.seq,))
    connection.execute(_DELETE_CONTEXT, (row.seq,))
    connection.execute(_REPLACE_TOMBSTONE, tombstone_values(row.tenant, mark))
    erase_letters(connection, row.tenant, row.context_id)
    counterparts.mark(connection, row.tenant, row.context_id)


def unlist_context(connection: apsw.Connection, row: ContextRow) -> None:
    """Take out whatever leads to it or shows it; what was withheld left the indexes then."""
    if not row.held:
        entries.remove(connection, row)
        drop_keys(connection, row)
    receipts.empty_of_context(connection, row.tenant, row.context_id)
    tasks_of_context(connection, row.tenant, row.context_id)


def erase_user(connection: apsw.Connection, row: UserKept) -> None:
    """The user row with its history, vectors and tasks; the user's contexts have lives of their
    own."""
    receipts.empty_of_user(connection, row.tenant, row.user_id, row.domain)
    tasks_of_user(connection, row.tenant, row.user_id, row.domain)
    connection.execute(_DELETE_USER_REVISIONS, (row.user_seq,))
    connection.execute(_DELETE_USER, (row.user_seq,))
    erase_heads(connection, row, kept=())


def erase_heads(connection: apsw.Connection, row: UserKept, kept: Container[str]) -> None:
    """The user's vectors, except those of these names."""
    key = (row.tenant, row.user_id, row.domain)
    for (name,) in all_rows(connection, _SELECT_HEADS, *key):
        if name not in kept:
            connection.execute(_DELETE_HEAD, (*key, name))
