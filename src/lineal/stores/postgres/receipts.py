"""Receipts: which writes were done, and what their answers show."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from lineal.errors import LinealError
from lineal.models.changes import Changes, Receipt
from lineal.stores.postgres.locks import Room
from lineal.stores.postgres.session import Bound, Session
from lineal.stores.rows.small_rows import receipt_of, receipt_values

__all__ = [
    "RECEIPT_LIFE",
    "drop_older",
    "empty_of_contexts",
    "empty_of_user",
    "empty_of_users",
    "keep",
    "receipt",
]

RECEIPT_LIFE = timedelta(days=7)
"""How long a repeated request is recognised; a client that retries later asks anew."""

_SELECT = (
    "SELECT receipt.*, EXISTS (SELECT 1 FROM lineal.receipt_context "
    "WHERE receipt_context.tenant_id = receipt.tenant_id "
    "AND receipt_context.idempotency_key = receipt.idempotency_key AND NOT EXISTS "
    "(SELECT 1 FROM lineal.context WHERE context.tenant_id = receipt_context.tenant_id "
    "AND context.context_id = receipt_context.context_id "
    "AND (expires_at IS NULL OR expires_at > %s))) "
    "OR EXISTS (SELECT 1 FROM lineal.receipt_user "
    "WHERE receipt_user.tenant_id = receipt.tenant_id "
    "AND receipt_user.idempotency_key = receipt.idempotency_key AND NOT EXISTS "
    "(SELECT 1 FROM lineal.user_row WHERE user_row.tenant_id = receipt_user.tenant_id "
    "AND user_row.user_id = receipt_user.user_id AND user_row.domain = receipt_user.domain "
    "AND (expires_at IS NULL OR expires_at > %s))) "
    "FROM lineal.receipt WHERE tenant_id = %s AND idempotency_key = %s"
)
# In the order of their keys: two who empty the same answers don't wait for each other in a ring.
_SELECT_OF_CONTEXTS = (
    "SELECT * FROM lineal.receipt WHERE tenant_id = %s AND answer <> '' AND idempotency_key IN "
    "(SELECT receipt_context.idempotency_key FROM lineal.receipt_context "
    "WHERE receipt_context.tenant_id = %s AND context_id = ANY(%s::text[])) "
    "ORDER BY idempotency_key FOR UPDATE"
)
_SELECT_OF_USERS = (
    "SELECT * FROM lineal.receipt WHERE tenant_id = %s AND answer <> '' AND idempotency_key IN "
    "(SELECT receipt_user.idempotency_key FROM lineal.receipt_user "
    "JOIN unnest(%s::text[], %s::text[]) AS gone (of_user, of_domain) "
    "ON user_id = of_user AND domain = of_domain WHERE receipt_user.tenant_id = %s) "
    "ORDER BY idempotency_key FOR UPDATE"
)
_EMPTY = (
    "UPDATE lineal.receipt SET answer = '', receipt_digest = empty_digest "
    "FROM unnest(%s::text[], %s::bytea[]) AS emptied (empty_key, empty_digest) "
    "WHERE tenant_id = %s AND idempotency_key = empty_key"
)
_INSERT = "INSERT INTO lineal.receipt VALUES (%s, %s, %s, %s, %s, %s, %s)"
_INSERT_CONTEXTS = (
    "INSERT INTO lineal.receipt_context (tenant_id, idempotency_key, context_id) "
    "SELECT DISTINCT %s, %s, shown FROM unnest(%s::text[]) AS shown "
    "ON CONFLICT (tenant_id, idempotency_key, context_id) DO NOTHING"
)
_INSERT_USERS = (
    "INSERT INTO lineal.receipt_user (tenant_id, idempotency_key, user_id, domain) "
    "SELECT DISTINCT %s, %s, of_user, of_domain FROM unnest(%s::text[], %s::text[]) "
    "AS shown (of_user, of_domain) "
    "ON CONFLICT (tenant_id, idempotency_key, user_id, domain) DO NOTHING"
)
_SELECT_OLD = (
    "SELECT idempotency_key FROM lineal.receipt WHERE tenant_id = %s AND answered_at < %s "
    "ORDER BY answered_at LIMIT %s FOR UPDATE SKIP LOCKED"
)
_DELETE = (
    "DELETE FROM lineal.receipt WHERE tenant_id = %s AND idempotency_key = ANY(%s::text[])",
    "DELETE FROM lineal.receipt_context WHERE tenant_id = %s AND idempotency_key = ANY(%s::text[])",
    "DELETE FROM lineal.receipt_user WHERE tenant_id = %s AND idempotency_key = ANY(%s::text[])",
)


async def receipt(session: Session, tenant: str, key: str, now_ms: int) -> Receipt | None:
    """The receipt of that key; its answer is empty once what it shows has ended, swept or not."""
    values = await session.row(_SELECT, now_ms, now_ms, tenant, key)
    if values is None:
        return None
    found = receipt_of(values[:-1])
    return found.model_copy(update={"answer": ""}) if values[-1] else found


async def keep(session: Session, tenant: str, changes: Changes, new: Receipt) -> None:
    """When the key has a receipt the engine refuses it. Then either `decide` sees it at the next
    try, for another user's write came between, or it didn't look: conflict."""
    if session.careful and await session.row(_SELECT, 0, 0, tenant, new.key) is not None:
        raise LinealError.conflict(f"The idempotency_key '{new.key}' was used before.")
    await session.run(_INSERT, *receipt_values(tenant, new))
    shown = [context.context_id for context in changes.contexts]
    shown += [sighting.context_id for sighting in changes.sightings]
    if shown:
        await session.run(_INSERT_CONTEXTS, tenant, new.key, shown)
    users, domains = _columns((user.user_id, user.domain) for user in changes.users)
    if users:
        await session.run(_INSERT_USERS, tenant, new.key, users, domains)


async def empty_of_contexts(session: Session, tenant: str, context_ids: list[str]) -> None:
    """Take out every answer that shows one of these contexts; that it was given stays known."""
    await _empty(session, tenant, _SELECT_OF_CONTEXTS, tenant, tenant, context_ids)


async def empty_of_user(session: Session, tenant: str, user_id: str, domain: str) -> None:
    await empty_of_users(session, tenant, [(user_id, domain)])


async def empty_of_users(session: Session, tenant: str, rooms: Iterable[Room]) -> None:
    """Take out every answer that shows one of these user rows; that it was given stays known."""
    users, domains = _columns(rooms)
    await _empty(session, tenant, _SELECT_OF_USERS, tenant, users, domains, tenant)


async def drop_older(session: Session, before_ms: int, limit: int) -> int:
    """Take out at most `limit` receipts of the session's tenant from before then, but those that
    somebody is at; returns how many."""
    old = await session.rows(_SELECT_OLD, session.tenant, before_ms, limit)
    if old:
        for statement in _DELETE:
            await session.run(statement, session.tenant, [key for (key,) in old])
    return len(old)


async def _empty(session: Session, tenant: str, statement: str, *bound: Bound) -> None:
    """Those that `statement` finds and locks."""
    found = map(receipt_of, await session.rows(statement, *bound))
    empty = [receipt_values(tenant, kept.model_copy(update={"answer": ""})) for kept in found]
    if empty:
        keys, digests = [str(row[1]) for row in empty], [row[-1] for row in empty]
        await session.run(_EMPTY, keys, digests, tenant)  # type: ignore[arg-type]


def _columns(rooms: Iterable[Room]) -> tuple[list[str], list[str]]:
    pairs = list(rooms)
    return [user_id for user_id, _ in pairs], [domain for _, domain in pairs]
