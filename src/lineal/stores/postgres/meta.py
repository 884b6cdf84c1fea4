"""The store's own record: what it is, what time it has come to believe, in which language its words
are. The one place that asks the database what time it is."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from lineal.analysis.analyzer import Analyzer
from lineal.clock import Clock, from_ms, to_ms
from lineal.errors import LinealError
from lineal.policy.expiry import ClockMark, advance, present
from lineal.stores.postgres.schema import VERSION
from lineal.stores.postgres.session import Asked, Connection, Session, sql
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import at_or_none, ms_or_none

__all__ = [
    "Meta",
    "ask_meta",
    "newer",
    "older",
    "read_meta",
    "server_now_ms",
    "write_language",
    "write_mark",
]

MARK_STEP_MS = 1_000
"""By the database's clock the record of time is written at most once a second: it is one row, and
every write would wait for it. So a clock that goes back may be followed by up to so much."""

_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_SELECT = sql(
    "SELECT store_version, high_at, ahead_at, seen_at, language,",
    _NOW,
    "FROM lineal.store WHERE tenant_id = ''",
)
_SELECT_TO_WRITE = sql(
    "SELECT store_version, high_at, ahead_at, seen_at, language,",
    _NOW,
    ", nextval('lineal.receipt_order'), nextval('lineal.receipt_order') "
    "FROM lineal.store WHERE tenant_id = ''",
)
_SELECT_NOW = sql("SELECT", _NOW)
_ADVANCE = (
    "UPDATE lineal.store SET high_at = greatest(high_at, %s), ahead_at = %s, seen_at = %s "
    "WHERE tenant_id = '' AND high_at <= %s"
)
_SET = "UPDATE lineal.store SET high_at = %s, ahead_at = %s, seen_at = %s WHERE tenant_id = ''"

_SET_LANGUAGE = "UPDATE lineal.store SET language = %s, words_version = %s WHERE tenant_id = ''"


class Meta(NamedTuple):
    """mark: see policy/expiry.py. wall: the clock's present, whosever clock it is. handed_in: it is
    not the database's."""

    mark: ClockMark
    wall: datetime
    language: str
    handed_in: bool

    @property
    def now(self) -> datetime:
        """The store's present."""
        return present(self.mark, self.wall)


async def server_now_ms(connection: Connection) -> int:
    """The database's clock, in milliseconds."""
    found = await (await connection.execute(_SELECT_NOW)).fetchone()
    return 0 if found is None else int(found[0])


async def ask_meta(session: Session, *, to_write: bool = False) -> Asked:
    """to_write: with two numbers of the order of receipt, for the one context and the one user that
    most writes make."""
    return await session.ask(_SELECT_TO_WRITE if to_write else _SELECT)


async def read_meta(session: Session, asked: Asked, clock: Clock | None) -> Meta:
    """Tells the session its language. Raises unavailable for a store of another version."""
    values = await asked.row()
    if values is None:
        raise damaged("The store's record of itself")
    version, high_at, ahead_at, seen_at, language, server_ms, *session.numbers = values
    if version != VERSION:
        raise newer(version) if version > VERSION else older()
    session.language = language
    mark = ClockMark(high=from_ms(high_at), ahead=at_or_none(ahead_at), seen=at_or_none(seen_at))
    wall = from_ms(server_ms) if clock is None else clock.now()
    return Meta(mark, wall, language, clock is not None)


async def write_mark(session: Session, meta: Meta, believed: ClockMark | None = None) -> None:
    """Move the record of time along with the clock. believed: what an operator confirmed."""
    if believed is not None:
        await session.run(_SET, *_values(advance(believed, meta.wall)))
        return
    mark = advance(meta.mark, meta.wall)
    step_ms = 0 if meta.handed_in else MARK_STEP_MS
    moved = to_ms(mark.high) - to_ms(meta.mark.high) > step_ms
    if moved or (mark.ahead, mark.seen) != (meta.mark.ahead, meta.mark.seen):
        await session.run(_ADVANCE, *_values(mark), to_ms(mark.high))


async def write_language(session: Session, language: str) -> None:
    """Of the store's words from now on."""
    await session.run(_SET_LANGUAGE, language, Analyzer(language).version)


def newer(version: int) -> LinealError:
    return LinealError.unavailable(
        f"The store was made by a newer lineal (its version is {version}, this one knows "
        f"{VERSION}). Nothing was changed; upgrade lineal here, or stop the older one.",
        retryable=False,
        store_version=version,
        known_version=VERSION,
    )


def older() -> LinealError:
    return LinealError.unavailable(
        "The store was made by an older lineal and must be migrated before it can be used. "
        "Open it once with the right to write.",
        retryable=False,
    )


def _values(mark: ClockMark) -> tuple[int, int | None, int | None]:
    return to_ms(mark.high), ms_or_none(mark.ahead), ms_or_none(mark.seen)
