"""Looking at everything, tenant by tenant: every hash, and whether the parts fit together.

Each page is read in a transaction of its own, so that nothing is held up and no page is ever larger
than memory; what is compared is always of one instant."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.changes import VerifyReport
from lineal.models.context import Context
from lineal.policy.indexing import indexed
from lineal.ports.store import Progress
from lineal.stores.postgres.alike import key_entries
from lineal.stores.postgres.entries import analyzer_of, shelf_of, tokens
from lineal.stores.postgres.misfits import LEAST, MISFITS, MOST, WALKS, Key, Walk
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT, USER
from lineal.stores.postgres.tenants import page
from lineal.stores.postgres.transactions import Reading
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Row
from lineal.stores.rows.words import packed_words

__all__ = ["verify"]

Result = TypeVar("Result")
FOUND_MAX = 100
"""Most damaged ids, and most problems, that a report names."""

PAGE = 200
"""Rows in one transaction, with all that hangs on them."""

_EXPECTED = (
    "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_catalog.pg_class "
    "WHERE relnamespace = 'lineal'::regnamespace AND relname = ANY(%s::text[])"
)
_CONTEXTS = sql(
    "SELECT",
    CONTEXT,
    "FROM lineal.context WHERE tenant_id = %s AND seq > %s ORDER BY seq LIMIT %s",
)
_REVISIONS = (
    "SELECT context_seq, number, body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq > %s AND context_seq <= %s"
)
_ENTRIES = (
    "SELECT entry_seq, entry_shelf, session, happened_at, entry_speaker, traits, entry_own_words, "
    "entry_head_words, entry_words, tokens FROM lineal.entry LEFT JOIN lineal.posting "
    "ON posting.tenant_id = %s AND posting_seq = entry_seq AND posting_shelf = entry_shelf "
    "WHERE entry.tenant_id = %s AND entry_seq > %s AND entry_seq <= %s"
)
_ENDED = (
    "SELECT count(*) FROM lineal.tombstone WHERE tenant_id = %s AND context_id = ANY(%s::text[])"
)
_KEYS_KEPT = (
    "SELECT count(*) FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS wanted (a, b, c) "
    "JOIN lineal.context_key ON room = a AND near_key = b AND key_seq = c WHERE tenant_id = %s"
)
_USERS = sql(
    "SELECT",
    USER,
    "FROM lineal.user_row WHERE tenant_id = %s AND user_seq > %s ORDER BY user_seq LIMIT %s",
)
_USER_REVISIONS = (
    "SELECT of_user, number, body, body_digest FROM lineal.user_revision "
    "WHERE tenant_id = %s AND of_user > %s AND of_user <= %s"
)


async def verify(read: Reading, progress: Progress | None = None) -> VerifyReport:
    """The whole store, a tenant after the other. Damage goes into the report; it raises only what
    may pass: unavailable, when the database can't be reached."""
    check = _Check(progress, await read("", _expected))
    after: str | None = ""
    while after is not None:
        tenants = await read("", partial(_tenants, after=after))
        for tenant in tenants:
            await check.tenant(read, tenant)
        after = tenants[-1] if tenants else None
    return check.report()


async def _expected(session: Session, now: datetime) -> int:
    """About how many rows there are to check, as the server last counted them."""
    counted = ["context", "user_row", "edge", "head", "receipt", "tombstone", "outcome", "task"]
    return int(await session.value(_EXPECTED, [*counted, "sighting"]))


async def _tenants(session: Session, now: datetime, after: str) -> list[str]:
    return await page(session, after)


class Step(Protocol):
    """Checks the rows that come after a key; the key of the last one, None at the end."""

    async def __call__(self, session: Session, now: datetime, *, after: Key) -> Key | None: ...


