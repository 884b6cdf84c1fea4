"""Taking in the records of an archive: as they were, and indexed as if they had been written here.

Inside one write transaction, always. What keeps a record tells whether it kept something: not what
is there already, or hangs on what has ended or moved on since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from lineal.errors import LinealError
from lineal.models import archive
from lineal.models.archive import Loaded, Record
from lineal.models.changes import Outcome, Scope
from lineal.models.context import Context
from lineal.models.sheet import Pieces, Space
from lineal.stores.rows import arriving
from lineal.stores.rows.arriving import conflicting
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.rows.digests import digest
from lineal.stores.rows.small_rows import edge_values, outcome_of, task_values, tombstone_values
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.sqlite import embedding, entries, receipts, vectors
from lineal.stores.sqlite.alike import keep_keys
from lineal.stores.sqlite.contexts import context_row, kept_tombstone
from lineal.stores.sqlite.keep import (
    insert_context,
    keep_revision,
    keep_user_revision,
    put_user,
    replace_context,
    update_context,
)
from lineal.stores.sqlite.lexicon import language_of
from lineal.stores.sqlite.pieces import keep_pieces
from lineal.stores.sqlite.statements import all_rows, one_value
from lineal.stores.sqlite.users import kept_user
from lineal.stores.sqlite.withholding import hide
from lineal.stores.sqlite.writer import Transaction

__all__ = ["load"]

_ANYTHING = "SELECT 1 FROM context LIMIT 1"
_BODY = "SELECT body FROM context_revision WHERE context_seq = ? AND number = ?"
_USER_BODY = "SELECT body FROM user_revision WHERE of_user = ? AND number = ?"
_SIGHTING = "SELECT sighting_body FROM sighting WHERE sighted_seq = ? AND sighting_number = ?"
_INSERT_SIGHTING = "INSERT INTO sighting VALUES (?, ?, ?, ?)"
_SHELF = "SELECT entry_shelf FROM entry WHERE entry_seq = ?"
_INSERT_TOMBSTONE = "INSERT INTO tombstone VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_EDGE = "INSERT OR IGNORE INTO edge VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_HEAD = "INSERT OR IGNORE INTO head VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_TASK = "INSERT OR IGNORE INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_OUTCOMES = "SELECT * FROM outcome WHERE tenant = ? AND user_id = ?"
_INSERT_OUTCOME = (
    "INSERT INTO outcome "
    "(tenant, user_id, domain, candidate_id, outcome_body, outcome_digest) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


def load(transaction: Transaction, records: Sequence[Record]) -> Loaded:
    """All of them or, when one raises LinealError, none. Only what is a memory is counted."""
    connection, outcomes = transaction.connection, _Outcomes(transaction.connection)
    kept: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for record in records:
        if isinstance(record, archive.Header):
            _begin(transaction, record)
        elif isinstance(record, archive.OutcomeRecord):
            (kept if outcomes.keep(record) else there)[record.kind] += 1
        elif type(record) in _KEEP:
            (kept if _KEEP[type(record)](connection, record) else there)[record.kind] += 1
    transaction.wrote = transaction.wrote or bool(kept)
    return Loaded(kept=dict(kept), there=dict(there))


def _begin(transaction: Transaction, header: archive.Header) -> None:
    connection = transaction.connection
    high = arriving.time_after(header, transaction.now())
    mark = transaction.meta.mark
    transaction.believe(mark.model_copy(update={"high": max(mark.high, high)}))
    own, _ = language_of(connection)
    if header.language != own and one_value(connection, _ANYTHING) is None:
        entries.rebuild(connection, header.language)
    transaction.wrote = True


def _keep_context(connection: apsw.Connection, record: archive.ContextRecord) -> bool:
    contexts = arriving.contexts_of(record)
    old = context_row(connection, record.tenant, record.context_id)
    if old is None and _has_ended(connection, record, contexts[-1]):
        return False
    if old is None:
        return _keep_first(connection, record, contexts)
    _require_same(connection, record, old, contexts)
    further = [context for context in contexts if context.revision > old.revision]
    if further:
        _keep_further(connection, record, old, further)
    return bool(further)


def _has_ended(connection: apsw.Connection, record: archive.ContextRecord, last: Context) -> bool:
    """False for one that never was. Raises conflict for one that ended otherwise than its own."""
    mark = kept_tombstone(connection, Scope(tenant=record.tenant), record.context_id)
    if mark is None:
        return False
    if not arriving.same_end(mark, record, arriving.made_row(record, last)):
        raise _other(record.context_id)
    return True


def _keep_first(
    connection: apsw.Connection, record: archive.ContextRecord, contexts: tuple[Context, ...]
) -> bool:
    if record.first != 1:
        raise arriving.inconsistent(f"context '{record.context_id}'")
    row = insert_context(connection, record.tenant, contexts[-1], arriving.marks_of(record))
    keep_keys(connection, row, Marks())
    _keep_bodies(connection, record, row, contexts)
    if record.held is not None:
        hide(connection, row, arriving.held_as(row, record.held))
    return True


def _require_same(
    connection: apsw.Connection,
    record: archive.ContextRecord,
    old: ContextRow,
    contexts: tuple[Context, ...],
) -> None:
    """Raises conflict unless what is there is the record's, perhaps only its earlier revisions."""
    held = None if record.held is None else arriving.made_row(record, contexts[-1])[-4:-1]
    same = (held or (None, None, None)) == old[-4:-1] and old.revision <= record.revision
    if not same or record.first > old.revision + 1:
        raise _other(record.context_id)
    for context, body in zip(contexts, record.bodies, strict=True):
        number = context.revision
        if number <= old.revision and one_value(connection, _BODY, old.seq, number) != body:
            raise _other(record.context_id)


