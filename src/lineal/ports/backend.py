"""The backend port: what the tools forward to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from lineal.errors import Capability
from lineal.models.archive import Loaded, Record
from lineal.models.changes import Life, Outcome, Stamp, StoreStats, SweepReport, VerifyReport
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
from lineal.ports.extractor import Extracted
from lineal.ports.store import Progress

__all__ = ["Backend", "Support"]

Support = Literal["native", "emulated", "refused"]


class Backend(Protocol):
    """Does each verb or raises Unsupported, naming the capability.

    The stamp carries scope and evidence; `life` is what memory_type and ttl_seconds ask for.
    A verb that returns has been done durably; one that raises has left nothing behind.
    """

    @property
    def name(self) -> str:
        """As configured, without secrets."""
        ...

    @property
    def capabilities(self) -> Mapping[Capability, Support]: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def append_context(
        self, stamp: Stamp, request: AppendContext, life: Life
    ) -> AppendAnswer: ...

    async def upsert_user(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer: ...

    async def update_context(
        self, stamp: Stamp, request: UpdateContext, life: Life
    ) -> ContextAnswer: ...

    async def search_context(self, stamp: Stamp, request: SearchContext) -> SearchAnswer: ...

    async def get_context(self, stamp: Stamp, request: GetContext) -> ContextAnswer: ...

    async def get_user(self, stamp: Stamp, request: GetUser) -> UserAnswer: ...

    async def forget_context(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer: ...

    async def trace_lineage(self, stamp: Stamp, request: TraceLineage) -> Trace: ...

    async def history(self, stamp: Stamp, context_id: str) -> tuple[Context, ...]: ...

    async def schema(self, domain: str) -> Schema:
        """The domain's schema; "<domain>.v0" without fields for an unregistered one."""
        ...

    async def domains(self) -> tuple[str, ...]:
        """Domains that have a schema, in alphabetical order."""
        ...

    async def read_text(self, stamp: Stamp, text: str) -> Extracted:
        """What would be read from a text by the schema of the scope's domain; nothing is kept."""
        ...

    async def match_users(self, stamp: Stamp, request: MatchUsers) -> MatchAnswer: ...

    async def record_outcome(self, stamp: Stamp, request: RecordOutcome) -> OutcomeAnswer: ...

    def outcomes(self, stamp: Stamp) -> AsyncIterator[Outcome]:
        """Outcomes of the scope in order of receipt; of every user and domain it leaves open."""
        ...

    async def outbox_state(self) -> OutboxState | None:
        """How what is to be forwarded stands; None where nothing is forwarded."""
        ...

    async def catch_up(self) -> int:
        """Do what writes left to be done and is due; how much was looked at."""
        ...

    async def background(self) -> None:
        """Make what writes leave to be made, such as vectors, until cancelled; returns where there
        is no such thing."""
        ...

    async def reindex(self, progress: Progress | None = None, *, language: str | None) -> int:
        """Make every vector that is missing, and drop those of other models; with a language, the
        index of words too. How many vectors were made."""
        ...

    async def sweep(self, *, accept_clock: bool = False) -> SweepReport: ...

    async def stats(self, stamp: Stamp) -> StoreStats: ...

    async def verify(self, progress: Progress | None = None) -> VerifyReport: ...

    async def backup(self, target: Path, progress: Progress | None = None) -> int: ...

    def export(self, tenant: str | None, *, vectors: bool) -> AsyncIterator[Record]:
        """All that is kept here, of this tenant or of all (ports/store.py)."""
        ...

    async def load(self, records: Sequence[Record]) -> Loaded:
        """Keep records of an export."""
        ...
