"""A backend in memory that records its calls and fails on demand."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lineal.clock import Clock, SystemClock
from lineal.errors import Capability, LinealError, Unsupported
from lineal.ids import Ids, RandomIds
from lineal.models.archive import Loaded, Record
from lineal.models.base import Model
from lineal.models.changes import (
    Changes,
    Decide,
    Life,
    Outcome,
    Plan,
    Reads,
    Receipt,
    Scope,
    Snapshot,
    Stamp,
    StoreStats,
    SweepReport,
    VerifyReport,
)
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    ContextAnswer,
    ForgetAnswer,
    ForgetContext,
    GetContext,
    UpdateContext,
)
from lineal.models.lineage import Direction, Edge, Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers, OutcomeAnswer, RecordOutcome
from lineal.models.schema import Schema
from lineal.models.search import SearchAnswer, SearchContext, TextQuery
from lineal.models.user import (
    GetUser,
    UpsertUser,
    UserAnswer,
)
from lineal.policy.packing import hit_of
from lineal.ports.backend import Support
from lineal.ports.extractor import Extracted
from lineal.ports.schemas import Schemas
from lineal.ports.store import Progress
from lineal.stores.memory import MemoryStore
from lineal.testing import fake_forgetting as forgetting
from lineal.testing import fake_rows as rows
from lineal.testing.faults import Gate

__all__ = ["FakeBackend", "RecordedCall"]

A = TypeVar("A", bound=Model)
Write = AppendContext | UpsertUser | UpdateContext | ForgetContext

_REFUSABLE: dict[str, Capability] = {
    "upsert_user": Capability.USERS,
    "get_user": Capability.USERS,
    "update_context": Capability.UPDATE,
    "search_context": Capability.SEARCH,
    "get_context": Capability.GET,
    "forget_context": Capability.FORGET,
    "trace_lineage": Capability.LINEAGE,
    "history": Capability.HISTORY,
    "schema": Capability.SCHEMAS,
    "read_text": Capability.SCHEMAS,
    "match_users": Capability.MATCHING,
    "record_outcome": Capability.MATCHING,
    "outcomes": Capability.MATCHING,
    "reindex": Capability.MAINTENANCE,
    "sweep": Capability.MAINTENANCE,
    "stats": Capability.MAINTENANCE,
    "verify": Capability.MAINTENANCE,
    "backup": Capability.MAINTENANCE,
    "export": Capability.MAINTENANCE,
    "load": Capability.MAINTENANCE,
}


class RecordedCall(NamedTuple):
    """One call as it arrived. arguments: what followed the stamp, in order."""

    verb: str
    stamp: Stamp | None
    arguments: tuple[Any, ...]


class FakeBackend:
    """The Backend port over a MemoryStore, without extraction, embedding, ranking or matching.

    It knows of a call what came with it, so it awaits nothing and never has anything to catch up.
    refused: capabilities to refuse. Without schemas every field of a user goes to extras.
    grace: how long a cascade can be undone.
    calls: every call, refused and failed ones too, in order of arrival.
    """

    name = "fake"

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        schemas: Schemas | None = None,
        refused: Iterable[Capability] = (),
        grace: timedelta = timedelta(days=7),
    ) -> None:
        self._store = MemoryStore(clock=clock or SystemClock())
        self._ids = ids or RandomIds()
        self._schemas = schemas
        self._grace = grace
        self._refused = frozenset({*refused, Capability.MATCHING})
        self._next_error: LinealError | None = None
        self._errors: dict[str, LinealError] = {}
        self._gates: dict[str, Gate] = {}
        self.calls: list[RecordedCall] = []

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return {c: "refused" if c in self._refused else "native" for c in Capability}

    def fail_next(self, error: LinealError) -> None:
        """The next call raises `error`, whatever its verb."""
        self._next_error = error

    def fail_when(self, verb: str, error: LinealError | None) -> None:
        """Each call of `verb` raises `error`, until None is given."""
        self._errors.pop(verb, None)
        if error is not None:
            self._errors[verb] = error

    def hold(self, verb: str) -> Gate:
        """Calls of `verb` wait at the returned gate, before they do anything, until it is open."""
        return self._gates.setdefault(verb, Gate())

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def append_context(
        self, stamp: Stamp, request: AppendContext, life: Life
    ) -> AppendAnswer:
        await self._called("append_context", stamp, request, life)
        context_id = self._ids.context()

        def decide(seen: Snapshot) -> Plan[AppendAnswer]:
            user = seen.user or (rows.provisioned(stamp, seen.now) if stamp.provision else None)
            if user is None:
                raise LinealError.not_found(
                    f"User '{stamp.scope.user_id}' has no row in domain '{stamp.scope.domain}'. "
                    "Call upsert_user first."
                )
            context = rows.new_context(context_id, stamp, request, life, seen.now)
            changes = Changes(
                contexts=(context,),
                users=() if seen.user else (user,),
                edges=rows.edges(context, stamp, request.lineage),
            )
            return Plan(changes, rows.append_answer(context))

        return await self._write(stamp, request, AppendAnswer, Reads(user=True), decide)

    async def upsert_user(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer:
        await self._called("upsert_user", stamp, request, life)
        schema = self._schema(stamp.scope.domain or "")

        def decide(seen: Snapshot) -> Plan[UserAnswer]:
            row = rows.upserted(seen, stamp, request, life, schema)
            return Plan(Changes(users=(row,)), UserAnswer.of(row))

        return await self._write(stamp, request, UserAnswer, Reads(user=True), decide)

    async def update_context(
        self, stamp: Stamp, request: UpdateContext, life: Life
    ) -> ContextAnswer:
        await self._called("update_context", stamp, request, life)
        stamp = _behind_the_wall(stamp)

        def decide(seen: Snapshot) -> Plan[ContextAnswer]:
            context = rows.updated(
                rows.found(seen, request.context_id), stamp, request, life, seen.now
            )
            changes = Changes(
                contexts=(context,), edges=rows.edges(context, stamp, request.lineage)
            )
            return Plan(changes, ContextAnswer.of(context))

        reads = Reads(context_ids=(request.context_id,))
        return await self._write(stamp, request, ContextAnswer, reads, decide)

    async def search_context(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        await self._called("search_context", stamp, request)
        query = TextQuery.of(request, stamp.projects)
        page = await self._store.find(stamp.scope, query)
        here = stamp.projects or ()
        hits = tuple(hit_of(found.context, found.score, here) for found in page.candidates)
        everywhere = query.model_copy(update={"projects": None, "limit": 1})
        elsewhere = (await self._store.find(stamp.scope, everywhere)).matched - page.matched
        few = page.matched < request.limit
        return SearchAnswer(
            hits=hits,
            more=page.matched - len(hits),
            elsewhere=elsewhere or None if few else None,
            now=page.now,
        )

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        await self._called("get_context", stamp, request)
        stamp = _behind_the_wall(stamp)
        revisions = await self._store.history(stamp.scope, request.context_id)
        return ContextAnswer.of(rows.past(revisions, request))

    async def get_user(self, stamp: Stamp, request: GetUser) -> UserAnswer:
        await self._called("get_user", stamp, request)
        seen = await self._store.read(stamp.scope, Reads(user=True))
        if seen.user is None:
            raise LinealError.not_found(
                f"User '{stamp.scope.user_id}' has no row in domain '{stamp.scope.domain}'."
            )
        return UserAnswer.of(seen.user, provenance=request.provenance)

    async def forget_context(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        await self._called("forget_context", stamp, request)
        stamp = _behind_the_wall(stamp)
        decide = forgetting.decision(request, self._grace)
        reads = forgetting.reads(request)
        if request.dry_run:
            return decide(await self._store.read(stamp.scope, reads)).answer
        return await self._write(stamp, request, ForgetAnswer, reads, decide)

    async def trace_lineage(self, stamp: Stamp, request: TraceLineage) -> Trace:
        await self._called("trace_lineage", stamp, request)
        stamp = _behind_the_wall(stamp)
        root = request.context_id
        depths, edges = {root: 0}, dict[Edge, None]()
        for direction in _ways(request.direction):
            level: tuple[str, ...] = (root,)
            for depth in range(1, request.depth + 1):
                found = await self._store.edges(stamp.scope, level, direction)
                edges.update(dict.fromkeys(found))
                ends = {e.parent_id if direction == "up" else e.child_id: None for e in found}
                level = tuple(end for end in ends if end not in depths)
                depths.update(dict.fromkeys(level, depth))
        seen = await self._store.read(stamp.scope, Reads(context_ids=tuple(depths)))
        named = edges or await self._store.edges(stamp.scope, (root,), "both")
        if root not in seen.contexts and root not in seen.tombstones and not named:
            raise rows.missing(root)
        return Trace(
            root=root,
            direction=request.direction,
            depth=request.depth,
            nodes=tuple(rows.node(seen, name, depth) for name, depth in depths.items()),
            edges=tuple(edges),
        )

    async def history(self, stamp: Stamp, context_id: str) -> tuple[Context, ...]:
        await self._called("history", stamp, context_id)
        stamp = _behind_the_wall(stamp)
        revisions = await self._store.history(stamp.scope, context_id)
        if not revisions:
            raise rows.missing(context_id)
        return revisions

    async def schema(self, domain: str) -> Schema:
        await self._called("schema", None, domain)
        return self._schema(domain)

    async def domains(self) -> tuple[str, ...]:
        return self._schemas.domains() if self._schemas else ()

    async def read_text(self, stamp: Stamp, text: str) -> Extracted:
        await self._called("read_text", stamp, text)
        return Extracted(model_version="fake.v1")

    async def match_users(self, stamp: Stamp, request: MatchUsers) -> MatchAnswer:
        await self._called("match_users", stamp, request)
        raise Unsupported(Capability.MATCHING, self.name)

    async def record_outcome(self, stamp: Stamp, request: RecordOutcome) -> OutcomeAnswer:
        await self._called("record_outcome", stamp, request)
        raise Unsupported(Capability.MATCHING, self.name)

    def outcomes(self, stamp: Stamp) -> AsyncIterator[Outcome]:
        self.calls.append(RecordedCall("outcomes", stamp, ()))
        raise Unsupported(Capability.MATCHING, self.name)

    async def background(self) -> None:
        """There is nothing to make."""

    async def reindex(self, progress: Progress | None = None, *, language: str | None) -> int:
        await self._called("reindex", None, language)
        if language is not None:
            await self._store.rebuild_words(language)
        return 0

    async def outbox_state(self) -> None:
        """Nothing is forwarded."""

    async def catch_up(self) -> int:
        await self._called("catch_up", None)
        return 0

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport:
        await self._called("sweep", None, accept_clock)
        return await self._store.sweep(accept_clock=accept_clock)

    async def stats(self, stamp: Stamp) -> StoreStats:
        await self._called("stats", stamp)
        stamp = _behind_the_wall(stamp)
        return await self._store.stats(stamp.scope)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        await self._called("verify", None)
        return await self._store.verify(progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        await self._called("backup", None, target)
        return await self._store.backup(target, progress)

    async def export(self, tenant: str | None, *, vectors: bool) -> AsyncIterator[Record]:
        await self._called("export", None, tenant, vectors)
        async for record in self._store.export(tenant, vectors=vectors):
            yield record

    async def load(self, records: Sequence[Record]) -> Loaded:
        await self._called("load", None, records)
        return await self._store.load(records)

    def _schema(self, domain: str) -> Schema:
        return self._schemas.get(domain) if self._schemas else Schema(domain=domain, version=0)

    async def _called(self, verb: str, stamp: Stamp | None, *arguments: Any) -> None:
        self.calls.append(RecordedCall(verb, stamp, arguments))
        if verb in self._gates:
            await self._gates[verb].pass_through()
        error, self._next_error = self._next_error or self._errors.get(verb), None
        if error is not None:
            raise error
        for capability in _needed(verb, arguments):
            if capability in self._refused:
                raise Unsupported(capability, self.name)

    async def _write(
        self, stamp: Stamp, request: Write, answers: type[A], reads: Reads, decide: Decide[A]
    ) -> A:
        """The decision, made once per idempotency key."""
        key = request.idempotency_key
        if key is None:
            return await self._store.commit(stamp.scope, reads, decide)
        words = f"{type(request).__name__} {stamp.scope} {request.model_dump_json()}"
        request_hash = hashlib.sha256(words.encode()).hexdigest()

        def once(seen: Snapshot) -> Plan[A]:
            if seen.receipt is not None:
                return Plan(
                    Changes(), answers.model_validate_json(_again(seen.receipt, request_hash))
                )
            changes, answer = decide(seen)
            receipt = Receipt(
                key=key,
                verb=stamp.evidence.tool,
                request_hash=request_hash,
                answer=answer.model_dump_json(),
                recorded_at=seen.now,
            )
            return Plan(changes.model_copy(update={"receipt": receipt}), answer)

        return await self._store.commit(
            stamp.scope, reads.model_copy(update={"receipt": key}), once
        )


def _needed(verb: str, arguments: Iterable[Any]) -> Iterator[Capability]:
    """What a backend must be able to do for this call, the rarest first."""
    for argument in arguments:
        if isinstance(argument, Life) and (argument.seconds is not None or argument.type_default):
            yield Capability.TTL
        if isinstance(argument, Write) and argument.idempotency_key is not None:
            yield Capability.IDEMPOTENCY
        if isinstance(argument, GetUser) and argument.provenance:
            yield Capability.PROVENANCE
        if isinstance(argument, UpsertUser) and argument.replace_all:
            yield Capability.REPLACE_ALL
    if verb in _REFUSABLE:
        yield _REFUSABLE[verb]


def _behind_the_wall(stamp: Stamp) -> Stamp:
    """An id names a memory behind the wall, whoever's it is there."""
    return stamp.model_copy(update={"scope": Scope(tenant=stamp.scope.tenant)})


def _ways(direction: Direction) -> tuple[Direction, ...]:
    return ("up", "down") if direction == "both" else (direction,)


def _again(receipt: Receipt, request_hash: str) -> str:
    """The answer already given. Raises conflict when the key stood for another request."""
    if receipt.request_hash != request_hash:
        raise LinealError.conflict(
            f"The idempotency key '{receipt.key}' was used for another request; "
            "send a new key with a new request.",
            idempotency_key=receipt.key,
        )
    if not receipt.answer:
        raise LinealError.not_found(
            f"The request with idempotency key '{receipt.key}' was done, and what it stored has "
            "ended since.",
            idempotency_key=receipt.key,
        )
    return receipt.answer
