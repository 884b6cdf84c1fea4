"""Taking out what has expired, in small bites."""

from __future__ import annotations

from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import SweepReport
from lineal.policy.expiry import ClockMark
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, WITHHELD, ContextRow
from lineal.stores.rows.sweeping import refusal
from lineal.stores.rows.user_rows import USER_COLUMNS, UserKept
from lineal.stores.sqlite import receipts
from lineal.stores.sqlite.erase import erase_context, erase_user
from lineal.stores.sqlite.statements import all_rows, sql
from lineal.stores.sqlite.writer import Transaction

__all__ = ["BITE_MAX", "sweep"]

BITE_MAX = 100
"""Most rows of a kind in one transaction: some 20 ms, so that writers don't wait for a sweep."""

_SELECT_CONTEXTS = sql(
    "SELECT",
    CONTEXT_COLUMNS,
    "FROM context WHERE expires_at > ? AND expires_at <= ? ORDER BY expires_at LIMIT ?",
)
_SELECT_WITHHELD = sql(
    "SELECT", CONTEXT_COLUMNS, "FROM context WHERE held_until <= ? ORDER BY held_until LIMIT ?"
)
_SELECT_USERS = sql(
    "SELECT", USER_COLUMNS, "FROM user_row WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
)


def sweep(transaction: Transaction, limit: int, *, accept_clock: bool = False) -> SweepReport:
    """Take out at most `limit` rows of a kind, or nothing while the clock can't be believed."""
    transaction.wrote = True  # the record of time, at least
    wall = transaction.clock.now()
    if accept_clock:
        transaction.believe(ClockMark(high=wall))
    now = transaction.now()
    if not transaction.meta.mark.trusts(wall):
        return SweepReport(refused=refusal(transaction.meta.mark, wall))
    report = SweepReport(
        contexts=_sweep_contexts(transaction, to_ms(now), limit),
        users=_sweep_users(transaction, to_ms(now), limit),
        receipts=_sweep_receipts(transaction, now, limit),
    )
    transaction.erased = transaction.erased or report != SweepReport()
    return report


def _sweep_contexts(transaction: Transaction, now_ms: int, limit: int) -> int:
    """What has expired, then what can't be given back any more."""
    ended = all_rows(transaction.connection, _SELECT_CONTEXTS, WITHHELD, now_ms, limit)
    rest = limit - len(ended)
    ended += all_rows(transaction.connection, _SELECT_WITHHELD, now_ms, rest)
    for row in map(ContextRow.checked, ended):
        erase_context(transaction.connection, row, row.tombstone())
    return len(ended)


def _sweep_users(transaction: Transaction, now_ms: int, limit: int) -> int:
    ended = all_rows(transaction.connection, _SELECT_USERS, now_ms, limit)
    for row in map(UserKept.checked, ended):
        erase_user(transaction.connection, row)
    return len(ended)


def _sweep_receipts(transaction: Transaction, now: datetime, limit: int) -> int:
    return receipts.drop_older(transaction.connection, to_ms(now - receipts.RECEIPT_LIFE), limit)
