"""Outcomes: what became of two users who were brought together. Only ever added to."""

from __future__ import annotations

import apsw

from lineal.models.changes import Outcome, OutcomePage, Scope
from lineal.stores.rows.small_rows import outcome_of, outcome_values
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.statements import Row, Value, all_rows, sql

__all__ = ["keep_outcome", "outcomes"]

_INSERT = (
    "INSERT INTO outcome "
    "(tenant, user_id, domain, candidate_id, outcome_body, outcome_digest) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_SELECT = "SELECT * FROM outcome WHERE tenant = ? AND outcome_seq > ?"
_OF_USER = "AND user_id = ?"
_OF_CANDIDATE = "AND candidate_id = ?"
_OF_DOMAIN = "AND domain = ?"
_ALSO_OF_DOMAIN = "AND +domain = ?"
"""Of a user's few: the plus keeps the domain's own index, which holds many, out of it."""

_IN_ORDER = "ORDER BY outcome_seq LIMIT ?"


def keep_outcome(connection: apsw.Connection, tenant: str, outcome: Outcome) -> None:
    connection.execute(_INSERT, outcome_values(tenant, outcome))


def outcomes(connection: apsw.Connection, scope: Scope, after: int, limit: int) -> OutcomePage:
    """Of the tenant, and of the domain and of the user, as user or as candidate, where the scope
    names them."""
    if scope.user_id is None:
        rows = _rows(connection, scope, "", (), after, limit)
    else:  # each side by its own index; a row that is on both is one
        user = (scope.user_id,)
        both = [_rows(connection, scope, s, user, after, limit) for s in (_OF_USER, _OF_CANDIDATE)]
        rows = sorted({row[0]: row for side in both for row in side}.values())[:limit]
    found = tuple(_of_tenant(scope, row) for row in rows)
    return OutcomePage(outcomes=found, after=rows[-1][0] if rows else after)


def _rows(
    connection: apsw.Connection,
    scope: Scope,
    side: str,
    user: tuple[str, ...],
    after: int,
    limit: int,
) -> list[Row]:
    of_domain = _ALSO_OF_DOMAIN if user else _OF_DOMAIN
    within = "" if scope.domain is None else of_domain
    domain = () if scope.domain is None else (scope.domain,)
    bound: tuple[Value, ...] = (scope.tenant, after, *user, *domain, limit)
    return all_rows(connection, sql(_SELECT, side, within, _IN_ORDER), *bound)


def _of_tenant(scope: Scope, values: Row) -> Outcome:
    """An index that is damaged could lead through the wall."""
    outcome = outcome_of(values)
    if values[1] != scope.tenant:
        raise trouble.damaged("The list of outcomes")
    return outcome
