"""All that the store keeps, as records of an archive, at one instant."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from datetime import datetime

import anyio
import apsw

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.models.archive import (
    DamagedRecord,
    Header,
    OriginClock,
    PiecesOf,
    Record,
    VectorRecord,
)
from lineal.stores.rows import leaving
from lineal.stores.rows.context_rows import CONTEXT_COLUMNS, ContextRow
from lineal.stores.rows.digests import digest
from lineal.stores.rows.user_rows import USER_COLUMNS, UserKept
from lineal.stores.sqlite import readers, trouble
from lineal.stores.sqlite.lexicon import language_of
from lineal.stores.sqlite.meta import present_of, read_meta
from lineal.stores.sqlite.statements import Row, all_rows, one_row, one_value, sql
from lineal.stores.sqlite.vectors import SCALE_BYTES

__all__ = ["export"]

PAGE_RECORDS = 500
"""Most records that wait to be taken: some tens of milliseconds of a thread's work."""

PAGE_CHARS = 1_000_000
"""A page takes no further record once its texts are as long as this."""

Connect = Callable[[], apsw.Connection]

_TABLES = ("context", "tombstone", "edge", "user_row", "outcome", "task", "receipt")
_FIRST_AFTER = tuple(sql("SELECT min(tenant) FROM", table, "WHERE tenant > ?") for table in _TABLES)
"""One step in an index for each tenant, however much it keeps."""

_COUNT = "SELECT count(*) FROM context"
_COUNT_OF = "SELECT count(*) FROM context WHERE tenant = ?"
_CONTEXTS = "SELECT seq FROM context WHERE tenant = ?"
_CONTEXT = sql("SELECT", CONTEXT_COLUMNS, "FROM context WHERE seq = ?")
_REVISIONS = (
    "SELECT number, body, body_digest FROM context_revision WHERE context_seq = ? ORDER BY number"
)
_SIGHTINGS = (
    "SELECT tenant, context_id, sighting_number, sighting_body, sighting_digest "
    "FROM sighting JOIN context ON seq = sighted_seq WHERE sighted_seq = ? ORDER BY sighting_number"
)
# CROSS: in this order, by their keys; left to itself SQLite may read all vectors for each context.
_VECTORS = (
    "SELECT space_version, space_dim, packed, piece_numbers, piece_rows FROM entry CROSS JOIN "
    "space CROSS JOIN vector ON vector_space = space_id AND vector_shelf = entry_shelf "
    "AND vector_seq = entry_seq LEFT JOIN pieces ON pieces_seq = entry_seq "
    "AND pieces_space = space_id WHERE entry_seq = ? ORDER BY space_version, space_dim"
)
_TOMBSTONES = "SELECT * FROM tombstone WHERE tenant = ? ORDER BY context_id"
_EDGES = (
    "SELECT * FROM edge WHERE tenant = ? "
    "ORDER BY child_id, child_revision, parent_id, relation, basis"
)
_USERS = "SELECT user_seq FROM user_row WHERE tenant = ?"
_USER = sql("SELECT", USER_COLUMNS, "FROM user_row WHERE user_seq = ?")
_USER_REVISIONS = (
    "SELECT number, body, body_digest FROM user_revision WHERE of_user = ? ORDER BY number"
)
_HEADS = "SELECT * FROM head WHERE tenant = ? AND user_id = ? AND domain = ? ORDER BY name"
_OUTCOMES = "SELECT * FROM outcome WHERE tenant = ? ORDER BY outcome_seq"
_TASKS = "SELECT * FROM task WHERE tenant = ? ORDER BY user_id, domain, kind, context_id"
_RECEIPTS = "SELECT * FROM receipt WHERE tenant = ? ORDER BY idempotency_key"
_SHOWN_CONTEXTS = (
    "SELECT context_id FROM receipt_context WHERE tenant = ? AND idempotency_key = ? "
    "ORDER BY context_id"
)
_SHOWN_USERS = (
    "SELECT user_id, domain FROM receipt_user WHERE tenant = ? AND idempotency_key = ? "
    "ORDER BY user_id, domain"
)


