"""A snapshot: everything that a decision asked to see, at one instant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Reads, Receipt, Scope, Snapshot
from lineal.models.context import Context
from lineal.models.user import UserRow
from lineal.stores.postgres import contexts, receipts, users
from lineal.stores.postgres.alike import alike_of, ask_alike
from lineal.stores.postgres.graph import descendants
from lineal.stores.postgres.session import Session
from lineal.stores.postgres.sightings import sightings

__all__ = ["snapshot"]


Present = Callable[[], Awaitable[datetime]]
"""The store's now, as this transaction sees it."""


async def snapshot(session: Session, scope: Scope, reads: Reads, present_at: Present) -> Snapshot:
    """The named rows; what has ended shows only its tombstone. Inside one transaction, always.

    What most writes ask is on its way before anything is waited for: one round trip."""
    asked_user = await users.ask_user(session, scope) if reads.user or reads.known else None
    asked_alike = await ask_alike(session, scope, reads.alike)
    now = await present_at()
    present = await contexts.Present(scope, reads.context_ids, to_ms(now)).ask(session)
    receipt = await _receipt(session, scope, reads.receipt, now)
    user = await users.live_of(session, scope, asked_user, now)
    live, marks = await present.found()
    resting = await _descendants(session, scope, reads, now)
    owners = (*live, *resting) if reads.owners else ()
    return Snapshot(
        now=now,
        user=user if reads.user else None,
        known=reads.known and user is not None,
        contexts=live,
        tombstones=marks,
        receipt=receipt,
        alike=await alike_of(session, scope, asked_alike, reads.alike_in, now),
        sightings=await sightings(session, scope, live, now) if reads.sightings else {},
        revisions=await _revisions(session, scope, live, reads.revisions, now),
        withheld=await _withheld(session, scope, reads.withheld_by, now),
        descendants=resting,
        owners=await _owners(session, scope, owners, now),
    )


async def _receipt(
    session: Session, scope: Scope, key: str | None, now: datetime
) -> Receipt | None:
    if key is None:
        return None
    return await receipts.receipt(session, scope.tenant, key, to_ms(now))


async def _descendants(
    session: Session, scope: Scope, reads: Reads, now: datetime
) -> tuple[str, ...]:
    if reads.descendants_of is None:
        return ()
    return await descendants(session, scope, reads.descendants_of, reads, now)


async def _revisions(
    session: Session, scope: Scope, names: Iterable[str], most: int, now: datetime
) -> dict[str, tuple[Context, ...]]:
    return await contexts.revisions(session, scope, names, most, now) if most else {}


async def _withheld(
    session: Session, scope: Scope, root: str | None, now: datetime
) -> tuple[Context, ...]:
    return () if root is None else await contexts.returnable(session, scope, root, now)


async def _owners(
    session: Session, scope: Scope, names: Iterable[str], now: datetime
) -> tuple[UserRow, ...]:
    """The live rows of the users of these contexts, by user and domain."""
    wanted = tuple(names)
    if not wanted:
        return ()
    rows = (await contexts.live_rows(session, scope, wanted, now)).values()
    keys = sorted({(row.user_id, row.domain) for row in rows})
    tenant = scope.tenant
    scopes = [Scope(tenant=tenant, user_id=user, domain=domain) for user, domain in keys]
    return await users.live_users(session, scopes, now)
