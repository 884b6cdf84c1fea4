"""Reading contexts: present, past and ended. Inside one transaction, always."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from lineal.clock import to_ms
from lineal.models.changes import Scope, Tombstone
from lineal.models.context import Context
from lineal.policy.expiry import is_live
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.small_rows import tombstone_of
from lineal.stores.rows.values import Row

__all__ = [
    "Present",
    "context_row",
    "context_rows",
    "history",
    "kept_tombstone",
    "live_row",
    "live_rows",
    "locked_rows",
    "numbered",
    "present_contexts",
    "returnable",
    "returnable_row",
    "revision",
    "revisions",
    "tombstones",
    "within",
]

_WHOLE = sql(
    "SELECT",
    CONTEXT,
    ", body, body_digest FROM lineal.context LEFT JOIN lineal.context_revision "
    "ON context_revision.tenant_id = context.tenant_id AND context_seq = seq "
    "AND number = revision AND (expires_at IS NULL OR expires_at > %s) "
    "WHERE context.tenant_id = %s",
).replace("tenant_id, context_id", "context.tenant_id, context_id", 1)
_PRESENT = sql(_WHOLE, "AND context_id = ANY(%s::text[])")
_NUMBERED = sql(_WHOLE, "AND seq = ANY(%s::bigint[])")
_ROWS = sql(
    "SELECT", CONTEXT, "FROM lineal.context WHERE tenant_id = %s AND context_id = ANY(%s::text[])"
)
_LOCKED = sql(_ROWS, "ORDER BY seq FOR UPDATE")
_REVISIONS = (
    "SELECT number, body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq = %s ORDER BY number"
)
_LATEST = (
    "SELECT number, body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq = %s ORDER BY number DESC LIMIT %s"
)
_REVISION = (
    "SELECT number, body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq = %s AND number = %s"
)
_RETURNABLE = sql(
    "SELECT",
    CONTEXT,
    ", body, body_digest FROM lineal.context JOIN lineal.context_revision "
    "ON context_revision.tenant_id = context.tenant_id AND context_seq = seq "
    "AND number = revision "
    "WHERE context.tenant_id = %s AND held_root = %s AND held_until > %s ORDER BY seq",
).replace("tenant_id, context_id", "context.tenant_id, context_id", 1)
_TOMBSTONES = (
    "SELECT tenant_id, context_id, user_id, domain, reason, memory_type, revision, created_at, "
    "ended_at, tombstone_digest FROM lineal.tombstone "
    "WHERE tenant_id = %s AND context_id = ANY(%s::text[])"
)


class Present:
    """Named contexts as they are, on their way from the server."""

    def __init__(self, scope: Scope, names: Sequence[str], now_ms: int) -> None:
        self._scope = scope
        self._names = tuple(dict.fromkeys(names))
        self._now_ms = now_ms
        self._asked: tuple[Asked, Asked] | None = None

    async def ask(self, session: Session) -> Present:
        if self._names:
            tenant, names = self._scope.tenant, list(self._names)
            whole = await session.ask(_PRESENT, self._now_ms, tenant, names)
            self._asked = whole, await session.ask(_TOMBSTONES, tenant, names)
        return self

    async def found(self) -> tuple[dict[str, Context], dict[str, Tombstone]]:
        """The live ones and the marks of those that have ended, within the scope, as named."""
        contexts: dict[str, Context] = {}
        marks: dict[str, Tombstone] = {}
        if self._asked is None:
            return contexts, marks
        rows = {str(values[2]): values for values in await self._asked[0].rows()}
        ended = _marks(self._scope, await self._asked[1].rows())
        for name in self._names:
            if name not in rows:
                marks.update({name: ended[name]} if name in ended else {})
                continue
            row = ContextRow.checked(rows[name][:-2])
            if not within(self._scope, row.user_id, row.domain):
                continue
            if row.live(self._now_ms):
                contexts[name] = row.context(row.revision, *rows[name][-2:])
            else:
                marks[name] = row.tombstone()
        return contexts, marks


async def present_contexts(
    session: Session, scope: Scope, names: Sequence[str], now: datetime
) -> tuple[dict[str, Context], dict[str, Tombstone]]:
    present = await Present(scope, names, to_ms(now)).ask(session)
    return await present.found()


async def context_row(session: Session, tenant: str, name: str) -> ContextRow | None:
    """The row of that id, live or not."""
    return (await context_rows(session, tenant, (name,))).get(name)


async def context_rows(
    session: Session, tenant: str, names: Iterable[str]
) -> dict[str, ContextRow]:
    """The rows of these ids, live or not."""
    return _by_id(await session.rows(_ROWS, tenant, list(dict.fromkeys(names))))


async def locked_rows(session: Session, tenant: str, names: Iterable[str]) -> dict[str, ContextRow]:
    """As context_rows, and nobody else changes them, or what hangs on them, until the end."""
    wanted = list(dict.fromkeys(names))
    return _by_id(await session.rows(_LOCKED, tenant, wanted)) if wanted else {}


async def live_rows(
    session: Session, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, ContextRow]:
    """The rows of those that are live and within the scope."""
    rows = await context_rows(session, scope.tenant, names)
    now_ms = to_ms(now)
    return {
        name: row
        for name, row in rows.items()
        if row.live(now_ms) and within(scope, row.user_id, row.domain)
    }


async def live_row(session: Session, scope: Scope, name: str, now: datetime) -> ContextRow | None:
    """The row of that id if it is live and within the scope."""
    return (await live_rows(session, scope, (name,), now)).get(name)


async def numbered(
    session: Session, scope: Scope, seqs: Iterable[int], now: datetime
) -> dict[int, Context]:
    """By the number of its row, each live context of these within the scope."""
    found = await session.rows(_NUMBERED, to_ms(now), scope.tenant, list(seqs))
    contexts: dict[int, Context] = {}
    for values in found:
        row = ContextRow.checked(values[:-2])
        if within(scope, row.user_id, row.domain) and row.live(to_ms(now)):
            contexts[row.seq] = row.context(row.revision, *values[-2:])
    return contexts


async def history(session: Session, scope: Scope, name: str, now: datetime) -> tuple[Context, ...]:
    """Every revision of a live context, first to last."""
    row = await live_row(session, scope, name, now)
    if row is None:
        return ()
    found = await session.rows(_REVISIONS, scope.tenant, row.seq)
    return tuple(row.context(number, body, check) for number, body, check in found)


async def revisions(
    session: Session, scope: Scope, names: Iterable[str], most: int, now: datetime
) -> dict[str, tuple[Context, ...]]:
    """By id of each that is live: its latest `most` revisions, first to last."""
    rows = await live_rows(session, scope, names, now)
    asked = [(row, await session.ask(_LATEST, row.tenant, row.seq, most)) for row in rows.values()]
    return {
        row.context_id: tuple(row.context(*values) for values in reversed(await latest.rows()))
        for row, latest in asked
    }


async def revision(session: Session, row: ContextRow, number: int) -> Context | None:
    """That revision of the row, whether the row is live or not."""
    values = await session.row(_REVISION, row.tenant, row.seq, number)
    return None if values is None else row.context(*values)


async def returnable_row(
    session: Session, scope: Scope, name: str, now: datetime
) -> ContextRow | None:
    """The row of that id if it is withheld, can be given back, and is within the scope."""
    row = await context_row(session, scope.tenant, name)
    if row is None or not row.returnable(to_ms(now)):
        return None
    return row if within(scope, row.user_id, row.domain) else None


async def returnable(
    session: Session, scope: Scope, root: str, now: datetime
) -> tuple[Context, ...]:
    """What that root withholds and would be live if it were given back, in order of receipt."""
    found: list[Context] = []
    for values in await session.rows(_RETURNABLE, scope.tenant, root, to_ms(now)):
        row = ContextRow.checked(values[:-2])
        if row.held_root == root and within(scope, row.user_id, row.domain):
            context = row.context(row.revision, *values[-2:])
            found += [context] if is_live(context.expires_at, now) else []
    return tuple(found)


async def tombstones(
    session: Session, scope: Scope, names: Iterable[str], now: datetime
) -> dict[str, Tombstone]:
    """The marks of those that have ended, swept or not."""
    wanted = list(dict.fromkeys(names))
    asked = await session.ask(_ROWS, scope.tenant, wanted)
    kept = _marks(scope, await session.rows(_TOMBSTONES, scope.tenant, wanted))
    rows = _by_id(await asked.rows())
    marks: dict[str, Tombstone] = {}
    for name in wanted:
        row = rows.get(name)
        if row is None:
            marks.update({name: kept[name]} if name in kept else {})
        elif not row.live(to_ms(now)) and within(scope, row.user_id, row.domain):
            marks[name] = row.tombstone()
    return marks


async def kept_tombstone(session: Session, scope: Scope, name: str) -> Tombstone | None:
    """The mark that a sweep or a forget has left of that id."""
    rows = await session.rows(_TOMBSTONES, scope.tenant, [name])
    return _marks(scope, rows).get(name)


def within(scope: Scope, user_id: str, domain: str) -> bool:
    return scope.user_id in (None, user_id) and scope.domain in (None, domain)


def _by_id(found: Iterable[Row]) -> dict[str, ContextRow]:
    rows = (ContextRow.checked(values) for values in found)
    return {row.context_id: row for row in rows}


def _marks(scope: Scope, rows: Iterable[Row]) -> dict[str, Tombstone]:
    marks = (tombstone_of(values) for values in rows)
    return {m.context_id: m for m in marks if within(scope, m.user_id, m.domain)}