async def export(
    connect: Connect, clock: Clock, tenant: str | None, *, vectors: bool
) -> AsyncGenerator[Record, None]:
    """On a connection of its own, page by page in a thread. While it is open the log can't be
    folded past the instant at which it began."""
    pages = _Pages(connect, clock, tenant, vectors)
    try:
        while page := await anyio.to_thread.run_sync(pages.next):
            for record in page:
                yield record
    finally:
        pages.close()


class _Pages:
    """A walk in steps; each in whichever thread, never two at once."""

    def __init__(self, connect: Connect, clock: Clock, tenant: str | None, vectors: bool) -> None:
        self._connect = connect
        self._clock = clock
        self._asked = (tenant, vectors)
        self._connection: apsw.Connection | None = None
        self._records: Iterator[Record] = iter(())

    def next(self) -> list[Record]:
        """The next records; none at the end."""
        with trouble.mapped():
            if self._connection is None:
                self._connection = self._connect()
                readers.hold_instant(self._connection)
                now = present_of(self._connection, self._clock)
                self._records = _Walk(self._connection, *self._asked).records(now)
            return self._page()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close(True)

    def _page(self) -> list[Record]:
        page: list[Record] = []
        chars = 0
        for record in self._records:
            page.append(record)
            chars += sum(map(len, getattr(record, "bodies", ())))
            if len(page) >= PAGE_RECORDS or chars >= PAGE_CHARS:
                break
        return page


