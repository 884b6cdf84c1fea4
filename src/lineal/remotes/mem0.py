"""Mem0: memories of a user, stored as they are. On its platform, or in another dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anyio

from lineal.errors import Capability, ErrorCode, Unsupported
from lineal.models.changes import Scope
from lineal.models.forwarding import Letter, LetterVerb
from lineal.models.letters import (
    AppendLetter,
    DeleteLetter,
    RemoteRecord,
    RemoteUser,
    Sent,
    UpdateLetter,
)
from lineal.models.matching import MatchAnswer, MatchUsers
from lineal.models.schema import Schema
from lineal.models.search import SearchContext
from lineal.outbound.caller import Reply
from lineal.outbound.faults import Away, Refused
from lineal.remotes.line import Line, Params
from lineal.remotes.mem0_answers import CAPABILITIES, Listed, Memory, added, changed
from lineal.remotes.names import Person, name_of, segment
from lineal.remotes.reading import Lenient, Maybe

__all__ = ["PLATFORM", "Ask", "Dialect", "Mem0"]

PAGE = 200
"""Memories of one list, the most there are."""

PAGES_MAX = 5
"""Lists that are looked through for a memory that may have arrived."""

WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Before each look at a memory that is still being stored."""

ADDITIONS = frozenset({"ADD", "", None})
"""Events of an answer that name a memory that is there now."""

TIMES = "Mem0 ends a memory by the day: it is kept there until the day after."


class _Result(Lenient):
    id: Maybe[str] = None
    event: Maybe[str] = None


class _Added(Lenient):
    """Of an add, or of the event that it left: results, or what to ask for."""

    results: Maybe[tuple[Maybe[_Result], ...]] = None
    event_id: Maybe[str] = None
    status: Maybe[str] = None

    @property
    def remote_id(self) -> str | None:
        made = (one for one in self.results or () if one and one.event in ADDITIONS)
        return next((one.id for one in made if one.id), None)


class Ask(NamedTuple):
    """A request that changes nothing."""

    method: str
    path: str
    json: dict[str, Any] | None = None
    params: Params | None = None


class Dialect(NamedTuple):
    """Where each thing is. memory, event: with {} for the id. listed: of a user's name (None:
    everybody's), page from 1, and its size; searched: of a name, the question, and a limit."""

    name: str
    add: str
    memory: str
    event: str
    listed: Callable[[str | None, int, int], Ask]
    searched: Callable[[str | None, str, int], Ask]


def _filters(user: str | None) -> dict[str, Any]:
    """A filter by entity is required; "*" is everybody."""
    return {"AND": [{"user_id": user or "*"}]}


def _listed(user: str | None, page: int, size: int) -> Ask:
    sent, params = {"filters": _filters(user)}, {"page": page, "page_size": size}
    return Ask("POST", "/v3/memories/", sent, params)


def _searched(user: str | None, question: str, limit: int) -> Ask:
    sent = {"query": question, "filters": _filters(user), "top_k": limit}
    return Ask("POST", "/v3/memories/search/", sent)


PLATFORM = Dialect(
    name="mem0",
    add="/v3/memories/add/",
    memory="/v1/memories/{}/",
    event="/v1/event/{}/",
    listed=_listed,
    searched=_searched,
)
"""The slash at the end is part of each path."""


