"""Rows in and out: columns, digests, and what a digest that doesn't fit means."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from lineal.clock import from_ms, to_ms
from lineal.errors import LinealError
from lineal.models.changes import Receipt, Scope, Tombstone
from lineal.models.context import Context
from lineal.models.lineage import Edge
from lineal.models.user import Head, UserRow
from lineal.stores.sqlite import trouble

__all__ = [
    "CONTEXT_COLUMNS",
    "USER_COLUMNS",
    "ContextRow",
    "UserKept",
    "Value",
    "Wall",
    "at_or_none",
    "body_of",
    "digest",
    "edge_of",
    "edge_values",
    "head_of",
    "head_values",
    "index_text",
    "ms_or_none",
    "parsed",
    "receipt_of",
    "receipt_values",
    "require_digest",
    "revision_digest",
    "sql",
    "tag_line",
    "tag_lines",
    "tombstone_of",
    "tombstone_values",
    "wall",
]

Value = str | int | bytes | float | None
"""What a column holds."""

Parsed = TypeVar("Parsed", bound=BaseModel)

_DIGEST_BYTES = 16


def sql(*parts: str) -> str:
    """One statement out of constant parts; values are always bound."""
    return " ".join(parts)


class Wall(NamedTuple):
    """A scope as a condition and the values it binds."""

    condition: str
    values: tuple[str, ...]


def wall(scope: Scope) -> Wall:
    """The condition that every statement about rows of users starts with."""
    parts = [("tenant = ?", scope.tenant), ("user_id = ?", scope.user_id), ("domain = ?", scope.domain)]
    kept = [(condition, value) for condition, value in parts if value is not None]
    return Wall(" AND ".join(c for c, _ in kept), tuple(v for _, v in kept))


def digest(*values: Value) -> bytes:
    """16 bytes over the values in order, their types and lengths. Not a secret: it finds damage."""
    total = blake2b(digest_size=_DIGEST_BYTES)
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode("utf-8")
        total.update(f"{type(value).__name__}:{len(data)}:".encode())
        total.update(data)
    return total.digest()


def require_digest(found: Value, values: Iterable[Value], what: str, **details: str) -> None:
    """Raises LinealError (damaged, naming `what`) unless the digest fits the values."""
    if digest(*values) != found:
        raise trouble.damaged(what, **details)


def ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def at_or_none(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def body_of(model: BaseModel) -> str:
    """The canonical JSON of a record. Raises LinealError for text that no file can hold."""
    try:
        return model.model_dump_json()
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise LinealError.invalid(
            "content", "The record holds text that isn't valid Unicode; remove lone surrogates."
        ) from error


def parsed(model: type[Parsed], body: str, what: str) -> Parsed:
    """A record from its JSON; its digest has been checked before."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise trouble.damaged(what) from error


# -- contexts

CONTEXT_COLUMNS = (
    "seq, tenant, context_id, user_id, domain, revision, memory_type, expires_at, occurred_at, "
    "created_at, updated_at, tag_lines, content_key, context_digest"
)


class ContextRow(NamedTuple):
    """The present of a context without its text; instants in milliseconds."""

    seq: int
    tenant: str
    context_id: str
    user_id: str
    domain: str
    revision: int
    memory_type: str
    expires_at: int | None
    occurred_at: int
    created_at: int
    updated_at: int
    tag_lines: str
    content_key: str | None
    context_digest: bytes

    @classmethod
    def checked(cls, values: Iterable[Any]) -> ContextRow:
        """The row if its digest fits it; raises LinealError naming the id otherwise."""
        row = cls(*values)
        name = str(row.context_id)
        require_digest(row.context_digest, row[1:-1], f"The memory '{name}'", context_id=name)
        return row

    @classmethod
    def made(cls, tenant: str, context: Context, content_key: str | None, seq: int = 0) -> ContextRow:
        """The row that keeps `context`; seq 0: not known yet."""
        values = (
            tenant,
            context.context_id,
            context.user_id,
            context.domain,
            context.revision,
            context.memory_type.value,
            ms_or_none(context.expires_at),
            to_ms(context.occurred_at),
            to_ms(context.created_at),
            to_ms(context.updated_at),
            tag_lines(context.tags),
            content_key,
        )
        return cls(seq, *values, context_digest=digest(*values))

    def rekeyed(self, content_key: str) -> ContextRow:
        row = self._replace(content_key=content_key)
        return row._replace(context_digest=digest(*row[1:-1]))

    def live(self, now_ms: int) -> bool:
        return self.expires_at is None or now_ms < self.expires_at

    def context(self, number: int, body: Value, body_digest: Value) -> Context:
        """The context of revision `number`; raises LinealError when its digest doesn't fit."""
        what = f"The memory '{self.context_id}'"
        expected = revision_digest(self.tenant, self.context_id, number, body)
        if body_digest != expected or not isinstance(body, str):
            raise trouble.damaged(what, context_id=self.context_id)
        return parsed(Context, body, what)

    def tombstone(self) -> Tombstone:
        """The mark of a row that has expired, swept or not."""
        return self._ended("expired", self.expires_at or 0)

    def forgotten(self, now_ms: int) -> Tombstone:
        return self._ended("forgotten", now_ms) if self.live(now_ms) else self.tombstone()

    def _ended(self, reason: str, ended_at: int) -> Tombstone:
        return Tombstone.model_validate(
            {
                "context_id": self.context_id,
                "user_id": self.user_id,
                "domain": self.domain,
                "reason": reason,
                "memory_type": self.memory_type,
                "revision": self.revision,
                "created_at": from_ms(self.created_at),
                "ended_at": from_ms(ended_at),
            }
        )