class _Check:
    """One walk through the store and what it has found so far."""

    def __init__(self, progress: Progress | None, expected: int) -> None:
        self._progress = progress
        self._expected = expected
        self._checked = 0
        self._damaged: dict[str, None] = {}
        self._problems: dict[str, None] = {}
        self._misfits: Counter[str] = Counter()

    async def tenant(self, read: Reading, tenant: str) -> None:
        await self._through(read, tenant, self._contexts, (LEAST,))
        await self._through(read, tenant, self._users, (LEAST,))
        for walk in WALKS:
            await self._through(read, tenant, partial(self._walk, walk=walk), walk.first)
        for statement, meaning in MISFITS:
            misfit = partial(self._misfit, statement=statement, meaning=meaning)
            await self._through(read, tenant, misfit, ())

    def report(self) -> VerifyReport:
        if self._progress is not None:
            self._progress(self._checked, self._checked)
        counts = (f"{number} {meaning}." for meaning, number in self._misfits.items() if number)
        problems = (*self._problems, *counts)[:FOUND_MAX]
        damaged = tuple(self._damaged)[:FOUND_MAX]
        return VerifyReport(checked=self._checked, damaged=damaged, problems=problems)

    async def _through(self, read: Reading, tenant: str, step: Step, first: Key) -> None:
        """Page after page; what the server can't read ends it and is a problem."""
        after: Key | None = first
        while after is not None:
            try:
                after = await read(tenant, partial(step, after=after))
            except LinealError as error:
                if error.retryable:
                    raise
                cause = error.details.get("cause", error.code.value)
                self._problem(f"The tables can't be read through: {cause}.")
                return

    async def _contexts(self, session: Session, now: datetime, *, after: Key) -> Key | None:
        rows = await session.rows(_CONTEXTS, session.tenant, *after, PAGE)
        last = rows[-1][0] if len(rows) == PAGE else MOST
        asked = await session.ask(_REVISIONS, session.tenant, *after, last)
        entries = await session.rows(_ENTRIES, session.tenant, session.tenant, *after, last)
        texts, lying = _by_first(await asked.rows()), _by_first(entries)
        keys: list[tuple[int, int, int]] = []
        for values in rows:
            found = (texts.pop(values[0], []), lying.pop(values[0], []))
            check = partial(self._context, session, found, keys)
            self._guarded(f"memory number {values[0]}", check, values)
        self._misfits["revisions belong to no memory"] += sum(map(len, texts.values()))
        self._misfits["entries of the full-text index belong to no memory"] += len(lying)
        await self._beside(session, [values[2] for values in rows], keys)
        return None if last == MOST else (last,)

    async def _beside(
        self, session: Session, names: list[str], keys: list[tuple[int, int, int]]
    ) -> None:
        """What else says something of these: the index of alike texts, and marks."""
        ended = await session.ask(_ENDED, session.tenant, names)
        columns = [[key[n] for key in keys] for n in range(3)]
        kept = await session.value(_KEYS_KEPT, *columns, session.tenant)
        self._misfits["memories are marked as ended but still there"] += await ended.value()
        self._misfits["entries of the index of alike texts are missing"] += len(keys) - kept

    def _context(
        self,
        session: Session,
        found: tuple[list[Row], list[Row]],
        keys: list[tuple[int, int, int]],
        values: Row,
    ) -> None:
        row, (revisions, entries) = ContextRow.checked(values), found
        keys += key_entries(row)
        contexts = [row.context(*revision) for revision in revisions]
        self._numbered(f"The memory '{row.context_id}'", 1, row.revision, revisions)
        if row.held:
            self._misfits["entries of the full-text index belong to no memory"] += len(entries)
        elif not entries:
            self._misfits["memories are missing from the full-text index"] += 1
        for context in contexts if entries and not row.held else ():
            if context.revision == row.revision and entries[0] != _entry(session, row, context):
                self._misfits["entries of the full-text index don't fit the memories"] += 1

    async def _users(self, session: Session, now: datetime, *, after: Key) -> Key | None:
        rows = await session.rows(_USERS, session.tenant, *after, PAGE)
        last = rows[-1][0] if len(rows) == PAGE else MOST
        texts = _by_first(await session.rows(_USER_REVISIONS, session.tenant, *after, last))
        for values in rows:
            check = partial(self._user, texts.pop(values[0], []))
            self._guarded(f"user row number {values[0]}", check, values)
        self._misfits["revisions belong to no user row"] += sum(map(len, texts.values()))
        return None if last == MOST else (last,)

    def _user(self, revisions: list[Row], values: Row) -> None:
        row = UserKept.checked(values)
        for revision in revisions:
            row.body(*revision)
        # A row that was rewritten begins with that revision, a long one with the last few.
        first = min((number for number, _, _ in revisions), default=0)
        self._numbered(row.what, first, row.revision, revisions)

    async def _walk(self, session: Session, now: datetime, *, after: Key, walk: Walk) -> Key | None:
        width = len(walk.first)
        rows = await session.rows(walk.statement, session.tenant, *after, PAGE)
        for values in rows:
            checked = values[:-width]
            if walk.counted:
                self._guarded(str(values[1]), partial(self._fits, walk), checked)
            else:
                self._fits(walk, checked)
        return rows[-1][-width:] if len(rows) == PAGE else None

    def _fits(self, walk: Walk, values: Row) -> None:
        meaning = walk.check(values)
        if isinstance(meaning, str):
            self._misfits[meaning] += 1

    async def _misfit(
        self, session: Session, now: datetime, *, after: Key, statement: str, meaning: str
    ) -> None:
        bound = [session.tenant] * statement.count("%s")
        self._misfits[meaning] += await session.value(statement, *bound)

    def _guarded(self, name: str, check: Callable[[Row], object], values: Row) -> None:
        """Check one row; damage is noted under the id it names, or under `name`."""
        try:
            check(values)
        except LinealError as error:
            named = error.details.get("context_id") or error.details.get("user_id") or name
            self._damaged[named] = None
        self._checked += 1
        if self._progress is not None and self._checked % PAGE == 0:
            self._progress(self._checked, max(self._checked, self._expected))

    def _numbered(self, what: str, first: int, last: int, revisions: list[Row]) -> None:
        numbers = sorted(revision[0] for revision in revisions)
        if numbers != list(range(first, last + 1)):
            self._problem(f"{what} doesn't have each of its revisions.")

    def _problem(self, text: str) -> None:
        if len(self._problems) < FOUND_MAX:
            self._problems[text] = None


def _by_first(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """Rows by their first column, without it."""
    found: dict[int, list[Row]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return found


def _entry(session: Session, row: ContextRow, context: Context) -> tuple[Any, ...]:
    """What the index should hold of a context, in the order of _ENTRIES."""
    kept = indexed(analyzer_of(session), context)
    shelf = shelf_of(row.tenant, row.user_id, row.domain, row.project or "")
    words = packed_words(kept)
    at = (shelf, kept.session, to_ms(context.occurred_at), kept.speaker, int(kept.traits))
    return (*at, kept.own_words, kept.head_words, words, tokens(shelf, words))
