"""A backend that forwards: the remote does what it can, the ledger keeps the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import anyio

from lineal.errors import Capability, Unsupported
from lineal.ids import Ids
from lineal.models.archive import Loaded, Record
from lineal.models.changes import (
    Changes,
    Life,
    Outcome,
    Plan,
    Reads,
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
from lineal.models.forwarding import OutboxState
from lineal.models.lineage import Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers, OutcomeAnswer, RecordOutcome
from lineal.models.schema import Schema
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.outbound.faults import Refused
from lineal.policy.provenance import joined, observed
from lineal.policy.receipts import once
from lineal.ports.backend import Backend, Support
from lineal.ports.extractor import Extracted
from lineal.ports.outbox import Outbox
from lineal.ports.remote import Remote
from lineal.ports.store import Progress, Store
from lineal.remotes.courier import Courier
from lineal.remotes.posting import Posting
from lineal.remotes.reads import ReadsThere
from lineal.remotes.sending import Sender
from lineal.remotes.users import Users
from lineal.remotes.writes import Writes

__all__ = ["RemoteBackend"]


NOBODY = Scope(tenant="lineal", user_id="nobody", domain="health")


class RemoteBackend:
    """One remote with its ledger and its outbox. local: the ledger's own backend, over `store`,
    whose transactions `posting` amends; outbox: the same store's. home: whose the account is."""

    def __init__(
        self,
        remote: Remote,
        local: Backend,
        store: Store,
        outbox: Outbox,
        posting: Posting,
        courier: Courier,
        *,
        home: Scope,
        ids: Ids,
        queues: bool = True,
    ) -> None:
        self._remote = remote
        self._local = local
        self._store = store
        self._outbox = outbox
        self._courier = courier
        self._ids = ids
        sender = Sender(remote, posting, courier, queues=queues)
        self._users = Users(local, store, outbox, remote, sender)
        self._writes = Writes(local, store, outbox, remote, courier, sender, self._users)
        self._reads = ReadsThere(local, store, outbox, remote, courier, home)
        self.name = remote.name

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return self._remote.capabilities

    @property
    def outbox(self) -> Outbox:
        """What is on its way."""
        return self._outbox

    async def open(self) -> None:
        await self._local.open()

    async def close(self) -> None:
        """Keep what is known of letters, then let go. What waits is delivered by the next."""
        try:
            await self._courier.flush()
        finally:
            await self._local.close()
            await self._remote.close()

    async def append_context(
        self, stamp: Stamp, request: AppendContext, life: Life
    ) -> AppendAnswer:
        return await self._writes.append(stamp, request, life)

    async def upsert_user(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer:
        return await self._users.upsert(stamp, request, life)

    async def update_context(
        self, stamp: Stamp, request: UpdateContext, life: Life
    ) -> ContextAnswer:
        known = await self._reads.known(stamp, request.context_id)
        request = request.model_copy(update={"context_id": known})
        return await self._writes.update(stamp, request, life)

    async def search_context(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        return await self._reads.search(stamp, request)

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        return await self._reads.get(stamp, request)

    async def get_user(self, stamp: Stamp, request: GetUser) -> UserAnswer:
        return await self._users.user(stamp, request)

    async def forget_context(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        known = await self._reads.known(stamp, request.context_id)
        request = request.model_copy(update={"context_id": known})
        return await self._writes.forget(stamp, request)

    async def trace_lineage(self, stamp: Stamp, request: TraceLineage) -> Trace:
        return await self._local.trace_lineage(stamp, request)

    async def history(self, stamp: Stamp, context_id: str) -> tuple[Context, ...]:
        return await self._local.history(stamp, context_id)

    async def schema(self, domain: str) -> Schema:
        if not self._does(Capability.SCHEMAS):
            return await self._local.schema(domain)
        try:
            return await self._remote.schema(domain)
        except Refused as refused:
            if refused.answered != 404:
                raise
        return Schema(domain=domain, version=0)

    async def domains(self) -> tuple[str, ...]:
        """Those of the ledger: no contract lists a remote's."""
        return await self._local.domains()

    async def read_text(self, stamp: Stamp, text: str) -> Extracted:
        return await self._local.read_text(stamp, text)

    async def match_users(self, stamp: Stamp, request: MatchUsers) -> MatchAnswer:
        if self._does(Capability.MATCHING):
            return await self._remote.match(stamp.scope, request)
        return await self._local.match_users(stamp, request)

    async def record_outcome(self, stamp: Stamp, request: RecordOutcome) -> OutcomeAnswer:
        """Kept here, and told to the remote where it learns from it."""
        if "outcome" not in self._remote.verbs:
            return await self._local.record_outcome(stamp, request)

        decide = once(
            "record_outcome",
            request.idempotency_key,
            stamp.scope,
            request,
            OutcomeAnswer,
            lambda seen: _outcome(self._ids.outcome(), stamp, request, seen),
        )
        reads = Reads(receipt=request.idempotency_key)
        return await self._writes.tell_outcome(stamp.scope, reads, decide, request)

    def outcomes(self, stamp: Stamp) -> AsyncIterator[Outcome]:
        return self._local.outcomes(stamp)

    @property
    def place(self) -> str:
        """Scheme and host of the remote."""
        return self._remote.place

    async def ask(self) -> None:
        """Ask the remote something that changes nothing. Raises what hinders it from answering."""
        try:
            if self._does(Capability.SEARCH):
                await self._remote.search(NOBODY, SearchContext(), 1)
            else:
                await self._remote.schema("health")
        except Refused as refused:
            if refused.answered != 404:
                raise

    async def disconnect(self) -> None:
        """Close the connections of one that was never opened."""
        await self._remote.close()

    async def deliver(self) -> None:
        """Deliver what is due, as far as the remote takes it."""
        while not self._courier.paused and await self._courier.round():
            pass

    async def outbox_state(self) -> OutboxState:
        return await self._outbox.state()

    async def catch_up(self) -> int:
        return await self._local.catch_up()

    async def background(self) -> None:
        """Make the ledger's vectors, and deliver what waits."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._local.background)
            tasks.start_soon(self._courier.run)

    async def reindex(self, progress: Progress | None = None, *, language: str | None) -> int:
        return await self._local.reindex(progress, language=language)

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport:
        """Sweep the ledger, and have the remote delete what has ended."""
        await self._courier.flush()
        report = await self._local.sweep(accept_clock=accept_clock)
        if not report.refused:
            await self._writes.post_deletions()
        return report

    async def stats(self, stamp: Stamp) -> StoreStats:
        return await self._local.stats(stamp)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        return await self._local.verify(progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        await self._courier.flush()
        return await self._local.backup(target, progress)

    async def export(self, tenant: str | None, *, vectors: bool) -> AsyncIterator[Record]:
        """The ledger's memories, without the letters that wait and what they are called there."""
        await self._courier.flush()
        async for record in self._local.export(tenant, vectors=vectors):
            yield record

    async def load(self, records: Sequence[Record]) -> Loaded:
        """The service would never be told of what came into the ledger so."""
        raise Unsupported(Capability.MAINTENANCE, self.name)

    def _does(self, capability: Capability) -> bool:
        return self.capabilities[capability] == "native"


def _outcome(
    outcome_id: str, stamp: Stamp, request: RecordOutcome, seen: Snapshot
) -> Plan[OutcomeAnswer]:
    """Whether the two are known is the remote's to say."""
    outcome = Outcome(
        outcome_id=outcome_id,
        user_id=stamp.scope.user_id or "",
        domain=stamp.scope.domain or "",
        candidate_id=request.candidate_id,
        outcome=request.outcome,
        weight=request.weight,
        score=request.score,
        recorded_at=seen.now,
        lineage=joined(request.lineage, observed(stamp.evidence), seen.now),
    )
    return Plan(Changes(outcomes=(outcome,)), OutcomeAnswer.of(outcome))
