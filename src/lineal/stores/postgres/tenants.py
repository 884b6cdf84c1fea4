"""The directory of tenants, for what goes over all of them, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

from lineal.stores.postgres.session import Session

__all__ = ["PAGE", "enter", "page", "pages"]

PAGE = 200
"""Tenants that are visited in one go of a pipeline."""

_PAGE = "SELECT tenant_id FROM lineal.tenant WHERE tenant_id > %s ORDER BY tenant_id LIMIT %s"
_ENTER = "SELECT set_config('lineal.tenant', %s, true)"


async def page(session: Session, after: str = "", limit: int = PAGE) -> list[str]:
    """The tenants that come after that one; [] at the end."""
    return [tenant for (tenant,) in await session.rows(_PAGE, after, limit)]


async def pages(session: Session) -> AsyncIterator[list[str]]:
    """All tenants, a page at a time, whoever is entered meanwhile."""
    tenants = await page(session)
    while tenants:
        yield tenants
        tenants = await page(session, tenants[-1])


async def enter(session: Session, tenant: str) -> None:
    """Go behind another wall: from now on the session shows only this tenant's rows."""
    session.tenant = tenant
    await session.run(_ENTER, tenant)
