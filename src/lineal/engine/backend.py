"""The embedded backend: everything done here, over a store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from lineal.engine import ingest
from lineal.engine.forgetting import forget
from lineal.engine.ingest import Reading
from lineal.engine.recall import search
from lineal.engine.receipts import once
from lineal.engine.trace import trace
from lineal.errors import Capability, LinealError
from lineal.ids import Ids
from lineal.models.changes import (
    Life,
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
from lineal.models.schema import Schema
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import FieldValue, GetUser, Head, UpsertUser, UserAnswer
from lineal.policy import merging
from lineal.policy.duplicates import content_key
from lineal.ports.backend import Support
from lineal.ports.embedder import Embedder
from lineal.ports.extractor import Extractor
from lineal.ports.schemas import Schemas
from lineal.ports.store import Progress, Store

__all__ = ["EmbeddedBackend"]


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
        name: str = "embedded",
    ) -> None:
        self._store = store
        self._schemas = schemas
        self._extractor = extractor
        self._embedder = embedder
        self._ids = ids
        self.name = name

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return MappingProxyType(dict.fromkeys(Capability, "native"))

    async def open(self) -> None:
        await self._store.open()

    async def close(self) -> None:
        await self._store.close()

    async def append_context(
        self, stamp: Stamp, request: AppendContext, life: Life
    ) -> AppendAnswer:
        """Store the context and merge what it says; raises not_found for an unknown user (A2)."""
        reading = await self._read(stamp.scope, request.content, request.occurred_at)
        if _touches_soft(reading):
            reading = await self._foresee_append(stamp, request, reading)
        decide = once(
            "append_context",
            request.idempotency_key,
            stamp.scope,
            request,
            AppendAnswer,
            lambda snapshot: ingest.append(snapshot, stamp, request, life, reading),
        )
        says = bool(reading.extractions)
        reads = Reads(user=says, known=not says, receipt=request.idempotency_key)
        return await self._store.commit(stamp.scope, reads, decide)

    async def upsert_user(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer:
        """Create or replace the row; raises invalid_request for a wrong type of a known key."""
        reading = await self._read(stamp.scope, request.context or "", None)
        reads = Reads(
            user=True,
            receipt=request.idempotency_key,
            content_key=content_key(request.context) if request.context else None,
        )
        before = await self._store.read(stamp.scope, reads)
        fields, _ = ingest.upsert_fields(reading, request, before.user, before.now, None)
        reading = await self._with_head(stamp.scope, reading, fields)
        decide = once(
            "upsert_user",
            request.idempotency_key,
            stamp.scope,
            request,
            UserAnswer,
            lambda snapshot: ingest.upsert(snapshot, stamp, request, life, reading),
        )
        return await self._store.commit(stamp.scope, reads, decide)

    async def update_context(
        self, stamp: Stamp, request: UpdateContext, life: Life
    ) -> ContextAnswer:
        """A new revision; raises not_found (N14, N15) or conflict (expected_revision)."""
        scope, reading = _tenant_only(stamp.scope), None
        if request.content is not None:
            scope, reading = await self._reread(scope, request)
        decide = once(
            "update_context",
            request.idempotency_key,
            _tenant_only(scope),
            request,
            ContextAnswer,
            lambda snapshot: ingest.update(snapshot, stamp, request, life, reading),
        )
        reads = Reads(
            user=reading is not None,
            context_ids=(request.context_id,),
            receipt=request.idempotency_key,
        )
        return await self._store.commit(scope, reads, decide)

    async def _reread(self, scope: Scope, request: UpdateContext) -> tuple[Scope, Reading | None]:
        """Whose context it is, and what its new text says of them (N22)."""
        wanted = request.context_id
        found = await self._store.read(scope, Reads(context_ids=(wanted,)))
        context = found.contexts.get(wanted)
        if context is None:
            return scope, None
        owner = Scope(tenant=scope.tenant, user_id=context.user_id, domain=context.domain)
        reading = await self._read(owner, request.content or "", context.occurred_at)
        reading = reading.model_copy(update={"context_id": wanted})
        if reading.schema_.fields:
            before = await self._store.read(owner, Reads(user=True))
            if before.user is not None:
                fields = ingest.merged(reading, before.user, before.now, context.occurred_at)
                reading = await self._with_head(owner, reading, fields)
        return owner, reading

    async def search_context(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        return await search(self._store, stamp.scope, request)

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        """The live context, or a past revision of one that is live."""
        scope, wanted = _tenant_only(stamp.scope), request.context_id
        if request.revision is None:
            snapshot = await self._store.read(scope, Reads(context_ids=(wanted,)))
            if wanted not in snapshot.contexts:
                raise ingest.missing(wanted)
            return ContextAnswer.of(snapshot.contexts[wanted])
        revisions = await self._store.history(scope, wanted)
        if not revisions:
            raise ingest.missing(wanted)
        if request.revision > len(revisions):
            raise LinealError.not_found(
                f"Context '{wanted}' has {len(revisions)} revisions, not {request.revision}.",
                context_id=wanted,
                revision=request.revision,
                latest=len(revisions),
            )
        return ContextAnswer.of(revisions[request.revision - 1])

    async def get_user(self, stamp: Stamp, request: GetUser) -> UserAnswer:
        """The live row; raises not_found."""
        snapshot = await self._store.read(stamp.scope, Reads(user=True))
        if snapshot.user is None:
            raise LinealError.not_found(
                f"User '{stamp.scope.user_id}' is not known in domain '{stamp.scope.domain}'. "
                "Call upsert_user first.",
                user_id=stamp.scope.user_id,
                domain=stamp.scope.domain,
            )
        return UserAnswer.of(snapshot.user, provenance=request.provenance)

    async def forget_context(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        """Take out the content for good, or say with dry_run what would be."""
        scope = _tenant_only(stamp.scope)
        reads = Reads(
            context_ids=(request.context_id,),
            receipt=request.idempotency_key,
            descendants_of=request.context_id if request.cascade else None,
            owners=True,
        )
        decide = once(
            "forget_context",
            None if request.dry_run else request.idempotency_key,
            scope,
            request,
            ForgetAnswer,
            lambda snapshot: forget(snapshot, stamp, request),
        )
        if request.dry_run:
            return decide(await self._store.read(scope, reads)).answer
        return await self._store.commit(scope, reads, decide)

    async def trace_lineage(self, stamp: Stamp, request: TraceLineage) -> Trace:
        return await trace(self._store, _tenant_only(stamp.scope), request)

    async def history(self, stamp: Stamp, context_id: str) -> tuple[Context, ...]:
        """Every revision, first to last; raises not_found."""
        revisions = await self._store.history(_tenant_only(stamp.scope), context_id)
        if not revisions:
            raise ingest.missing(context_id)
        return revisions

    async def schema(self, domain: str) -> Schema:
        return self._schemas.get(domain)

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport:
        """Sweep until nothing expired is left."""
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

    async def _read(self, scope: Scope, text: str, occurred_at: datetime | None) -> Reading:
        """What the text says against the domain's schema, outside any transaction."""
        schema = self._schemas.get(scope.domain or "")
        context_id = self._ids.context()
        if not (text and schema.fields):
            return Reading(schema_=schema, context_id=context_id)
        found = await self._extractor.extract(schema, text, occurred_at)
        return Reading(
            schema_=schema,
            context_id=context_id,
            extractions=found,
            extractor=self._extractor.model_version,
        )

    async def _foresee_append(
        self, stamp: Stamp, request: AppendContext, reading: Reading
    ) -> Reading:
        before = await self._store.read(stamp.scope, Reads(user=True))
        row = before.user or ingest.provisioned(stamp, reading.schema_, before.now)
        fields = ingest.merged(reading, row, before.now, request.occurred_at or before.now)
        return await self._with_head(stamp.scope, reading, fields)

    async def _with_head(
        self, scope: Scope, reading: Reading, fields: Mapping[str, FieldValue]
    ) -> Reading:
        """The reading with a head for the soft text that these fields make."""
        text = merging.soft_text(reading.schema_, fields)
        if not text:
            return reading
        (vector,) = await self._embedder.embed([text])
        head = Head(name=scope.domain or "", version=self._embedder.version, vector=vector)
        return reading.model_copy(update={"soft_text": text, "head": head})


def _touches_soft(reading: Reading) -> bool:
    return any(reading.schema_.fields[f.field].kind == "soft" for f in reading.extractions)


def _tenant_only(scope: Scope) -> Scope:
    """An id names a memory behind the wall, whoever's it is there."""
    return Scope(tenant=scope.tenant)
