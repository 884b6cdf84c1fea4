"""The index of the present of every context: its words, its place in its session, its filters.

A shelf holds the contexts of one user in one domain and project. Each word in the full-text index
begins with its shelf's number, so that a search walks only the shelves it looks at. The words
themselves are not there, only 32 bits of each: nothing of a text can be read from the index."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import apsw

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.context import Context
from lineal.policy.indexing import embedded, indexed
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.rows.words import packed_words, unpacked
from lineal.stores.sqlite import trouble, vectors
from lineal.stores.sqlite.lexicon import analyzer_of, write_language
from lineal.stores.sqlite.statements import all_rows, one_row, one_value, sql

__all__ = [
    "EntryRow",
    "add",
    "rebuild",
    "remove",
    "replace",
    "token",
    "tokens",
]

_SHELF = (
    "INSERT INTO shelf (tenant, user_id, domain, project, entries, own_words, head_words) "
    "VALUES (?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET entries = entries + 1, "
    "own_words = own_words + excluded.own_words, head_words = head_words + excluded.head_words "
    "RETURNING shelf_id"
)
_LEAVE_SHELF = (
    "UPDATE shelf SET entries = entries - 1, own_words = own_words - ?, "
    "head_words = head_words - ? WHERE shelf_id = ?"
)
_SPEAKS = "INSERT INTO speaker VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET speaks_in = speaks_in + 1"
_SPEAKS_LESS = (
    "UPDATE speaker SET speaks_in = speaks_in - 1 WHERE speaker_shelf = ? AND speaker_name = ?"
)
_SPEAKS_NO_MORE = (
    "DELETE FROM speaker WHERE speaker_shelf = ? AND speaker_name = ? AND speaks_in = 0"
)
_BEFORE = (
    "SELECT entry_seq FROM entry WHERE entry_shelf = ? AND session = ? "
    "AND (happened_at, entry_seq) < (?, ?) ORDER BY happened_at DESC, entry_seq DESC LIMIT 1"
)
_AFTER = (
    "SELECT entry_seq FROM entry WHERE entry_shelf = ? AND session = ? "
    "AND (happened_at, entry_seq) > (?, ?) ORDER BY happened_at, entry_seq LIMIT 1"
)
_SET_NEXT = "UPDATE entry SET next_seq = ? WHERE entry_seq = ?"
_SET_PREVIOUS = "UPDATE entry SET previous_seq = ? WHERE entry_seq = ?"
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM entry WHERE entry_seq = ?"
_SELECT = "SELECT * FROM entry WHERE entry_seq = ?"
_INDEX = "INSERT INTO entry_text (rowid, words) VALUES (?, ?)"
_UNINDEX = "INSERT INTO entry_text (entry_text, rowid, words) VALUES ('delete', ?, ?)"
_EMBED = "INSERT OR IGNORE INTO embed_again SELECT space_id, ? FROM space WHERE done_seq >= ?"
_EMBED_NO_MORE = (
    "DELETE FROM embed_again WHERE again_space IN (SELECT space_id FROM space) AND again_seq = ?"
)
_SELECT_BODY = "SELECT body, body_digest FROM context_revision WHERE context_seq = ? AND number = ?"


_CLEAR = (
    "DELETE FROM entry",
    "DELETE FROM speaker",
    "UPDATE shelf SET entries = 0, own_words = 0, head_words = 0",
    "INSERT INTO entry_text (entry_text) VALUES ('delete-all')",
)
_SHOWN = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    ", body, body_digest FROM context JOIN context_revision ON context_seq = seq "
    "AND number = revision WHERE held_until IS NULL ORDER BY seq",
)


class EntryRow(NamedTuple):
    """A row of entry. words: packed, see unpacked()."""

    seq: int
    shelf: int
    session: int | None
    happened_at: int
    previous: int | None
    next: int | None
    speaker: str
    traits: int
    own_words: int
    head_words: int
    words: bytes


def token(shelf: int, word: int) -> str:
    """A word of a shelf as the full-text index has it: letters and digits only."""
    return f"{shelf:x}z{word:x}"


def add(connection: apsw.Connection, seq: int, tenant: str, context: Context) -> None:
    """Index a context that isn't, and see to its vectors: a number may have been another's, behind
    the mark of what was looked at."""
    _put(connection, seq, tenant, context)
    connection.execute(_EMBED, (seq, seq))


def _put(connection: apsw.Connection, seq: int, tenant: str, context: Context) -> int:
    """Put a context on its shelf, between its neighbours; the shelf's number."""
    kept = indexed(analyzer_of(connection), context)
    words, at = packed_words(kept), to_ms(context.occurred_at)
    place = (tenant, context.user_id, context.domain, context.project or "")
    shelf: int = one_value(connection, _SHELF, *place, kept.own_words, kept.head_words)
    before, after = _neighbours(connection, shelf, kept.session, at, seq)
    connection.execute(
        _INSERT,
        (
            *(seq, shelf, kept.session, at, before, after, kept.speaker),
            *(int(kept.traits), kept.own_words, kept.head_words, words),
        ),
    )
    _link(connection, before, seq, after)
    if kept.speaker:
        connection.execute(_SPEAKS, (shelf, kept.speaker))
    connection.execute(_INDEX, (seq, tokens(shelf, words)))
    return shelf


