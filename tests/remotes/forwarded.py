"""Processes that forward to a contract's server over a socket, and what they are asked to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr

from lineal.backends import forwarding
from lineal.clock import Clock, ManualClock
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.changes import Amend, Call, Scope, SweepReport
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    ContextAnswer,
    ForgetAnswer,
    ForgetContext,
    GetContext,
    UpdateContext,
)
from lineal.models.forwarded import Forwarded
from lineal.models.forwarding import Letter, OutboxState
from lineal.models.lineage import Evidence
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.limits import Limits
from lineal.ports.evidence import Witness
from lineal.ports.outbox import Outbox
from lineal.ports.store import Store
from lineal.remotes.backend import RemoteBackend
from lineal.remotes.known import remote_of
from lineal.schemas.book import SchemaBook
from lineal.service import Defaults, Service
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.outbox import SqliteOutbox
from lineal.testing.contracts.jean import JeanContract
from lineal.testing.contracts.mem0 import Mem0Contract
from lineal.testing.contracts.nia import NiaContract
from lineal.testing.contracts.server import Contract, serving
from lineal.testing.samples import START

from .deliveries import CANARY, LONG

__all__ = ["Desk", "Knowing", "Place", "call", "jean", "mem0", "nia", "note", "told", "until"]

BASES = {"jean": "/v1", "nia": "/v2"}
PATIENCE_S = 10.0
"""Until what is awaited must have come, or a test fails."""


def note(number: object) -> str:
    """Long enough for every contract, and each unlike the others."""
    return f"{number} is what this note is about. {LONG}"


@dataclass
class Desk:
    """One process, and a person at it: ada, in coding, of the home tenant, where nothing else is
    said."""

    backend: RemoteBackend
    service: Service
    outbox: Outbox

    async def append(
        self, text: str, user: str = "ada", *, tenant: str = "home", **more: Any
    ) -> AppendAnswer:
        request = AppendContext(content=text, user_id=user, domain="coding", **more)
        return await self.service.append_context(call("append_context", tenant), request)

    async def update(
        self, context_id: str, *, tenant: str = "home", **changed: Any
    ) -> ContextAnswer:
        request = UpdateContext(context_id=context_id, **changed)
        return await self.service.update_context(call("update_context", tenant), request)

    async def get(self, context_id: str, *, tenant: str = "home") -> ContextAnswer:
        request = GetContext(context_id=context_id)
        return await self.service.get_context(call("get_context", tenant), request)

    async def forget(self, context_id: str, *, tenant: str = "home", **more: Any) -> ForgetAnswer:
        request = ForgetContext(context_id=context_id, **more)
        return await self.service.forget_context(call("forget_context", tenant), request)

    async def search(
        self, query: str, user: str = "ada", *, tenant: str = "home", **more: Any
    ) -> SearchAnswer:
        request = SearchContext(query=query, user_id=user, **more)
        return await self.service.search_context(call("search_context", tenant), request)

    async def upsert(self, user: str = "ada", *, tenant: str = "home", **more: Any) -> UserAnswer:
        fields = more.pop("fields", {"editor": "vim"})
        request = UpsertUser(user_id=user, domain="coding", fields=fields, **more)
        return await self.service.upsert_user(call("upsert_user", tenant), request)

    async def user(self, user: str = "ada", *, tenant: str = "home") -> UserAnswer:
        request = GetUser(user_id=user, domain="coding")
        return await self.service.get_user(call("get_user", tenant), request)

    async def sweep(self) -> SweepReport:
        return await self.service.sweep()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Meanwhile it delivers what is due."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.backend.background)
            yield
            tasks.cancel_scope.cancel()

    async def emptied(self) -> None:
        """When nothing waits any more."""

        async def empty() -> bool:
            return not (await self.state()).waiting

        await until(empty)

    async def letters(self) -> tuple[Letter, ...]:
        return (await self.outbox.letters()).letters

    async def state(self) -> OutboxState:
        return await self.outbox.state()


@dataclass
class Place:
    """A contract's server, and the ledger of whoever forwards to it."""

    scheme: str
    server: Any
    url: str
    directory: Path
    clock: Any
    """A ManualClock, or the machine's where processes are to be real."""
    timeout_s: float = 5.0
    busy_timeout_s: float = 10.0
    witness: Witness | None = None

    @property
    def ledger(self) -> Path:
        return self.directory / "ledger.db"

    @asynccontextmanager
    async def process(
        self,
        *,
        queues: bool = True,
        key: str = CANARY,
        url: str | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Desk]:
        """One that serves, from its beginning to its end."""
        stores: list[SqliteStore] = []

        def ledger(amend: Amend) -> SqliteStore:
            stores.append(self._ledger(amend))
            return stores[0]

        timeout_s = timeout_s or self.timeout_s
        backend = self._backend(url or self.url, key, ledger, queues, timeout_s)
        await backend.open()
        try:
            defaults = Defaults(user_id="ada", domain="coding")
            service = Service(backend, limits=Limits(), defaults=defaults, witness=self.witness)
            yield Desk(backend, service, SqliteOutbox(stores[0]))
        finally:
            with anyio.CancelScope(shield=True):
                await backend.close()

    async def deliver(self, key: str = CANARY) -> None:
        """Another process brings all that waits to where it belongs, at once."""
        async with self.process(key=key) as desk:
            alive = (await desk.outbox.letters(dead=False)).letters
            await desk.outbox.retry([one.letter_id for one in alive])
            async with desk.serving():
                await desk.emptied()

    async def asked(self, method: str, path: str, times: int = 1) -> None:
        """When its server has been asked so often."""

        async def enough() -> bool:
            return bool(self.server.count(method, path) >= times)

        await until(enough)

    def raw(self) -> bytes:
        """Every byte of the ledger's files."""
        return b"".join(path.read_bytes() for path in self.directory.glob("ledger.db*"))

    def _backend(
        self,
        url: str,
        key: str,
        ledger: Callable[[Amend], SqliteStore],
        queues: bool,
        timeout_s: float,
    ) -> RemoteBackend:
        remote = remote_of(
            self.scheme,
            url,
            SecretStr(key),
            home_tenant="home",
            timeout_s=timeout_s,
            clock=self.clock,
        )
        return forwarding(
            remote,
            ledger,
            self._local,
            clock=self.clock,
            home=Scope(tenant="home", user_id="ada", domain="coding"),
            timeout_s=timeout_s,
            queues=queues,
        )

    def _ledger(self, amend: Amend) -> SqliteStore:
        return SqliteStore(
            self.ledger, clock=self.clock, busy_timeout_s=self.busy_timeout_s, amend=amend
        )

    def _local(self, store: Store) -> EmbeddedBackend:
        return EmbeddedBackend(
            store,
            schemas=SchemaBook([]) if self.scheme == "jean" else SchemaBook(),
            extractor=RulesExtractor(),
            embedder=HashingEmbedder(),
            ids=RandomIds(),
            clock=self.clock,
            witness=self.witness,
        )


