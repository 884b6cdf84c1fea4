"""Rows of contexts in and out."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from lineal.clock import from_ms, to_ms
from lineal.models.changes import Fingerprint, Tombstone
from lineal.models.context import Context
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import body_of, digest, ms_or_none, parsed, require_digest
from lineal.stores.rows.values import Value

__all__ = [
    "CONTEXT_COLUMNS",
    "WITHHELD",
    "ContextRow",
    "Marks",
    "tag_line",
    "tag_lines",
]

CONTEXT_COLUMNS = (
    "seq, tenant, context_id, user_id, domain, revision, memory_type, expires_at, occurred_at, "
    "created_at, updated_at, tag_lines, content_key, near_keys, "
    "project, held_at, held_until, held_root, context_digest"
)

WITHHELD = -(2**62)
"""expires_at of a withheld row, in milliseconds: before every time that there is. The store's time
can go back, after a jump of the clock that proved wrong; what is withheld must not come back then.
"""

_ALWAYS_COVERED = 12
"""Columns, without seq, that every version of the tables has had."""


class Marks(NamedTuple):
    """How a row's content is found again: a Fingerprint as two columns."""

    content_key: str | None = None
    near_keys: bytes | None = None

    @classmethod
    def of(cls, fingerprint: Fingerprint) -> Marks:
        keys = sorted(set(fingerprint.keys))
        near_keys = struct.pack(f">{len(keys)}q", *keys)
        return cls(fingerprint.content_key, near_keys or None)

    @property
    def keys(self) -> tuple[int, ...]:
        """Each number once, ascending."""
        packed = self.near_keys or b""
        return struct.unpack(f">{len(packed) // 8}q", packed)


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
    near_keys: bytes | None
    project: str | None
    held_at: int | None
    held_until: int | None
    held_root: str | None
    context_digest: bytes

    @classmethod
    def checked(cls, values: Iterable[Any]) -> ContextRow:
        """The row if its digest fits it; raises LinealError naming the id otherwise."""
        row = cls(*values)
        name = str(row.context_id)
        what = f"The memory '{name}'"
        require_digest(row.context_digest, _covered(row[1:-1]), what, context_id=name)
        return row

    @classmethod
    def made(cls, tenant: str, context: Context, marks: Marks, seq: int = 0) -> ContextRow:
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
            *marks,
            context.project,
            *(None, None, None),
        )
        return cls(seq, *values, context_digest=digest(*_covered(values)))

    def revision_values(self, context: Context) -> tuple[Value, ...]:
        """`context` as a row of context_revision."""
        body, number = body_of(context, sparse=True), context.revision
        check = digest(self.tenant, self.context_id, number, body)
        return (self.seq, number, to_ms(context.updated_at), body, check)

    @property
    def marks(self) -> Marks:
        return Marks(self.content_key, self.near_keys)

    def remarked(self, marks: Marks) -> ContextRow:
        row = self._replace(content_key=marks.content_key, near_keys=marks.near_keys)
        return row._sealed()

    @property
    def held(self) -> bool:
        """Withheld: hidden like what is forgotten, and in no index of words or likeness."""
        return self.held_until is not None

    def withheld(self, root: str, now_ms: int, until_ms: int) -> ContextRow:
        row = self._replace(
            expires_at=WITHHELD, held_at=now_ms, held_until=until_ms, held_root=root
        )
        return row._sealed()

    def returnable(self, now_ms: int) -> bool:
        """Withheld, and its time to be given back isn't over."""
        return self.held_until is not None and now_ms < self.held_until

    def live(self, now_ms: int) -> bool:
        return self.expires_at is None or now_ms < self.expires_at

    def context(self, number: int, body: Value, body_digest: Value) -> Context:
        """The context of revision `number`; raises LinealError when its digest doesn't fit."""
        what = f"The memory '{self.context_id}'"
        expected = digest(self.tenant, self.context_id, number, body)
        if body_digest != expected or not isinstance(body, str):
            raise damaged(what, context_id=self.context_id)
        return parsed(Context, body, what)

    def tombstone(self) -> Tombstone:
        """The mark of a row that has ended, swept or not."""
        if self.held_at is not None:
            return self._ended("forgotten", self.held_at)
        return self._ended("expired", self.expires_at or 0)

    def forgotten(self, now_ms: int) -> Tombstone:
        return self._ended("forgotten", now_ms) if self.live(now_ms) else self.tombstone()

    def _sealed(self) -> ContextRow:
        return self._replace(context_digest=digest(*_covered(self[1:-1])))

    def _ended(self, reason: Literal["expired", "forgotten"], ended_at: int) -> Tombstone:
        return Tombstone(
            context_id=self.context_id,
            user_id=self.user_id,
            domain=self.domain,
            reason=reason,
            memory_type=self.memory_type,
            revision=self.revision,
            created_at=from_ms(self.created_at),
            ended_at=from_ms(ended_at),
        )


def _covered(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """What the digest is over: not the later columns from which on all are NULL, so that a row has
    the digest that the version which wrote it gave it. No two rows share what is left."""
    last = len(values)
    while last > _ALWAYS_COVERED and values[last - 1] is None:
        last -= 1
    return values[:last]


def tag_line(tag: str) -> str:
    """How one tag stands in tag_lines: JSON has no raw line break, so no tag can fake another."""
    return f"\n{json.dumps(tag)}\n"


def tag_lines(tags: Iterable[str]) -> str:
    return "".join(map(tag_line, tags))
