"""What is true of every call, whatever backend it goes to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio

from lineal.clock import monotonic_s
from lineal.errors import Capability, LinealError
from lineal.models.archive import Loaded, Record
from lineal.models.base import Model
from lineal.models.changes import (
    Call,
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
from lineal.models.lineage import Evidence, Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers, OutcomeAnswer, RecordOutcome
from lineal.models.redaction import Redacted
from lineal.models.schema import Schema
from lineal.models.search import ALL_PROJECTS, SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.discretion import discreet
from lineal.policy.expiry import life_of
from lineal.policy.limits import (
    Limits,
    check_append,
    check_id,
    check_match,
    check_outcome,
    check_query,
    check_search,
    check_update,
    check_upsert,
)
from lineal.policy.redaction import redacted
from lineal.ports.backend import Backend, Support
from lineal.ports.evidence import Witness
from lineal.ports.extractor import Extracted
from lineal.ports.store import Progress
from lineal.service.pointers import Pointers
from lineal.service.secrets import Secrets
from lineal.service.sessions import SessionReads

__all__ = ["Defaults", "Service"]

M = TypeVar("M", bound=Model)
A = TypeVar("A", AppendAnswer, UserAnswer, ContextAnswer)


LATE_FIRST_S = 0.15
"""After a write, until evidence of it is looked for: a client writes its transcript within a
quarter of a second."""

LAST_LOOK_WITHIN_S = 1.0
LAST_LOOK_MAX_S = 0.6
"""A client waits two seconds at most for its server's end."""

QUIET_MAX_S = 2.0
"""The longest that writes in a row put off their completion."""

LATE_S = (0.5, 1.5, 5.0)
"""Until it is looked for again, while nothing else is written. What none of these finds is the
sweeper's to find."""


class Defaults(Model):
    """Whose memory a call means when it names nobody; None: it must say."""

    user_id: str | None = None
    domain: str | None = None


