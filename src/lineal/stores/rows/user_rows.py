"""Rows of user rows in and out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from lineal.clock import to_ms
from lineal.models.user import UserRow
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.digests import body_of, digest, ms_or_none, require_digest
from lineal.stores.rows.values import Value

__all__ = ["USER_COLUMNS", "UserKept"]

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
        expected = digest(self.tenant, self.user_id, self.domain, number, body)
        if body_digest != expected or not isinstance(body, str):
            raise damaged(self.what, user_id=self.user_id)
        return body

    def revision_values(self, user: UserRow) -> tuple[Value, ...]:
        """`user` as a row of user_revision."""
        body, number = body_of(user), user.revision
        check = digest(self.tenant, self.user_id, self.domain, number, body)
        return (self.user_seq, number, to_ms(user.updated_at), body, check)
