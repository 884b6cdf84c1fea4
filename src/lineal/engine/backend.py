"""The embedded backend: everything done here, over a store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from lineal.clock import Clock, SystemClock
from lineal.engine import ingest
from lineal.engine.embedding import Embedding
from lineal.engine.forgetting import Forgetter
from lineal.engine.ingest import Text
from lineal.engine.later import Later
from lineal.engine.matching import Matcher
from lineal.engine.outcomes import outcomes, record_outcome
from lineal.engine.reading import Reader
from lineal.engine.recall import Recall
from lineal.engine.rows import present
from lineal.engine.trace import trace
from lineal.engine.upserting import upsert
from lineal.errors import Capability
from lineal.ids import Ids
from lineal.models.archive import Loaded, Record
from lineal.models.changes import (
    Decide,
    Life,
    Outcome,
    Reads,
    Scope,
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
from lineal.models.lineage import Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers, OutcomeAnswer, RecordOutcome
from lineal.models.schema import Schema
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.sheet import Rank
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.missing import missing, missing_user
from lineal.policy.ranking import BY_DEFAULT
from lineal.policy.receipts import once
from lineal.ports.backend import Support
from lineal.ports.embedder import Embedder, TokenEmbedder
from lineal.ports.evidence import Witness
from lineal.ports.extractor import Extracted, Extractor
from lineal.ports.schemas import Schemas
from lineal.ports.store import Progress, Store

__all__ = ["HEADS_PER_MINUTE", "SEARCH_WAIT_S", "EmbeddedBackend"]

Answer = TypeVar("Answer")

GRACE = timedelta(days=7)
"""How long forgetting with all that was derived can be undone."""

SEARCH_WAIT_S = 15.0
"""How long a search waits for the vectors of what was written just before it, where that is
enough for them: who has just stored a few hundred texts finds them by what they mean."""

HEADS_PER_MINUTE = 6
"""Refreshes of one user's head in a domain (A8): a chat feed doesn't spend its time on vectors."""


class EmbeddedBackend:
    """Extraction, merging, lineage and search over a store, with nothing outside this process."""

    def __init__(
        self,
        store: Store,
        *,
        schemas: Schemas,
        extractor: Extractor,
        embedder: Embedder,
        ids: Ids,
        clock: Clock | None = None,
        heads_per_minute: int = HEADS_PER_MINUTE,
        witness: Witness | None = None,
        grace: timedelta = GRACE,
        rank: Rank = BY_DEFAULT,
        search_wait_s: float = SEARCH_WAIT_S,
        finer: TokenEmbedder | None = None,
        name: str = "embedded",
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._reader = Reader(
            store,
            schemas=schemas,
            extractor=extractor,
            embedder=embedder,
            ids=ids,
            clock=clock or SystemClock(),
            heads_per_minute=heads_per_minute,
        )
        self._later = Later(store, self._reader, witness)
        self._embedding = Embedding(store, embedder, wait_s=search_wait_s, finer=finer)
        self._recall = Recall(store, self._embedding, rank)
        self._forgetter = Forgetter(store, self._reader, self._later, grace)
        self._matcher = Matcher(store, self._reader, schemas=schemas, embedder=embedder)
        self._schemas = schemas
        self._ids = ids
        self.name = name

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return MappingProxyType(dict.fromkeys(Capability, "native"))

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()
        await self._embedder.close()

    async def append_context(
        self, stamp: Stamp, request: AppendContext, life: Life
    ) -> AppendAnswer:
        """Store the context and merge what it says; raises not_found for an unknown user (A2)."""
        scope = stamp.scope
        text = await self._reader.read(
            scope.domain or "", request.content, request.occurred_at, stamp.ask
        )
        text = await self._reader.foresee_append(stamp, request, life, text)
        decide = once(
            "append_context",
            request.idempotency_key,
            scope,
            request,
            AppendAnswer,
            lambda snapshot: ingest.append(snapshot, stamp, request, life, text),
        )
        # A time-limited row of values that end is read too: what a repetition lengthens may be
        # a text that it was read from.
        says = bool(text.reading.finds) or bool(text.reading.schema_.fields)
        reads = Reads(
            user=says,
            known=not says,
            receipt=request.idempotency_key,
            alike=text.fingerprint,
            alike_in=ingest.found_in(stamp),
        )
        return await self._written(scope, reads, decide)

    async def upsert_user(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer:
        """Create or replace the row; raises invalid_request for a wrong type of a known key."""
        text = await self._reader.read(stamp.scope.domain or "", request.context, None, stamp.ask)
        text = await self._reader.foresee_upsert(stamp, request, life, text)
        reads = Reads(
            user=True,
            receipt=request.idempotency_key,
            alike=text.fingerprint if request.context else None,
            alike_in=ingest.found_in(stamp),
        )
        decide = once(
            "upsert_user",
            request.idempotency_key,
            stamp.scope,
            request,
            UserAnswer,
            lambda snapshot: upsert(snapshot, stamp, request, life, text),
        )
        return await self._written(stamp.scope, reads, decide)

    async def update_context(
        self, stamp: Stamp, request: UpdateContext, life: Life
    ) -> ContextAnswer:
        """A new revision; raises not_found (N14, N15) or conflict (expected_revision)."""
        scope, text = _tenant_only(stamp.scope), None
        if request.content is not None or not life.keep:
            scope, text = await self._reread(stamp, scope, request)
        decide = once(
            "update_context",
            request.idempotency_key,
            _tenant_only(scope),
            request,
            ContextAnswer,
            lambda snapshot: ingest.update(snapshot, stamp, request, life, text),
        )
        reads = Reads(
            user=text is not None,
            context_ids=(request.context_id,),
            receipt=request.idempotency_key,
        )
        return await self._written(scope, reads, decide)

    async def _written(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        answer = await self._store.commit(scope, reads, decide)
        self._embedding.wake()
        return answer

    async def _reread(
        self, stamp: Stamp, scope: Scope, request: UpdateContext
    ) -> tuple[Scope, Text | None]:
        """Whose context it is, and what its new text says of them (N22)."""
        wanted = request.context_id
        found = await self._store.read(scope, Reads(context_ids=(wanted,)))
        context = found.contexts.get(wanted)
        if context is None:
            return scope, None
        owner = Scope(tenant=scope.tenant, user_id=context.user_id, domain=context.domain)
        text = await self._reader.reread(context, request.content, stamp.ask)
        if request.content is not None and text.reading.schema_.fields:
            text = await self._reader.foresee_update(context, owner, text)
        return owner, text

    async def search_context(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        return await self._recall.search(stamp, request)

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        """The live context, or a past revision of one that is live."""
        scope, wanted = _tenant_only(stamp.scope), request.context_id
        if request.revision is None and request.as_of is None:
            reads = Reads(context_ids=(wanted,), sightings=True)
            snapshot = await self._store.read(scope, reads)
            if wanted not in snapshot.contexts:
                raise missing(wanted)
            answer = ContextAnswer.of(snapshot.contexts[wanted])
            return answer.model_copy(update={"sightings": snapshot.sightings.get(wanted, ())})
        revisions = await self._store.history(scope, wanted)
        if not revisions:
            raise missing(wanted)
        return ContextAnswer.of(ingest.past(revisions, request))

    async def get_user(self, stamp: Stamp, request: GetUser) -> UserAnswer:
        """The live row; raises not_found."""
        snapshot = await self._store.read(stamp.scope, Reads(user=True))
        if snapshot.user is None:
            raise missing_user(stamp.scope)
        schema = self._reader.schema_or_none(stamp.scope.domain or "")
        row = present(schema, snapshot.user, snapshot.now)
        return UserAnswer.of(row, provenance=request.provenance)

    async def forget_context(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        """Take memories out, say with dry_run which would be, or give them back."""
        return await self._forgetter.forget(stamp, request)

    async def trace_lineage(self, stamp: Stamp, request: TraceLineage) -> Trace:
        return await trace(self._store, _tenant_only(stamp.scope), request)

    async def history(self, stamp: Stamp, context_id: str) -> tuple[Context, ...]:
        """Every revision, first to last; raises not_found."""
        revisions = await self._store.history(_tenant_only(stamp.scope), context_id)
        if not revisions:
            raise missing(context_id)
        return revisions

    async def schema(self, domain: str) -> Schema:
        return self._reader.schema(domain)

    async def domains(self) -> tuple[str, ...]:
        return self._schemas.domains()

    async def read_text(self, stamp: Stamp, text: str) -> Extracted:
        """Raises invalid_request for a domain whose schema file is broken."""
        return await self._reader.try_text(stamp.scope.domain or "", text, stamp.ask)

    async def match_users(self, stamp: Stamp, request: MatchUsers) -> MatchAnswer:
        """Who suits the scope's user, or the description; raises not_found or invalid_request."""
        return await self._matcher.match(stamp, request)

    async def record_outcome(self, stamp: Stamp, request: RecordOutcome) -> OutcomeAnswer:
        """Keep what became of two users; raises not_found for one who isn't known."""
        return await record_outcome(self._store, self._ids, stamp, request)

    def outcomes(self, stamp: Stamp) -> AsyncIterator[Outcome]:
        return outcomes(self._store, stamp.scope)

    async def background(self) -> None:
        """Embed what is written, in a process that may write."""
        if not self._store.read_only:
            await self._embedding.run()

    async def reindex(self, progress: Progress | None = None, *, language: str | None) -> int:
        if language is not None:
            await self._store.rebuild_words(language)
        made = await self._embedding.complete(progress)
        if not self._embedding.off:
            await self._store.drop_other_vectors(self._embedding.space)
        return made

    async def outbox_state(self) -> None:
        """Nothing is forwarded."""

    async def catch_up(self) -> int:
        """Heads, extraction, ends and late lineage that are due."""
        return 0 if self._store.read_only else await self._later.catch_up()

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport:
        """Sweep until nothing expired is left, do what writes left to be done, and let go of the
        embedder's memory if it is idle."""
        report = await self._swept(accept_clock)
        if not report.refused and not self._store.read_only:
            await self._later.catch_up()
        await self._embedder.free_if_idle()
        return report

    async def _swept(self, accept_clock: bool) -> SweepReport:
        total = SweepReport()
        while True:
            part = await self._store.sweep(accept_clock=accept_clock)
            total = SweepReport(
                contexts=total.contexts + part.contexts,
                users=total.users + part.users,
                receipts=total.receipts + part.receipts,
                refused=part.refused,
            )
            if part.refused or not (part.contexts or part.users or part.receipts):
                return total

    async def stats(self, stamp: Stamp) -> StoreStats:
        return await self._store.stats(_tenant_only(stamp.scope))

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        return await self._store.verify(progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        return await self._store.backup(target, progress)

    def export(self, tenant: str | None, *, vectors: bool) -> AsyncIterator[Record]:
        return self._store.export(tenant, vectors=vectors)

    async def load(self, records: Sequence[Record]) -> Loaded:
        return await self._store.load(records)


def _tenant_only(scope: Scope) -> Scope:
    """An id names a memory behind the wall, whoever's it is there."""
    return Scope(tenant=scope.tenant)