class _Walk:
    """One way through the store. left_out: of the present tenant, the ids of contexts
    and marks that are damaged."""

    def __init__(self, connection: apsw.Connection, tenant: str | None, vectors: bool) -> None:
        self._connection = connection
        self._tenant = tenant
        self._vectors = vectors
        self._left_out: set[str] = set()

    def records(self, now: datetime) -> Iterator[Record]:
        """now: the store's own time, for the header."""
        yield self._header(now)
        for tenant in self._tenants():
            self._left_out.clear()
            yield from self._contexts(tenant)
            yield from self._marks(tenant)
            yield from self._edges(tenant)
            yield from self._users(tenant)
            yield from self._each(tenant, "outcome of", _OUTCOMES, leaving.outcome_record, 2)
            yield from self._each(tenant, "task of", _TASKS, leaving.task_record)
            yield from self._each(tenant, "receipt", _RECEIPTS, self._receipt)

    def _header(self, now: datetime) -> Header:
        meta = read_meta(self._connection)
        only = () if self._tenant is None else (self._tenant,)
        return Header(
            store_id=meta.store_id,
            made_at=now,
            tenant=self._tenant,
            vectors=self._vectors,
            language=language_of(self._connection)[0],
            memories=one_value(self._connection, _COUNT_OF if only else _COUNT, *only),
            clock=OriginClock(**meta.mark.model_dump()),
        )

    def _tenants(self) -> Iterator[str]:
        """By code points."""
        if self._tenant is not None:
            yield self._tenant
            return
        last: str | None = ""
        while last is not None:
            after = (one_value(self._connection, each, last) for each in _FIRST_AFTER)
            last = min((tenant for tenant in after if tenant is not None), default=None)
            if last is not None:
                yield last

    def _contexts(self, tenant: str) -> Iterator[Record]:
        for seq in _in_order(self._connection, _CONTEXTS, tenant):
            name = f"memory number {seq}"
            try:
                row = ContextRow.checked(self._row(_CONTEXT, seq, name))
                name = row.context_id
                self._require_revisions(row)
            except (LinealError, UnicodeDecodeError) as error:
                damaged = leaving.damaged_record(tenant, name, error)
                self._left_out.add(damaged.name)
                yield damaged
                continue
            yield from leaving.context_records(row, self._revisions(row))
            for values in self._connection.execute(_SIGHTINGS, (seq,)):
                yield leaving.made(tenant, name, leaving.sighting_record, values)
            if self._vectors:
                yield from self._vectors_of(row)

    def _require_revisions(self, row: ContextRow) -> None:
        """Raises LinealError unless each is there and sound: none of it is told before."""
        last = 0
        for number, _ in self._revisions(row):
            last += number == last + 1
        if last != row.revision:
            raise trouble.damaged(f"The memory '{row.context_id}'", context_id=row.context_id)

    def _revisions(self, row: ContextRow) -> Iterator[tuple[int, str]]:
        for number, body, check in self._connection.execute(_REVISIONS, (row.seq,)):
            if check != digest(row.tenant, row.context_id, number, body):
                raise trouble.damaged(f"The memory '{row.context_id}'", context_id=row.context_id)
            yield number, body

    def _vectors_of(self, row: ContextRow) -> Iterator[Record]:
        """None of what is withheld: it has no entry. They have no hash; what can't be one is left
        out, and made anew there."""
        name = row.context_id
        for space, dim, packed, numbers, rows in all_rows(self._connection, _VECTORS, row.seq):
            if len(packed) != SCALE_BYTES + dim:
                yield DamagedRecord(tenant=row.tenant, name=name, what=f"vector of {name}")
                continue
            yield VectorRecord(
                tenant=row.tenant,
                context_id=name,
                revision=row.revision,
                space=space,
                dim=dim,
                packed=packed,
                pieces=None if numbers is None else _pieces(numbers, rows),
            )

    def _marks(self, tenant: str) -> Iterator[Record]:
        for record in self._each(tenant, "mark of", _TOMBSTONES, leaving.tombstone_record):
            if isinstance(record, DamagedRecord):
                self._left_out.add(record.name)
            yield record

    def _edges(self, tenant: str) -> Iterator[Record]:
        for values in self._connection.execute(_EDGES, (tenant,)):
            if values[1] not in self._left_out:
                yield leaving.made(tenant, f"edge of {values[1]}", leaving.edge_record, values)

    def _users(self, tenant: str) -> Iterator[Record]:
        for seq in _in_order(self._connection, _USERS, tenant):
            name = f"user row number {seq}"
            try:
                row = UserKept.checked(self._row(_USER, seq, name))
                name = row.user_id
                self._require_user_revisions(row)
            except (LinealError, UnicodeDecodeError) as error:
                yield leaving.damaged_record(tenant, name, error)
                continue
            yield from leaving.user_records(row, self._user_revisions(row))
            for values in all_rows(self._connection, _HEADS, tenant, row.user_id, row.domain):
                yield leaving.made(tenant, name, leaving.head_record, values)

    def _require_user_revisions(self, row: UserKept) -> None:
        """Raises LinealError unless the latest ones, however many are kept, are all there."""
        numbers = [number for number, _ in self._user_revisions(row)]
        first = numbers[0] if numbers else row.revision
        if numbers != list(range(first, row.revision + 1)):
            raise trouble.damaged(row.what, user_id=row.user_id)

    def _user_revisions(self, row: UserKept) -> Iterator[tuple[int, str]]:
        for number, body, check in self._connection.execute(_USER_REVISIONS, (row.user_seq,)):
            yield number, row.body(number, body, check)

    def _receipt(self, values: Row) -> Record:
        shown = all_rows(self._connection, _SHOWN_CONTEXTS, *values[:2])
        users = all_rows(self._connection, _SHOWN_USERS, *values[:2])
        return leaving.receipt_record(
            values, (name for (name,) in shown), ((user, domain) for user, domain in users)
        )

    def _each(
        self,
        tenant: str,
        what: str,
        statement: str,
        make: Callable[[Row], Record],
        named_by: int = 1,
    ) -> Iterator[Record]:
        """named_by: the column that says which row is damaged."""
        for values in self._connection.execute(statement, (tenant,)):
            yield leaving.made(tenant, f"{what} {values[named_by]}", make, values)

    def _row(self, statement: str, seq: int, name: str) -> Row:
        """The row of that number, which was listed before: a damaged tree can lose it."""
        values = one_row(self._connection, statement, seq)
        if values is None:
            raise trouble.damaged(f"The {name}")
        return values


def _in_order(connection: apsw.Connection, statement: str, tenant: str) -> Iterable[int]:
    """The numbers of a tenant's rows in order of receipt: eight bytes a row, sorted here because
    no index has a tenant's rows in that order."""
    import numpy as np

    found = (seq for (seq,) in connection.execute(statement, (tenant,)))
    numbers = np.fromiter(found, np.int64)
    numbers.sort()
    return map(int, numbers)


def _pieces(numbers: bytes, rows: bytes) -> PiecesOf:
    import numpy as np

    return PiecesOf(numbers=tuple(np.frombuffer(numbers, "<u2").tolist()), rows=rows)
