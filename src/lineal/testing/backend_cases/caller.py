"""Asking a backend as the service asks it."""

from __future__ import annotations

from typing import Any

import pytest

from lineal.errors import Capability
from lineal.models.changes import Life, Scope, Stamp, StoreStats
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
from lineal.models.lineage import Evidence, Trace, TraceLineage
from lineal.models.matching import MatchAnswer, MatchUsers
from lineal.models.search import ALL_PROJECTS, SearchAnswer, SearchContext
from lineal.models.user import GetUser, UpsertUser, UserAnswer
from lineal.policy.expiry import life_of
from lineal.ports.backend import Backend

__all__ = ["CONTENT", "Caller", "needs"]

CONTENT = "The build broke because the lock file was older than the manifest it locks."


def needs(backend: Backend, *capabilities: Capability) -> None:
    """Skip the running test where the backend says that it can't."""
    for capability in capabilities:
        if backend.capabilities.get(capability, "refused") == "refused":
            pytest.skip(f"{backend.name} refuses {capability}")


class Caller:
    """One user behind one wall. Requests are given as keywords, answers come back as models.

    projects: where the client works, by its name and then its aliases; (): in no project. None: so
    too, and looking everywhere.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        tenant: str = "acme",
        user_id: str = "ada",
        domain: str = "notes",
        projects: tuple[str, ...] | None = None,
        **evidence: Any,
    ) -> None:
        self._backend = backend
        self._projects = projects
        self._scope = Scope(tenant=tenant, user_id=user_id, domain=domain)
        self._evidence = evidence

    async def upsert(self, **values: Any) -> UserAnswer:
        request = UpsertUser(**(values or {"fields": {"known": True}}))
        stamp = self._stamp("upsert_user", self._scope)
        return await self._backend.upsert_user(stamp, request, _life(request, kept=False))

    async def append(self, content: str = CONTENT, **values: Any) -> AppendAnswer:
        request = AppendContext(content=content, **values)
        stamp = self._stamp("append_context", self._scope, request.project)
        return await self._backend.append_context(stamp, request, _life(request, kept=False))

    async def append_provisioned(self, content: str = CONTENT) -> AppendAnswer:
        """An append by the configured default user, who may not be there yet."""
        stamp = self._stamp("append_context", self._scope).model_copy(update={"provision": True})
        return await self._backend.append_context(stamp, AppendContext(content=content), Life())

    async def update(self, context_id: str, **values: Any) -> ContextAnswer:
        request = UpdateContext(context_id=context_id, **values)
        stamp = self._stamp("update_context", self._tenant)
        return await self._backend.update_context(stamp, request, _life(request, kept=True))

    async def search(self, query: str = "", **values: Any) -> SearchAnswer:
        request = SearchContext(query=query, **values)
        stamp = self._stamp("search_context", self._scope, request.project)
        return await self._backend.search_context(stamp, request)

    async def found(self, query: str = "", **values: Any) -> list[str]:
        """The ids of a search's hits, in order."""
        return [hit.context_id for hit in (await self.search(query, **values)).hits]

    async def get(self, context_id: str, **values: Any) -> ContextAnswer:
        request = GetContext(context_id=context_id, **values)
        return await self._backend.get_context(self._stamp("get_context", self._tenant), request)

    async def user(self, **values: Any) -> UserAnswer:
        stamp = self._stamp("get_user", self._scope)
        return await self._backend.get_user(stamp, GetUser(**values))

    async def forget(self, context_id: str, **values: Any) -> ForgetAnswer:
        request = ForgetContext(context_id=context_id, **values)
        stamp = self._stamp("forget_context", self._tenant)
        return await self._backend.forget_context(stamp, request)

    async def trace(self, context_id: str, **values: Any) -> Trace:
        request = TraceLineage(context_id=context_id, **values)
        return await self._backend.trace_lineage(
            self._stamp("trace_lineage", self._tenant), request
        )

    async def history(self, context_id: str) -> tuple[Context, ...]:
        return await self._backend.history(self._stamp("history", self._tenant), context_id)

    async def match(self, **values: Any) -> MatchAnswer:
        stamp = self._stamp("match_users", self._scope)
        return await self._backend.match_users(stamp, MatchUsers(**values))

    async def stats(self) -> StoreStats:
        return await self._backend.stats(self._stamp("stats", self._tenant))

    @property
    def _tenant(self) -> Scope:
        return Scope(tenant=self._scope.tenant)

    def _stamp(self, tool: str, scope: Scope, project: str | None = None) -> Stamp:
        evidence, projects = Evidence(tool=tool, **self._evidence), self._projects
        if project is not None:
            projects = (project,) if project else ()
        own = projects[0] if projects else None
        if project == ALL_PROJECTS:
            own, projects = None, None
        return Stamp(scope=scope, evidence=evidence, project=own, projects=projects)


def _life(request: AppendContext | UpsertUser | UpdateContext, *, kept: bool) -> Life:
    """What the service makes of memory_type and ttl_seconds."""
    sent = "ttl_seconds" in request.model_fields_set
    return life_of(request.memory_type, request.ttl_seconds, ttl_sent=sent, kept=kept)
