"""SqliteOutbox: the Outbox port over the file of a SqliteStore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import takewhile

import apsw

from lineal.clock import to_ms
from lineal.models.changes import Scope
from lineal.models.forwarding import Counterpart, Letter, LetterPage, OutboxState, Settled
from lineal.stores.rows.digests import at_or_none
from lineal.stores.sqlite import counterparts, letters
from lineal.stores.sqlite.letters import HOLD_MAX_MS, LetterRow, find, refresh, rewrite
from lineal.stores.sqlite.statements import all_rows, one_row, one_value, sql
from lineal.stores.sqlite.store import SqliteStore
from lineal.stores.sqlite.writer import Transaction

__all__ = ["QUEUE_MAX", "SqliteOutbox"]

QUEUE_MAX = 16
"""Most letters of one queue in a claim."""

_SELECT_READY = (
    "SELECT tenant, user_id FROM queue WHERE ready_at <= ? ORDER BY first_number LIMIT ?"
)
_SELECT_QUEUE = (
    "SELECT * FROM letter WHERE tenant = ? AND user_id = ? AND dead_at IS NULL "
    "ORDER BY letter_number LIMIT ?"
)
_SELECT_NEXT = "SELECT min(ready_at) FROM queue"
_SELECT_PAGE = "SELECT * FROM letter WHERE letter_number > ?"
_OF_TENANT = "AND tenant = ?"
_ARE = {None: "", True: "AND dead_at IS NOT NULL", False: "AND dead_at IS NULL"}
_IN_ORDER = "ORDER BY letter_number LIMIT ?"
_COUNT_WAITING = "SELECT count(*), min(posted_at) FROM letter WHERE dead_at IS NULL"
_COUNT_DEAD = "SELECT count(*) FROM letter WHERE dead_at IS NOT NULL"
_COUNT_UNCERTAIN = (
    "SELECT count(*) FROM letter WHERE (begun = 1 OR holder IS NOT NULL) AND dead_at IS NULL "
    "AND (holder_until IS NULL OR holder_until <= ?)"
)
_SELECT_REPEATS = "SELECT repeats, tenant, repeats_digest FROM repeated WHERE TRUE"
_COUNT = "SELECT count(*) FROM letter"
_SELECT_NOT_DUE = (
    "SELECT * FROM letter WHERE dead_at IS NOT NULL OR letter_due_at > ? OR holder_until > ?"
)
_SELECT_KEY = "SELECT letter_number, tenant, user_id, letter_verb, context_id FROM letter WHERE"
_KEY_OF_NAME = sql(_SELECT_KEY, "letter_id = ?")
_KEY_OF_DEAD = sql(_SELECT_KEY, "dead_at IS NOT NULL")
_DELETE = "DELETE FROM letter WHERE letter_number = ?"


class SqliteOutbox:
    """What is on its way to a remote backend, kept in the file of `store`, which is open."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def waits(self, tenant: str, user_id: str) -> bool:
        return await self._store.look(lambda view: letters.waits(view.connection, tenant, user_id))

    async def letter(self, letter_id: str) -> Letter | None:
        row = await self._store.look(lambda view: find(view.connection, letter_id))
        return None if row is None else row.letter()

    async def claim_letters(
        self, holder: str, *, held_s: float, limit: int = 64
    ) -> tuple[Letter, ...]:
        """held_s: an hour at most. Nothing is written while nothing can be claimed."""

        def run(transaction: Transaction) -> tuple[Letter, ...]:
            now_ms = to_ms(transaction.now())
            until_ms = now_ms + min(round(held_s * 1_000), HOLD_MAX_MS)
            taken = _claimed(transaction.connection, holder, until_ms, limit, now_ms)
            transaction.wrote = transaction.wrote or bool(taken)
            return taken

        if await self.next_due_in_s() != 0:
            return ()
        return await self._store.write(run)

    async def settle(self, settled: Sequence[Settled], *, holder: str | None = None) -> None:
        """holder: who tells it; None: whoever holds the letters."""

        def run(transaction: Transaction) -> None:
            transaction.wrote = True
            now_ms = to_ms(transaction.now())
            letters.settle(transaction.connection, settled, now_ms, holder)

        if settled:
            await self._store.write(run)

    async def release(self, letter_ids: Sequence[str], *, holder: str | None = None) -> None:
        """holder: who gives them back; None: whoever holds them."""

        def run(transaction: Transaction) -> None:
            transaction.wrote = True
            for row in _rows(transaction.connection, letter_ids):
                if row.holder is not None and holder in (None, row.holder):
                    _change(transaction.connection, row.released())

        if letter_ids:
            await self._store.write(run)

    async def next_due_in_s(self) -> float | None:
        def look(connection: apsw.Connection, now: datetime) -> float | None:
            ready_ms: int | None = one_value(connection, _SELECT_NEXT)
            return None if ready_ms is None else max(0, ready_ms - to_ms(now)) / 1_000

        return await self._store.look(lambda view: look(view.connection, view.now))

    async def letters(
        self,
        tenant: str | None = None,
        *,
        dead: bool | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> LetterPage:
        return await self._store.look(
            lambda view: _page(view.connection, tenant, dead, after, limit)
        )

    async def state(self, tenant: str | None = None) -> OutboxState:
        return await self._store.look(lambda view: _state(view.connection, tenant, to_ms(view.now)))

    async def retry(self, letter_ids: Sequence[str] | None = None) -> int:
        """How many of those named, or of all, are due from now on, whether they were before or
        not."""

        def run(transaction: Transaction) -> int:
            transaction.wrote = True
            return _retried(transaction.connection, letter_ids, to_ms(transaction.now()))

        return await self._store.write(run)

    async def drop(self, letter_ids: Sequence[str] | None = None) -> int:
        """Damaged ones too: nothing of a letter is believed but where it stands."""

        def run(transaction: Transaction) -> int:
            transaction.wrote = transaction.erased = True
            return _dropped(transaction.connection, letter_ids)

        return await self._store.write(run)

    async def counterpart(
        self, scope: Scope, local_id: str, *, kind: str = "context"
    ) -> Counterpart | None:
        return await self._store.look(
            lambda view: counterparts.find(view.connection, scope, local_id, kind)
        )

    async def counterparts(
        self, tenant: str, remote_ids: Sequence[str]
    ) -> dict[str, tuple[Counterpart, ...]]:
        return await self._store.look(
            lambda view: counterparts.by_remote(view.connection, tenant, remote_ids)
        )

    async def orphans(self, *, limit: int = 100) -> tuple[Counterpart, ...]:
        return await self._store.look(lambda view: counterparts.orphans(view.connection, limit))

    async def forget_counterparts(self, orphans: Sequence[Counterpart]) -> None:
        def run(transaction: Transaction) -> None:
            transaction.wrote = True
            for told in orphans:
                counterparts.forget(transaction.connection, told)

        if orphans:
            await self._store.write(run)


def _claimed(
    connection: apsw.Connection, holder: str, until_ms: int, limit: int, now_ms: int
) -> tuple[Letter, ...]:
    """The first letters of each queue that is ready."""
    taken: list[Letter] = []
    for tenant, user_id in all_rows(connection, _SELECT_READY, now_ms, limit):
        most = min(QUEUE_MAX, limit - len(taken))
        rows = all_rows(connection, _SELECT_QUEUE, tenant, user_id, most)
        for row in takewhile(lambda row: row.free(now_ms), map(LetterRow.checked, rows)):
            claimed = row.claimed(holder, until_ms)
            rewrite(connection, claimed)
            taken.append(claimed.letter(begun=bool(claimed.begun)))
        refresh(connection, (tenant, user_id))
        if len(taken) >= limit:
            break
    return tuple(taken)


def _page(
    connection: apsw.Connection, tenant: str | None, dead: bool | None, after: int, limit: int
) -> LetterPage:
    inside, bound = _wall(tenant)
    are = _ARE[dead]
    rows = all_rows(connection, sql(_SELECT_PAGE, inside, are, _IN_ORDER), after, *bound, limit)
    found = tuple(LetterRow.checked(values).letter() for values in rows)
    return LetterPage(letters=found, after=found[-1].number if found else after)


def _state(connection: apsw.Connection, tenant: str | None, now_ms: int) -> OutboxState:
    inside, bound = _wall(tenant)
    waiting, oldest_ms = one_row(connection, sql(_COUNT_WAITING, inside), *bound) or (0, None)
    repeated = all_rows(connection, sql(_SELECT_REPEATS, inside), *bound)
    return OutboxState(
        waiting=waiting,
        uncertain=one_value(connection, sql(_COUNT_UNCERTAIN, inside), now_ms, *bound),
        dead=one_value(connection, sql(_COUNT_DEAD, inside), *bound),
        oldest_at=at_or_none(oldest_ms),
        repeated=sum(map(letters.repeats_of, repeated)),
    )


def _wall(tenant: str | None) -> tuple[str, tuple[str, ...]]:
    """A further condition, and what it binds; None: every tenant."""
    return ("", ()) if tenant is None else (_OF_TENANT, (tenant,))


def _retried(connection: apsw.Connection, letter_ids: Sequence[str] | None, now_ms: int) -> int:
    if letter_ids is not None:
        rows = list(_rows(connection, letter_ids))
        count = len(rows)
    else:
        found = all_rows(connection, _SELECT_NOT_DUE, now_ms, now_ms + HOLD_MAX_MS)
        rows = list(map(LetterRow.checked, found))
        count = one_value(connection, _COUNT)
    for row in rows:
        again = _due_again(row, now_ms)
        if again != row:
            _change(connection, again)
    return count


def _due_again(row: LetterRow, now_ms: int) -> LetterRow:
    """A hold that reaches further than any does was made by a clock that was ahead: it ends."""
    kept = row.released() if row.held(now_ms + HOLD_MAX_MS) else row
    return kept._replace(due_at=min(row.due_at, now_ms), dead_at=None)


def _dropped(connection: apsw.Connection, letter_ids: Sequence[str] | None) -> int:
    if letter_ids is None:
        found = all_rows(connection, _KEY_OF_DEAD)
    else:
        names = dict.fromkeys(letter_ids)
        found = [key for name in names for key in all_rows(connection, _KEY_OF_NAME, name)]
    for number, tenant, user_id, verb, context_id in found:
        connection.execute(_DELETE, (number,))
        refresh(connection, (tenant, user_id))
        if verb == "delete":
            counterparts.deleted(connection, tenant, context_id, arrived=False)
    return len(found)


def _rows(connection: apsw.Connection, letter_ids: Sequence[str]) -> Iterator[LetterRow]:
    """Those that are there, each once."""
    rows = (find(connection, name) for name in dict.fromkeys(letter_ids))
    return (row for row in rows if row is not None)


def _change(connection: apsw.Connection, row: LetterRow) -> None:
    rewrite(connection, row)
    refresh(connection, row.queue)
