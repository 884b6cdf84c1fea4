"""Contexts as records of an archive: rows by hundreds, their texts by the megabyte."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, NamedTuple

from lineal.errors import LinealError
from lineal.models.archive import DamagedRecord, PiecesOf, Record, VectorRecord
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.rows import leaving
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import digest
from lineal.stores.rows.values import Row

__all__ = ["LEAST", "PAGE", "Outgoing", "by_first", "runs"]

LEAST = -(2**63)
"""Before every number of the order of receipt."""

PAGE = 500
"""Rows that are read at once."""

RUN_BYTES = 1_000_000
"""A run takes no further row once its texts are as long as this."""

WINDOW = 100
"""Revisions, or sightings, that are read at once of a context whose texts are longer than a run."""

_HALVES_AT = 4
"""In a halfvec's binary form, behind how many they are: big-endian halves."""

_CONTEXTS = sql(
    "SELECT",
    CONTEXT,
    ", (SELECT coalesce(sum(octet_length(body)), 0) FROM lineal.context_revision "
    "WHERE context_revision.tenant_id = context.tenant_id AND context_seq = seq) + "
    "(SELECT coalesce(sum(octet_length(sighting_body)), 0) FROM lineal.sighting "
    "WHERE sighting.tenant_id = context.tenant_id AND sighted_seq = seq) "
    "FROM lineal.context WHERE tenant_id = %s AND seq > %s ORDER BY seq LIMIT %s",
)
_REVISIONS = (
    "SELECT context_seq, number, body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq = ANY(%s::bigint[]) ORDER BY context_seq, number"
)
_SIGHTINGS = (
    "SELECT sighted_seq, sighting_number, sighting_body, sighting_digest FROM lineal.sighting "
    "WHERE tenant_id = %s AND sighted_seq = ANY(%s::bigint[]) "
    "ORDER BY sighted_seq, sighting_number"
)
_WINDOW = (
    "SELECT number, body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq = %s AND number > %s ORDER BY number LIMIT %s"
)
_SIGHTINGS_WINDOW = (
    "SELECT sighting_number, sighting_body, sighting_digest FROM lineal.sighting "
    "WHERE tenant_id = %s AND sighted_seq = %s AND sighting_number > %s "
    "ORDER BY sighting_number LIMIT %s"
)
_VECTORS = (
    "SELECT entry_seq, space_version, space_dim, vector_scale, numbers, piece_numbers, piece_rows "
    "FROM lineal.entry JOIN lineal.space ON space.tenant_id = entry.tenant_id "
    "JOIN lineal.embedding ON embedding.tenant_id = entry.tenant_id "
    "AND embedding.space_id = space.space_id AND vector_shelf = entry_shelf "
    "AND vector_seq = entry_seq LEFT JOIN lineal.pieces ON pieces.tenant_id = entry.tenant_id "
    "AND pieces_seq = entry_seq AND pieces.space_id = space.space_id "
    "WHERE entry.tenant_id = %s AND entry_seq = ANY(%s::bigint[]) "
    "ORDER BY entry_seq, space_version, space_dim"
)


class _Hung(NamedTuple):
    """What hangs on contexts, by their numbers, without these."""

    revisions: dict[int, list[Row]]
    sightings: dict[int, list[Row]]
    vectors: dict[int, list[Row]]


