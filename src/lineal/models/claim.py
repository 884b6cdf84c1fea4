"""A claim: one statement about a field of a user, and what stands after all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    TypeAdapter,
    model_validator,
)
from pydantic_core import core_schema, from_json, to_json

from lineal.clock import from_ms, to_ms
from lineal.models.base import Instant, Model

__all__ = ["Claim", "Claims", "FieldValue", "Provenance", "ValueSource"]


class ValueSource(StrEnum):
    """Who gave a field its value."""

    STATED = "stated"
    EXTRACTED = "extracted"
    DERIVED = "derived"


class Claim(NamedTuple):
    """One statement about a field: what was said of it, by whom, and when it was true.

    value: the whole value, or one member of a list that collects its members.
    denied: that this value does not, or no longer, hold.
    origin: the verb that brought it, which decides what a replacing upsert drops.
    span: [start, end) in code points of the context it was read from.
    expires_at: the end of that context; from then on nothing of it is shown here either.
    """

    value: Any
    source: ValueSource
    origin: Literal["upsert", "append"]
    occurred_at: datetime
    recorded_at: datetime
    context_id: str | None = None
    span: tuple[int, int] | None = None
    confidence: float | None = None
    model_version: str | None = None
    denied: bool = False
    expires_at: datetime | None = None


Unsaid = Field(default=None, exclude_if=lambda value: value is None)


class ShownClaim(Model):
    """A claim as it is shown: instants as everywhere, and only what is known."""

    value: Any
    source: ValueSource
    origin: Literal["upsert", "append"]
    occurred_at: Instant
    recorded_at: Instant
    context_id: str | None = Unsaid
    span: tuple[int, int] | None = Unsaid
    confidence: float | None = Unsaid
    model_version: str | None = Unsaid
    denied: bool = Field(default=False, exclude_if=lambda value: not value)
    expires_at: Instant | None = Unsaid


_CLAIMS = TypeAdapter(tuple[Claim, ...])

_SHORTEST = 5
"""Members of a claim that are always written; the rest only up to the last that is known."""

_SPAN = Claim._fields.index("span")


class Claims:
    """The claims of one field in order of receipt, read from their JSON only when looked at: most
    writes touch few of a row's fields, and a row is read and written with each of them."""

    def __init__(self, said: Iterable[Claim] | str = ()) -> None:
        if isinstance(said, str):
            self.text = said
        else:
            self.items = tuple(said)

    @cached_property
    def items(self) -> tuple[Claim, ...]:
        return tuple(map(_read, from_json(self.text)))

    @cached_property
    def text(self) -> str:
        """JSON, an array for each claim, instants in milliseconds: a row is read and written with
        all of its claims, so it is to be short and quick."""
        return to_json(list(map(_written, self.items))).decode()

    def cite(self, contexts: frozenset[str]) -> bool:
        """Whether any may be of these contexts; unread, their ids are looked for in the JSON."""
        if "items" in self.__dict__:
            return any(claim.context_id in contexts for claim in self.items)
        return any(name in self.text for name in contexts)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Claim:
        return self.items[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Claims) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Claims({self.text})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._of,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda claims: claims.text, return_schema=core_schema.str_schema()
            ),
        )

    @classmethod
    def _of(cls, value: object) -> Claims:
        if isinstance(value, Claims):
            return value
        return cls(value if isinstance(value, str) else _CLAIMS.validate_python(value))


class FieldValue(Model):
    """What stands of a field (None: nothing), and every claim kept about it.

    standing: places of the claims that gave the value, in the value's order for a list.
    ends_at: the first instant at which a claim ends, so that the value is to be made anew.
    """

    value: Any = None
    claims: Claims = Field(default_factory=Claims)
    standing: tuple[int, ...] = ()
    ends_at: datetime | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _of_old(cls, value: Any, read: ModelWrapValidatorHandler[FieldValue]) -> FieldValue:
        """A store's first version kept one origin for a field, and who named each member."""
        old = isinstance(value, dict) and "source" in value
        return read(_claimed(value) if old else value)


