"""What is read page by page gets its numbers one write after the other, so that none becomes
visible behind a later one; all else goes on side by side."""

from __future__ import annotations

import psycopg
import pytest
from tests.postgres.writers import opened

from lineal.errors import ErrorCode, LinealError
from lineal.stores.postgres.locks import key_of
from lineal.testing.samples import ADA, a_context, a_user, an_outcome, keep

WAIT_S = 0.5


async def test_users_and_outcomes_wait_for_whoever_has_the_order(postgres_dsn: str) -> None:
    lock = "SELECT pg_advisory_xact_lock(%s)"
    async with opened(postgres_dsn, busy_timeout_s=WAIT_S) as store:
        with psycopg.connect(postgres_dsn) as other:
            other.execute(lock, (key_of("order", ADA.tenant),))
            for changes in ({"users": (a_user(),)}, {"outcomes": (an_outcome("first"),)}):
                with pytest.raises(LinealError) as raised:
                    await keep(store, **changes)
                assert raised.value.code is ErrorCode.UNAVAILABLE
            await keep(store, contexts=(a_context("ctx_1"),))
            other.rollback()
        await keep(store, users=(a_user(),), outcomes=(an_outcome("first"),))
        page = await store.outcomes(ADA)
    assert [outcome.outcome_id for outcome in page.outcomes] == ["first"]
