"""Nia: contexts with a title, a summary and a content, which can be searched, changed and ended."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lineal.errors import Capability, ErrorCode, Unsupported
from lineal.models.changes import Scope
from lineal.models.context import Context
from lineal.models.forwarding import Letter, LetterVerb
from lineal.models.letters import (
    AppendLetter,
    DeleteLetter,
    RemoteRecord,
    RemoteUser,
    Sent,
    UpdateLetter,
)
from lineal.models.lineage import Lineage
from lineal.models.matching import MatchAnswer, MatchUsers
from lineal.models.schema import Schema
from lineal.models.search import SearchContext
from lineal.outbound.faults import Away, Refused
from lineal.policy.expiry import DEFAULT_LIFE_S
from lineal.ports.backend import Support
from lineal.remotes.errors import fields_of
from lineal.remotes.line import Line, Params
from lineal.remotes.names import segment
from lineal.remotes.nia_answers import Page, Record
from lineal.remotes.padding import content_of, summary_of, title_of
from lineal.remotes.reading import marked

__all__ = ["Nia"]

NAME = "nia"

CAPABILITIES: Mapping[Capability, Support] = {
    **dict.fromkeys(Capability, "emulated"),
    Capability.SEARCH: "native",
    Capability.GET: "native",
    Capability.UPDATE: "native",
    Capability.FORGET: "native",
    Capability.TTL: "native",
}

AGENT = "lineal"
"""Who stored it, where the client didn't say who it is."""

PAGE = 100
"""Contexts of one list, the most there are."""

PAGES_MAX = 100
"""Lists that are looked through, as far as there is time, for a context that may have arrived."""

PAGES_SURE = 5
"""A service that hasn't given so many in time is slow, not full."""

SKEW = timedelta(hours=1)
"""How far its clock may be behind ours."""

CHANGEABLE = (
    "title",
    "summary",
    "content",
    "tags",
    "metadata",
    "nia_references",
    "edited_files",
    "memory_type",
    "lineage",
    "ttl_seconds",
)

MADE = ("title", "summary")
"""What is made of the text where a memory has none."""

FILLED = ("operation", "changes_description")
"""What one of the two public shapes asks of an edited file, and the other doesn't know."""


class Nia:
    """A Remote. It knows neither users nor domains: whose a context is stands in its metadata."""

    name = NAME
    capabilities = CAPABILITIES
    verbs: frozenset[LetterVerb] = frozenset({"append", "update", "delete"})
    repeats: frozenset[LetterVerb] = frozenset({"update", "delete"})

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def place(self) -> str:
        return self._line.place

    async def close(self) -> None:
        await self._line.close()

    def sends(self, letter: Letter) -> bool:
        return letter.verb in self.verbs

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
                    raise Unsupported(Capability.USERS, NAME)

    async def _append(self, letter: Letter) -> Sent:
        context = AppendLetter.model_validate_json(letter.body).context
        sent = _whole(letter.tenant, context)
        record = await self._put("append", "POST", "/contexts", sent, context)
        return Sent(remote_id=record.id, note=_note(sent, context))

    async def _update(self, letter: Letter, remote_id: str | None) -> Sent:
        body = UpdateLetter.model_validate_json(letter.body)
        if remote_id is None:
            message = f"Context '{letter.context_id}' was never stored at {self.place}."
            raise Refused(ErrorCode.NOT_FOUND, message, answered=404)
        sent = _changed(letter.tenant, body)
        path = f"/contexts/{segment(remote_id)}"
        await self._put("update", "PUT", path, sent, body.context)
        return Sent(remote_id=remote_id, note=_note(sent, body.context))

    async def _put(
        self, what: str, method: str, path: str, sent: dict[str, Any], context: Context
    ) -> Record:
        """Edited files go as they came. Of the two public shapes the later asks for more of each;
        which one is spoken there is known only by its refusal."""
        reply = await self._line.reply(method, path, json=sent)
        if reply.status == 422 and any(name.endswith(FILLED) for name in fields_of(reply)):
            reply = await self._line.reply(method, path, json=_filled(sent, context))
        return self._line.read(Record, reply, what)

    async def _delete(self, letter: Letter) -> Sent:
        """What isn't there any more is deleted."""
        remote_id = DeleteLetter.model_validate_json(letter.body).remote_id
        reply = await self._line.reply("DELETE", f"/contexts/{segment(remote_id)}")
        if reply.status != 404:
            self._line.check(reply, "delete")
        return Sent()

    async def sent_before(self, letter: Letter) -> Sent | None:
        """Looks through the newest; those of before the letter was written can't be of it."""
        if letter.verb != "append":
            raise Unsupported(Capability.GET, NAME)
        since, filters = letter.posted_at - SKEW, _stored_by(letter)
        offset = 0
        try:
            with self._line.in_time("look"):
                for offset in range(0, PAGES_MAX * PAGE, PAGE):
                    page = await self._list(PAGE, offset, filters)
                    found = next((one for one in page.found if one.is_of(letter)), None)
                    if found is not None:
                        return Sent(remote_id=found.id)
                    if len(page.listed) < PAGE or _all_before(page, since):
                        return None
        except Away:
            if offset < PAGES_SURE * PAGE:
                raise
        raise Unsupported(Capability.GET, NAME)  # too much has been stored there since

    async def get(self, remote_id: str) -> RemoteRecord:
        path = f"/contexts/{segment(remote_id)}"
        return (await self._line.ask(Record, "get", "GET", path)).told()

    async def search(
        self, scope: Scope, request: SearchContext, limit: int
    ) -> tuple[RemoteRecord, ...]:
        """By meaning and words; by words alone where the first isn't there now."""
        if not request.question:
            return (await self._list(limit, 0, _filters(request))).told()
        asked: dict[str, str | int | bool] = {"q": request.question, "limit": limit}
        try:
            return await self._found("semantic-search", {**asked, "include_highlights": False})
        except (Away, Refused) as error:
            if error.answered not in (404, 503):
                raise
        return await self._found("search", {**asked, **_tags(request)})

    async def _found(self, way: str, params: Params) -> tuple[RemoteRecord, ...]:
        path = f"/contexts/{way}"
        return (await self._line.ask(Page, "search", "GET", path, params=params)).told()

    async def _list(self, limit: int, offset: int, filters: Mapping[str, str]) -> Page:
        """Newest first."""
        params: Params = {"limit": limit, "offset": offset, **filters}
        return await self._line.ask(Page, "list", "GET", "/contexts", params=params)

    async def user(self, scope: Scope) -> RemoteUser:
        raise Unsupported(Capability.USERS, NAME)

    async def schema(self, domain: str) -> Schema:
        raise Unsupported(Capability.SCHEMAS, NAME)

    async def match(self, scope: Scope, request: MatchUsers) -> MatchAnswer:
        raise Unsupported(Capability.MATCHING, NAME)


