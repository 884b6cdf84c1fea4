"""What a write left to be done: heads over the limit, extraction by a model that could not be
asked, and values whose contexts have ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import anyio

from lineal.engine import ingest
from lineal.engine.completing import calls_awaiting, completion
from lineal.engine.ingest import Text
from lineal.engine.reading import Reader
from lineal.engine.rows import ended_task, ends_at, present, remade, with_row
from lineal.errors import LinealError
from lineal.models.changes import Changes, Decide, Plan, Reads, Scope, Snapshot, Task
from lineal.models.context import Context
from lineal.models.lineage import Evidence, ObservedLineage
from lineal.models.user import Head, UserRow
from lineal.policy import merging, refreshing
from lineal.policy.provenance import asked_of
from lineal.ports.evidence import Witness
from lineal.ports.store import Store

__all__ = ["Later"]

ROUND = 100
"""Tasks taken from the store at once."""

ROUNDS_MAX = 20
"""Rounds of one catching up, so that it ends while others go on writing."""

RETRY_FIRST = timedelta(minutes=1)
RETRY_MAX = timedelta(hours=12)
LATE_AGAIN_S = (0.4, 1.0, 4.0, 15.0, 60.0, 600.0, 3_600.0)
"""Seconds until evidence that isn't there yet is looked for again; after the last try what is
known stays."""

REVISIONS = 50
"""Latest revisions of a context whose lineage may still be completed."""

TRIES_MAX = 16
"""About four days of asking; then what the rules read stays."""


class Later:
    """Does the tasks that are due, each in a write of its own."""

    def __init__(self, store: Store, reader: Reader, witness: Witness | None = None) -> None:
        self._store = store
        self._reader = reader
        self._witness = witness

    async def catch_up(self) -> int:
        """How many tasks were looked at; a failure of one is tried again later."""
        done = 0
        for _ in range(ROUNDS_MAX):
            tasks = await self._store.due(limit=ROUND)
            late = [task for task in tasks if task.kind == "lineage"]
            for task in tasks:
                if task.kind != "lineage":
                    await self._do(task)
            failed: list[LinealError] = []
            async with anyio.create_task_group() as together:  # they share their syncs
                for task in late:
                    together.start_soon(self._beside_others, task, failed)
            if failed:
                raise failed[0]
            done += len(tasks)
            if not tasks:  # and not sooner: doing one may leave another
                break
        return done

    async def _do(self, task: Task) -> None:
        does = {
            "head": self._head,
            "ended": self._ended,
            "extract": self._extract,
            "restored": self._extract,
            "lineage": self._lineage,
        }
        try:
            await does[task.kind](task)
        except LinealError:  # a broken schema, an embedder that isn't there: perhaps later
            await self._commit(task, Reads(), lambda seen: _postponed(task, seen))

    async def _beside_others(self, task: Task, failed: list[LinealError]) -> None:
        """A failure is to be raised alone, when the others are done."""
        try:
            await self._do(task)
        except LinealError as error:
            failed.append(error)

    async def _head(self, task: Task) -> None:
        """Make the head anew, of the soft fields as they are now."""
        schema = self._reader.schema(task.domain)
        before = await self._store.read(_scope(task), Reads(user=True))
        text = ""
        if before.user is not None:
            text = merging.soft_text(schema, present(schema, before.user, before.now).fields)
        head = await self._reader.head(task.domain, text)
        limit = self._reader.heads_per_minute

        def decide(seen: Snapshot) -> Plan[None]:
            row = present(schema, seen.user, seen.now) if seen.user else None
            if row is not None and merging.soft_text(schema, row.fields) != text:
                return Plan(Changes(tasks=(task.model_copy(update={"due_at": seen.now}),)), None)
            if row is None or head is None:
                return Plan(Changes(done=(task,)), None)
            return Plan(
                Changes(users=(_headed(row, head, seen, limit),), heads=(head,), done=(task,)), None
            )

        await self._commit(task, Reads(user=True), decide)

    async def _ended(self, task: Task) -> None:
        """Take out of the row, and of its past, what was read from contexts that have ended: of
        its past even where a write since has left it out of the row."""
        schema = self._reader.schema_or_none(task.domain)

        def decide(seen: Snapshot) -> Plan[None]:
            if seen.user is None:
                return Plan(Changes(done=(task,)), None)
            old = seen.user
            fields = dict(merging.current(schema, old.fields, seen.now))
            row, head = remade(task.tenant, schema, old, fields, seen.now, old.lineage)
            tasks = (*ended_task(task.tenant, row, ends_at(row.fields)), *head)
            return Plan(Changes(rewritten=(row,), tasks=tasks, done=(task,)), None)

        await self._commit(task, Reads(user=True), decide)

    async def _extract(self, task: Task) -> None:
        """Ask the better extractor for a context again, and merge what it says; of a context that
        was given back, what anybody reads, for nothing of it stands in the row."""
        wanted = task.context_id
        found = await self._store.read(Scope(tenant=task.tenant), Reads(context_ids=(wanted,)))
        context = found.contexts.get(wanted)
        if context is None:
            return await self._commit(task, Reads(), lambda seen: Plan(Changes(done=(task,)), None))
        text = await self._reader.reread(context, context.content, None)
        extracted = text.reading.extracted
        if extracted is None:  # the schema is gone, and no reason to unsay what was read by it
            return await self._commit(task, Reads(), lambda seen: Plan(Changes(done=(task,)), None))
        if extracted.again and task.kind == "extract":
            return await self._commit(task, Reads(), lambda seen: _postponed(task, seen))
        text = await self._reader.foresee_update(context, _scope(task), text)

        def decide(seen: Snapshot) -> Plan[None]:
            return Plan(_enriched_later(task, seen, context, text), None)

        await self._commit(task, Reads(user=True, context_ids=(wanted,)), decide)

    async def _lineage(self, task: Task) -> None:
        """Look for what is known by now of the calls that wrote a context, or a user's row."""
        before = await self._store.read(_scope(task), _awaited(task))
        awaiting = {seen: None for seen in calls_awaiting(before)}
        known: dict[ObservedLineage, Evidence] = {}
        for seen in awaiting:
            asked = asked_of(seen)
            if asked is not None and self._witness is not None:
                with suppress(OSError):  # what can't be read isn't known
                    known[seen] = await self._witness.later(asked)
        over = task.tries + 1 >= len(LATE_AGAIN_S)

        def decide(seen: Snapshot) -> Plan[None]:
            changes, awaits = completion(seen, known, over=over)
            if not awaits or over:
                return Plan(changes.model_copy(update={"done": (task,)}), None)
            # Another process may have a witness where this one has none.
            wait_s = LATE_AGAIN_S[task.tries] if self._witness else LATE_AGAIN_S[-1]
            wait = timedelta(seconds=wait_s)
            update = {"due_at": seen.now + wait, "tries": task.tries + 1}
            again = task.model_copy(update=update)
            return Plan(changes.model_copy(update={"tasks": (again,)}), None)

        await self._commit(task, _awaited(task), decide)

    async def _commit(self, task: Task, reads: Reads, decide: Decide[None]) -> None:
        await self._store.commit(_scope(task), reads, decide)