def _keep_further(
    connection: apsw.Connection,
    record: archive.ContextRecord,
    old: ContextRow,
    further: list[Context],
) -> None:
    """The present moves on to the last of them, in the index too unless it is withheld."""
    if record.held is None:
        row = replace_context(connection, old, further[-1], old.marks)
    else:
        row = arriving.made_row(record, further[-1], old.seq)
        update_context(connection, row)
    _keep_bodies(connection, record, row, further)


def _keep_bodies(
    connection: apsw.Connection,
    record: archive.ContextRecord,
    row: ContextRow,
    contexts: Sequence[Context],
) -> None:
    for context in contexts:
        body = record.bodies[context.revision - record.first]
        keep_revision(connection, arriving.body_values(row, context, body))


def _keep_sighting(connection: apsw.Connection, record: archive.SightingRecord) -> bool:
    row = context_row(connection, record.tenant, record.context_id)
    if row is None:
        return False
    there = one_value(connection, _SIGHTING, row.seq, record.number)
    if there is not None:
        if there != record.body:
            raise _other(record.context_id)
        return False
    check = digest(record.tenant, record.context_id, record.number, record.body)
    connection.execute(_INSERT_SIGHTING, (row.seq, record.number, record.body, check))
    return True


def _keep_vector(connection: apsw.Connection, record: archive.VectorRecord) -> bool:
    """A vector is of one text: what has moved on is embedded anew."""
    arriving.require_vector(record)
    row = context_row(connection, record.tenant, record.context_id)
    if row is None or row.held or row.revision != record.revision:
        return False
    shelf: int = one_value(connection, _SHELF, row.seq)
    space = vectors.made_space(connection, Space(record.space, record.dim))
    if vectors.has_vector(connection, space, shelf, row.seq):
        return False
    vectors.keep_packed(connection, space, shelf, row.seq, record.packed)
    if record.pieces is not None:
        pieces = Pieces(record.pieces.numbers, record.pieces.rows)
        keep_pieces(connection, space, row.seq, pieces)
    embedding.looked_at(connection, space, row.seq)
    return True


def _keep_tombstone(connection: apsw.Connection, record: archive.TombstoneRecord) -> bool:
    name = record.mark.context_id
    row = context_row(connection, record.tenant, name)
    there = kept_tombstone(connection, Scope(tenant=record.tenant), name)
    if row is not None:  # not swept yet
        there = row.tombstone() if row.expires_at is not None else None
    if row is not None or there is not None:
        if there != record.mark:
            raise _other(name)
        return False
    connection.execute(_INSERT_TOMBSTONE, tombstone_values(record.tenant, record.mark))
    return True


def _keep_edge(connection: apsw.Connection, record: archive.EdgeRecord) -> bool:
    connection.execute(_INSERT_EDGE, edge_values(record.tenant, record.edge))
    return connection.changes() > 0


