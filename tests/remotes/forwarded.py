"""Processes that forward to a contract's server over a socket, and what they are asked to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
from lineal.models.changes import Call, Scope, SweepReport
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    ContextAnswer,
    ForgetAnswer,
    ForgetContext,
    GetContext,
    UpdateContext,
)
from lineal.models.forwarding import Letter, OutboxState
from lineal.models.lineage import Evidence
from lineal.models.search import SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.limits import Limits
from lineal.ports.store import Store
from lineal.remotes.backend import RemoteBackend
from lineal.remotes.known import remote_of
from lineal.schemas.book import SchemaBook
from lineal.service import Defaults, Service
from lineal.stores.sqlite import SqliteStore
from lineal.testing.contracts.jean import JeanContract
from lineal.testing.contracts.mem0 import Mem0Contract
from lineal.testing.contracts.nia import NiaContract
from lineal.testing.contracts.server import Contract, serving
from lineal.testing.samples import START

from .deliveries import CANARY, LONG

__all__ = ["Desk", "Place", "jean", "mem0", "nia", "note"]

BASES = {"jean": "/v1", "nia": "/v2"}
DELIVERY_S = 10.0
"""Until what waits must have arrived, or a test fails."""


def note(number: object) -> str:
    """Long enough for every contract, and each unlike the others."""
    return f"{number} is what this note is about. {LONG}"


@dataclass
class Desk:
    """One process, and a person at it: ada, in coding, of the home tenant, where nothing else is
    said."""

    backend: RemoteBackend
    service: Service

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

    async def letters(self) -> tuple[Letter, ...]:
        return (await self.backend.outbox.letters()).letters

    async def state(self) -> OutboxState:
        return await self.backend.outbox.state()


@dataclass
class Place:
    """A contract's server, and the ledger of whoever forwards to it."""

    scheme: str
    server: Any
    url: str
    directory: Path
    clock: Clock
    timeout_s: float = 5.0

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
        backend = self._backend(url or self.url, key, queues, timeout_s or self.timeout_s)
        await backend.open()
        try:
            defaults = Defaults(user_id="ada", domain="coding")
            yield Desk(backend, Service(backend, limits=Limits(), defaults=defaults))
        finally:
            with anyio.CancelScope(shield=True):
                await backend.close()

    async def deliver(self, key: str = CANARY) -> None:
        """Another process brings all that waits to where it belongs, at once."""
        async with self.process(key=key) as desk, anyio.create_task_group() as tasks:
            await desk.backend.outbox.retry([one.letter_id for one in await alive(desk)])
            tasks.start_soon(desk.backend.background)
            with anyio.fail_after(DELIVERY_S):
                while (await desk.state()).waiting:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

    def raw(self) -> bytes:
        """Every byte of the ledger's files."""
        return b"".join(path.read_bytes() for path in self.directory.glob("ledger.db*"))

    def _backend(self, url: str, key: str, queues: bool, timeout_s: float) -> RemoteBackend:
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
            lambda amend: SqliteStore(self.ledger, clock=self.clock, amend=amend),
            self._local,
            clock=self.clock,
            home=Scope(tenant="home", user_id="ada", domain="coding"),
            timeout_s=timeout_s,
            queues=queues,
        )

    def _local(self, store: Store) -> EmbeddedBackend:
        return EmbeddedBackend(
            store,
            schemas=SchemaBook([]) if self.scheme == "jean" else SchemaBook(),
            extractor=RulesExtractor(),
            embedder=HashingEmbedder(),
            ids=RandomIds(),
            clock=self.clock,
        )


async def alive(desk: Desk) -> tuple[Letter, ...]:
    return (await desk.backend.outbox.letters(dead=False)).letters


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
