"""Receipts: which writes were done, and what their answers show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import apsw

from lineal.errors import LinealError
from lineal.models.changes import Changes, Receipt
from lineal.stores.rows.small_rows import receipt_of, receipt_values
from lineal.stores.sqlite.statements import all_rows, one_row

__all__ = [
    "RECEIPT_LIFE",
    "answer_anew",
    "drop",
    "drop_older",
    "empty_of_context",
    "empty_of_user",
    "insert",
    "keep",
    "kept",
    "receipt",
]

RECEIPT_LIFE = timedelta(days=7)
"""How long a repeated request is recognised; a client that retries later asks anew."""

_SELECT = "SELECT * FROM receipt WHERE tenant = ? AND idempotency_key = ?"
_SELECT_ENDED_CONTEXT = (
    "SELECT 1 FROM receipt_context WHERE tenant = ? AND idempotency_key = ? AND NOT EXISTS "
    "(SELECT 1 FROM context WHERE context.tenant = receipt_context.tenant AND "
    "context.context_id = receipt_context.context_id AND (expires_at IS NULL OR expires_at > ?))"
)
_SELECT_ENDED_USER = (
    "SELECT 1 FROM receipt_user WHERE tenant = ? AND idempotency_key = ? AND NOT EXISTS "
    "(SELECT 1 FROM user_row WHERE user_row.tenant = receipt_user.tenant AND "
    "user_row.user_id = receipt_user.user_id AND user_row.domain = receipt_user.domain AND "
    "(expires_at IS NULL OR expires_at > ?))"
)
_SELECT_OF_CONTEXT = (
    "SELECT idempotency_key FROM receipt_context WHERE tenant = ? AND context_id = ?"
)
_SELECT_OF_USER = (
    "SELECT idempotency_key FROM receipt_user WHERE tenant = ? AND user_id = ? AND domain = ?"
)
_SELECT_OLD = (
    "SELECT tenant, idempotency_key FROM receipt WHERE answered_at < ? ORDER BY answered_at LIMIT ?"
)
_INSERT = "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?)"
_REPLACE = "REPLACE INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_CONTEXT = "INSERT OR IGNORE INTO receipt_context VALUES (?, ?, ?)"
_INSERT_USER = "INSERT OR IGNORE INTO receipt_user VALUES (?, ?, ?, ?)"
_DELETE = (
    "DELETE FROM receipt WHERE tenant = ? AND idempotency_key = ?",
    "DELETE FROM receipt_context WHERE tenant = ? AND idempotency_key = ?",
    "DELETE FROM receipt_user WHERE tenant = ? AND idempotency_key = ?",
)


def receipt(connection: apsw.Connection, tenant: str, key: str, now_ms: int) -> Receipt | None:
    """The receipt of that key; its answer is empty once what it shows has ended, swept or not."""
    found = kept(connection, tenant, key)
    if found is None:
        return None
    for statement in (_SELECT_ENDED_CONTEXT, _SELECT_ENDED_USER):
        if one_row(connection, statement, tenant, key, now_ms):
            return found.model_copy(update={"answer": ""})
    return found


def keep(connection: apsw.Connection, tenant: str, changes: Changes, new: Receipt) -> None:
    """Raises conflict when the key has a receipt: `decide` should have looked it up."""
    if kept(connection, tenant, new.key) is not None:
        raise LinealError.conflict(f"The idempotency_key '{new.key}' was used before.")
    users = [(user.user_id, user.domain) for user in changes.users]
    contexts = [context.context_id for context in changes.contexts]
    contexts += [sighting.context_id for sighting in changes.sightings]
    insert(connection, tenant, new, contexts, users)


def insert(
    connection: apsw.Connection,
    tenant: str,
    new: Receipt,
    contexts: Iterable[str],
    users: Iterable[tuple[str, str]],
) -> None:
    """A receipt that isn't there. contexts, users: (user_id, domain); what its answer shows."""
    connection.execute(_INSERT, receipt_values(tenant, new))
    for user_id, domain in users:
        connection.execute(_INSERT_USER, (tenant, new.key, user_id, domain))
    for context_id in contexts:
        connection.execute(_INSERT_CONTEXT, (tenant, new.key, context_id))


def empty_of_context(connection: apsw.Connection, tenant: str, context_id: str) -> None:
    """Take out every answer that shows this context; that it was given stays known."""
    for (key,) in all_rows(connection, _SELECT_OF_CONTEXT, tenant, context_id):
        _empty(connection, tenant, key)


def empty_of_user(connection: apsw.Connection, tenant: str, user_id: str, domain: str) -> None:
    """Take out every answer that shows this user row; that it was given stays known."""
    for (key,) in all_rows(connection, _SELECT_OF_USER, tenant, user_id, domain):
        _empty(connection, tenant, key)


def answer_anew(connection: apsw.Connection, tenant: str, new: Receipt) -> None:
    """Show another answer from now on, of the same request. What is gone stays gone, and what was
    emptied empty: what it showed has ended."""
    there = kept(connection, tenant, new.key)
    if there is None or not there.answer or new.request_hash != there.request_hash:
        return
    values = receipt_values(tenant, there.model_copy(update={"answer": new.answer}))
    connection.execute(_REPLACE, values)


def drop(connection: apsw.Connection, tenant: str, key: str) -> None:
    """As if nothing had been asked for under this key."""
    for statement in _DELETE:
        connection.execute(statement, (tenant, key))


def drop_older(connection: apsw.Connection, before_ms: int, limit: int) -> int:
    """Take out at most `limit` receipts from before then; returns how many."""
    old = all_rows(connection, _SELECT_OLD, before_ms, limit)
    for tenant, key in old:
        drop(connection, tenant, key)
    return len(old)


def kept(connection: apsw.Connection, tenant: str, key: str) -> Receipt | None:
    """The receipt of that key as it lies there."""
    values = one_row(connection, _SELECT, tenant, key)
    return None if values is None else receipt_of(values)


def _empty(connection: apsw.Connection, tenant: str, key: str) -> None:
    there = kept(connection, tenant, key)
    if there is not None and there.answer:
        values = receipt_values(tenant, there.model_copy(update={"answer": ""}))
        connection.execute(_REPLACE, values)
