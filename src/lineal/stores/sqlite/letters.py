"""Letters: writes on their way to a remote backend, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apsw

from lineal.clock import from_ms, to_ms
from lineal.errors import LinealError
from lineal.models.changes import Scope
from lineal.models.forwarding import Counterpart, Letter, LetterVerb, Settled
from lineal.stores.rows.digests import at_or_none, digest, ms_or_none, require_digest
from lineal.stores.sqlite import counterparts, receipts
from lineal.stores.sqlite.statements import Row, Value, all_rows, one_row, one_value

__all__ = [
    "HOLD_MAX_MS",
    "LETTER_MISFITS",
    "LetterRow",
    "erase_letters",
    "find",
    "post",
    "refresh",
    "remove",
    "repeats_of",
    "rewrite",
    "settle",
    "waits",
]

HOLD_MAX_MS = 3_600_000
"""Longest that a letter is held at a time: a hold that reaches further was made by a clock that was
ahead."""

_SELECT = "SELECT * FROM letter WHERE letter_id = ?"
_SELECT_OF_CONTEXT = (
    "SELECT * FROM letter WHERE tenant = ? AND context_id = ? AND context_id <> '' "
    "AND letter_verb <> 'delete'"
)
_SELECT_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'letter'"
_INSERT = "INSERT INTO letter VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = (
    "UPDATE letter SET letter_due_at = ?, letter_tries = ?, begun = ?, holder = ?, "
    "holder_until = ?, dead_at = ?, letter_reason = ?, letter_body = ?, letter_digest = ? "
    "WHERE letter_number = ?"
)
_DELETE = "DELETE FROM letter WHERE letter_number = ?"
_SELECT_FIRST = (
    "SELECT letter_number, max(letter_due_at, ifnull(holder_until, 0)) FROM letter "
    "WHERE tenant = ? AND user_id = ? AND dead_at IS NULL ORDER BY letter_number LIMIT 1"
)
_SELECT_QUEUE = "SELECT 1 FROM queue WHERE tenant = ? AND user_id = ?"
_REPLACE_QUEUE = "INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?)"
_DELETE_QUEUE = "DELETE FROM queue WHERE tenant = ? AND user_id = ?"
_SELECT_REPEATS = "SELECT repeats, tenant, repeats_digest FROM repeated WHERE tenant = ?"
_REPLACE_REPEATS = "INSERT OR REPLACE INTO repeated VALUES (?, ?, ?)"
LETTER_MISFITS = (
    (
        "SELECT count(*) FROM (SELECT 1 FROM (SELECT tenant, user_id, first_number, ready_at FROM "
        "queue UNION ALL SELECT tenant, user_id, letter_number, "
        "max(letter_due_at, ifnull(holder_until, 0)) FROM letter WHERE letter_number IN "
        "(SELECT min(letter_number) FROM letter WHERE dead_at IS NULL GROUP BY tenant, user_id)) "
        "GROUP BY tenant, user_id, first_number, ready_at HAVING count(*) <> 2)",
        "queues don't fit the letters that wait",
    ),
)


class LetterRow(NamedTuple):
    """A letter as it lies in its table; instants in milliseconds."""

    number: int
    letter_id: str
    tenant: str
    user_id: str
    domain: str
    verb: LetterVerb
    context_id: str
    posted_at: int
    due_at: int
    tries: int
    begun: int
    holder: str | None
    held_until: int | None
    dead_at: int | None
    reason: str | None
    body: str
    letter_digest: bytes = b""

    @classmethod
    def checked(cls, values: Iterable[Any]) -> LetterRow:
        """The row if its digest fits it; raises LinealError naming the letter otherwise."""
        row = cls(*values)
        name = str(row.letter_id)
        require_digest(row.letter_digest, row[:-1], f"The letter '{name}'", letter_id=name)
        return row

    @classmethod
    def made(cls, letter: Letter, number: int) -> LetterRow:
        return cls(
            number,
            letter.letter_id,
            letter.tenant,
            letter.user_id,
            letter.domain,
            letter.verb,
            letter.context_id,
            to_ms(letter.posted_at),
            to_ms(letter.due_at),
            letter.tries,
            int(letter.begun),
            letter.holder,
            ms_or_none(letter.held_until),
            None,
            letter.reason,
            letter.body,
        )

    @property
    def queue(self) -> tuple[str, str]:
        return self.tenant, self.user_id

    @property
    def untried(self) -> bool:
        """Nobody has begun to send it."""
        return not (self.tries or self.begun or self.holder is not None or self.dead_at is not None)

    def free(self, now_ms: int) -> bool:
        """Due, and held by nobody, or by one whose time is over."""
        return self.due_at <= now_ms and not self.held(now_ms)

    def held(self, now_ms: int) -> bool:
        return self.held_until is not None and now_ms < self.held_until

    def released(self) -> LetterRow:
        return self._replace(holder=None, held_until=None)

    def claimed(self, holder: str, until_ms: int) -> LetterRow:
        """Free so far; one that is still held was begun by a holder whose time is over."""
        begun = int(bool(self.begun) or self.holder is not None)
        return self._replace(begun=begun, holder=holder, held_until=until_ms)

    def letter(self, *, begun: bool | None = None) -> Letter:
        """begun: as a claim tells it; None: what is held counts as begun."""
        known = bool(self.begun) or self.holder is not None
        return Letter.model_construct(
            letter_id=self.letter_id,
            tenant=self.tenant,
            user_id=self.user_id,
            domain=self.domain,
            verb=self.verb,
            context_id=self.context_id,
            body=self.body,
            number=self.number,
            posted_at=from_ms(self.posted_at),
            due_at=from_ms(self.due_at),
            tries=self.tries,
            begun=known if begun is None else begun,
            holder=self.holder,
            held_until=at_or_none(self.held_until),
            dead_at=at_or_none(self.dead_at),
            reason=self.reason,
        )

    def sealed(self) -> LetterRow:
        return self._replace(letter_digest=digest(*self[:-1]))


def find(connection: apsw.Connection, letter_id: str) -> LetterRow | None:
    values = one_row(connection, _SELECT, letter_id)
    return None if values is None else LetterRow.checked(values)


def waits(connection: apsw.Connection, tenant: str, user_id: str) -> bool:
    """Whether anything that isn't dead stands in this queue."""
    return one_value(connection, _SELECT_QUEUE, tenant, user_id) is not None