class Service:
    """Fills in defaults, holds the limits, stamps lineage and life, and forwards one verb."""

    def __init__(
        self,
        backend: Backend,
        *,
        limits: Limits,
        defaults: Defaults,
        secrets: Secrets | None = None,
        pointers: Pointers | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._backend = backend
        self._limits = limits
        self._defaults = defaults
        self._secrets = secrets
        self._pointers = pointers or Pointers({})
        self._witness: Witness = witness or SessionReads()
        self._late: anyio.Event | None = None
        self._awaited_s = float("-inf")
        self._seen: tuple[Evidence | None, Evidence] = (None, Evidence(tool=""))

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        return self._backend.capabilities

    @property
    def backend_name(self) -> str:
        return self._backend.name

    async def append_context(self, call: Call, request: AppendContext) -> AppendAnswer:
        """Remember one piece of context. Raises not_found for an unknown user (A2)."""
        check_append(request, self._limits)
        call, request, gone = await self._clean(call, request)
        scope = self._owner(call, request.user_id, request.domain)
        stamp = self._writing(call, scope, request.project)
        life = life_of(request.memory_type, request.ttl_seconds, ttl_sent=False, kept=False)
        answer = await self._backend.append_context(stamp, request, life)
        return _telling(answer, gone)

    async def upsert_user(self, call: Call, request: UpsertUser) -> UserAnswer:
        """Create or replace a user's row in a domain."""
        check_upsert(request, self._limits)
        request = await self._pointers.followed(request, self._limits.content_max)
        call, request, gone = await self._clean(call, request)
        stamp = self._writing(call, self._owner(call, request.user_id, request.domain))
        life = life_of(request.memory_type, request.ttl_seconds, ttl_sent=False, kept=False)
        answer = await self._backend.upsert_user(stamp, request, life)
        return _telling(answer, gone)

    async def update_context(self, call: Call, request: UpdateContext) -> ContextAnswer:
        """Change parts of one context. Raises not_found or conflict."""
        check_update(request, self._limits)
        sent = "ttl_seconds" in request.model_fields_set
        call, request, gone = await self._clean(call, request)
        life = life_of(request.memory_type, request.ttl_seconds, ttl_sent=sent, kept=True)
        stamp = self._writing(call, Scope(tenant=call.tenant))
        answer = await self._backend.update_context(stamp, request, life)
        return _telling(answer, gone)

    async def search_context(self, call: Call, request: SearchContext) -> SearchAnswer:
        """Find memories of one user; what was found counts as read by this session."""
        check_search(request)
        user_id = request.user_id or _required("user_id", self._defaults.user_id)
        _checked(user_id, request.domain)
        scope = Scope(tenant=call.tenant, user_id=user_id, domain=request.domain)
        stamp = self._stamp(call, scope).model_copy(
            update={"projects": _places(call, request.project)}
        )
        answer = await self._backend.search_context(stamp, request)
        self._witness.saw(call, (hit.context_id for hit in answer.hits))
        return answer

    async def get_context(self, call: Call, request: GetContext) -> ContextAnswer:
        """One memory, whole; it counts as read by this session."""
        check_id("context_id", request.context_id)
        if request.revision is not None and request.as_of is not None:
            raise LinealError.invalid("as_of", "'as_of' and 'revision' exclude each other.")
        answer = await self._backend.get_context(self._anyones(call), request)
        self._witness.saw(call, (answer.id,))
        return answer

    async def get_user(self, call: Call, request: GetUser) -> UserAnswer:
        """A user's row in a domain."""
        scope = self._owner(call, request.user_id, request.domain)
        self._witness.saw(call, ())
        return await self._backend.get_user(self._stamp(call, scope), request)

    async def forget_context(self, call: Call, request: ForgetContext) -> ForgetAnswer:
        """Take memories out, or say which would be."""
        check_id("context_id", request.context_id)
        if request.idempotency_key is not None:
            check_id("idempotency_key", request.idempotency_key)
        call, request, _ = await self._clean(call, request)
        stamp = self._writing(call, Scope(tenant=call.tenant))
        return await self._backend.forget_context(stamp, request)

    async def trace_lineage(self, call: Call, request: TraceLineage) -> Trace:
        """The lineage graph around a memory; the labels it shows count as read."""
        check_id("context_id", request.context_id)
        answer = await self._backend.trace_lineage(self._anyones(call), request)
        self._witness.saw(call, (n.context_id for n in answer.nodes if n.state == "live"))
        return answer

    async def history(self, call: Call, context_id: str) -> tuple[Context, ...]:
        """Every revision of a memory, first to last; it counts as read by this session."""
        check_id("context_id", context_id)
        revisions = await self._backend.history(self._anyones(call), context_id)
        self._witness.saw(call, (context_id,))
        return revisions

    async def schema(self, domain: str) -> Schema:
        """The domain's schema; version 0 without fields for an unregistered one."""
        check_id("domain", domain)
        return await self._backend.schema(domain)

    async def domains(self) -> tuple[str, ...]:
        """Domains that have a schema."""
        return await self._backend.domains()

    async def try_text(self, domain: str, text: str) -> Extracted:
        """What would be read from a text; nothing is stored."""
        check_id("domain", domain)
        check_query(text)
        call = Call(tenant="none", evidence=Evidence(tool="try_text"))
        _, _, secrets = await self._clean(call, AppendContext(content=text))
        if secrets:  # without them the places of what is read would be others
            raise _secret(secrets[0])
        scope = Scope(tenant="none", user_id="none", domain=domain)
        return await self._backend.read_text(Stamp(scope=scope, evidence=call.evidence), text)

    async def match_users(self, call: Call, request: MatchUsers) -> MatchAnswer:
        """Who suits a user, or a description of one, in a domain."""
        check_match(request)
        call, request, _ = await self._clean(call, request)
        described = request.description is not None
        user_id = "described" if described else request.user_id
        scope = self._owner(call, user_id, request.domain)
        scope = scope.model_copy(update={"user_id": None}) if described else scope
        return await self._backend.match_users(self._stamp(call, scope), request)

    async def record_outcome(self, call: Call, request: RecordOutcome) -> OutcomeAnswer:
        """Keep what became of two users who were brought together."""
        check_outcome(request)
        call, request, _ = await self._clean(call, request)
        scope = self._owner(call, request.user_id, request.domain)
        return await self._backend.record_outcome(self._writing(call, scope), request)

    def outcomes(
        self, call: Call, domain: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[Outcome]:
        """Outcomes in order of receipt, of every domain and user where none is named."""
        scope = Scope(tenant=call.tenant, user_id=user_id, domain=domain)
        return self._backend.outcomes(self._stamp(call, scope))

    def note_event(self, call: Call, event: Mapping[str, object]) -> None:
        """A hook of the client tells of an event in its session. Never fails."""
        self._witness.told(call, event)

    async def completing(self) -> None:
        """Complete the lineage of writes whose evidence comes after them, as long as it is let;
        first what an earlier process left."""
        while True:
            await self._quiet()
            self._late = late = anyio.Event()
            await self._backend.catch_up()
            for wait_s in LATE_S:
                with anyio.move_on_after(wait_s):
                    await late.wait()
                if late.is_set():
                    break
                await self._backend.catch_up()
            else:
                await late.wait()

    async def _quiet(self) -> None:
        """A moment after the last write that awaits something, so that writes in a row are
        completed together; but not put off for long."""
        until_s = monotonic_s() + QUIET_MAX_S
        while True:
            self._late = late = anyio.Event()
            await anyio.sleep(LATE_FIRST_S)
            if not late.is_set() or monotonic_s() > until_s:
                return

    async def outbox_state(self) -> OutboxState | None:
        """How what is to be forwarded stands; None where nothing is forwarded."""
        return await self._backend.outbox_state()

    async def catch_up(self) -> int:
        """Do what writes left to be done and is due; how much was looked at."""
        return await self._backend.catch_up()

    async def background(self) -> None:
        """Make what writes leave to be made, such as vectors, until cancelled."""
        await self._backend.background()

    async def reindex(
        self, progress: Progress | None = None, *, language: str | None = None
    ) -> int:
        """Make every missing vector, and with a language the index of words; how many vectors."""
        return await self._backend.reindex(progress, language=language)

    async def last_look(self) -> None:
        """Look for evidence of a write made a moment ago, once more before the process ends; what
        isn't found then is found by the next one."""
        if monotonic_s() - self._awaited_s < LAST_LOOK_WITHIN_S:
            with anyio.move_on_after(LAST_LOOK_MAX_S):
                await anyio.sleep(LATE_FIRST_S)
                await self._backend.catch_up()

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

    def export(self, tenant: str | None, *, vectors: bool) -> AsyncIterator[Record]:
        """All that is kept, of this tenant or of all; whoever calls may read everything."""
        return self._backend.export(tenant, vectors=vectors)

    async def load(self, records: Sequence[Record]) -> Loaded:
        """Keep records of an export."""
        return await self._backend.load(records)

    def _owner(self, call: Call, user_id: str | None, domain: str | None) -> Scope:
        """Whose memory a call means (A1). Raises invalid_request where neither it nor the
        configuration says."""
        user = user_id or _required("user_id", self._defaults.user_id)
        subject = domain or _required("domain", self._defaults.domain)
        _checked(user, subject)
        return Scope(tenant=call.tenant, user_id=user, domain=subject)

    def _anyones(self, call: Call) -> Stamp:
        return self._stamp(call, Scope(tenant=call.tenant))

    def _writing(self, call: Call, scope: Scope, project: str | None = None) -> Stamp:
        """The stamp of a write: with all that is known of the call at once."""
        seen = self._witness.account(call)
        if seen.awaits:
            self._awaited_s = monotonic_s()
            if self._late is not None:
                self._late.set()
        ours = call.project.name if call.project else None
        update = {"evidence": seen, "project": ours if project is None else project or None}
        places = {"projects": _places(call, project)}
        return self._stamp(call, scope).model_copy(update={**update, **places})

    def _stamp(self, call: Call, scope: Scope) -> Stamp:
        ours = (self._defaults.user_id, self._defaults.domain)
        is_default = None not in ours and (scope.user_id, scope.domain) == ours
        return Stamp(
            scope=scope,
            evidence=call.evidence,
            provision=is_default,
            read_only=call.read_only,
            ask=call.ask,
        )

    async def _clean(self, call: Call, request: M) -> tuple[Call, M, tuple[Redacted, ...]]:
        """A writing call and its request without secrets, and what is said of them; before
        anything is written. Raises invalid_request for a secret in an identifier."""
        if self._secrets is None:
            return call, request, ()
        shown, seen = self._seen  # most often what the call before showed too
        if shown != call.evidence:
            seen, _ = await self._secrets.look(partial(redacted, call.evidence))
            self._seen = (call.evidence, seen)
        clean, gone = await self._secrets.look(partial(redacted, request))
        return call.model_copy(update={"evidence": seen}), clean, gone

    async def discreet(self, error: LinealError, sent: Mapping[str, Any]) -> LinealError:
        """The error as it may be told to whoever sent this: without a secret that was sent."""
        if self._secrets is None:
            return error
        return await self._secrets.look(partial(discreet, error, sent))


def _places(call: Call, asked: str | None) -> tuple[str, ...] | None:
    """Which projects' memories a call means, besides those of none; None: everyone's."""
    if asked == ALL_PROJECTS:
        return None
    if asked is not None:
        return (asked,) if asked else ()
    return call.project.aliases if call.project else ()


def _secret(found: Redacted) -> LinealError:
    return LinealError.invalid(
        "text",
        f"The text holds what looks like a secret ({found.kind}). Try it without.",
        kind=found.kind,
    )


def _telling(answer: A, gone: tuple[Redacted, ...]) -> A:
    """The answer with what was taken out of the request."""
    return answer.model_copy(update={"redacted": gone}) if gone else answer


def _required(field: str, default: str | None) -> str:
    if default is None:
        raise LinealError.invalid(field, f"Field '{field}' is required.", kind="missing")
    return default


def _checked(user_id: str, domain: str | None) -> None:
    check_id("user_id", user_id)
    if domain is not None:
        check_id("domain", domain)
