"""Taking in the records of an archive: as they were, and indexed as if they had been written here.

Inside one write transaction that has the whole tenant to itself; each kind in its turn, which is
the order in which they came out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lineal.errors import LinealError
from lineal.models.archive import (
    EdgeRecord,
    Header,
    Loaded,
    ReceiptRecord,
    Record,
    TaskRecord,
    tenant_of,
)
from lineal.stores.postgres.carried import send_vectors, settle_vectors
from lineal.stores.postgres.filling import columns, put_entries
from lineal.stores.postgres.incoming import Fresh, keep_contexts, keep_sightings, keep_tombstones
from lineal.stores.postgres.incoming_users import keep_heads, keep_outcomes, keep_users
from lineal.stores.postgres.meta import write_language
from lineal.stores.postgres.session import Asked, Session
from lineal.stores.postgres.tenants import enter, pages
from lineal.stores.postgres.transactions import Writing, lock_tenant
from lineal.stores.rows import arriving
from lineal.stores.rows.arriving import conflicting
from lineal.stores.rows.small_rows import edge_values, receipt_of, receipt_values, task_values

__all__ = ["load", "tenant_among"]

# A plan that was made for tables without a row would read all of them once they are full.
_PLAN_ANEW = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"
_ANYTHING = "SELECT 1 FROM lineal.context WHERE tenant_id = %s LIMIT 1"
_EDGES = (
    "INSERT INTO lineal.edge (tenant_id, child_id, child_revision, parent_id, relation, basis, "
    "edge_digest) SELECT %s, made.* FROM unnest(%s::text[], %s::integer[], %s::text[], "
    "%s::text[], %s::text[], %s::bytea[]) AS made ON CONFLICT "
    "(tenant_id, child_id, child_revision, parent_id, relation, basis) DO NOTHING RETURNING 1"
)
_TASKS = (
    "INSERT INTO lineal.task (tenant_id, user_id, domain, kind, context_id, due_at, tries, "
    "task_digest) SELECT %s, made.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], "
    "%s::bigint[], %s::integer[], %s::bytea[]) AS made "
    "ON CONFLICT (tenant_id, user_id, domain, kind, context_id) DO NOTHING RETURNING 1"
)
_RECEIPTS = (
    "SELECT * FROM lineal.receipt WHERE tenant_id = %s AND idempotency_key = ANY(%s::text[])"
)
_INSERT_RECEIPTS = (
    "INSERT INTO lineal.receipt (tenant_id, idempotency_key, verb, request_hash, answer, "
    "answered_at, receipt_digest) SELECT %s, made.* FROM unnest(%s::text[], %s::text[], "
    "%s::text[], %s::text[], %s::bigint[], %s::bytea[]) AS made"
)
_SHOW_CONTEXTS = (
    "INSERT INTO lineal.receipt_context (tenant_id, idempotency_key, context_id) "
    "SELECT %s, made.* FROM unnest(%s::text[], %s::text[]) AS made "
    "ON CONFLICT (tenant_id, idempotency_key, context_id) DO NOTHING"
)
_SHOW_USERS = (
    "INSERT INTO lineal.receipt_user (tenant_id, idempotency_key, user_id, domain) "
    "SELECT %s, made.* FROM unnest(%s::text[], %s::text[], %s::text[]) AS made "
    "ON CONFLICT (tenant_id, idempotency_key, user_id, domain) DO NOTHING"
)


def tenant_among(records: Sequence[Record]) -> str:
    """Behind whose wall they lie; "" without any. Raises invalid_request for those of several."""
    found = sorted({tenant for tenant in map(tenant_of, records) if tenant is not None})
    if len(found) > 1:
        raise LinealError.invalid("records", "They are of several tenants; load one's at a time.")
    return found[0] if found else ""


async def load(writing: Writing, records: Sequence[Record]) -> Loaded:
    """All of them or, when it raises LinealError, none. Only what is a memory is counted.

    That everything is there already is said once it is on the standby too: it may be from a try
    whose end nobody knows."""
    await writing.meta()
    await writing.session.run(_PLAN_ANEW)
    headers = [record for record in records if isinstance(record, Header)]
    for header in headers:
        await _begin(writing, header)
    kept, there = await _keep(writing.session, records)
    writing.wrote = bool(kept or headers)
    writing.confirm = not writing.wrote and bool(there)
    return Loaded(kept=dict(kept), there=dict(there))


async def _keep(session: Session, records: Sequence[Record]) -> tuple[Counter[str], Counter[str]]:
    """How many of each kind were kept, and how many weren't."""
    of: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        of[record.kind].append(record)
    kept = await _keep_contexts(session, of)
    for kind, keep in _TURNS.items():
        if of[kind]:
            kept[kind] = await keep(session, of[kind])
    there = {k: len(of[k]) - kept[k] for k in of if k in _TURNS or k in _OF_CONTEXTS}
    return +kept, +Counter(there)


