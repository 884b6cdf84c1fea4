"""Looking at everything: the engine's own check, every hash, and whether the parts fit together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apsw

from lineal.errors import LinealError
from lineal.models.changes import VerifyReport
from lineal.ports.store import Progress
from lineal.stores.sqlite import rows
from lineal.stores.sqlite.meta import read_meta
from lineal.stores.sqlite.rows import CONTEXT_COLUMNS, USER_COLUMNS, ContextRow, UserKept, sql

__all__ = ["verify"]

FOUND_MAX = 100
"""Most damaged ids, and most problems, that a report names."""

ROWS_STEP = 500
"""Rows between two reports of progress."""

_CONTEXTS = sql("SELECT", CONTEXT_COLUMNS, "FROM context ORDER BY seq")
_REVISIONS = "SELECT number, body, body_digest FROM context_revision WHERE context_seq = ?"
_USERS = sql("SELECT", USER_COLUMNS, "FROM user_row ORDER BY user_seq")
_USER_REVISIONS = "SELECT number, body, body_digest FROM user_revision WHERE of_user = ?"
_OTHERS: tuple[tuple[str, int, Callable[[tuple[Any, ...]], object]], ...] = (
    ("SELECT * FROM edge", 1, rows.edge_of),
    ("SELECT * FROM head", 1, rows.head_of),
    ("SELECT * FROM receipt", 1, rows.receipt_of),
    ("SELECT * FROM tombstone", 1, rows.tombstone_of),
)
"""Rows that are checked one by one: how to read them, the column to name them by, their check."""

_TOTAL = (
    "SELECT (SELECT count(*) FROM context) + (SELECT count(*) FROM user_row) + "
    "(SELECT count(*) FROM edge) + (SELECT count(*) FROM head) + "
    "(SELECT count(*) FROM receipt) + (SELECT count(*) FROM tombstone)"
)
_MISFITS = (
    (
        "SELECT count(*) FROM context WHERE NOT EXISTS "
        "(SELECT 1 FROM context_text_docsize WHERE id = seq)",
        "memories are missing from the full-text index",
    ),
    (
        "SELECT count(*) FROM context_text_docsize WHERE NOT EXISTS "
        "(SELECT 1 FROM context WHERE seq = id)",
        "entries of the full-text index belong to no memory",
    ),
    (
        "SELECT count(*) FROM context_revision WHERE NOT EXISTS "
        "(SELECT 1 FROM context WHERE seq = context_seq AND number <= revision)",
        "revisions belong to no memory",
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
        "SELECT count(*) FROM receipt_subject WHERE NOT EXISTS (SELECT 1 FROM receipt WHERE "
        "receipt.tenant = receipt_subject.tenant AND "
        "receipt.idempotency_key = receipt_subject.idempotency_key)",
        "receipts' subjects belong to no receipt",
    ),
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
    except (apsw.Error, UnicodeDecodeError) as error:
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

    def everything(self) -> None:
        self._engine()
        self._total = self._connection.execute(_TOTAL).get
        self._guarded("meta", lambda: read_meta(self._connection))
        self._contexts()
        self._users()
        for statement, name_column, check in _OTHERS:
            for values in self._connection.execute(statement):
                self._guarded(str(values[name_column]), lambda v=values, c=check: c(v))
        self._misfits()

    def problem(self, text: str) -> None:
        if len(self._problems) < FOUND_MAX:
            self._problems[text] = None

    def report(self) -> VerifyReport:
        damaged = tuple(self._damaged)[:FOUND_MAX]
        return VerifyReport(
            checked=self._checked, damaged=damaged, problems=tuple(self._problems)
        )

    def _engine(self) -> None:
        """SQLite's integrity check, which asks the full-text index to check itself, too."""
        for (line,) in self._connection.execute("PRAGMA integrity_check(100)"):
            if line != "ok":
                self.problem(str(line))

    def _contexts(self) -> None:
        for values in self._connection.execute(_CONTEXTS):
            self._guarded(str(values[2]), lambda v=values: self._context(v))

    def _context(self, values: tuple[Any, ...]) -> None:
        row = ContextRow.checked(values)
        revisions = self._connection.execute(_REVISIONS, (row.seq,))
        numbers = [_checked(row.context(*found), found[0]) for found in revisions]
        if sorted(numbers) != list(range(1, row.revision + 1)):
            self.problem(f"The memory '{row.context_id}' doesn't have each of its revisions.")

    def _users(self) -> None:
        for values in self._connection.execute(_USERS):
            self._guarded(str(values[2]), lambda v=values: self._user(v))

    def _user(self, values: tuple[Any, ...]) -> None:
        row = UserKept.checked(values)
        revisions = self._connection.execute(_USER_REVISIONS, (row.user_seq,))
        numbers = [_checked(row.body(*found), found[0]) for found in revisions]
        if sorted(numbers) != list(range(1, row.revision + 1)):
            self.problem(f"{row.what} doesn't have each of its revisions.")

    def _misfits(self) -> None:
        for statement, meaning in _MISFITS:
            count: int = self._connection.execute(statement).get
            if count:
                self.problem(f"{count} {meaning}.")
