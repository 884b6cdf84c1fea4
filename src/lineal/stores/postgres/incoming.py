"""Records of contexts as rows, many at once: what is there of them is looked up together.

The whole tenant must be locked. What keeps records tells how many it kept: not what is there
already, or hangs on what has ended or moved on since."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from lineal.errors import LinealError
from lineal.models.archive import ContextRecord, SightingRecord, TombstoneRecord
from lineal.models.changes import Tombstone
from lineal.models.context import Context
from lineal.stores.postgres import entries, receipts
from lineal.stores.postgres.contexts import context_rows
from lineal.stores.postgres.filling import columns, put_contexts, put_keys, put_revisions
from lineal.stores.postgres.session import Asked, Session
from lineal.stores.postgres.tasks import tasks_of_contexts
from lineal.stores.rows import arriving
from lineal.stores.rows.arriving import conflicting
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.digests import digest
from lineal.stores.rows.small_rows import tombstone_of, tombstone_values

__all__ = ["Fresh", "apart", "keep_contexts", "keep_sightings", "keep_tombstones"]

_BODIES = (
    "SELECT context_seq, number, body FROM unnest(%s::bigint[], %s::integer[], %s::integer[]) "
    "AS asked (of_seq, lowest, highest) JOIN lineal.context_revision ON context_seq = of_seq "
    "AND number >= lowest AND number <= highest WHERE tenant_id = %s"
)
_UPDATE = (
    "UPDATE lineal.context SET revision = %s, memory_type = %s, expires_at = %s, "
    "occurred_at = %s, created_at = %s, updated_at = %s, tag_lines = %s, content_key = %s, "
    "near_keys = %s, project = %s, held_at = %s, held_until = %s, held_root = %s, "
    "context_digest = %s WHERE tenant_id = %s AND seq = %s"
)
_SIGHTINGS = (
    "SELECT sighted_seq, sighting_number, sighting_body "
    "FROM unnest(%s::bigint[], %s::integer[]) AS asked (of_seq, of_number) "
    "JOIN lineal.sighting ON sighted_seq = of_seq AND sighting_number = of_number "
    "WHERE tenant_id = %s"
)
_INSERT_SIGHTINGS = (
    "INSERT INTO lineal.sighting "
    "(tenant_id, sighted_seq, sighting_number, sighting_body, sighting_digest) "
    "SELECT %s, made.* FROM unnest(%s::bigint[], %s::integer[], %s::text[], %s::bytea[]) AS made"
)
_TOMBSTONES = "SELECT * FROM lineal.tombstone WHERE tenant_id = %s AND context_id = ANY(%s::text[])"
_INSERT_TOMBSTONES = (
    "INSERT INTO lineal.tombstone (tenant_id, context_id, user_id, domain, reason, memory_type, "
    "revision, created_at, ended_at, tombstone_digest) SELECT %s, made.* "
    "FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::integer[], "
    "%s::bigint[], %s::bigint[], %s::bytea[]) AS made"
)

Fresh = dict[int, tuple[ContextRow, Context]]
"""By number, rows and presents that are to be put into the index of words. Making their words takes
longer than all else: the server has the rest to do meanwhile."""

Part = TypeVar("Part")


class _Offered(NamedTuple):
    """A record with the contexts that it is read as."""

    record: ContextRecord
    contexts: tuple[Context, ...]

    def bodies(self, row: ContextRow, of: Iterable[Context]) -> Iterator[tuple[Any, ...]]:
        """Rows of context_revision for some of its contexts."""
        for context in of:
            body = self.record.bodies[context.revision - self.record.first]
            yield arriving.body_values(row, context, body)


class _There(NamedTuple):
    """What is there under the ids of some records. bodies: JSON by number of row and revision.
    numbers: of the order of receipt, for as many contexts."""

    rows: dict[str, ContextRow]
    marks: dict[str, Tombstone]
    bodies: dict[tuple[int, int], str]
    numbers: Asked


async def keep_contexts(session: Session, records: Sequence[ContextRecord], fresh: Fresh) -> int:
    """fresh: those that aren't in the index of words yet come into it."""
    kept = 0
    for few in apart(records, lambda record: record.context_id):
        kept += await _keep_few(session, few, fresh)
    return kept


async def keep_sightings(session: Session, records: Sequence[SightingRecord]) -> int:
    rows = await context_rows(session, session.tenant, _names(records))
    of = [(rows[r.context_id].seq, r) for r in records if r.context_id in rows]
    if not of:
        return 0
    numbers = columns((seq, record.number) for seq, record in of)
    found = await session.rows(_SIGHTINGS, *numbers, session.tenant)
    there = {(seq, number): body for seq, number, body in found}
    fresh: list[tuple[Any, ...]] = []
    for seq, record in of:
        name, number, body = record.context_id, record.number, record.body
        if (seq, number) not in there:
            fresh.append((seq, number, body, digest(record.tenant, name, number, body)))
        if there.setdefault((seq, number), body) != body:
            raise _other(name)
    if fresh:
        await session.run(_INSERT_SIGHTINGS, session.tenant, *columns(fresh))
    return len(fresh)


