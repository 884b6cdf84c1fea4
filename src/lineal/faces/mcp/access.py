"""How the face reaches the service, which may not be there yet, or not at all."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from lineal.errors import ErrorCode, LinealError
from lineal.models.project import Project
from lineal.service import Service

__all__ = ["EVERYTHING", "Access", "AccessOf", "OneClient", "guarded"]

T = TypeVar("T")

_log = logging.getLogger("lineal.mcp")


async def guarded(what: str, work: Awaitable[T]) -> T:
    """The result of the work. Raises its LinealError or the protocol's own error as they are, and
    `internal` for a defect: its traceback goes to the log, its words to nobody (E3)."""
    try:
        return await work
    except (LinealError, MCPError):
        raise
    except Exception as defect:
        _log.exception("%s failed", what)
        raise LinealError(
            ErrorCode.INTERNAL,
            f"{what} failed inside lineal; nothing is known to be stored. "
            "The server's stderr has the details.",
        ) from defect


class Access(Protocol):
    """One client connection's way in; over HTTP, one request's."""

    @property
    def name(self) -> str:
        """Who calls, for the log; never a secret."""
        ...

    @property
    def scopes(self) -> frozenset[str]:
        """What the caller may do: read, write, erase."""
        ...

    @property
    def hears_hooks(self) -> bool:
        """Whether the client's hooks are this machine's user's, and may be believed."""
        ...

    @property
    def tenant(self) -> str:
        """Whose wall the connection is behind."""
        ...

    @property
    def session(self) -> str:
        """Our own name of this connection."""
        ...

    @property
    def client_session_id(self) -> str | None:
        """The client's own session id, where its environment tells it."""
        ...

    @property
    def entrypoint(self) -> str | None:
        """How the client was started, where its environment tells it."""
        ...

    @property
    def project(self) -> Project | None:
        """Where the client works."""
        ...

    @property
    def result_chars(self) -> int:
        """Most characters of a result unless the call asks."""
        ...

    async def service(self) -> Service:
        """The service. Raises LinealError unavailable, saying why and what to do."""
        ...


AccessOf = Callable[[ServerRequestContext[Any, Any]], Access]
"""Whose call a request is."""

EVERYTHING = frozenset(("read", "write", "erase"))


class OneClient:
    """A process that serves one client: the service is opened once, early, and again by the next
    call after it could not be."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Service]],
        *,
        tenant: str = "local",
        client_session_id: str | None = None,
        entrypoint: str | None = None,
        project: Project | None = None,
        result_chars: int = 8_000,
    ) -> None:
        self._connect = connect
        self._service: Service | None = None
        self._opening = anyio.Lock()
        self._said: str | None = None
        self.name = "local"
        self.scopes: frozenset[str] = EVERYTHING
        self.hears_hooks = True
        self.tenant = tenant
        self.session = secrets.token_hex(8)
        self.client_session_id = client_session_id
        self.entrypoint = entrypoint
        self.project = project
        self.result_chars = result_chars

    async def service(self) -> Service:
        """The opened service; an error is also said once on stderr."""
        if self._service is not None:
            return self._service
        async with self._opening:
            if self._service is None:
                try:
                    self._service = await guarded("opening the memory", self._connect())
                except LinealError as error:
                    self._say(error)
                    raise
            return self._service

    async def warm_up(self) -> None:
        """Open the service before the first call; a failure waits for that call."""
        try:
            await self.service()
        except LinealError:
            return

    async def leave(self) -> None:
        """The client has left: what was written last may still be completed."""
        if self._service is not None:
            await self._service.last_look()

    def _say(self, error: LinealError) -> None:
        if error.message != self._said:
            self._said = error.message
            print(f"lineal: {error.message}", file=sys.stderr, flush=True)  # noqa: T201