class Mem0:
    """A Remote. Users are names that its memories carry."""

    capabilities = CAPABILITIES
    verbs: frozenset[LetterVerb] = frozenset({"append", "update", "delete"})
    repeats: frozenset[LetterVerb] = frozenset({"update", "delete"})

    def __init__(
        self,
        line: Line,
        *,
        home_tenant: str,
        dialect: Dialect = PLATFORM,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        """waits_s: before each look at what is still being stored."""
        self._line = line
        self._home = home_tenant
        self._dialect = dialect
        self._waits_s = waits_s

    @property
    def name(self) -> str:
        return self._dialect.name

    @property
    def place(self) -> str:
        return self._line.place

    async def close(self) -> None:
        await self._line.close()

    def sends(self, letter: Letter) -> bool:
        """Of updates those that change something that Mem0 knows."""
        if letter.verb != "update":
            return letter.verb in self.verbs
        return bool(changed(letter.tenant, UpdateLetter.model_validate_json(letter.body)))

    async def send(self, letter: Letter, remote_id: str | None) -> Sent:
        with self._line.in_time(letter.verb):
            match letter.verb:
                case "append":
                    return await self._append(letter)
                case "update":
                    return await self._update(letter, remote_id)
                case "delete":
                    return await self._delete(letter)
                case _:
                    raise Unsupported(Capability.USERS, self.name)

    async def _append(self, letter: Letter) -> Sent:
        context = AppendLetter.model_validate_json(letter.body).context
        sent = added(letter.tenant, context, self._home)
        reply = await self._line.reply("POST", self._dialect.add, json=sent)
        remote_id = await self._stored(reply)
        return Sent(remote_id=remote_id, note=TIMES if context.expires_at else None)

    async def _stored(self, reply: Reply) -> str:
        """The new memory's id, which may have to be waited for. Raises Away where it doesn't come
        in time."""
        answer = self._line.read(_Added, reply, "append")
        for wait_s in self._waits_s:
            if answer.remote_id or not answer.event_id:
                break
            await anyio.sleep(wait_s)
            answer = await self._event(answer.event_id)
        if answer.remote_id is None:
            raise self._line.unreadable(reply, "append")
        return answer.remote_id

    async def _event(self, event_id: str) -> _Added:
        path = self._dialect.event.format(segment(event_id))
        answer = await self._line.ask(_Added, "append", "GET", path)
        if answer.status == "FAILED":
            message = f"{self.place} took the memory and then failed to store it."
            raise Away(message, arrived=False, answered=200)
        return answer.model_copy(update={"event_id": event_id})

    async def _update(self, letter: Letter, remote_id: str | None) -> Sent:
        body = UpdateLetter.model_validate_json(letter.body)
        if remote_id is None:
            message = f"Context '{letter.context_id}' was never stored at {self.place}."
            raise Refused(ErrorCode.NOT_FOUND, message, answered=404)
        sent = changed(letter.tenant, body)
        reply = await self._line.reply("PUT", self._at(remote_id), json=sent)
        self._line.check(reply, "update")
        return Sent(remote_id=remote_id, note=TIMES if sent.get("expiration_date") else None)

    async def _delete(self, letter: Letter) -> Sent:
        """What isn't there any more is deleted."""
        remote_id = DeleteLetter.model_validate_json(letter.body).remote_id
        reply = await self._line.reply("DELETE", self._at(remote_id))
        if reply.status != 404:
            self._line.check(reply, "delete")
        return Sent()

    async def sent_before(self, letter: Letter) -> Sent | None:
        """Looks through the user's memories, as far as PAGES_MAX lists reach."""
        if letter.verb != "append":
            raise Unsupported(Capability.GET, self.name)
        scope = Scope(tenant=letter.tenant, user_id=letter.user_id)
        with self._line.in_time("look"):
            for page in range(1, PAGES_MAX + 1):
                listed = await self._list(scope, page, PAGE)
                for one in listed.found:
                    if one.is_of(letter.tenant, letter.context_id):
                        return Sent(remote_id=one.id)
                if listed.next is None:
                    return None
        raise Unsupported(Capability.GET, self.name)  # it may lie on a later page

    async def get(self, remote_id: str) -> RemoteRecord:
        reply = await self._line.reply("GET", self._at(remote_id))
        memory = self._line.read(Memory, _as_missing(reply), "get")
        return memory.told(self._home)

    async def search(
        self, scope: Scope, request: SearchContext, limit: int
    ) -> tuple[RemoteRecord, ...]:
        """By meaning; without a question the first of its list."""
        if not request.question:
            return (await self._list(scope, 1, limit)).told(self._home)[:limit]
        ask = self._dialect.searched(self._user(scope), request.question, limit)
        return (await self._asked("search", ask)).told(self._home)[:limit]

    async def _list(self, scope: Scope, page: int, size: int) -> Listed:
        return await self._asked("list", self._dialect.listed(self._user(scope), page, size))

    async def _asked(self, what: str, ask: Ask) -> Listed:
        method, path, sent, params = ask
        return await self._line.ask(Listed, what, method, path, json=sent, params=params, safe=True)

    def _user(self, scope: Scope) -> str | None:
        if scope.user_id is None:
            return None
        return name_of(Person(scope.tenant, scope.user_id), self._home)

    def _at(self, remote_id: str) -> str:
        return self._dialect.memory.format(segment(remote_id))

    async def user(self, scope: Scope) -> RemoteUser:
        raise Unsupported(Capability.USERS, self.name)

    async def schema(self, domain: str) -> Schema:
        raise Unsupported(Capability.SCHEMAS, self.name)

    async def match(self, scope: Scope, request: MatchUsers) -> MatchAnswer:
        raise Unsupported(Capability.MATCHING, self.name)


def _as_missing(reply: Reply) -> Reply:
    """An id that can't be one is of nothing; so is an answer of null."""
    uuid = reply.status == 400 and b"uuid" in reply.body.lower()
    if uuid or (reply.status == 200 and reply.body.strip() == b"null"):
        return reply._replace(status=404, body=b"")
    return reply