def _awaited(task: Task) -> Reads:
    """What a call may have written."""
    if not task.context_id:
        return Reads(user=True)
    return Reads(context_ids=(task.context_id,), sightings=True, revisions=REVISIONS)


def _scope(task: Task) -> Scope:
    return Scope(tenant=task.tenant, user_id=task.user_id, domain=task.domain)


def _headed(row: UserRow, head: Head, seen: Snapshot, limit: int) -> UserRow:
    times = refreshing.noted(row.refreshed_at, seen.now, limit)
    heads = {**row.heads, head.name: head.info}
    update = {"revision": row.revision + 1, "heads": heads, "refreshed_at": times}
    return row.model_copy(update={**update, "updated_at": seen.now})


def _enriched_later(task: Task, seen: Snapshot, context: Context, text: Text) -> Changes:
    """What a context's text says by the better extractor; nothing if it has changed meanwhile."""
    now = seen.contexts.get(context.context_id)
    if now is None or seen.user is None or now.content != context.content:
        return Changes(done=(task,))
    after = ingest.enrichment(task.tenant, seen, seen.user, now, text.reading)
    again = ingest.again(task.tenant, now, text.reading, seen.now)
    return with_row(Changes(done=(task,), tasks=again), after)


def _postponed(task: Task, seen: Snapshot) -> Plan[None]:
    """Try again, each time after twice as long; at last not any more."""
    if task.tries >= TRIES_MAX:
        return Plan(Changes(done=(task,)), None)
    wait = min(RETRY_FIRST * 2**task.tries, RETRY_MAX)
    update = {"due_at": seen.now + wait, "tries": task.tries + 1}
    return Plan(Changes(tasks=(task.model_copy(update=update),)), None)
