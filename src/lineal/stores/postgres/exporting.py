"""All that the store keeps, as records of an archive, at one instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import psycopg

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.models.archive import DamagedRecord, Header, OriginClock, Record
from lineal.stores.postgres import trouble
from lineal.stores.postgres.connecting import Connections
from lineal.stores.postgres.meta import Meta, ask_meta, read_meta
from lineal.stores.postgres.outgoing import LEAST, PAGE, Outgoing, by_first, runs
from lineal.stores.postgres.session import Bound, Session, sql
from lineal.stores.postgres.statements import USER
from lineal.stores.postgres.tenants import enter, pages
from lineal.stores.rows import leaving
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Row

__all__ = ["export"]

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_STORE = "SELECT store_id FROM lineal.store WHERE tenant_id = ''"
_COUNT = "SELECT count(*) FROM lineal.context WHERE tenant_id = %s"
_USERS = sql(
    "SELECT",
    USER,
    ", (SELECT coalesce(sum(octet_length(body)), 0) FROM lineal.user_revision "
    "WHERE user_revision.tenant_id = user_row.tenant_id AND of_user = user_seq) "
    "FROM lineal.user_row WHERE tenant_id = %s AND user_seq > %s ORDER BY user_seq LIMIT %s",
)
_USER_REVISIONS = (
    "SELECT of_user, number, body, body_digest FROM lineal.user_revision "
    "WHERE tenant_id = %s AND of_user = ANY(%s::bigint[]) ORDER BY of_user, number"
)
_HEADS = (
    "SELECT * FROM lineal.head WHERE tenant_id = %s AND user_id = ANY(%s::text[]) "
    "ORDER BY user_id, domain, name"
)
_SHOWN_CONTEXTS = (
    "SELECT idempotency_key, context_id FROM lineal.receipt_context "
    "WHERE tenant_id = %s AND idempotency_key = ANY(%s::text[]) "
    "ORDER BY idempotency_key, context_id"
)
_SHOWN_USERS = (
    "SELECT idempotency_key, user_id, domain FROM lineal.receipt_user "
    "WHERE tenant_id = %s AND idempotency_key = ANY(%s::text[]) "
    "ORDER BY idempotency_key, user_id, domain"
)


class _Table(NamedTuple):
    """One that is gone through in the order of its key. key: where that stands in a row; first:
    before every one."""

    statement: str
    key: slice
    first: tuple[Bound, ...]


_TOMBSTONES = _Table(
    "SELECT * FROM lineal.tombstone WHERE tenant_id = %s AND context_id > %s "
    "ORDER BY context_id LIMIT %s",
    slice(1, 2),
    ("",),
)
_EDGES = _Table(
    "SELECT * FROM lineal.edge WHERE tenant_id = %s "
    "AND (child_id, child_revision, parent_id, relation, basis) > (%s, %s, %s, %s, %s) "
    "ORDER BY child_id, child_revision, parent_id, relation, basis LIMIT %s",
    slice(1, 6),
    ("", LEAST, "", "", ""),
)
_OUTCOMES = _Table(
    "SELECT * FROM lineal.outcome WHERE tenant_id = %s AND outcome_seq > %s "
    "ORDER BY outcome_seq LIMIT %s",
    slice(0, 1),
    (LEAST,),
)
_TASKS = _Table(
    "SELECT * FROM lineal.task WHERE tenant_id = %s "
    "AND (user_id, domain, kind, context_id) > (%s, %s, %s, %s) "
    "ORDER BY user_id, domain, kind, context_id LIMIT %s",
    slice(1, 5),
    ("", "", "", ""),
)
_RECEIPTS = _Table(
    "SELECT * FROM lineal.receipt WHERE tenant_id = %s AND idempotency_key > %s "
    "ORDER BY idempotency_key LIMIT %s",
    slice(1, 2),
    ("",),
)

Page = list[Record]


async def export(
    connections: Connections,
    clock: Clock | None,
    wait_s: float,
    tenant: str | None,
    *,
    vectors: bool,
) -> AsyncGenerator[Record, None]:
    """In one transaction on a connection of its own, for as long as it is gone through; the server
    keeps what is taken out meanwhile until its end."""
    try:
        async with connections.apart() as connection, connection.pipeline():
            walk = _Walk(Session(connection, tenant or ""), tenant, vectors)
            async for page in walk.pages(clock):
                for record in page:
                    yield record
    except psycopg.Error as error:
        raise trouble.translated(error, wait_s) from error


class _Walk:
    """One way through the store, tenant by tenant in the order of their code points. tenant: the
    only one; None: all. left_out: of the present one, ids of what is damaged."""

    def __init__(self, session: Session, tenant: str | None, vectors: bool) -> None:
        self._session = session
        self._tenant = tenant
        self._vectors = vectors
        self._left_out: set[str] = set()

    async def pages(self, clock: Clock | None) -> AsyncIterator[Page]:
        await self._session.run(_BEGIN)
        meta = await read_meta(self._session, await ask_meta(self._session), clock)
        yield [await self._header(meta)]
        async for tenants in self._tenants():
            for tenant in tenants:
                await enter(self._session, tenant)
                async for page in self._of_tenant():
                    yield page

    async def _of_tenant(self) -> AsyncIterator[Page]:
        contexts = Outgoing(self._session, vectors=self._vectors)
        self._left_out = contexts.left_out
        parts = (
            contexts.pages(),
            self._marks(),
            self._edges(),
            self._users(),
            self._each(_OUTCOMES, "outcome of", leaving.outcome_record, 2),
            self._each(_TASKS, "task of", leaving.task_record),
            self._receipts(),
        )
        for part in parts:
            async for page in part:
                yield page

    async def _tenants(self) -> AsyncIterator[list[str]]:
        if self._tenant is not None:
            yield [self._tenant]
            return
        async for tenants in pages(self._session):
            yield tenants

    async def _header(self, meta: Meta) -> Header:
        return Header(
            store_id=await self._session.value(_STORE),
            made_at=meta.now,
            tenant=self._tenant,
            vectors=self._vectors,
            language=meta.language,
            memories=await self._memories(),
            clock=OriginClock(**meta.mark.model_dump()),
        )

    async def _memories(self) -> int:
        count = 0
        async for tenants in self._tenants():
            asked = []
            for tenant in tenants:
                await enter(self._session, tenant)
                asked.append(await self._session.ask(_COUNT, tenant))
            for answer in asked:
                count += await answer.value()
        return count

    async def _marks(self) -> AsyncIterator[Page]:
        async for page in self._each(_TOMBSTONES, "mark of", leaving.tombstone_record):
            self._left_out |= {each.name for each in page if isinstance(each, DamagedRecord)}
            yield page

    async def _edges(self) -> AsyncIterator[Page]:
        async for rows in self._rows(_EDGES):
            known = [values for values in rows if values[1] not in self._left_out]
            yield self._made("edge of", leaving.edge_record, known)

    async def _users(self) -> AsyncIterator[Page]:
        """The revisions that are kept of a user are few, however long they are."""
        tenant = self._session.tenant
        async for run in runs(self._session, _USERS):
            asked = await self._session.ask(_USER_REVISIONS, tenant, [row[0] for row in run])
            heads = await self._session.rows(_HEADS, tenant, [row[2] for row in run])
            revisions, by_user = by_first(await asked.rows()), _by_user(heads)
            yield [
                record
                for values in run
                for record in _user(values[:-1], revisions.get(values[0], []), by_user)
            ]

    async def _receipts(self) -> AsyncIterator[Page]:
        async for rows in self._rows(_RECEIPTS):
            bound = (self._session.tenant, [values[1] for values in rows])
            asked = await self._session.ask(_SHOWN_CONTEXTS, *bound)
            users = by_first(await self._session.rows(_SHOWN_USERS, *bound))
            contexts = by_first(await asked.rows())
            yield [_receipt(row, contexts.get(row[1], ()), users.get(row[1], ())) for row in rows]

    async def _each(
        self, table: _Table, what: str, make: Callable[[Row], Record], named_by: int = 1
    ) -> AsyncIterator[Page]:
        async for rows in self._rows(table):
            yield self._made(what, make, rows, named_by)

    def _made(
        self, what: str, make: Callable[[Row], Record], rows: Iterable[Row], named_by: int = 1
    ) -> Page:
        """named_by: the column that says which row is damaged."""
        tenant = self._session.tenant
        return [leaving.made(tenant, f"{what} {row[named_by]}", make, row) for row in rows]

    async def _rows(self, table: _Table) -> AsyncIterator[list[Row]]:
        after: tuple[Bound, ...] | None = table.first
        while after is not None:
            rows = await self._session.rows(table.statement, self._session.tenant, *after, PAGE)
            if rows:
                yield rows
            after = rows[-1][table.key] if len(rows) == PAGE else None


def _user(
    values: Row, revisions: Sequence[Row], heads: dict[tuple[str, str], list[Row]]
) -> Iterator[Record]:
    tenant, name = values[1], f"user row number {values[0]}"
    try:
        row = UserKept.checked(values)
        name = row.user_id
        bodies = [(number, row.body(number, body, check)) for number, body, check in revisions]
        _require_latest(row, [number for number, _ in bodies])
    except LinealError as error:
        yield leaving.damaged_record(tenant, name, error)
        return
    yield from leaving.user_records(row, bodies)
    for head in heads.get((row.user_id, row.domain), ()):
        yield leaving.made(tenant, name, leaving.head_record, head)


def _require_latest(row: UserKept, numbers: list[int]) -> None:
    """Raises LinealError unless the latest ones, however many are kept, are all there."""
    first = numbers[0] if numbers else row.revision
    if numbers != list(range(first, row.revision + 1)):
        raise damaged(row.what, user_id=row.user_id)


def _by_user(heads: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """By user_id and domain."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for values in heads:
        found[values[1], values[2]].append(values)
    return found


def _receipt(values: Row, contexts: Iterable[Row], users: Iterable[Row]) -> Record:
    """contexts, users: what it shows."""
    names = (name for (name,) in contexts)
    rooms = ((user_id, domain) for user_id, domain in users)
    make = partial(leaving.receipt_record, contexts=names, users=rooms)
    return leaving.made(values[0], f"receipt {values[1]}", make, values)
