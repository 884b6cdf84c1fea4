"""Taking out what has expired, and counting what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from operator import itemgetter

from lineal.models.base import rfc3339
from lineal.models.changes import Scope, StoreStats, SweepReport, Tombstone
from lineal.policy.expiry import ClockMark, is_live
from lineal.stores.memory.keep import bury, drop_receipt, erase_user
from lineal.stores.memory.look import live_contexts, tombstone, tombstones
from lineal.stores.memory.tenant import Tenant, within

__all__ = ["refusal", "row_count", "size_bytes", "stats", "sweep"]

RECEIPT_LIFE = timedelta(days=7)
"""How long a repeated request is recognised; a client that retries later asks anew."""


def sweep(tenants: Iterable[Tenant], now: datetime, limit: int) -> SweepReport:
    """Take out at most `limit` rows of a kind, behind all walls, what ended first; of contexts
    those that have expired before those that were withheld."""
    rooms = list(tenants)
    expired = sorted(_contexts(rooms, now), key=itemgetter(0))
    withheld = sorted(_withheld(rooms, now), key=itemgetter(0))
    contexts = [*expired, *withheld][:limit]
    for _, tenant, mark in contexts:
        bury(tenant, mark)
    users = sorted(_users(rooms, now), key=itemgetter(0))[:limit]
    for _, tenant, key in users:
        erase_user(tenant, key)
    receipts = sorted(_receipts(rooms, now), key=itemgetter(0))[:limit]
    for _, tenant, name in receipts:
        drop_receipt(tenant, name)
    return SweepReport(contexts=len(contexts), users=len(users), receipts=len(receipts))


def _contexts(tenants: list[Tenant], now: datetime) -> Iterator[tuple[datetime, Tenant, Tombstone]]:
    """(when it ended, where, the mark to leave)."""
    for tenant in tenants:
        names = (name for name in tenant.contexts if name not in tenant.withheld)
        marks = (tombstone(tenant, name, now) for name in names)
        yield from ((mark.ended_at, tenant, mark) for mark in marks if mark is not None)


def _withheld(tenants: list[Tenant], now: datetime) -> Iterator[tuple[datetime, Tenant, Tombstone]]:
    """(until when it could be given back, where, the mark to leave)."""
    for tenant in tenants:
        for name, held in tenant.withheld.items():
            mark = tombstone(tenant, name, now)
            if mark is not None and held.until <= now:
                yield held.until, tenant, mark


def _users(
    tenants: list[Tenant], now: datetime
) -> Iterator[tuple[datetime, Tenant, tuple[str, str]]]:
    """(when it ended, where, its key)."""
    for tenant in tenants:
        for key, revisions in tenant.users.items():
            ended_at = revisions[-1].expires_at
            if ended_at is not None and not is_live(ended_at, now):
                yield ended_at, tenant, key


def _receipts(tenants: list[Tenant], now: datetime) -> Iterator[tuple[datetime, Tenant, str]]:
    """(when it was given, where, its key)."""
    for tenant in tenants:
        for key, receipt in tenant.receipts.items():
            if now - receipt.recorded_at > RECEIPT_LIFE:
                yield receipt.recorded_at, tenant, key


def refusal(mark: ClockMark, wall: datetime) -> str:
    return (
        f"The clock says {rfc3339(wall)}, but the store's last time was "
        f"{rfc3339(mark.high)}. Nothing is taken out until the clock is confirmed."
    )


def stats(tenant: Tenant, scope: Scope, now: datetime, size_bytes: int) -> StoreStats:
    live = live_contexts(tenant, scope, now)
    users = [revisions[-1] for revisions in tenant.users.values()]
    ended = tombstones(tenant, scope, (*tenant.contexts, *tenant.tombstones), now)
    unswept = ended.keys() & (tenant.contexts.keys() - tenant.withheld.keys())
    return StoreStats(
        contexts=len(live),
        revisions=sum(len(tenant.contexts[context.context_id]) for context in live),
        users=sum(within(scope, row) and is_live(row.expires_at, now) for row in users),
        tombstones=len(ended) - len(unswept),
        edges=sum(map(len, tenant.up.values())),
        expired_unswept=len(unswept),
        by_type=dict(Counter(context.memory_type.value for context in live)),
        by_domain=dict(Counter(context.domain for context in live)),
        size_bytes=size_bytes,
        engine="memory",
    )


def size_bytes(tenant: Tenant) -> int:
    """What the texts take; dicts and objects are not counted."""
    kept = (context for revisions in tenant.contexts.values() for context in revisions)
    return sum(len(context.content.encode()) for context in kept)


def row_count(tenant: Tenant) -> int:
    lists = (tenant.contexts, tenant.users, tenant.sightings)
    rows = (row for kept in lists for revisions in kept.values() for row in revisions)
    return sum(1 for _ in rows) + len(tenant.outcomes) + len(tenant.tasks)