def _keep_user(connection: apsw.Connection, record: archive.UserRecord) -> bool:
    users = arriving.users_of(record)
    scope = Scope(tenant=record.tenant, user_id=record.user_id, domain=record.domain)
    old = kept_user(connection, scope)
    last = record.first - 1 if old is None else old.revision
    if old is not None and (last > record.revision or record.first > last + 1):
        raise _other_user(record)
    for user, body in zip(users, record.bodies, strict=True):
        if old is not None and user.revision <= last:
            _require_body(connection, record, old, user.revision, body)
    further = [user for user in users if user.revision > last]
    if further:
        seq = 0 if old is None else old.user_seq
        row = put_user(connection, UserKept.made(record.tenant, further[-1], seq))
        for user in further:
            body = record.bodies[user.revision - record.first]
            keep_user_revision(connection, arriving.user_body_values(row, user, body))
    return bool(further)


def _require_body(
    connection: apsw.Connection, record: archive.UserRecord, old: UserKept, number: int, body: str
) -> None:
    """Earlier ones may be gone, but not the present one."""
    there = one_value(connection, _USER_BODY, old.user_seq, number)
    if there != body and (there is not None or number == old.revision):
        raise _other_user(record)


def _keep_head(connection: apsw.Connection, record: archive.HeadRecord) -> bool:
    key = (record.tenant, record.user_id, record.domain)
    if kept_user(connection, Scope(tenant=key[0], user_id=key[1], domain=key[2])) is None:
        return False
    values = (*key, record.name, record.version, record.vector)
    connection.execute(_INSERT_HEAD, (*values, digest(*values)))
    return connection.changes() > 0


def _keep_task(connection: apsw.Connection, record: archive.TaskRecord) -> bool:
    connection.execute(_INSERT_TASK, task_values(record.task))
    return connection.changes() > 0


def _keep_receipt(connection: apsw.Connection, record: archive.ReceiptRecord) -> bool:
    """An answer that was emptied here since stays so."""
    new = record.receipt
    there = receipts.kept(connection, record.tenant, new.key)
    if there is None:
        receipts.insert(connection, record.tenant, new, record.contexts, record.users)
        return True
    if there.model_copy(update={"answer": new.answer}) != new:
        raise conflicting("idempotency_key", new.key)
    if there.answer not in ("", new.answer):
        raise conflicting("idempotency_key", new.key)
    return False


class _Outcomes:
    """No index has their ids: those of a user are read once for each batch."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, str], dict[str, str]] = {}

    def keep(self, record: archive.OutcomeRecord) -> bool:
        outcome = arriving.record_of(Outcome, record.body, "an outcome")
        known = self._of_user(record.tenant, outcome.user_id)
        name = outcome.outcome_id
        if name in known:
            if known[name] != record.body:
                raise conflicting("outcome", name, outcome_id=name)
            return False
        known[name] = record.body
        values = (record.tenant, outcome.user_id, outcome.domain, outcome.candidate_id, record.body)
        self._connection.execute(_INSERT_OUTCOME, (*values, digest(*values)))
        return True

    def _of_user(self, tenant: str, user_id: str) -> dict[str, str]:
        """JSON by id."""
        key = (tenant, user_id)
        if key not in self._known:
            rows = all_rows(self._connection, _OUTCOMES, *key)
            self._known[key] = {outcome_of(row).outcome_id: row[5] for row in rows}
        return self._known[key]


def _other(context_id: str) -> LinealError:
    return conflicting("memory", context_id, context_id=context_id)


def _other_user(record: archive.UserRecord) -> LinealError:
    return conflicting("row of user", record.user_id, user_id=record.user_id, domain=record.domain)


_KEEP: dict[type[Any], Callable[[apsw.Connection, Any], bool]] = {
    archive.ContextRecord: _keep_context,
    archive.SightingRecord: _keep_sighting,
    archive.VectorRecord: _keep_vector,
    archive.TombstoneRecord: _keep_tombstone,
    archive.EdgeRecord: _keep_edge,
    archive.UserRecord: _keep_user,
    archive.HeadRecord: _keep_head,
    archive.TaskRecord: _keep_task,
    archive.ReceiptRecord: _keep_receipt,
}