def replace(connection: apsw.Connection, old: ContextRow, new: Context) -> None:
    """Index the new present of a row instead of the old; its vectors stay where they are still
    true."""
    before = _kept(connection, old)
    if _same(before, new):
        return
    left = _take_out(connection, old)
    shelf = _put(connection, old.seq, old.tenant, new)
    if shelf != left or embedded(before) != embedded(new):
        vectors.again(connection, old.seq)
        if left is not None:
            vectors.drop(connection, left, old.seq)


def remove(connection: apsw.Connection, row: ContextRow) -> None:
    """Take a row out of the index, its vectors too."""
    shelf = _take_out(connection, row)
    connection.execute(_EMBED_NO_MORE, (row.seq,))
    if shelf is not None:
        vectors.drop(connection, shelf, row.seq)


def rebuild(connection: apsw.Connection, language: str) -> None:
    """Make every entry anew, in this language. Vectors of what is there stay."""
    write_language(connection, language)
    for statement in _CLEAR:
        connection.execute(statement)
    for values in all_rows(connection, _SHOWN):
        with suppress(LinealError):  # what is damaged is found by its id, and by verify
            row = ContextRow.checked(values[:-2])
            _put(connection, row.seq, row.tenant, row.context(row.revision, *values[-2:]))


def _kept(connection: apsw.Connection, row: ContextRow) -> Context:
    values = one_row(connection, _SELECT_BODY, row.seq, row.revision)
    if values is None:
        raise trouble.damaged(f"The memory '{row.context_id}'", context_id=row.context_id)
    return row.context(row.revision, *values)


_INDEXED_FIELDS = (
    *("content", "title", "summary", "tags", "speaker", "source", "agent_source"),
    *("session_id", "occurred_at", "memory_type", "project"),
)


def _same(old: Context, new: Context) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in _INDEXED_FIELDS)


def _take_out(connection: apsw.Connection, row: ContextRow) -> int | None:
    """By what the entry itself says, whatever the text is by now; the shelf it lay on, None for
    what isn't in the index."""
    values = one_row(connection, _SELECT, row.seq)
    if values is None:
        return None
    entry = EntryRow(*values)
    connection.execute(_UNINDEX, (entry.seq, tokens(entry.shelf, entry.words)))
    connection.execute(_DELETE, (entry.seq,))
    if entry.previous is not None:
        connection.execute(_SET_NEXT, (entry.next, entry.previous))
    if entry.next is not None:
        connection.execute(_SET_PREVIOUS, (entry.previous, entry.next))
    connection.execute(_LEAVE_SHELF, (entry.own_words, entry.head_words, entry.shelf))
    if entry.speaker:
        connection.execute(_SPEAKS_LESS, (entry.shelf, entry.speaker))
        connection.execute(_SPEAKS_NO_MORE, (entry.shelf, entry.speaker))
    return entry.shelf


def _neighbours(
    connection: apsw.Connection, shelf: int, session: int | None, at: int, seq: int
) -> tuple[int | None, int | None]:
    """Whom it comes to lie between in its session: by when it happened, then by receipt."""
    if session is None:
        return None, None
    bound = (shelf, session, at, seq)
    return one_value(connection, _BEFORE, *bound), one_value(connection, _AFTER, *bound)


def _link(connection: apsw.Connection, before: int | None, seq: int, after: int | None) -> None:
    if before is not None:
        connection.execute(_SET_NEXT, (seq, before))
    if after is not None:
        connection.execute(_SET_PREVIOUS, (seq, after))


def tokens(shelf: int, words: bytes) -> str:
    """What the full-text index is given, and must be given again to forget it."""
    start = f"{shelf:x}z"
    return " ".join([f"{start}{word:x}" for word, _, _ in unpacked(words)])
