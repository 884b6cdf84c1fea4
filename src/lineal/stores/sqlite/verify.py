"""Looking at everything: the engine's own check, every hash, and whether the parts fit together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import apsw

from lineal.errors import LinealError
from lineal.models.changes import VerifyReport
from lineal.ports.store import Progress
from lineal.stores.rows import small_rows
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.rows.user_rows import USER_COLUMNS, UserKept
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.alike import key_entries
from lineal.stores.sqlite.counterparts import COUNTERPART_MISFITS, counterpart_of
from lineal.stores.sqlite.letters import LETTER_MISFITS, LetterRow, repeats_of
from lineal.stores.sqlite.meta import read_meta
from lineal.stores.sqlite.statements import Row, all_rows, one_row, one_value, sql
from lineal.stores.sqlite.words import WordCheck

__all__ = ["verify"]

FOUND_MAX = 100
"""Most damaged ids, and most problems, that a report names."""

ROWS_STEP = 500
"""Rows between two reports of progress."""

_CONTEXTS = "SELECT seq FROM context ORDER BY seq"
_CONTEXT = sql("SELECT", CONTEXT_COLUMNS, "FROM context WHERE seq = ?")
_REVISIONS = "SELECT number, body, body_digest FROM context_revision WHERE context_seq = ?"
_USERS = "SELECT user_seq FROM user_row ORDER BY user_seq"
_USER = sql("SELECT", USER_COLUMNS, "FROM user_row WHERE user_seq = ?")
_USER_REVISIONS = "SELECT number, body, body_digest FROM user_revision WHERE of_user = ?"
_OTHERS: tuple[tuple[str, Callable[[Row], object]], ...] = (
    ("SELECT * FROM edge", small_rows.edge_of),
    ("SELECT * FROM head", small_rows.head_of),
    ("SELECT * FROM receipt", small_rows.receipt_of),
    ("SELECT * FROM tombstone", small_rows.tombstone_of),
    (
        "SELECT tenant, context_id, sighting_number, sighting_body, sighting_digest "
        "FROM sighting JOIN context ON seq = sighted_seq",
        small_rows.sighting_of,
    ),
    ("SELECT * FROM outcome", small_rows.outcome_of),
    ("SELECT * FROM task", small_rows.task_of),
    ("SELECT * FROM letter", LetterRow.checked),
    ("SELECT * FROM counterpart", counterpart_of),
    ("SELECT repeats, tenant, repeats_digest FROM repeated", repeats_of),
)
"""Rows that are checked one by one; their second column names them."""

_TOTAL = (
    "SELECT (SELECT count(*) FROM context) + (SELECT count(*) FROM user_row) + "
    "(SELECT count(*) FROM edge) + (SELECT count(*) FROM head) + "
    "(SELECT count(*) FROM receipt) + (SELECT count(*) FROM tombstone) + "
    "(SELECT count(*) FROM sighting) + (SELECT count(*) FROM outcome) + "
    "(SELECT count(*) FROM task) + (SELECT count(*) FROM letter) + "
    "(SELECT count(*) FROM counterpart) + (SELECT count(*) FROM repeated)"
)
_KEYS = "SELECT room, near_key, key_seq FROM context_key"
_MISFITS = (
    (
        "SELECT count(*) FROM context WHERE held_until IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM entry WHERE entry_seq = seq)",
        "memories are missing from the full-text index",
    ),
    (
        "SELECT count(*) FROM entry WHERE NOT EXISTS "
        "(SELECT 1 FROM context WHERE seq = entry_seq AND held_until IS NULL)",
        "entries of the full-text index belong to no memory",
    ),
    (
        "SELECT count(*) FROM entry WHERE NOT EXISTS (SELECT 1 FROM context JOIN shelf USING "
        "(tenant, user_id, domain) WHERE seq = entry_seq AND shelf_id = entry_shelf "
        "AND shelf.project = ifnull(context.project, ''))",
        "memories lie on another's shelf",
    ),
    (
        "SELECT count(*) FROM shelf WHERE (entries, own_words, head_words) <> (SELECT count(*), "
        "ifnull(sum(entry_own_words), 0), ifnull(sum(entry_head_words), 0) FROM entry "
        "WHERE entry_shelf = shelf_id)",
        "shelves don't know what lies on them",
    ),
    (
        "SELECT count(*) FROM (SELECT previous_seq, next_seq, lag(entry_seq) OVER talk AS before, "
        "lead(entry_seq) OVER talk AS after FROM entry WINDOW talk AS (PARTITION BY entry_shelf, "
        "ifnull(session, -entry_seq) ORDER BY happened_at, entry_seq)) "
        "WHERE previous_seq IS NOT before OR next_seq IS NOT after",
        "memories aren't beside their neighbours",
    ),
    (
        "SELECT count(*) FROM (SELECT 1 FROM (SELECT speaker_shelf, speaker_name, speaks_in FROM "
        "speaker UNION "
        "ALL SELECT entry_shelf, entry_speaker, count(*) FROM entry WHERE entry_speaker <> '' "
        "GROUP BY 1, 2) GROUP BY speaker_shelf, speaker_name, speaks_in HAVING count(*) <> 2)",
        "speakers don't fit the memories",
    ),
    (
        "SELECT count(*) FROM vector WHERE NOT EXISTS (SELECT 1 FROM entry WHERE "
        "entry_seq = vector_seq AND entry_shelf = vector_shelf)",
        "vectors belong to no memory",
    ),
    (
        "SELECT count(*) FROM pieces WHERE NOT EXISTS "
        "(SELECT 1 FROM vector JOIN entry ON entry_seq = vector_seq AND entry_shelf = vector_shelf "
        "WHERE vector_seq = pieces_seq AND vector_space = pieces_space "
        "AND vector_shelf = entry_shelf AND entry_seq = pieces_seq)",
        "vectors of pieces belong to no memory",
    ),
    (
        "SELECT (SELECT ifnull(sum(in_use), 0) FROM code) <> (SELECT count(*) FROM vector WHERE "
        "place >= 0) OR EXISTS (SELECT 1 FROM vector WHERE place >= 0 AND NOT EXISTS (SELECT 1 "
        "FROM code WHERE code_id = place / 1024 AND code_space = vector_space AND "
        "code_shelf = vector_shelf AND place % 1024 < filled))",
        "shelf, or more, doesn't know the signs of its vectors",
    ),
    (
        "SELECT count(*) FROM context_revision WHERE NOT EXISTS "
        "(SELECT 1 FROM context WHERE seq = context_seq AND number <= revision)",
        "revisions belong to no memory",
    ),
    (
        "SELECT count(*) FROM context_key WHERE NOT EXISTS "
        "(SELECT 1 FROM context WHERE seq = key_seq)",
        "entries of the index of alike texts belong to no memory",
    ),
    (
        "SELECT count(*) FROM sighting WHERE NOT EXISTS "
        "(SELECT 1 FROM context WHERE seq = sighted_seq)",
        "sightings belong to no memory",
    ),
    (
        "SELECT count(*) FROM user_revision WHERE NOT EXISTS "
        "(SELECT 1 FROM user_row WHERE user_seq = of_user AND number <= revision)",
        "revisions belong to no user row",
    ),
    (
        "SELECT count(*) FROM edge WHERE NOT EXISTS (SELECT 1 FROM context WHERE "
        "context.tenant = edge.tenant AND context_id = child_id AND revision >= child_revision) "
        "AND NOT EXISTS (SELECT 1 FROM tombstone WHERE "
        "tombstone.tenant = edge.tenant AND context_id = child_id)",
        "edges belong to no memory",
    ),
    (
        "SELECT count(*) FROM tombstone WHERE EXISTS (SELECT 1 FROM context WHERE "
        "context.tenant = tombstone.tenant AND context.context_id = tombstone.context_id)",
        "memories are marked as ended but still there",
    ),
    (
        "SELECT count(*) FROM receipt_context WHERE NOT EXISTS (SELECT 1 FROM receipt WHERE "
        "receipt.tenant = receipt_context.tenant AND "
        "receipt.idempotency_key = receipt_context.idempotency_key)",
        "memories are named by a receipt that isn't there",
    ),
    (
        "SELECT count(*) FROM receipt_user WHERE NOT EXISTS (SELECT 1 FROM receipt WHERE "
        "receipt.tenant = receipt_user.tenant AND "
        "receipt.idempotency_key = receipt_user.idempotency_key)",
        "user rows are named by a receipt that isn't there",
    ),
    *LETTER_MISFITS,
    *COUNTERPART_MISFITS,
)
"""How many rows don't fit, and what that means."""


