"""The remote port: one service's contract, spoken over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lineal.errors import Capability
from lineal.models.changes import Scope
from lineal.models.forwarding import Letter, LetterVerb
from lineal.models.letters import RemoteRecord, RemoteUser, Sent
from lineal.models.matching import MatchAnswer, MatchUsers
from lineal.models.schema import Schema
from lineal.models.search import SearchContext
from lineal.ports.backend import Support

__all__ = ["Remote"]


class Remote(Protocol):
    """Turns our models into one contract's requests and its answers into our models.

    All verbs raise `outbound.faults`: Refused for what the remote won't take as it is, Away for
    what may be taken later (and whether it may have arrived). It keeps nothing, retries nothing and
    waits for nothing but its one request at a time; when to try again is the courier's.
    """

    @property
    def name(self) -> str:
        """jean, nia, mem0 or mem0-server."""
        ...

    @property
    def place(self) -> str:
        """Scheme and host, for messages."""
        ...

    @property
    def capabilities(self) -> Mapping[Capability, Support]:
        """What the contract does by itself is native; what a ledger beside it can do for it is
        emulated; the rest is refused."""
        ...

    @property
    def verbs(self) -> frozenset[LetterVerb]:
        """What it can be sent. An update it can't be sent stays in the ledger."""
        ...

    @property
    def repeats(self) -> frozenset[LetterVerb]:
        """Verbs that do no harm when they arrive twice, by the contract."""
        ...

    async def close(self) -> None: ...

    def sends(self, letter: Letter) -> bool:
        """Whether anything of this letter goes to the remote at all; what doesn't stays in the
        ledger."""
        ...

    async def send(self, letter: Letter, remote_id: str | None) -> Sent:
        """Deliver a letter. remote_id: what its context is called there, if it has been created."""
        ...

    async def sent_before(self, letter: Letter) -> Sent | None:
        """What became of a letter that may have arrived: found at the remote, or None where it
        isn't there. Raises Unsupported(GET) where the contract gives no way to look."""
        ...

    async def get(self, remote_id: str) -> RemoteRecord:
        """Raises Refused, answered 404 for what isn't there."""
        ...

    async def search(
        self, scope: Scope, request: SearchContext, limit: int
    ) -> tuple[RemoteRecord, ...]:
        """The best for `request.question`, best first, at most `limit` (1-100). As many of the
        filters are handed on as the contract knows; whoever asks filters again."""
        ...

    async def user(self, scope: Scope) -> RemoteUser:
        """The scope's user in its domain. Raises Refused, answered 404."""
        ...

    async def schema(self, domain: str) -> Schema: ...

    async def match(self, scope: Scope, request: MatchUsers) -> MatchAnswer: ...
