"""Records of an archive as rows, and what one that doesn't fit what is there means."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.archive import ContextRecord, Header, Held, UserRecord, VectorRecord
from lineal.models.base import rfc3339
from lineal.models.changes import Tombstone
from lineal.models.context import Context
from lineal.models.user import UserRow
from lineal.policy.expiry import JUMP_MAX
from lineal.stores.rows.context_rows import ContextRow, Marks
from lineal.stores.rows.digests import digest
from lineal.stores.rows.user_rows import UserKept
from lineal.stores.rows.values import Value

__all__ = [
    "body_values",
    "conflicting",
    "contexts_of",
    "held_as",
    "inconsistent",
    "made_row",
    "marks_of",
    "record_of",
    "require_vector",
    "same_end",
    "time_after",
    "user_body_values",
    "users_of",
]

SCALE_BYTES = 4

Body = TypeVar("Body", bound=BaseModel)


def record_of(model: type[Body], body: str, what: str) -> Body:
    """A record's body. Raises invalid_request naming `what` for one that isn't of this model."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise inconsistent(what) from error


def contexts_of(record: ContextRecord) -> tuple[Context, ...]:
    """The revisions of a record. Raises invalid_request unless they are what it says."""
    what = f"context '{record.context_id}'"
    found = tuple(record_of(Context, body, what) for body in record.bodies)
    for number, context in enumerate(found, record.first):
        if (context.context_id, context.revision) != (record.context_id, number):
            raise inconsistent(what)
    if found[-1].revision > record.revision:
        raise inconsistent(what)
    return found


def users_of(record: UserRecord) -> tuple[UserRow, ...]:
    """The same of a user row."""
    what = f"user '{record.user_id}' in '{record.domain}'"
    found = tuple(record_of(UserRow, body, what) for body in record.bodies)
    for number, user in enumerate(found, record.first):
        if (user.user_id, user.domain, user.revision) != (record.user_id, record.domain, number):
            raise inconsistent(what)
    if found[-1].revision > record.revision:
        raise inconsistent(what)
    return found


def marks_of(record: ContextRecord) -> Marks:
    return Marks() if record.fingerprint is None else Marks.of(record.fingerprint)


def made_row(record: ContextRecord, context: Context, seq: int = 0) -> ContextRow:
    """The row of a record's context as of that revision; withheld where it is."""
    row = ContextRow.made(record.tenant, context, marks_of(record), seq)
    return row if record.held is None else held_as(row, record.held)


def held_as(row: ContextRow, held: Held) -> ContextRow:
    return row.withheld(held.root, to_ms(held.at), to_ms(held.until))


def body_values(row: ContextRow, context: Context, body: str) -> tuple[Value, ...]:
    """A row of context_revision: the body just as it was, so that its hash is too."""
    number = context.revision
    check = digest(row.tenant, row.context_id, number, body)
    return (row.seq, number, to_ms(context.updated_at), body, check)


def user_body_values(row: UserKept, user: UserRow, body: str) -> tuple[Value, ...]:
    """The same as a row of user_revision."""
    check = digest(row.tenant, row.user_id, row.domain, user.revision, body)
    return (row.user_seq, user.revision, to_ms(user.updated_at), body, check)


def require_vector(record: VectorRecord) -> None:
    """Raises invalid_request unless its bytes are as many as its dimension says."""
    pieces = record.pieces
    fits = len(record.packed) == SCALE_BYTES + record.dim
    if not fits or (pieces is not None and len(pieces.rows) % max(1, len(pieces.numbers))):
        raise inconsistent(f"a vector of context '{record.context_id}'")


def same_end(mark: Tombstone, record: ContextRecord, row: ContextRow) -> bool:
    """Whether `mark` is what a sweep leaves of the record's context: it has only ended since.

    row: of the last revision in the record. Of a context in several records the last one tells."""
    if row.revision < record.revision:
        return to_ms(mark.created_at) == row.created_at
    return row.expires_at is not None and mark == row.tombstone()


def time_after(header: Header, now: datetime) -> datetime:
    """The time before which a store never is again once it has what the header's had.

    Raises conflict where that is further ahead of `now` than a clock is believed to jump."""
    high = header.clock.high
    if high - now > JUMP_MAX:
        raise LinealError.conflict(
            f"The archive's store had come to believe that it was {rfc3339(high)}; here it is "
            f"{rfc3339(now)}. Nothing was kept. Mend the clock of this machine; or if the other "
            "one was wrong, run `lineal sweep --accept-clock` there and export again.",
            theirs=rfc3339(high),
            ours=rfc3339(now),
        )
    return high


def conflicting(kind: str, name: str, **details: str) -> LinealError:
    """Something else is there under the same name; or it is gone, which is something else too."""
    return LinealError.conflict(
        f"The {kind} '{name}' is in the archive and, with other content or another history, in "
        "this store, or was taken out of it. Nothing of this batch was kept. Import into an empty "
        "store, or take one of the two out where it is not wanted.",
        **details,
    )


def inconsistent(what: str) -> LinealError:
    """A record with a sound hash that no store could have written."""
    return LinealError.invalid(
        "records", f"The archive's record of {what} contradicts itself; nothing of it was kept."
    )
