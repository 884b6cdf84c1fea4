"""What is true of every call, whatever backend it goes to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

from lineal.errors import Capability, LinealError
from lineal.models.base import Model
from lineal.models.changes import Call, Scope, Stamp, StoreStats, SweepReport, VerifyReport
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
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.expiry import life_of
from lineal.policy.limits import (
    Limits,
    check_append,
    check_id,
    check_search,
    check_update,
    check_upsert,
)
from lineal.policy.provenance import READS_MAX
from lineal.ports.backend import Backend, Support
from lineal.ports.store import Progress

__all__ = ["Defaults", "Service"]

SESSIONS_MAX = 1_024
"""Sessions whose reads are remembered; the one longest unused goes first."""


class Defaults(Model):
    """Whose memory a call means when it names nobody; None: it must say."""

    user_id: str | None = None
    domain: str | None = None


class Service:
    """Fills in defaults, holds the limits, stamps lineage and life, and forwards one verb."""

    def __init__(self, backend: Backend, *, limits: Limits, defaults: Defaults) -> None:
        self._backend = backend
        self._limits = limits
        self._defaults = defaults
        self._reads = SessionReads()

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return self._backend.capabilities

    @property
    def backend_name(self) -> str:
        return self._backend.name

    async def append_context(self, call: Call, request: AppendContext) -> AppendAnswer:
        """Remember one piece of context. Raises not_found for an unknown user (A2)."""
        check_append(request, self._limits)
        stamp = self._stamp(call, self._owner(call, request.user_id, request.domain))
        life = life_of(request.memory_type, request.ttl_seconds, ttl_sent=False, kept=False)
        return await self._backend.append_context(stamp, request, life)

    async def upsert_user(self, call: Call, request: UpsertUser) -> UserAnswer:
        """Create or replace a user's row in a domain."""
        check_upsert(request, self._limits)
        stamp = self._stamp(call, self._owner(call, request.user_id, request.domain))
        life = life_of(request.memory_type, request.ttl_seconds, ttl_sent=False, kept=False)
        return await self._backend.upsert_user(stamp, request, life)

    async def update_context(self, call: Call, request: UpdateContext) -> ContextAnswer:
        """Change parts of one context. Raises not_found or conflict."""
        check_update(request, self._limits)
        sent = "ttl_seconds" in request.model_fields_set
        life = life_of(request.memory_type, request.ttl_seconds, ttl_sent=sent, kept=True)
        return await self._backend.update_context(self._anyones(call), request, life)

    async def search_context(self, call: Call, request: SearchContext) -> SearchAnswer:
        """Find memories of one user; what was found counts as read by this session."""
        check_search(request)
        user_id = request.user_id or _required("user_id", self._defaults.user_id)
        _checked(user_id, request.domain)
        scope = Scope(tenant=call.tenant, user_id=user_id, domain=request.domain)
        answer = await self._backend.search_context(self._stamp(call, scope), request)
        self._reads.saw(call, (hit.context_id for hit in answer.hits))
        return answer

    async def get_context(self, call: Call, request: GetContext) -> ContextAnswer:
        """One memory, whole; it counts as read by this session."""
        check_id("context_id", request.context_id)
        answer = await self._backend.get_context(self._anyones(call), request)
        self._reads.saw(call, (answer.id,))
        return answer

    async def get_user(self, call: Call, request: GetUser) -> UserAnswer:
        """A user's row in a domain."""
        scope = self._owner(call, request.user_id, request.domain)
        return await self._backend.get_user(self._stamp(call, scope), request)

    async def forget_context(self, call: Call, request: ForgetContext) -> ForgetAnswer:
        """Take memories out, or say which would be."""
        check_id("context_id", request.context_id)
        if request.idempotency_key is not None:
            check_id("idempotency_key", request.idempotency_key)
        return await self._backend.forget_context(self._anyones(call), request)

    async def trace_lineage(self, call: Call, request: TraceLineage) -> Trace:
        """The lineage graph around a memory; the labels it shows count as read."""
        check_id("context_id", request.context_id)
        answer = await self._backend.trace_lineage(self._anyones(call), request)
        self._reads.saw(call, (node.context_id for node in answer.nodes if node.state == "live"))
        return answer

    async def history(self, call: Call, context_id: str) -> tuple[Context, ...]:
        """Every revision of a memory, first to last; it counts as read by this session."""
        check_id("context_id", context_id)
        revisions = await self._backend.history(self._anyones(call), context_id)
        self._reads.saw(call, (context_id,))
        return revisions

    async def schema(self, domain: str) -> Schema:
        """The domain's schema; version 0 without fields for an unregistered one."""
        check_id("domain", domain)
        return await self._backend.schema(domain)

    async def stats(self, call: Call) -> StoreStats:
        """What is stored behind the caller's wall."""
        return await self._backend.stats(self._anyones(call))

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport:
        """Take out what has expired."""
        return await self._backend.sweep(accept_clock=accept_clock)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Check every row."""
        return await self._backend.verify(progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        """Write a consistent copy; returns its bytes."""
        return await self._backend.backup(target, progress)

    def _owner(self, call: Call, user_id: str | None, domain: str | None) -> Scope:
        """Whose memory a call means (A1). Raises invalid_request where neither it nor the
        configuration says."""
        user = user_id or _required("user_id", self._defaults.user_id)
        subject = domain or _required("domain", self._defaults.domain)
        _checked(user, subject)
        return Scope(tenant=call.tenant, user_id=user, domain=subject)

    def _anyones(self, call: Call) -> Stamp:
        return self._stamp(call, Scope(tenant=call.tenant))

    def _stamp(self, call: Call, scope: Scope) -> Stamp:
        ours = (self._defaults.user_id, self._defaults.domain)
        seen = call.evidence.model_copy(update={"read_ids": self._reads.of(call)})
        is_default = None not in ours and (scope.user_id, scope.domain) == ours
        return Stamp(scope=scope, evidence=seen, provision=is_default)


class SessionReads:
    """Which contexts each session read through this server, latest last (L4)."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str, str], OrderedDict[str, None]] = OrderedDict()

    def saw(self, call: Call, context_ids: Iterable[str]) -> None:
        """Note reads; the oldest beyond READS_MAX are let go."""
        key = (call.tenant, call.session)
        reads = self._sessions.setdefault(key, OrderedDict())
        self._sessions.move_to_end(key)
        for context_id in context_ids:
            reads[context_id] = None
            reads.move_to_end(context_id)
        while len(reads) > READS_MAX:
            reads.popitem(last=False)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def of(self, call: Call) -> tuple[str, ...]:
        """What this session has read, oldest first."""
        return tuple(self._sessions.get((call.tenant, call.session), ()))


def _required(field: str, default: str | None) -> str:
    if default is None:
        raise LinealError.invalid(field, f"Field '{field}' is required.", kind="missing")
    return default


def _checked(user_id: str, domain: str | None) -> None:
    check_id("user_id", user_id)
    if domain is not None:
        check_id("domain", domain)
