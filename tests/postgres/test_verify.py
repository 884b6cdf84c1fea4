"""What was changed behind the store's back is found, and named."""

from __future__ import annotations

import json
from typing import Any, LiteralString

import psycopg
import pytest
from tests.postgres.writers import opened

from lineal.clock import ManualClock
from lineal.models.changes import Fingerprint, Scope, VerifyReport
from lineal.models.sheet import Pieces, Space
from lineal.models.user import Head
from lineal.ports.store import Store
from lineal.stores.postgres import verify
from lineal.testing.samples import (
    START,
    a_context,
    a_receipt,
    a_sighting,
    a_task,
    a_user,
    an_edge,
    an_outcome,
    keep,
)

SPACE = Space("axes.v1", 4)
NAMES = ("ctx_1", "ctx_2", "ctx_3")
FIRST = "context_seq = (SELECT seq FROM lineal.context WHERE context_id = 'ctx_1')"

DAMAGE: dict[LiteralString, str] = {
    "UPDATE lineal.context SET user_id = 'grace' WHERE context_id = 'ctx_1'": "ctx_1",
    f"UPDATE lineal.context_revision SET body = body || ' ' WHERE {FIRST}": "ctx_1",
    "UPDATE lineal.user_revision SET body = body || ' '": "ada",
    "UPDATE lineal.user_row SET revision = 2": "ada",
    "UPDATE lineal.edge SET relation = 'used'": "ctx_2",
    "UPDATE lineal.head SET vector = vector || vector": "ada",
    "UPDATE lineal.receipt SET answer = '{}'": "key",
    "UPDATE lineal.tombstone SET ended_at = 0": "ctx_gone",
    "UPDATE lineal.sighting SET sighting_body = '{}'": "ctx_1",
    "UPDATE lineal.outcome SET candidate_id = 'x'": "ada",
    "UPDATE lineal.task SET tries = 9": "ada",
}
"""A change, and who is named."""

MISFITS: dict[LiteralString, str] = {
    "UPDATE lineal.posting SET tokens = '{7}'": "entries of the full-text index don't fit",
    "UPDATE lineal.entry SET entry_own_words = 9, traits = 1": "shelves don't know",
    "DELETE FROM lineal.entry": "memories are missing from the full-text index",
    f"DELETE FROM lineal.context_revision WHERE {FIRST}": "each of its revisions",
    "DELETE FROM lineal.user_revision": "each of its revisions",
    "UPDATE lineal.shelf SET entries = 9": "1 shelves don't know what lies on them",
    "UPDATE lineal.shelf SET shelf_id = 9": "shelves have another's number",
    "DELETE FROM lineal.shelf": "1 shelves don't know what lies on them",
    "UPDATE lineal.speaker SET speaks_in = 9": "speakers don't fit",
    "UPDATE lineal.context_key SET room = 9": "don't fit their memories",
    "UPDATE lineal.context_key SET key_seq = 9": "alike texts belong to no memory",
    "DELETE FROM lineal.context_key": "2 entries of the index of alike texts are missing",
    "UPDATE lineal.embedding SET vector_shelf = 9": "vectors belong to no memory",
    "UPDATE lineal.pieces SET pieces_seq = pieces_seq + 1000": "vectors of pieces belong to no",
    "INSERT INTO lineal.unembedded VALUES ('acme', 1, 9, false)": "wait for a vector",
    "UPDATE lineal.edge SET child_id = 'ctx_9'": "edges belong to no memory",
    "DELETE FROM lineal.receipt": "memories are named by a receipt that isn't there",
    "UPDATE lineal.tombstone SET context_id = 'ctx_1'": "marked as ended but still there",
}
"""A change, and words of the problem that it is."""


async def _verified(dsn: str, damage: LiteralString, tenant: str = "acme") -> VerifyReport:
    """What is said of a store that was whole before the damage."""
    async with opened(dsn, clock=ManualClock(START)) as store:
        for name in ("acme", "evil"):
            await _fill(store, Scope(tenant=name, user_id="ada", domain="coding"))
        whole = await store.verify()
        assert whole.ok, whole
        with psycopg.connect(dsn) as connection:
            connection.execute("SELECT set_config('lineal.tenant', %s, true)", (tenant,))
            assert connection.execute(damage).rowcount > 0
        return await store.verify()


async def _fill(store: Store, scope: Scope) -> None:
    said: dict[str, Any] = {"speaker": "Ada", "session_id": "s"}
    await keep(
        store,
        scope,
        contexts=tuple(a_context(name, **said) for name in (*NAMES, "ctx_gone")),
        users=(a_user(),),
        heads=(Head(name="coding", version="v1", vector=(1.0, 0.0)),),
        edges=(an_edge("ctx_2", "ctx_1"),),
        fingerprints={"ctx_1": Fingerprint(content_key="same", keys=(1, 2))},
        outcomes=(an_outcome("out_1"),),
        tasks=(a_task(tenant=scope.tenant),),
        receipt=a_receipt("key", json.dumps({"context_id": "ctx_1"})),
    )
    await keep(store, scope, sightings=(a_sighting("ctx_1"),), forget=("ctx_gone",))
    while (batch := await store.claim(SPACE, "one")) is not None:
        made = [(1.0, 0.0, 0.0, 0.0)] * len(batch.items)
        await store.keep_vectors(batch, made, [Pieces((1,), bytes(SPACE.dim))] * len(made))


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_row_that_was_changed_is_named(postgres_dsn: str, damage: LiteralString) -> None:
    assert DAMAGE[damage] in (await _verified(postgres_dsn, damage)).damaged


@pytest.mark.parametrize("damage", MISFITS)
async def test_parts_that_do_not_fit_are_told(postgres_dsn: str, damage: LiteralString) -> None:
    problems = (await _verified(postgres_dsn, damage)).problems
    assert any(MISFITS[damage] in problem for problem in problems), problems


async def test_every_tenant_is_looked_at(postgres_dsn: str) -> None:
    damage: LiteralString = "UPDATE lineal.tombstone SET ended_at = 0"
    assert (await _verified(postgres_dsn, damage, "evil")).damaged == ("ctx_gone",)


async def test_pages_leave_nothing_out(postgres_dsn: str) -> None:
    """More of everything than there is on a page, and exactly as much."""
    told: list[tuple[int, int]] = []
    names = tuple(f"ctx_{n:04}" for n in range(2 * verify.PAGE))
    async with opened(postgres_dsn, clock=ManualClock(START)) as store:
        prints = {name: Fingerprint(content_key="same", keys=(1, 2)) for name in names}
        edges = tuple(an_edge(name, "ctx_root") for name in names)
        contexts = tuple(map(a_context, names))
        await keep(store, contexts=contexts, edges=edges, fingerprints=prints)
        report = await store.verify(lambda done, total: told.append((done, total)))
    assert report.ok, report
    assert report.checked == 2 * len(names)
    assert [done for done, _ in told] == [*range(verify.PAGE, 2 * len(names) + 1, verify.PAGE), 800]
