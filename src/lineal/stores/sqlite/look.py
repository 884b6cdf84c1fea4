"""A snapshot: everything that a decision asked to see, at one instant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Reads, Receipt, Scope, Snapshot, Tombstone
from lineal.models.context import Context
from lineal.models.user import UserRow
from lineal.stores.sqlite.alike import alike
from lineal.stores.sqlite.contexts import live_row, present_context, returnable, revisions
from lineal.stores.sqlite.graph import descendants
from lineal.stores.sqlite.receipts import receipt
from lineal.stores.sqlite.sightings import sightings
from lineal.stores.sqlite.users import is_known, live_user

__all__ = ["snapshot"]


def snapshot(connection: apsw.Connection, scope: Scope, reads: Reads, now: datetime) -> Snapshot:
    """The named rows; what has ended shows only its tombstone. Inside one transaction, always."""
    contexts: dict[str, Context] = {}
    marks: dict[str, Tombstone] = {}
    for name in dict.fromkeys(reads.context_ids):
        found = present_context(connection, scope, name, now)
        if isinstance(found, Context):
            contexts[name] = found
        elif found is not None:
            marks[name] = found
    resting = _descendants(connection, scope, reads, now)
    return Snapshot(
        now=now,
        user=live_user(connection, scope, now) if reads.user else None,
        known=reads.known and is_known(connection, scope, now),
        contexts=contexts,
        tombstones=marks,
        receipt=_receipt(connection, scope, reads.receipt, now),
        alike=alike(connection, scope, reads.alike, reads.alike_in, now),
        sightings=sightings(connection, scope, contexts, now) if reads.sightings else {},
        revisions=_revisions(connection, scope, contexts, reads.revisions, now),
        withheld=_withheld(connection, scope, reads.withheld_by, now),
        descendants=resting,
        owners=_owners(connection, scope, (*contexts, *resting), now) if reads.owners else (),
    )


def _descendants(
    connection: apsw.Connection, scope: Scope, reads: Reads, now: datetime
) -> tuple[str, ...]:
    if reads.descendants_of is None:
        return ()
    return descendants(connection, scope, reads.descendants_of, reads, now)


def _revisions(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], most: int, now: datetime
) -> dict[str, tuple[Context, ...]]:
    return revisions(connection, scope, names, most, now) if most else {}


def _withheld(
    connection: apsw.Connection, scope: Scope, root: str | None, now: datetime
) -> tuple[Context, ...]:
    return () if root is None else returnable(connection, scope, root, now)


def _owners(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], now: datetime
) -> tuple[UserRow, ...]:
    """The live rows of the users of these contexts, by user and domain."""
    rows = (live_row(connection, scope, name, now) for name in names)
    keys = sorted({(row.user_id, row.domain) for row in rows if row is not None})
    owners = (
        live_user(connection, Scope(tenant=scope.tenant, user_id=user, domain=domain), now)
        for user, domain in keys
    )
    return tuple(owner for owner in owners if owner is not None)


def _receipt(
    connection: apsw.Connection, scope: Scope, key: str | None, now: datetime
) -> Receipt | None:
    return None if key is None else receipt(connection, scope.tenant, key, to_ms(now))