async def keep_tombstones(session: Session, records: Sequence[TombstoneRecord]) -> int:
    names = [record.mark.context_id for record in records]
    asked = await session.ask(_TOMBSTONES, session.tenant, names)
    rows = await context_rows(session, session.tenant, names)
    there = {mark.context_id: mark for mark in map(tombstone_of, await asked.rows())}
    fresh: dict[str, Tombstone] = {}
    for mark in (record.mark for record in records):
        name = mark.context_id
        row = rows.get(name)
        known = there.get(name, fresh.get(name)) if row is None else _unswept(row)
        if known != mark and (known is not None or row is not None):
            raise _other(name)
        if known is None:
            fresh[name] = mark
    if fresh:
        values = (tombstone_values(session.tenant, mark)[1:] for mark in fresh.values())
        await session.run(_INSERT_TOMBSTONES, session.tenant, *columns(values))
    return len(fresh)


def apart(records: Sequence[Part], key: Callable[[Part], Hashable]) -> Iterator[list[Part]]:
    """In their order, so that no two of a list have the same key: parts of one thing follow."""
    few: dict[Hashable, Part] = {}
    for record in records:
        if key(record) in few:
            yield [*few.values()]
            few = {}
        few[key(record)] = record
    if few:
        yield [*few.values()]


async def _keep_few(session: Session, records: Sequence[ContextRecord], fresh: Fresh) -> int:
    """records: of as many contexts."""
    offered = [_Offered(record, arriving.contexts_of(record)) for record in records]
    there = await _look(session, offered)
    new: list[_Offered] = []
    moved: list[tuple[_Offered, ContextRow]] = []
    for each in offered:
        old = there.rows.get(each.record.context_id)
        if old is not None:
            _require_same(each, old, there.bodies)
            moved += [(each, old)] if each.contexts[-1].revision > old.revision else []
        elif not _has_ended(each, there.marks):
            new.append(each)
    for each, old in moved:
        await _keep_further(session, each, old, fresh)
    if new:
        fresh |= await _keep_new(session, new, there.numbers)
    return len(new) + len(moved)


async def _look(session: Session, offered: Sequence[_Offered]) -> _There:
    tenant, names = session.tenant, _names(each.record for each in offered)
    asked = await session.ask(_TOMBSTONES, tenant, names)
    numbers = await session.ask_numbers(len(names))
    rows = await context_rows(session, tenant, names)
    marks = {mark.context_id: mark for mark in map(tombstone_of, await asked.rows())}
    spans = [
        (rows[each.record.context_id].seq, each.record.first, each.contexts[-1].revision)
        for each in offered
        if each.record.context_id in rows
    ]
    found = await session.rows(_BODIES, *columns(spans), tenant) if spans else []
    bodies = {(seq, number): body for seq, number, body in found}
    return _There(rows, marks, bodies, numbers)


def _has_ended(each: _Offered, marks: dict[str, Tombstone]) -> bool:
    """False for one that never was. Raises conflict for one that ended otherwise than its own."""
    record = each.record
    mark = marks.get(record.context_id)
    if mark is None:
        if record.first != 1:
            raise arriving.inconsistent(f"context '{record.context_id}'")
        return False
    if not arriving.same_end(mark, record, arriving.made_row(record, each.contexts[-1])):
        raise _other(record.context_id)
    return True


def _require_same(each: _Offered, old: ContextRow, bodies: dict[tuple[int, int], str]) -> None:
    """Raises conflict unless what is there is the record's, perhaps only its earlier revisions."""
    record, contexts = each
    held = None if record.held is None else arriving.made_row(record, contexts[-1])[-4:-1]
    same = (held or (None, None, None)) == old[-4:-1] and old.revision <= record.revision
    if not same or record.first > old.revision + 1:
        raise _other(record.context_id)
    for number, body in enumerate(record.bodies, record.first):
        if number <= old.revision and bodies.get((old.seq, number)) != body:
            raise _other(record.context_id)


async def _keep_new(session: Session, offered: Sequence[_Offered], numbers: Asked) -> Fresh:
    """Those that aren't there, withheld where they are."""
    drawn = (seq for (seq,) in await numbers.rows())
    new = [
        (each, arriving.made_row(each.record, each.contexts[-1], seq))
        for each, seq in zip(offered, drawn, strict=False)
    ]
    rows = [row for _, row in new]
    await put_contexts(session, rows)
    bodies = (values for each, row in new for values in each.bodies(row, each.contexts))
    await put_revisions(session, bodies)
    await put_keys(session, rows)
    held = [row.context_id for row in rows if row.held]
    if held:
        await tasks_of_contexts(session, session.tenant, held)
        await receipts.empty_of_contexts(session, session.tenant, held)
    return {row.seq: (row, each.contexts[-1]) for each, row in new if not row.held}


async def _keep_further(session: Session, each: _Offered, old: ContextRow, fresh: Fresh) -> None:
    """The present moves on to the last of them, in the index too unless it is withheld."""
    record, last = each.record, each.contexts[-1]
    if (old.user_id, old.domain) != (last.user_id, last.domain):
        raise _other(record.context_id)
    row = arriving.made_row(record, last, old.seq)
    if record.held is None:
        row = ContextRow.made(old.tenant, last, old.marks, old.seq)
    await session.run(_UPDATE, *row[5:], row.tenant, row.seq)
    if row.seq in fresh:
        fresh[row.seq] = row, last
    elif record.held is None:
        await entries.replace(session, old, last)
    further = [context for context in each.contexts if context.revision > old.revision]
    await put_revisions(session, each.bodies(row, further))


def _unswept(row: ContextRow) -> Tombstone | None:
    """What a sweep will leave of a row that is there; None: nothing, it doesn't end."""
    return row.tombstone() if row.expires_at is not None else None


def _names(records: Iterable[ContextRecord | SightingRecord]) -> list[str]:
    return [record.context_id for record in records]


def _other(context_id: str) -> LinealError:
    return conflicting("memory", context_id, context_id=context_id)
