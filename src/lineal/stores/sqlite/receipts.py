"""Receipts: which writes were done, and what their answers show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import apsw

from lineal.errors import LinealError
from lineal.models.changes import Changes, Receipt
from lineal.stores.sqlite.rows import receipt_values
from lineal.stores.sqlite.statements import all_rows, one_row

__all__ = ["RECEIPT_LIFE", "drop", "drop_older", "keep", "of_context", "of_user"]

RECEIPT_LIFE = timedelta(days=7)
"""How long a repeated request is recognised; a client that retries later asks anew."""

_NAME_MAX = 256
"""Longer strings of an answer are texts, not ids."""

_INSERT = "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?)"
_EXISTS = "SELECT 1 FROM receipt WHERE tenant = ? AND idempotency_key = ?"
_INSERT_SUBJECT = "INSERT OR IGNORE INTO receipt_subject VALUES (?, ?, ?)"
_KNOWN = "SELECT 1 FROM context WHERE tenant = ? AND context_id = ?"
_SELECT_KEYS = "SELECT idempotency_key FROM receipt_subject WHERE tenant = ? AND subject = ?"
_SELECT_OLD = "SELECT tenant, idempotency_key FROM receipt WHERE answered_at < ? LIMIT ?"
_DELETE = "DELETE FROM receipt WHERE tenant = ? AND idempotency_key = ?"
_DELETE_SUBJECTS = "DELETE FROM receipt_subject WHERE tenant = ? AND idempotency_key = ?"


def of_context(context_id: str) -> str:
    """The subject of answers that show or name this context."""
    return f"context:{context_id}"


def of_user(user_id: str, domain: str) -> str:
    """The subject of answers that show this user row. JSON: no two pairs give the same words."""
    return "user:" + json.dumps([user_id, domain])


def keep(connection: apsw.Connection, tenant: str, changes: Changes, receipt: Receipt) -> None:
    """Raises conflict when the key has a receipt: `decide` should have looked it up."""
    if one_row(connection, _EXISTS, tenant, receipt.key):
        raise LinealError.conflict(f"The idempotency_key '{receipt.key}' was used before.")
    connection.execute(_INSERT, receipt_values(tenant, receipt))
    for subject in _subjects(connection, tenant, changes, receipt):
        connection.execute(_INSERT_SUBJECT, (tenant, subject, receipt.key))


def drop(connection: apsw.Connection, tenant: str, subject: str) -> None:
    """Take out every receipt whose answer shows the subject."""
    for (key,) in all_rows(connection, _SELECT_KEYS, tenant, subject):
        _drop(connection, tenant, key)


def drop_older(connection: apsw.Connection, before_ms: int, limit: int) -> int:
    """Take out at most `limit` receipts from before then; returns how many."""
    old = all_rows(connection, _SELECT_OLD, before_ms, limit)
    for tenant, key in old:
        _drop(connection, tenant, key)
    return len(old)


def _drop(connection: apsw.Connection, tenant: str, key: str) -> None:
    connection.execute(_DELETE, (tenant, key))
    connection.execute(_DELETE_SUBJECTS, (tenant, key))


def _subjects(
    connection: apsw.Connection, tenant: str, changes: Changes, receipt: Receipt
) -> Iterator[str]:
    yield from (of_user(user.user_id, user.domain) for user in changes.users)
    names = {context.context_id for context in changes.contexts}
    yield from map(of_context, names)
    said = set(_strings(json.loads(receipt.answer)))
    for name in {text for text in said - names if len(text) <= _NAME_MAX}:
        if one_row(connection, _KNOWN, tenant, name):
            yield of_context(name)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
