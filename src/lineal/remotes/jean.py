"""Jean Technologies: users with a typed row, and context that is read into it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from lineal.errors import Capability, LinealError, Unsupported
from lineal.models.base import rfc3339
from lineal.models.changes import Scope
from lineal.models.context import SOURCES, Context
from lineal.models.forwarding import Letter, LetterVerb
from lineal.models.letters import (
    AppendLetter,
    OutcomeLetter,
    RemoteRecord,
    RemoteUser,
    Sent,
    UpdateLetter,
    UpsertLetter,
)
from lineal.models.matching import MatchAnswer, MatchCandidate, MatchUsers
from lineal.models.schema import FieldKind, FieldSpec, FieldType, Schema
from lineal.models.search import SearchContext
from lineal.models.user import HeadInfo
from lineal.ports.backend import Support
from lineal.remotes.line import Line
from lineal.remotes.names import Person, name_of, person_of, segment
from lineal.remotes.reading import Finite, Lenient, Maybe, Time

__all__ = ["Jean"]

NAME = "jean"

CAPABILITIES: Mapping[Capability, Support] = {
    **dict.fromkeys(Capability, "emulated"),
    **dict.fromkeys((Capability.USERS, Capability.SCHEMAS, Capability.MATCHING), "native"),
    **dict.fromkeys((Capability.PROVENANCE, Capability.REPLACE_ALL), "refused"),
}

ADDED = "Jean can't change a context: the new text was added to the old."
"""The note of an update."""

PRIORITIES = {"high": 2, "medium": 1}
KINDS: Mapping[str, FieldKind] = {kind: kind for kind in get_args(FieldKind)}
TYPES: Mapping[str, FieldType] = {
    **{name: name for name in get_args(FieldType)},
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "array": "list",
}
"""Theirs to ours; the contract lists none."""


class _Appended(Lenient):
    context_id: Annotated[str, Field(min_length=1)]
    fields_updated: Maybe[tuple[str, ...]] = None
    embeddings_refreshed: Maybe[bool] = None


class _Embedding(Lenient):
    dim: int
    version: str


class _User(Lenient):
    user_id: str
    schema_version: Maybe[str] = None
    fields: Maybe[dict[str, Any]] = None
    derived: Maybe[dict[str, Any]] = None
    extras: Maybe[dict[str, Any]] = None
    embeddings: Maybe[dict[str, Maybe[_Embedding]]] = None
    last_enriched_at: Maybe[Time] = None

    def told(self) -> RemoteUser:
        heads = {name: head for name, head in (self.embeddings or {}).items() if head}
        return RemoteUser(
            schema_version=self.schema_version,
            fields=self.fields or {},
            derived=self.derived or {},
            extras=self.extras,
            embeddings={
                name: HeadInfo(dim=head.dim, version=head.version) for name, head in heads.items()
            },
            last_enriched_at=self.last_enriched_at,
        )


class _Field(Lenient):
    name: str
    kind: Maybe[str] = None
    type: Maybe[str] = None
    required: Maybe[bool] = None
    priority: Maybe[str] = None
    description: Maybe[str] = None

    def spec(self) -> FieldSpec:
        """What isn't told stays as it is by default; a kind that nobody knows is soft."""
        return FieldSpec(
            kind=KINDS.get(self.kind or "", "soft"),
            type=TYPES.get(self.type or "", "string"),
            description=self.description or "",
            required=bool(self.required),
            priority=PRIORITIES.get(self.priority or "", 0),
        )


class _Schema(Lenient):
    version: Maybe[str] = None
    fields: tuple[Maybe[_Field], ...]

    def schema_of(self, domain: str) -> Schema:
        number = re.search(r"(?:^|v)(\d{1,9})$", self.version or "")
        return Schema(
            domain=domain,
            version=int(number[1]) if number else 0,
            fields={field.name: field.spec() for field in self.fields if field},
        )


class _Match(Lenient):
    user_id: str
    score: Maybe[Finite] = None
    stage_scores: Maybe[dict[str, Maybe[Finite]]] = None
    reasons: Maybe[tuple[Maybe[str], ...]] = None

    def candidate(self, user_id: str) -> MatchCandidate:
        scores = self.stage_scores or {}
        return MatchCandidate(
            user_id=user_id,
            score=self.score or 0.0,
            stages={stage: score for stage, score in scores.items() if score is not None},
            reasons=tuple(reason for reason in self.reasons or () if reason),
        )


class _Matches(Lenient):
    matches: tuple[Maybe[_Match], ...]


class _Accepted(Lenient):
    """To feedback; what it counts is of no use here."""


