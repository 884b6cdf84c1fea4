"""A backend whose every verb is one span."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from opentelemetry.trace import TracerProvider

from lineal.errors import Capability, LinealError
from lineal.models.archive import Loaded, Record
from lineal.models.changes import (
    Life,
    Outcome,
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
from lineal.models.forwarding import OutboxState
from lineal.models.lineage import Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers, OutcomeAnswer, RecordOutcome
from lineal.models.schema import Schema
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.ports.backend import Backend, Support
from lineal.ports.extractor import Extracted
from lineal.ports.store import Progress
from lineal.telemetry import verbs
from lineal.telemetry.spans import Attributes, Current, failed, kind_of, started, tracer_of
from lineal.telemetry.verbs import Verb

__all__ = ["TracedBackend"]

Asked = TypeVar("Asked")
Told = TypeVar("Told")
Doing = Coroutine[Any, Any, Told]


class TracedBackend:
    """Another backend, seen: each verb is a span, a child of whatever span is current.

    content: also tell what memories say, what is searched for, and who they are about. Secrets
    have been taken out before a request comes here. provider: the process's where None.
    """

    def __init__(
        self, backend: Backend, *, content: bool = False, provider: TracerProvider | None = None
    ) -> None:
        self._backend = backend
        self._content = content
        self._tracer = tracer_of(provider)

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return self._backend.capabilities

    async def open(self) -> None:
        await self._own("open", None, self._backend.open())

    async def close(self) -> None:
        await self._own("close", None, self._backend.close())

    async def append_context(
        self, stamp: Stamp, request: AppendContext, life: Life
    ) -> AppendAnswer:
        doing = self._backend.append_context(stamp, request, life)
        return await self._seen(verbs.APPEND, stamp.scope, request, doing)

    async def upsert_user(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer:
        doing = self._backend.upsert_user(stamp, request, life)
        return await self._seen(verbs.UPSERT, stamp.scope, request, doing)

    async def update_context(
        self, stamp: Stamp, request: UpdateContext, life: Life
    ) -> ContextAnswer:
        doing = self._backend.update_context(stamp, request, life)
        return await self._seen(verbs.UPDATE, stamp.scope, request, doing)

    async def search_context(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        doing = self._backend.search_context(stamp, request)
        return await self._seen(verbs.SEARCH, stamp.scope, request, doing)

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        doing = self._backend.get_context(stamp, request)
        return await self._seen(verbs.GET, stamp.scope, request, doing)

    async def get_user(self, stamp: Stamp, request: GetUser) -> UserAnswer:
        doing = self._backend.get_user(stamp, request)
        return await self._seen(verbs.GET_USER, stamp.scope, request, doing)

    async def forget_context(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        doing = self._backend.forget_context(stamp, request)
        return await self._seen(verbs.forgetting(request), stamp.scope, request, doing)

    async def trace_lineage(self, stamp: Stamp, request: TraceLineage) -> Trace:
        doing = self._backend.trace_lineage(stamp, request)
        return await self._seen(verbs.TRACE, stamp.scope, request, doing)

    async def history(self, stamp: Stamp, context_id: str) -> tuple[Context, ...]:
        doing = self._backend.history(stamp, context_id)
        return await self._seen(verbs.HISTORY, stamp.scope, context_id, doing)

    async def schema(self, domain: str) -> Schema:
        return await self._own("schema", None, self._backend.schema(domain))

    async def domains(self) -> tuple[str, ...]:
        return await self._own("domains", None, self._backend.domains())

    async def read_text(self, stamp: Stamp, text: str) -> Extracted:
        doing = self._backend.read_text(stamp, text)
        return await self._own("read_text", stamp.scope, doing)

    async def match_users(self, stamp: Stamp, request: MatchUsers) -> MatchAnswer:
        doing = self._backend.match_users(stamp, request)
        return await self._seen(verbs.MATCH, stamp.scope, request, doing)

    async def record_outcome(self, stamp: Stamp, request: RecordOutcome) -> OutcomeAnswer:
        doing = self._backend.record_outcome(stamp, request)
        return await self._own("record_outcome", stamp.scope, doing)

    async def outcomes(self, stamp: Stamp) -> AsyncIterator[Outcome]:
        start = verbs.scoped(stamp.scope, content=False)
        found = partial(self._backend.outcomes, stamp)
        async for outcome in self._counted("outcomes", start, found):
            yield outcome

    async def outbox_state(self) -> OutboxState | None:
        return await self._backend.outbox_state()

    async def catch_up(self) -> int:
        return await self._seen(verbs.CATCH_UP, None, None, self._backend.catch_up())

    async def background(self) -> None:
        """Without a span: it never ends."""
        await self._backend.background()

    async def reindex(self, progress: Progress | None = None, *, language: str | None) -> int:
        return await self._own("reindex", None, self._backend.reindex(progress, language=language))

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport:
        doing = self._backend.sweep(accept_clock=accept_clock)
        return await self._seen(verbs.SWEEP, None, None, doing)

    async def stats(self, stamp: Stamp) -> StoreStats:
        doing = self._backend.stats(stamp)
        return await self._own("stats", stamp.scope, doing)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        return await self._own("verify", None, self._backend.verify(progress))

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        doing = self._backend.backup(target, progress)
        return await self._own("backup", None, doing)

    async def export(self, tenant: str | None, *, vectors: bool) -> AsyncIterator[Record]:
        start = {} if tenant is None else verbs.scoped(Scope(tenant=tenant), content=False)
        found = partial(self._backend.export, tenant, vectors=vectors)
        async for record in self._counted("export", start, found):
            yield record

    async def load(self, records: Sequence[Record]) -> Loaded:
        return await self._own("load", None, self._backend.load(records))

    async def _counted(
        self, name: str, start: Attributes, found: Callable[[], AsyncIterator[Told]]
    ) -> AsyncIterator[Told]:
        """As they come. The span is never the current one: between two of them the caller's own
        work is done, which is not part of this."""
        span = started(self._tracer, f"lineal.{name}", start)
        count = 0
        try:
            async for one in found():
                count += 1
                yield one
        except LinealError as error:
            failed(span, kind_of(error))
            raise
        finally:
            span.set_attribute(verbs.COUNT, count)
            span.end()

    async def _own(self, name: str, scope: Scope | None, doing: Doing[Told]) -> Told:
        """The same for a verb that the conventions don't know, and of which no more is told."""
        verb: Verb[None, Told] = Verb(f"lineal.{name}", {})
        return await self._seen(verb, scope, None, doing)

    async def _seen(
        self, verb: Verb[Asked, Told], scope: Scope | None, request: Asked, doing: Doing[Told]
    ) -> Told:
        """The work within its span. What it tells is made only for a span that is recorded."""
        span = started(self._tracer, verb.name, verb.start)
        recorded = span.is_recording()
        with Current(span):
            if recorded:
                span.set_attributes(verb.before(request))
                if scope is not None:
                    span.set_attributes(verbs.scoped(scope, content=self._content))
            answer = await doing
            if recorded:
                span.set_attributes(verb.after(request, answer))
                if self._content:
                    span.set_attributes(verb.content(request, answer))
        return answer
