"""Making the index of words anew, in another language or by another release's analysis."""

from __future__ import annotations

from contextlib import suppress

from lineal.errors import LinealError
from lineal.stores.postgres import entries
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.rows.context_rows import ContextRow

__all__ = ["rebuild_tenant"]

PAGE = 500
"""Contexts that are read at once."""

_CLEAR = (
    "DELETE FROM lineal.entry WHERE tenant_id = %s",
    "DELETE FROM lineal.posting WHERE tenant_id = %s",
    "DELETE FROM lineal.speaker WHERE tenant_id = %s",
    "UPDATE lineal.shelf SET entries = 0, own_words = 0, head_words = 0 WHERE tenant_id = %s",
)
_SHOWN = sql(
    "SELECT",
    CONTEXT,
    ", body, body_digest FROM lineal.context JOIN lineal.context_revision USING (tenant_id) "
    "WHERE tenant_id = %s AND seq > %s AND held_until IS NULL AND context_seq = seq "
    "AND number = revision ORDER BY seq LIMIT %s",
)


async def rebuild_tenant(session: Session, language: str) -> None:
    """Make every entry of the session's tenant anew, in this language; the whole tenant must be
    locked. Vectors of what is there stay. The store's record of its language is left alone."""
    session.language = language
    for statement in _CLEAR:
        await session.run(statement, session.tenant)
    after: int | None = -1
    while after is not None:
        after = await _put_page(session, after)


async def _put_page(session: Session, after: int) -> int | None:
    """Those that come after that number; the last one's, None at the end."""
    rows = await session.rows(_SHOWN, session.tenant, after, PAGE)
    for values in rows:
        with suppress(LinealError):  # what is damaged is found by its id, and by verify
            row = ContextRow.checked(values[:-2])
            await entries.put(session, row.seq, row.context(row.revision, *values[-2:]))
    return int(rows[-1][0]) if len(rows) == PAGE else None