class Jean:
    """A Remote. What became of a context there can't be asked: a context is only ever added."""

    name = NAME
    capabilities = CAPABILITIES
    verbs: frozenset[LetterVerb] = frozenset({"append", "upsert", "update", "outcome"})
    repeats: frozenset[LetterVerb] = frozenset({"append", "upsert", "update"})
    """A near-identical context is taken once, by its documentation; an upsert replaces the row."""

    def __init__(self, line: Line, *, home_tenant: str) -> None:
        self._line = line
        self._home = home_tenant

    @property
    def place(self) -> str:
        return self._line.place

    async def close(self) -> None:
        await self._line.close()

    def sends(self, letter: Letter) -> bool:
        """Of updates those that change the text; what else a context holds it can't be told."""
        if letter.verb != "update":
            return letter.verb in self.verbs
        return UpdateLetter.model_validate_json(letter.body).request.content is not None

    async def send(self, letter: Letter, remote_id: str | None) -> Sent:
        match letter.verb:
            case "append":
                return await self._append(letter, AppendLetter.model_validate_json(letter.body))
            case "update":
                return await self._add(letter, UpdateLetter.model_validate_json(letter.body))
            case "upsert":
                return await self._upsert(letter, UpsertLetter.model_validate_json(letter.body))
            case "outcome":
                return await self._outcome(letter, OutcomeLetter.model_validate_json(letter.body))
            case "delete":
                raise Unsupported(Capability.FORGET, NAME)

    async def _append(self, letter: Letter, body: AppendLetter | UpdateLetter) -> Sent:
        context = body.context
        sent = {
            "user_id": self._named(letter.tenant, letter.user_id),
            "domain": letter.domain,
            "content": context.content,
            "occurred_at": rfc3339(context.occurred_at),
        }
        if context.source in SOURCES:
            sent["source"] = context.source
        answer = await self._line.ask(_Appended, letter.verb, "POST", "/context", json=sent)
        return Sent(
            remote_id=answer.context_id,
            fields_updated=answer.fields_updated or (),
            embeddings_refreshed=bool(answer.embeddings_refreshed),
            note=_source_note(context),
        )

    async def _add(self, letter: Letter, body: UpdateLetter) -> Sent:
        sent = await self._append(letter, body)
        return sent.model_copy(update={"note": " ".join(filter(None, (ADDED, sent.note)))})

    async def _upsert(self, letter: Letter, body: UpsertLetter) -> Sent:
        request = body.request
        parts = request.model_dump(mode="json", include={"context", "fields", "memory_ref"})
        sent = {
            "user_id": self._named(letter.tenant, letter.user_id),
            "domain": letter.domain,
            **{name: value for name, value in parts.items() if value is not None},
        }
        answer = await self._line.ask(_User, "upsert", "POST", "/users", json=sent)
        return Sent(user=answer.told())

    async def _outcome(self, letter: Letter, body: OutcomeLetter) -> Sent:
        request = body.request
        item = {
            "seeker_id": self._named(letter.tenant, letter.user_id),
            "candidate_id": self._named(letter.tenant, request.candidate_id),
            "outcome": request.outcome,
            "weight": request.weight,
        }
        sent = {"domain": letter.domain, "items": [item]}
        await self._line.ask(_Accepted, "outcome", "POST", "/feedback", json=sent)
        return Sent()

    async def sent_before(self, letter: Letter) -> Sent | None:
        raise Unsupported(Capability.GET, NAME)

    async def get(self, remote_id: str) -> RemoteRecord:
        raise Unsupported(Capability.GET, NAME)

    async def search(
        self, scope: Scope, request: SearchContext, limit: int
    ) -> tuple[RemoteRecord, ...]:
        raise Unsupported(Capability.SEARCH, NAME)

    async def user(self, scope: Scope) -> RemoteUser:
        path = f"/users/{segment(self._named(scope.tenant, scope.user_id or ''))}"
        params = {"domain": scope.domain} if scope.domain else None
        return (await self._line.ask(_User, "get_user", "GET", path, params=params)).told()

    async def schema(self, domain: str) -> Schema:
        params = {"domain": domain}
        answer = await self._line.ask(_Schema, "schema", "GET", "/schema", params=params)
        return answer.schema_of(domain)

    async def match(self, scope: Scope, request: MatchUsers) -> MatchAnswer:
        """What the contract doesn't count is counted as what is shown, so that no count tells of
        other tenants. Raises invalid_request for
        a description: only users are matched there."""
        if scope.user_id is None or request.description is not None:
            raise LinealError.invalid(
                "description", "Jean matches users, not descriptions: send 'user_id' instead."
            )
        domain = scope.domain or request.domain or ""
        sent = {
            "user_id": self._named(scope.tenant, scope.user_id),
            "domain": domain,
            "limit": request.limit,
            "explain": True,
            **({"filters": request.filters} if request.filters else {}),
        }
        answer = await self._line.ask(_Matches, "match", "POST", "/match", json=sent, safe=True)
        found = self._of_tenant(scope.tenant, answer)
        return MatchAnswer(
            user_id=scope.user_id,
            domain=domain,
            candidates=found,
            considered=len(found),
            filtered=0,
            more=0,
            head="ready",
        )

    def _of_tenant(self, tenant: str, answer: _Matches) -> tuple[MatchCandidate, ...]:
        """Jean knows no tenants: who stands behind another wall is left out."""
        known = ((one, person_of(one.user_id, self._home)) for one in answer.matches if one)
        return tuple(
            one.candidate(person.user_id)
            for one, person in known
            if person is not None and person.tenant == tenant
        )

    def _named(self, tenant: str, user_id: str) -> str:
        return name_of(Person(tenant, user_id), self._home)


def _source_note(context: Context) -> str | None:
    if context.source is None or context.source in SOURCES:
        return None
    return f"Jean doesn't know the source '{context.source[:60]}': it was left out."