def revision_digest(tenant: str, name: str, number: int, body: Value) -> bytes:
    return digest(tenant, name, number, body)


def tag_line(tag: str) -> str:
    """How one tag stands in tag_lines: JSON has no raw line break, so no tag can fake another."""
    return f"\n{json.dumps(tag)}\n"


def tag_lines(tags: Iterable[str]) -> str:
    return "".join(map(tag_line, tags))


def index_text(context: Context) -> tuple[str, str, str, str, str]:
    """content, title, summary, tags, speaker as the full-text index gets them. A NUL would end the
    text there; the deletion from the index must repeat the very same values."""
    columns = (
        context.content,
        context.title or "",
        context.summary or "",
        "\n".join(context.tags),
        context.speaker or "",
    )
    content, title, summary, tags, speaker = (text.replace("\0", " ") for text in columns)
    return content, title, summary, tags, speaker


# -- users

USER_COLUMNS = "user_seq, tenant, user_id, domain, revision, expires_at, row_digest"


class UserKept(NamedTuple):
    """The present of a user row without its body."""

    user_seq: int
    tenant: str
    user_id: str
    domain: str
    revision: int
    expires_at: int | None
    row_digest: bytes

    @classmethod
    def checked(cls, values: Iterable[Any]) -> UserKept:
        row = cls(*values)
        require_digest(row.row_digest, row[1:-1], row.what, user_id=str(row.user_id))
        return row

    @classmethod
    def made(cls, tenant: str, user: UserRow, user_seq: int = 0) -> UserKept:
        values = (tenant, user.user_id, user.domain, user.revision, ms_or_none(user.expires_at))
        return cls(user_seq, *values, row_digest=digest(*values))

    @property
    def what(self) -> str:
        return f"The row of user '{self.user_id}' in '{self.domain}'"

    def live(self, now_ms: int) -> bool:
        return self.expires_at is None or now_ms < self.expires_at

    def body(self, number: int, body: Value, body_digest: Value) -> str:
        """The JSON of revision `number`; raises LinealError when its digest doesn't fit."""
        expected = revision_digest(self.tenant, f"{self.user_id}\0{self.domain}", number, body)
        if body_digest != expected or not isinstance(body, str):
            raise trouble.damaged(self.what, user_id=self.user_id)
        return body

    def digest_of(self, number: int, body: str) -> bytes:
        return revision_digest(self.tenant, f"{self.user_id}\0{self.domain}", number, body)


# -- edges, heads, receipts, tombstones: values in column order, the digest last


def edge_values(tenant: str, edge: Edge) -> tuple[Value, ...]:
    values = (
        tenant,
        edge.child_id,
        edge.revision,
        edge.parent_id,
        edge.relation.value,
        edge.basis.value,
    )
    return (*values, digest(*values))


def edge_of(values: tuple[Any, ...]) -> Edge:
    """values: all columns of the row."""
    _, child_id, revision, parent_id, relation, basis, found = values
    require_digest(found, values[:-1], f"An edge of '{child_id}'", context_id=str(child_id))
    return Edge(
        child_id=child_id, revision=revision, parent_id=parent_id, relation=relation, basis=basis
    )


def head_values(scope: Scope, head: Head) -> tuple[Value, ...]:
    """vector: (dim,) → dim little-endian 32-bit floats."""
    vector = struct.pack(f"<{len(head.vector)}f", *head.vector)
    values = (scope.tenant, scope.user_id, scope.domain, head.name, head.version, vector)
    return (*values, digest(*values))


def head_of(values: tuple[Any, ...]) -> Head:
    """values: all columns of the row."""
    _, user_id, _, name, version, vector, found = values
    require_digest(found, values[:-1], f"The head '{name}' of '{user_id}'", user_id=str(user_id))
    floats = struct.unpack(f"<{len(vector) // 4}f", vector)
    return Head(name=name, version=version, vector=floats)


def receipt_values(tenant: str, receipt: Receipt) -> tuple[Value, ...]:
    values = (
        tenant,
        receipt.key,
        receipt.verb,
        receipt.request_hash,
        receipt.answer,
        to_ms(receipt.recorded_at),
    )
    return (*values, digest(*values))


def receipt_of(values: tuple[Any, ...]) -> Receipt:
    """values: all columns of the row."""
    _, key, verb, request_hash, answer, answered_at, found = values
    require_digest(found, values[:-1], f"The receipt of key '{key}'")
    return Receipt(
        key=key,
        verb=verb,
        request_hash=request_hash,
        answer=answer,
        recorded_at=from_ms(answered_at),
    )


def tombstone_values(tenant: str, mark: Tombstone) -> tuple[Value, ...]:
    values = (
        tenant,
        mark.context_id,
        mark.user_id,
        mark.domain,
        mark.reason,
        mark.memory_type,
        mark.revision,
        to_ms(mark.created_at),
        to_ms(mark.ended_at),
    )
    return (*values, digest(*values))


def tombstone_of(values: tuple[Any, ...]) -> Tombstone:
    """values: all columns of the row."""
    _, name, user_id, domain, reason, memory_type, revision, created_at, ended_at, found = values
    require_digest(found, values[:-1], f"The mark of '{name}'", context_id=str(name))
    return Tombstone(
        context_id=name,
        user_id=user_id,
        domain=domain,
        reason=reason,
        memory_type=memory_type,
        revision=revision,
        created_at=from_ms(created_at),
        ended_at=from_ms(ended_at),
    )