async def _keep_contexts(session: Session, of: dict[str, list[Any]]) -> Counter[str]:
    """The same of contexts and what hangs on them."""
    fresh: Fresh = {}
    kept: Counter[str] = Counter()
    if of["context"]:
        kept["context"] = await keep_contexts(session, of["context"], fresh)
    if of["sighting"]:
        kept["sighting"] = await keep_sightings(session, of["sighting"])
    carried = await send_vectors(session, of["vector"], fresh)
    await put_entries(session, fresh.values())
    kept["vector"] = await settle_vectors(session, carried, fresh)
    return kept


async def _begin(writing: Writing, header: Header) -> None:
    session, meta = writing.session, await writing.meta()
    high = arriving.time_after(header, meta.now)
    writing.believed = meta.mark.model_copy(update={"high": max(meta.mark.high, high)})
    if header.language != meta.language and await _is_empty(session):
        await write_language(session, header.language)
        session.language = header.language


async def _is_empty(session: Session) -> bool:
    """Whether nobody has a context; then nobody begins one before the end."""
    own = session.tenant
    anything = await _holds(session, locked=False) or await _holds(session, locked=True)
    await enter(session, own)
    return not anything


async def _holds(session: Session, *, locked: bool) -> bool:
    """Whether there is a context of anybody's. The session is behind another wall afterwards."""
    async for tenants in pages(session):
        asked: list[Asked] = []
        for tenant in tenants:
            await enter(session, tenant)
            if locked:
                await lock_tenant(session, tenant)
            asked.append(await session.ask(_ANYTHING, tenant))
        if any([await answer.row() is not None for answer in asked]):
            return True
    return False


async def _keep_edges(session: Session, records: Sequence[EdgeRecord]) -> int:
    values = columns(edge_values(session.tenant, record.edge)[1:] for record in records)
    return len(await session.rows(_EDGES, session.tenant, *values))


async def _keep_tasks(session: Session, records: Sequence[TaskRecord]) -> int:
    values = columns(task_values(record.task)[1:] for record in records)
    return len(await session.rows(_TASKS, session.tenant, *values))


async def _keep_receipts(session: Session, records: Sequence[ReceiptRecord]) -> int:
    """An answer that was emptied here since stays so."""
    keys = [record.receipt.key for record in records]
    rows = await session.rows(_RECEIPTS, session.tenant, keys)
    there = {found.key: found for found in map(receipt_of, rows)}
    fresh: list[ReceiptRecord] = []
    for record in records:
        new = record.receipt
        if new.key not in there:
            fresh.append(record)
        old = there.setdefault(new.key, new)
        same = old.model_copy(update={"answer": new.answer}) == new
        if not same or old.answer not in ("", new.answer):
            raise conflicting("idempotency_key", new.key)
    await _insert_receipts(session, fresh)
    return len(fresh)


async def _insert_receipts(session: Session, fresh: Sequence[ReceiptRecord]) -> None:
    tenant = session.tenant
    told = (
        (_INSERT_RECEIPTS, columns(receipt_values(tenant, r.receipt)[1:] for r in fresh)),
        (_SHOW_CONTEXTS, columns((r.receipt.key, name) for r in fresh for name in r.contexts)),
        (_SHOW_USERS, columns((r.receipt.key, *room) for r in fresh for room in r.users)),
    )
    for statement, values in told:
        if values:
            await session.run(statement, tenant, *values)


_OF_CONTEXTS = ("context", "sighting", "vector")
_TURNS: dict[str, Callable[[Session, Sequence[Any]], Awaitable[int]]] = {
    "tombstone": keep_tombstones,
    "edge": _keep_edges,
    "user": keep_users,
    "head": keep_heads,
    "outcome": keep_outcomes,
    "task": _keep_tasks,
    "receipt": _keep_receipts,
}
"""By kind, in the order in which they came out."""
