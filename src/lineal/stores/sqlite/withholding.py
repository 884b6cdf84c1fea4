"""Withholding memories and giving them back: hidden like what is forgotten, but kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope, Withholding
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.sqlite import entries, trouble
from lineal.stores.sqlite.alike import keep_keys
from lineal.stores.sqlite.contexts import live_row, returnable_row, revision
from lineal.stores.sqlite.erase import unlist_context

__all__ = ["give_back", "hide", "withhold"]

_UPDATE = (
    "UPDATE context SET expires_at = ?, held_at = ?, held_until = ?, held_root = ?, "
    "context_digest = ? WHERE seq = ?"
)


def withhold(connection: apsw.Connection, scope: Scope, asked: Withholding, now: datetime) -> None:
    """Hide those that are live within the scope; the others are left as they are."""
    for name in asked.context_ids:
        row = live_row(connection, scope, name, now)
        if row is not None:
            hide(connection, row, row.withheld(asked.root, to_ms(now), to_ms(asked.until)))


def hide(connection: apsw.Connection, row: ContextRow, held: ContextRow) -> None:
    """`row`, which isn't withheld yet, as `held` has it."""
    unlist_context(connection, row)
    _update(connection, held)


def give_back(
    connection: apsw.Connection, scope: Scope, names: Iterable[str], now: datetime
) -> None:
    """Show those that are withheld and not yet past their time; the others are left as they are."""
    for name in names:
        row = returnable_row(connection, scope, name, now)
        if row is not None:
            _show(connection, row)


def _show(connection: apsw.Connection, held: ContextRow) -> None:
    """As it was: all that a row holds beside its fingerprint is in its text."""
    context = revision(connection, held, held.revision)
    if context is None:
        raise trouble.damaged(f"The memory '{held.context_id}'", context_id=held.context_id)
    row = ContextRow.made(held.tenant, context, held.marks, held.seq)
    _update(connection, row)
    entries.add(connection, row.seq, row.tenant, context)
    keep_keys(connection, row, Marks())


def _update(connection: apsw.Connection, row: ContextRow) -> None:
    held = (row.held_at, row.held_until, row.held_root)
    connection.execute(_UPDATE, (row.expires_at, *held, row.context_digest, row.seq))
