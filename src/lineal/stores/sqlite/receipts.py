"""Receipts: which writes were done, and what their answers show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import apsw

from lineal.errors import LinealError
from lineal.models.changes import Changes, Receipt
from lineal.stores.sqlite.rows import receipt_of, receipt_values
from lineal.stores.sqlite.statements import all_rows, one_row

__all__ = ["RECEIPT_LIFE", "drop_of_context", "drop_of_user", "drop_older", "keep", "receipt"]

RECEIPT_LIFE = timedelta(days=7)
"""How long a repeated request is recognised; a client that retries later asks anew."""

_NAME_MAX = 256
"""Longer strings of an answer are texts, not ids."""

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
_SELECT_KNOWN = "SELECT 1 FROM context WHERE tenant = ? AND context_id = ?"
_SELECT_OF_CONTEXT = (
    "SELECT idempotency_key FROM receipt_context WHERE tenant = ? AND context_id = ?"
)
_SELECT_OF_USER = (
    "SELECT idempotency_key FROM receipt_user WHERE tenant = ? AND user_id = ? AND domain = ?"
)
_SELECT_OLD = "SELECT tenant, idempotency_key FROM receipt WHERE answered_at < ? LIMIT ?"
_INSERT = "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_CONTEXT = "INSERT OR IGNORE INTO receipt_context VALUES (?, ?, ?)"
_INSERT_USER = "INSERT OR IGNORE INTO receipt_user VALUES (?, ?, ?, ?)"
_DELETE = (
    "DELETE FROM receipt WHERE tenant = ? AND idempotency_key = ?",
    "DELETE FROM receipt_context WHERE tenant = ? AND idempotency_key = ?",
    "DELETE FROM receipt_user WHERE tenant = ? AND idempotency_key = ?",
)


def receipt(connection: apsw.Connection, tenant: str, key: str, now_ms: int) -> Receipt | None:
    """The receipt of that key; it ends with whatever its answer shows, swept or not."""
    values = one_row(connection, _SELECT, tenant, key)
    if values is None:
        return None
    for statement in (_SELECT_ENDED_CONTEXT, _SELECT_ENDED_USER):
        if one_row(connection, statement, tenant, key, now_ms):
            return None
    return receipt_of(values)


def keep(
    connection: apsw.Connection, tenant: str, changes: Changes, new: Receipt, now_ms: int
) -> None:
    """Raises conflict when the key has a receipt: `decide` should have looked it up."""
    if receipt(connection, tenant, new.key, now_ms) is not None:
        raise LinealError.conflict(f"The idempotency_key '{new.key}' was used before.")
    _drop(connection, tenant, new.key)
    connection.execute(_INSERT, receipt_values(tenant, new))
    for user in changes.users:
        connection.execute(_INSERT_USER, (tenant, new.key, user.user_id, user.domain))
    for context_id in _shown(connection, tenant, changes, new):
        connection.execute(_INSERT_CONTEXT, (tenant, new.key, context_id))


def drop_of_context(connection: apsw.Connection, tenant: str, context_id: str) -> None:
    """Take out every receipt whose answer shows or names this context."""
    for (key,) in all_rows(connection, _SELECT_OF_CONTEXT, tenant, context_id):
        _drop(connection, tenant, key)


def drop_of_user(connection: apsw.Connection, tenant: str, user_id: str, domain: str) -> None:
    """Take out every receipt whose answer shows this user row."""
    for (key,) in all_rows(connection, _SELECT_OF_USER, tenant, user_id, domain):
        _drop(connection, tenant, key)


def drop_older(connection: apsw.Connection, before_ms: int, limit: int) -> int:
    """Take out at most `limit` receipts from before then; returns how many."""
    old = all_rows(connection, _SELECT_OLD, before_ms, limit)
    for tenant, key in old:
        _drop(connection, tenant, key)
    return len(old)


def _drop(connection: apsw.Connection, tenant: str, key: str) -> None:
    for statement in _DELETE:
        connection.execute(statement, (tenant, key))


def _shown(
    connection: apsw.Connection, tenant: str, changes: Changes, new: Receipt
) -> Iterator[str]:
    """The contexts that it was written with, and every one that its answer names."""
    written = {context.context_id for context in changes.contexts}
    yield from written
    said = {text for text in _strings(json.loads(new.answer)) if len(text) <= _NAME_MAX}
    for name in said - written:
        if one_row(connection, _SELECT_KNOWN, tenant, name):
            yield name


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