def post(connection: apsw.Connection, scope: Scope, letter: Letter, now_ms: int) -> None:
    """Behind what waits, or at once in the hands of the holder that it names. Raises LinealError
    for one of another tenant, and conflict for one that was posted before."""
    if letter.tenant != scope.tenant:
        raise LinealError.invalid("letters", "A letter belongs to the tenant of its write.")
    if one_row(connection, _SELECT, letter.letter_id) is not None:
        raise LinealError.conflict(f"The letter '{letter.letter_id}' was posted before.")
    row = LetterRow.made(letter, (one_value(connection, _SELECT_LAST) or 0) + 1)
    if row.holder is None or row.held_until is None or waits(connection, *row.queue):
        row = row.released()
    else:
        row = row._replace(held_until=min(row.held_until, now_ms + HOLD_MAX_MS))
    connection.execute(_INSERT, row.sealed())
    refresh(connection, row.queue)
    if row.verb == "delete":
        counterparts.mark(connection, row.tenant, row.context_id)


def settle(
    connection: apsw.Connection,
    settled: Sequence[Settled],
    now_ms: int,
    holder: str | None = None,
) -> None:
    """Keep what became of each; of one that is gone nothing is kept. holder: who tells; what
    another holds by now, or is dead, only he or a person keeps waiting."""
    for one in settled:
        row = find(connection, one.letter_id)
        if row is None:
            continue
        if one.outcome in ("delivered", "dropped"):
            _end(connection, row, one)
        elif row.dead_at is None and not (
            _of_another(row, one.holder or holder) and row.held(now_ms)
        ):
            rewrite(connection, _tried(row, one, now_ms))
            refresh(connection, row.queue)
        else:
            continue
        _keep_what_follows(connection, row, one)


def remove(connection: apsw.Connection, row: LetterRow) -> None:
    connection.execute(_DELETE, (row.number,))
    refresh(connection, row.queue)


def rewrite(connection: apsw.Connection, row: LetterRow) -> None:
    """Keep what has changed of it; its queue is to be refreshed then."""
    connection.execute(_UPDATE, (*row.sealed()[8:], row.number))


def refresh(connection: apsw.Connection, queue: tuple[str, str]) -> None:
    """See which letter is the first of a queue now, and from when on it can be claimed."""
    first = one_row(connection, _SELECT_FIRST, *queue)
    if first is None:
        connection.execute(_DELETE_QUEUE, queue)
    else:
        connection.execute(_REPLACE_QUEUE, (*queue, *first))


def erase_letters(connection: apsw.Connection, tenant: str, context_id: str) -> None:
    """Take out what letters hold of a context that ends. One that may have arrived stays, so that
    the deletion comes after it, without its words or a remote's about them; those that ask for the
    deletion stay."""
    for row in map(LetterRow.checked, all_rows(connection, _SELECT_OF_CONTEXT, tenant, context_id)):
        if row.untried:
            remove(connection, row)
        elif row.body:
            rewrite(connection, row._replace(body="", reason=None))


def repeats_of(values: Row) -> int:
    """values: all columns of the row. Raises LinealError for a damaged one."""
    repeats, tenant, found = values
    require_digest(found, values[:-1], f"The count of repeated letters of '{tenant}'")
    return int(repeats)


def _of_another(row: LetterRow, holder: str | None) -> bool:
    return holder is not None and row.holder not in (None, holder)


def _tried(row: LetterRow, one: Settled, now_ms: int) -> LetterRow:
    """After an attempt that didn't bring it there."""
    due_ms = now_ms if one.due_at is None else to_ms(one.due_at)
    dead = one.outcome == "dead"
    return row.released()._replace(
        due_at=row.due_at if dead else due_ms,
        tries=row.tries + 1,
        begun=int(one.begun),
        dead_at=now_ms if dead else None,
        reason=one.reason,
    )


def _end(connection: apsw.Connection, row: LetterRow, one: Settled) -> None:
    remove(connection, row)
    arrived = one.outcome == "delivered"
    if row.verb == "delete":
        counterparts.deleted(connection, row.tenant, row.context_id, arrived=arrived)
    elif arrived and row.context_id and one.remote_id is not None:
        told = Counterpart(
            kind="context",
            tenant=row.tenant,
            user_id=row.user_id,
            domain=row.domain,
            local_id=row.context_id,
            remote_id=one.remote_id,
        )
        counterparts.keep(connection, told)


def _keep_what_follows(connection: apsw.Connection, row: LetterRow, one: Settled) -> None:
    if one.receipt is not None:
        receipts.answer_anew(connection, row.tenant, one.receipt)
    if one.undone is not None:
        receipts.drop(connection, row.tenant, one.undone)
    if one.repeated:
        values = one_row(connection, _SELECT_REPEATS, row.tenant)
        counted: tuple[Value, ...] = (1 + (repeats_of(values) if values else 0), row.tenant)
        connection.execute(_REPLACE_REPEATS, (*counted, digest(*counted)))