def verify(
    connection: apsw.Connection, progress: Progress | None, stop: threading.Event
) -> VerifyReport:
    """The whole store at one instant. Damage goes into the report; it raises only when stopped."""
    check = _Check(connection, progress, stop)
    connection.execute("BEGIN")
    try:
        check.everything()
    except (apsw.Error, UnicodeDecodeError, LinealError) as error:
        if stop.is_set():
            raise
        check.problem(f"The file can't be read through: {type(error).__name__}.")
    finally:
        connection.execute("ROLLBACK")
    return check.report()


class _Check:
    """One walk through the store and what it has found so far."""

    def __init__(
        self, connection: apsw.Connection, progress: Progress | None, stop: threading.Event
    ) -> None:
        self._connection = connection
        self._progress = progress
        self._stop = stop
        self._checked = 0
        self._total = 0
        self._damaged: dict[str, None] = {}
        self._problems: dict[str, None] = {}
        self._words = WordCheck(connection)
        self._keys = 0

    def everything(self) -> None:
        self._engine()
        self._total = one_value(self._connection, _TOTAL)
        read_meta(self._connection)
        for (seq,) in all_rows(self._connection, _CONTEXTS):
            self._guarded(f"memory number {seq}", self._context, seq)
        for (seq,) in all_rows(self._connection, _USERS):
            self._guarded(f"user row number {seq}", self._user, seq)
        for statement, check in _OTHERS:
            for values in self._connection.execute(statement):
                self._guarded(str(values[1]), check, values)
        self._misfits()
        if self._progress is not None:
            self._progress(self._checked, self._checked)

    def problem(self, text: str) -> None:
        if len(self._problems) < FOUND_MAX:
            self._problems[text] = None

    def report(self) -> VerifyReport:
        damaged = tuple(self._damaged)[:FOUND_MAX]
        return VerifyReport(checked=self._checked, damaged=damaged, problems=tuple(self._problems))

    def _engine(self) -> None:
        """SQLite's integrity check, which asks the full-text index to check itself, too."""
        for (line,) in self._connection.execute("PRAGMA integrity_check(100)"):
            if line != "ok":
                self.problem(str(line))

    def _guarded(self, name: str, check: Callable[[Any], object], value: Any) -> None:
        """Check one row; damage is noted under the id it names, or under `name`."""
        if self._stop.is_set():
            raise LinealError.unavailable("The check was stopped.")
        try:
            check(value)
        except LinealError as error:
            self._damaged[
                error.details.get("context_id") or error.details.get("user_id") or name
            ] = None
        except UnicodeDecodeError:
            self._damaged[name] = None
        self._checked += 1
        if self._progress is not None and self._checked % ROWS_STEP == 0:
            self._progress(self._checked, max(self._checked, self._total))

    def _context(self, seq: int) -> None:
        row = ContextRow.checked(self._row(_CONTEXT, seq))
        self._keys += _summed(key_entries(row))
        revisions = all_rows(self._connection, _REVISIONS, seq)
        for found in revisions:
            context = row.context(*found)
            if context.revision == row.revision and not row.held:
                self._words.expect(seq, context)
        self._numbered(f"The memory '{row.context_id}'", 1, row.revision, revisions)

    def _user(self, seq: int) -> None:
        row = UserKept.checked(self._row(_USER, seq))
        revisions = all_rows(self._connection, _USER_REVISIONS, seq)
        for found in revisions:
            row.body(*found)
        # A row that was rewritten begins with that revision, a long one with the last few.
        first = min((number for number, _, _ in revisions), default=0)
        self._numbered(row.what, first, row.revision, revisions)

    def _row(self, statement: str, seq: int) -> Row:
        """The row of that number, which was listed before: a damaged tree can lose it."""
        values = one_row(self._connection, statement, seq)
        if values is None:
            raise trouble.damaged(f"Row {seq}")
        return values

    def _numbered(self, what: str, first: int, last: int, revisions: list[Row]) -> None:
        numbers = sorted(number for number, _, _ in revisions)
        if numbers != list(range(first, last + 1)):
            self.problem(f"{what} doesn't have each of its revisions.")

    def _misfits(self) -> None:
        for statement, meaning in _MISFITS:
            count: int = one_value(self._connection, statement)
            if count:
                self.problem(f"{count} {meaning}.")
        if self._keys != _summed(self._connection.execute(_KEYS)):
            self.problem("The index of alike texts doesn't fit the memories.")
        if self._words.untrue:
            self.problem(
                f"{self._words.untrue} entries of the full-text index don't fit the memories."
            )
        different = self._words.different()
        if different:
            self.problem(f"{different} words of the full-text index don't fit the memories.")


def _summed(entries: Iterable[tuple[Any, ...]]) -> int:
    """Equal for the same entries in any order. Numbers have the same hash in every process."""
    return sum(map(hash, entries))
