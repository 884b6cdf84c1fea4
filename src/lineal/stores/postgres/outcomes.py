"""Outcomes: what became of two users who were brought together. Only ever added to."""

from __future__ import annotations

from lineal.models.changes import Outcome, OutcomePage, Scope
from lineal.stores.postgres.ordering import lock_order
from lineal.stores.postgres.session import Asked, Session, sql
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.small_rows import outcome_of, outcome_values
from lineal.stores.rows.values import Row

__all__ = ["keep_outcome", "outcomes"]

_INSERT = (
    "INSERT INTO lineal.outcome "
    "(outcome_seq, tenant_id, user_id, domain, candidate_id, outcome_body, outcome_digest) "
    "VALUES (nextval('lineal.receipt_order'), %s, %s, %s, %s, %s, %s)"
)
_SELECT = "SELECT * FROM lineal.outcome WHERE tenant_id = %s AND outcome_seq > %s"
_OF_USER = "AND user_id = %s"
_OF_CANDIDATE = "AND candidate_id = %s"
_OF_DOMAIN = "AND domain = %s"
_IN_ORDER = "ORDER BY outcome_seq LIMIT %s"


async def keep_outcome(session: Session, tenant: str, outcome: Outcome) -> None:
    await lock_order(session)
    await session.run(_INSERT, *outcome_values(tenant, outcome))


async def outcomes(session: Session, scope: Scope, after: int, limit: int) -> OutcomePage:
    """Of the tenant, and of the domain and of the user, as user or as candidate, where the scope
    names them."""
    sides = ("",) if scope.user_id is None else (_OF_USER, _OF_CANDIDATE)
    asked = [await _ask(session, scope, side, after, limit) for side in sides]
    found = [row for answer in asked for row in await answer.rows()]  # one on both sides is one
    rows = sorted({row[0]: row for row in found}.values())[:limit]
    page = tuple(_of_tenant(scope, row) for row in rows)
    return OutcomePage(outcomes=page, after=rows[-1][0] if rows else after)


async def _ask(session: Session, scope: Scope, side: str, after: int, limit: int) -> Asked:
    """Each side by its own index."""
    user = () if scope.user_id is None else (scope.user_id,)
    within = "" if scope.domain is None else _OF_DOMAIN
    domain = () if scope.domain is None else (scope.domain,)
    statement = sql(_SELECT, side, within, _IN_ORDER)
    return await session.ask(statement, scope.tenant, after, *user, *domain, limit)


def _of_tenant(scope: Scope, values: Row) -> Outcome:
    """An index that is damaged could lead through the wall."""
    outcome = outcome_of(values)
    if values[1] != scope.tenant:
        raise damaged("The list of outcomes")
    return outcome