def _stored_by(letter: Letter) -> dict[str, str]:
    """A filter, where it is still known who wrote it: what was forgotten meanwhile is looked for
    among everybody's."""
    if not letter.body:
        return {}
    context = AppendLetter.model_validate_json(letter.body).context
    return {"agent_source": context.agent_source or AGENT}


def _whole(tenant: str, context: Context) -> dict[str, Any]:
    """A new context, every field of it that says something."""
    sent = {
        **{name: _sent(name, tenant, context) for name in CHANGEABLE if name != "ttl_seconds"},
        "agent_source": context.agent_source or AGENT,
        "workspace_override": context.project,
    }
    life = _life_s(context)
    if life != DEFAULT_LIFE_S[context.memory_type] and life is not None:
        sent["ttl_seconds"] = life
    return {name: value for name, value in sent.items() if value is not None}


def _changed(tenant: str, body: UpdateLetter) -> dict[str, Any]:
    """What was sent of it (N1), as it is now. A ttl of null asks for the type's default (N13)."""
    request = body.request
    named = [
        name
        for name in CHANGEABLE
        if name in request.model_fields_set and getattr(request, name) is not None
    ]
    if "content" in named:  # what was made of the old text would still be found by it
        named += [name for name in MADE if getattr(body.context, name) is None]
    sent = {name: _sent(name, tenant, body.context) for name in named if name != "ttl_seconds"}
    sent = {name: {} if value is None else value for name, value in sent.items()}
    if "ttl_seconds" in request.model_fields_set:
        sent["ttl_seconds"] = request.ttl_seconds
    return sent


def _sent(name: str, tenant: str, context: Context) -> Any:
    """One field as the contract has it; None where it would say nothing."""
    match name:
        case "title":
            return title_of(context)
        case "summary":
            return summary_of(context)
        case "content":
            return content_of(context)
        case "tags" | "edited_files":
            return list(getattr(context, name))
        case "metadata":
            return {**context.metadata, **marked(tenant, context)}
        case "memory_type":
            return context.memory_type.value
        case "lineage":
            return _lineage(context.lineage)
        case _:
            return context.nia_references


def _lineage(lineage: Lineage) -> dict[str, Any] | None:
    """The joined values; what nobody knows is left out."""
    known = {
        "source_ids": list(lineage.source_ids),
        "confidence": lineage.confidence,
        "derived_from": list(lineage.derived_from),
        "tool_calls": list(lineage.tool_calls),
        "model_version": lineage.model_version,
    }
    return {name: value for name, value in known.items() if value not in (None, [])} or None


def _life_s(context: Context) -> int | None:
    """Seconds it was to live when this was written, rounded up; None: for good."""
    if context.expires_at is None:
        return None
    left = (context.expires_at - context.updated_at).total_seconds()
    return max(0, math.ceil(left))


def _filled(sent: dict[str, Any], context: Context) -> dict[str, Any]:
    """The same, each edited file with the fields that the later shape asks for."""
    more = {"operation": "modified", "changes_description": context.summary or ""}
    files = [{**more, **{k: v for k, v in file.items() if v is not None}} for file in _files(sent)]
    return {**sent, "edited_files": files}


def _files(sent: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return iter(sent.get("edited_files", ()))


def _note(sent: Mapping[str, Any], context: Context) -> str | None:
    """What had to be made different for it."""
    made = [
        name
        for name in ("title", "summary", "content")
        if name in sent and sent[name] != getattr(context, name)
    ]
    if not made:
        return None
    return f"To meet what Nia asks for, lineal made or lengthened: {', '.join(made)}."


def _filters(request: SearchContext) -> dict[str, str]:
    """Those that a list knows. Agents aren't among them: Nia compares whole names, and ours may
    come without their version."""
    only = request.memory_types[0].value if len(request.memory_types) == 1 else None
    return {**_tags(request), **({"memory_type": only} if only else {})}


def _tags(request: SearchContext) -> dict[str, str]:
    """A tag with a comma can't be asked for."""
    tags = [tag for tag in request.tags if "," not in tag]
    return {"tags": ",".join(tags)} if tags else {}


def _all_before(page: Page, since: datetime) -> bool:
    """Whether the oldest of a page, the newest first, is from before that."""
    times = [one.created_at for one in page.found if one.created_at]
    return bool(times) and min(times) < since
