"""Numbers that become visible in their order, so that who reads page by page misses none."""

from __future__ import annotations

from lineal.stores.postgres.locks import key_of
from lineal.stores.postgres.session import Session

__all__ = ["lock_order", "ordered_number"]

_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_NEXT = "SELECT nextval('lineal.receipt_order')"


async def lock_order(session: Session) -> None:
    """Have the tenant's order to oneself until the end. Nothing is locked after it, so that nobody
    waits in a ring."""
    await session.run(_LOCK, key_of("order", session.tenant))


async def ordered_number(session: Session) -> int:
    """The next number of the order of receipt, committed before any later one is drawn."""
    await lock_order(session)
    return int(await session.value(_NEXT))