class Outgoing:
    """The contexts of the session's tenant. left_out: ids of those that are damaged."""

    def __init__(self, session: Session, *, vectors: bool) -> None:
        self._session = session
        self._vectors = vectors
        self.left_out: set[str] = set()

    async def pages(self) -> AsyncIterator[list[Record]]:
        """In order of receipt, each with its sightings and vectors behind it."""
        async for run in runs(self._session, _CONTEXTS):
            if run[0][-1] > RUN_BYTES:
                async for page in self._long(run[0][:-1]):
                    yield page
            else:
                hung = await self._hung([values[0] for values in run])
                yield [record for values in run for record in self._short(values[:-1], hung)]

    async def _hung(self, seqs: list[int]) -> _Hung:
        bound = (self._session.tenant, seqs)
        revisions = await self._session.ask(_REVISIONS, *bound)
        sightings = await self._session.ask(_SIGHTINGS, *bound)
        vectors = await self._session.rows(_VECTORS, *bound) if self._vectors else ()
        return _Hung(
            by_first(await revisions.rows()), by_first(await sightings.rows()), by_first(vectors)
        )

    def _short(self, values: Row, hung: _Hung) -> Iterator[Record]:
        seq = values[0]
        try:
            row = ContextRow.checked(values)
            revisions = [*_sound(row, hung.revisions.get(seq, ()))]
            _require_whole(row, len(revisions))
        except LinealError as error:
            yield self._damaged(seq, error)
            return
        yield from leaving.context_records(row, revisions)
        yield from _sightings(row, hung.sightings.get(seq, ()))
        yield from _vectors(row, hung.vectors.get(seq, ()))

    async def _long(self, values: Row) -> AsyncIterator[list[Record]]:
        """Read twice, for none of it is told before all of it is known to be sound."""
        seq, known = values[0], 0
        try:
            row = ContextRow.checked(values)
            async for window in self._windows(_WINDOW, seq):
                known += len([*_sound(row, window, known)])
            _require_whole(row, known)
        except LinealError as error:
            yield [self._damaged(seq, error)]
            return
        async for page in self._parts(row):
            yield page
        async for window in self._windows(_SIGHTINGS_WINDOW, seq):
            yield [*_sightings(row, window)]
        if self._vectors:
            rows = await self._session.rows(_VECTORS, row.tenant, [seq])
            yield [*_vectors(row, by_first(rows).get(seq, ()))]

    async def _parts(self, row: ContextRow) -> AsyncIterator[list[Record]]:
        """All but the last record of what has come is whole; what the last one holds is told with
        what comes after it."""
        told = 0
        revisions: list[tuple[int, str]] = []
        async for window in self._windows(_WINDOW, row.seq):
            revisions += _sound(row, window, told + len(revisions))
            *whole, _ = leaving.context_records(row, revisions)
            yield whole
            done = sum(len(record.bodies) for record in whole if record.kind == "context")
            told, revisions = told + done, revisions[done:]
        yield [*leaving.context_records(row, revisions)]

    async def _windows(self, statement: str, seq: int) -> AsyncIterator[list[Row]]:
        after: int | None = LEAST
        while after is not None:
            rows = await self._session.rows(statement, self._session.tenant, seq, after, WINDOW)
            if rows:
                yield rows
            after = rows[-1][0] if len(rows) == WINDOW else None

    def _damaged(self, seq: int, error: LinealError) -> DamagedRecord:
        told = leaving.damaged_record(self._session.tenant, f"memory number {seq}", error)
        self.left_out.add(told.name)
        return told


async def runs(session: Session, statement: str) -> AsyncIterator[list[Row]]:
    """The rows of the session's tenant in order of receipt, the first column; the last one tells
    how long a row's texts are. As many at once as make a run; one that is longer comes alone."""
    after: int | None = LEAST
    while after is not None:
        rows = await session.rows(statement, session.tenant, after, PAGE)
        for run in _apart(rows):
            yield run
        after = rows[-1][0] if len(rows) == PAGE else None


def by_first(rows: Iterable[Row]) -> dict[Any, list[Row]]:
    """Rows by their first column, without it."""
    found: dict[Any, list[Row]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return found


def _apart(rows: Iterable[Row]) -> Iterator[list[Row]]:
    run: list[Row] = []
    size = 0
    for values in rows:
        if run and size + values[-1] > RUN_BYTES:
            yield run
            run, size = [], 0
        run.append(values)
        size += values[-1]
    if run:
        yield run


def _sound(row: ContextRow, found: Iterable[Row], last: int = 0) -> Iterator[tuple[int, str]]:
    """(number, body) of each revision after `last`. Raises LinealError for one that is damaged, or
    that doesn't follow."""
    for place, (number, body, check) in enumerate(found, last + 1):
        expected = digest(row.tenant, row.context_id, number, body)
        if number != place or check != expected:
            raise damaged(f"The memory '{row.context_id}'", context_id=row.context_id)
        yield number, body


def _require_whole(row: ContextRow, known: int) -> None:
    if known != row.revision:
        raise damaged(f"The memory '{row.context_id}'", context_id=row.context_id)


def _sightings(row: ContextRow, found: Iterable[Row]) -> Iterator[Record]:
    of = (row.tenant, row.context_id)
    for values in found:
        yield leaving.made(*of, leaving.sighting_record, (*of, *values))


def _vectors(row: ContextRow, found: Iterable[Row]) -> Iterator[Record]:
    """They have no hash; what can't be one is left out, and made anew there."""
    name = row.context_id
    for space, dim, scale, halves, numbers, rows in found:
        packed = _packed(scale, halves)
        if len(packed) != struct.calcsize("<f") + dim:
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


def _packed(scale: float, halves: bytes) -> bytes:
    """As models/archive.py has it; b"" where a number isn't a whole one of eight bits."""
    import numpy as np

    numbers = np.frombuffer(halves, ">f2", offset=_HALVES_AT)
    whole = numbers.astype(np.int8)
    same = bool((whole == numbers).all())
    return struct.pack("<f", scale) + whole.tobytes() if same else b""


def _pieces(numbers: bytes, rows: bytes) -> PiecesOf:
    import numpy as np

    return PiecesOf(numbers=tuple(np.frombuffer(numbers, "<u2").tolist()), rows=rows)