class Provenance(Model):
    """Where a field's value came from, as get_user shows it.

    The claim that stands (of a list, the latest that named a member), every member's own, and the
    conflicts: claims that say otherwise and were not simply said before.
    """

    value: Any
    source: ValueSource | None = None
    origin: Literal["upsert", "append"] | None = None
    context_id: str | None = None
    span: tuple[int, int] | None = None
    occurred_at: Instant | None = None
    recorded_at: Instant | None = None
    confidence: float | None = None
    model_version: str | None = None
    members: tuple[ShownClaim, ...] = Field(default=(), exclude_if=lambda value: not value)
    conflicts: tuple[ShownClaim, ...] = Field(default=(), exclude_if=lambda value: not value)

    @classmethod
    def of(cls, field: FieldValue) -> Provenance:
        stood = [field.claims[place] for place in field.standing]
        if not stood:
            return cls(value=field.value, conflicts=tuple(map(_shown, field.claims)))
        latest = max(stood, key=lambda claim: claim.occurred_at)
        kept = cls.model_fields.keys() & set(Claim._fields) - {"value"}
        return cls(
            value=field.value,
            **{name: getattr(latest, name) for name in kept},
            members=tuple(map(_shown, stood)) if isinstance(field.value, list | tuple) else (),
            conflicts=tuple(map(_shown, _conflicts(field, stood))),
        )


def _written(claim: Claim) -> list[Any]:
    members = list(claim)
    members[3] = members[4] = to_ms(claim.occurred_at)
    if claim.recorded_at != claim.occurred_at:
        members[4] = to_ms(claim.recorded_at)
    if claim.expires_at is not None:
        members[-1] = to_ms(claim.expires_at)
        return members
    while len(members) > _SHORTEST and (members[-1] is None or members[-1] is False):
        members.pop()
    return members


def _read(members: list[Any]) -> Claim:
    """The claim of `_written`."""
    members[1] = ValueSource(members[1])
    occurred, recorded = members[3:5]
    members[3] = members[4] = from_ms(occurred)
    if recorded != occurred:
        members[4] = from_ms(recorded)
    if len(members) > _SPAN and members[_SPAN] is not None:
        members[_SPAN] = tuple(members[_SPAN])
    if len(members) == len(Claim._fields):
        members[-1] = from_ms(members[-1])
    return Claim(*members)


def _shown(claim: Claim) -> ShownClaim:
    return ShownClaim(**claim._asdict())


def _conflicts(field: FieldValue, stood: list[Claim]) -> Iterator[Claim]:
    """What says otherwise than the claims that stand, and not only earlier."""
    said = {_key(claim.value): claim for claim in stood}
    lists = isinstance(field.value, list | tuple)
    for claim in field.claims:
        met = said.get(_key(claim.value)) if lists or claim.denied else stood[0]
        differs = met and (claim.denied or (not lists and _key(met.value) != _key(claim.value)))
        if met and differs and claim.occurred_at >= met.occurred_at:
            yield claim


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _claimed(old: dict[str, Any]) -> dict[str, Any]:
    """A field as the store's first version wrote it: each member becomes a claim of each text."""
    shared = {name: part for name, part in old.items() if name not in ("value", "said_by")}
    value = old["value"]
    if not isinstance(value, list) or not old.get("said_by"):
        return {"value": value, "claims": [{**shared, "value": value}], "standing": [0]}
    claims = [
        {**shared, "value": member, "context_id": said or None}
        for member in value
        for said in old["said_by"].get(str(member), [old.get("context_id") or ""])
    ]
    values = [claim["value"] for claim in claims]
    standing = [values.index(member) for member in value if member in values]
    return {"value": value, "claims": claims, "standing": standing}
