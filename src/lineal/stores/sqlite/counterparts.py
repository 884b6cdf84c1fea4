"""Counterparts: what a context, or a user's row, is called at the remote backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from lineal.clock import from_ms
from lineal.errors import LinealError
from lineal.models.changes import Scope
from lineal.models.forwarding import Counterpart
from lineal.stores.rows.digests import digest, ms_or_none, require_digest
from lineal.stores.sqlite.statements import Row, Value, all_rows, one_row, one_value

__all__ = [
    "COUNTERPART_MISFITS",
    "by_remote",
    "counterpart_of",
    "deleted",
    "find",
    "forget",
    "keep",
    "keep_of_write",
    "mark",
    "orphans",
]

SHARING_MAX = 100
"""Contexts of one remote id that are told: a remote may take texts that are alike once."""

_SELECT_CONTEXT = (
    "SELECT * FROM counterpart WHERE tenant = ? AND counterpart_kind = 'context' AND local_id = ?"
)
_SELECT_USER = (
    "SELECT * FROM counterpart WHERE tenant = ? AND counterpart_kind = 'user' AND local_id = ? "
    "AND user_id = ?"
)
_SELECT_REMOTE = (
    "SELECT * FROM counterpart WHERE tenant = ? AND remote_id = ? AND counterpart_kind = 'context' "
    "ORDER BY orphaned, local_id LIMIT ?"
)
_SELECT_ORPHANS = "SELECT * FROM counterpart WHERE orphaned = 1 ORDER BY tenant, local_id LIMIT ?"
_REPLACE = "INSERT OR REPLACE INTO counterpart VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE_CONTEXT = (
    "DELETE FROM counterpart WHERE tenant = ? AND counterpart_kind = 'context' AND local_id = ?"
)
_DELETE_SAME = (
    "DELETE FROM counterpart WHERE tenant = ? AND counterpart_kind = ? AND local_id = ? "
    "AND user_id = ? AND remote_id = ?"
)
_ENDED = "SELECT 1 FROM tombstone WHERE tenant = ? AND context_id = ?"
_DELETING = (
    "SELECT 1 FROM letter WHERE tenant = ? AND context_id = ? AND context_id <> '' "
    "AND letter_verb = 'delete'"
)
COUNTERPART_MISFITS = (
    (
        "SELECT count(*) FROM counterpart WHERE orphaned <> (counterpart_kind = 'context' AND "
        "EXISTS (SELECT 1 FROM tombstone WHERE tombstone.tenant = counterpart.tenant AND "
        "context_id = local_id) AND NOT EXISTS (SELECT 1 FROM letter WHERE "
        "letter.tenant = counterpart.tenant AND context_id = local_id AND context_id <> '' AND "
        "letter_verb = 'delete'))",
        "counterparts don't know whether their memories have ended",
    ),
)


def keep_of_write(connection: apsw.Connection, scope: Scope, told: Counterpart) -> None:
    """Raises LinealError for one of another tenant."""
    if told.tenant != scope.tenant:
        raise LinealError.invalid("counterparts", "A counterpart is of the tenant of its write.")
    keep(connection, told)


def keep(connection: apsw.Connection, told: Counterpart) -> None:
    """In the place of that of the same kind and local id, and for a user's row of that user."""
    if told.kind == "context":
        connection.execute(_DELETE_CONTEXT, (told.tenant, told.local_id))
    _write(connection, told, orphaned=_is_orphan(connection, told))


def find(connection: apsw.Connection, scope: Scope, local_id: str, kind: str) -> Counterpart | None:
    """That of a context of the scope, or of the scope's user in the domain `local_id`."""
    if kind == "user":
        values = one_row(connection, _SELECT_USER, scope.tenant, local_id, scope.user_id)
    else:
        values = one_row(connection, _SELECT_CONTEXT, scope.tenant, local_id)
    found = None if values is None else counterpart_of(values)
    if found is None or scope.user_id not in (None, found.user_id):
        return None
    return found if scope.domain in (None, found.domain) else None


def by_remote(
    connection: apsw.Connection, tenant: str, remote_ids: Sequence[str]
) -> dict[str, tuple[Counterpart, ...]]:
    """Those of contexts, by remote id; of each at most SHARING_MAX, those that are kept first."""
    found = {
        name: tuple(
            counterpart_of(values)
            for values in all_rows(connection, _SELECT_REMOTE, tenant, name, SHARING_MAX)
        )
        for name in dict.fromkeys(remote_ids)
    }
    return {name: those for name, those in found.items() if those}


def orphans(connection: apsw.Connection, limit: int) -> tuple[Counterpart, ...]:
    """Of contexts that are kept no more, and whose deletion no letter asks for."""
    return tuple(map(counterpart_of, all_rows(connection, _SELECT_ORPHANS, limit)))


def forget(connection: apsw.Connection, told: Counterpart) -> None:
    """Take it out, unless it has another remote id by now."""
    connection.execute(
        _DELETE_SAME, (told.tenant, told.kind, told.local_id, told.user_id, told.remote_id)
    )


def mark(connection: apsw.Connection, tenant: str, context_id: str) -> None:
    """Its context has ended, or a letter asks for its deletion: whether it is an orphan."""
    values = one_row(connection, _SELECT_CONTEXT, tenant, context_id)
    if values is not None:
        told = counterpart_of(values)
        _write(connection, told, orphaned=_is_orphan(connection, told))


def deleted(connection: apsw.Connection, tenant: str, context_id: str, *, arrived: bool) -> None:
    """A letter that asked for its deletion is gone. One that never arrived isn't sent again for
    what has ended: somebody decided so."""
    if arrived or one_value(connection, _ENDED, tenant, context_id):
        connection.execute(_DELETE_CONTEXT, (tenant, context_id))


def counterpart_of(values: Row) -> Counterpart:
    """values: all columns of the row. Raises LinealError for a damaged one."""
    kind, local_id, tenant, user_id, domain, remote_id, shown_until, _, found = values
    require_digest(found, values[:-1], f"What '{local_id}' is called at the remote")
    return Counterpart(
        kind=kind,
        tenant=tenant,
        user_id=user_id,
        domain=domain,
        local_id=local_id,
        remote_id=remote_id,
        expires_at=None if shown_until is None else from_ms(shown_until),
    )


def _write(connection: apsw.Connection, told: Counterpart, *, orphaned: bool) -> None:
    values: tuple[Value, ...] = (
        told.kind,
        told.local_id,
        told.tenant,
        told.user_id,
        told.domain,
        told.remote_id,
        ms_or_none(told.expires_at),
        int(orphaned),
    )
    connection.execute(_REPLACE, (*values, digest(*values)))


def _is_orphan(connection: apsw.Connection, told: Counterpart) -> bool:
    if told.kind != "context":
        return False
    key: tuple[Any, ...] = (told.tenant, told.local_id)
    ended = one_value(connection, _ENDED, *key) is not None
    return ended and one_value(connection, _DELETING, *key) is None