class Knowing:
    """A witness who knows of each call a little later which model made it."""

    def saw(self, call: Call, context_ids: Iterable[str]) -> None: ...

    def told(self, call: Call, event: Mapping[str, object]) -> None: ...

    def account(self, call: Call) -> Evidence:
        seen = {"tool_use_id": "t1", "session_id": "s1", "awaits": True}
        return call.evidence.model_copy(update=seen)

    async def later(self, seen: Evidence) -> Evidence:
        return seen.model_copy(update={"model_version": "opus", "awaits": False})


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Waits for what other tasks, processes and servers do. Raises TimeoutError after a while."""
    with anyio.fail_after(PATIENCE_S):
        while not await met():  # noqa: ASYNC110 - they set no event of ours
            await anyio.sleep(0.01)


def told(
    answer: AppendAnswer | ContextAnswer | ForgetAnswer | SearchAnswer | UserAnswer,
) -> Forwarded:
    """How an answer came about."""
    assert answer.forwarded is not None
    return answer.forwarded


def call(tool: str, tenant: str) -> Call:
    return Call(tenant=tenant, evidence=Evidence(tool=tool, client_name="tests"))


@asynccontextmanager
async def _served(
    scheme: str, server: Contract, directory: Path, clock: Clock
) -> AsyncIterator[Place]:
    async with serving(server) as address:
        yield Place(scheme, server, address + BASES.get(scheme, ""), directory, clock)


@asynccontextmanager
async def nia(directory: Path, clock: Clock | None = None) -> AsyncIterator[Place]:
    clock = clock or ManualClock(START)
    async with _served("nia", NiaContract(CANARY, clock), directory, clock) as place:
        yield place


@asynccontextmanager
async def jean(directory: Path, clock: Clock | None = None) -> AsyncIterator[Place]:
    clock = clock or ManualClock(START)
    async with _served("jean", JeanContract(CANARY), directory, clock) as place:
        yield place


@asynccontextmanager
async def mem0(directory: Path, clock: Clock | None = None) -> AsyncIterator[Place]:
    clock = clock or ManualClock(START)
    async with _served("mem0", Mem0Contract(CANARY), directory, clock) as place:
        yield place
