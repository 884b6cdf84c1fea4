"""Vectors of contexts: what waits for one, keeping it, and the nearest to a question.

A scope of up to EXACT_MAX entries is looked at whole. Of a larger one the nearest are found by an
index of its space (HNSW, Malkov and Yashunin 2016), which goes on until enough of the scope's are
found; what is found is measured by its numbers either way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from psycopg import sql as composed

from lineal.models.sheet import Space
from lineal.stores.postgres.locks import key_of
from lineal.stores.postgres.session import Asked, Connection, Session, sql
from lineal.stores.postgres.shelves import Shelves
from lineal.stores.rows.vectors import in_bytes

__all__ = [
    "EXACT_MAX",
    "LIKENESS",
    "WAIT_NEW",
    "ask_nearest",
    "asked_halves",
    "await_again",
    "await_first",
    "await_no_more",
    "drop",
    "ensure_near_index",
    "keep_vectors",
    "space_of",
    "wants_near_index",
]

EXACT_MAX = 30_000
"""Entries of a scope whose vectors are measured one by one: half a millisecond a thousand. For
27,000 among 227,000 the index takes twice as long, and misses one in twenty."""

CLOSE = 50
"""So many more are measured exactly than are asked for."""

MEASURED = 400
"""How many of the nearest by the index are measured by their numbers, at least."""

EF_SEARCH = 200
"""Candidates that the index holds while it searches; pgvector's most is 1,000."""

SCAN_MAX = 400_000
"""Vectors that the index goes through before it gives up on finding enough of the scope's."""

BUILD_MEMORY = "512MB"
"""For making an index of 200,000 vectors or more without going to disk."""

WAIT_NEW = (
    "INSERT INTO lineal.unembedded (tenant_id, space_id, waiting_seq, changed) "
    "SELECT tenant_id, space_id, %s, false FROM lineal.space WHERE tenant_id = %s"
)
_WAIT = (
    "INSERT INTO lineal.unembedded (tenant_id, space_id, waiting_seq, changed) "
    "SELECT tenant_id, space_id, %s, %s FROM lineal.space WHERE tenant_id = %s "
    "ON CONFLICT (tenant_id, space_id, waiting_seq) DO UPDATE SET changed = excluded.changed"
)
_OF_SPACES = "space_id IN (SELECT space_id FROM lineal.space WHERE tenant_id = %s)"
_WAIT_NO_MORE = sql(
    "DELETE FROM lineal.unembedded WHERE tenant_id = %s AND", _OF_SPACES, "AND waiting_seq = %s"
)
_DROP = sql(
    "DELETE FROM lineal.embedding WHERE tenant_id = %s AND",
    _OF_SPACES,
    "AND vector_shelf = %s AND vector_seq = %s",
)
_DROP_PIECES = "DELETE FROM lineal.pieces WHERE tenant_id = %s AND pieces_seq = %s"
_KEEP = (
    "INSERT INTO lineal.embedding "
    "(tenant_id, space_id, vector_shelf, vector_seq, vector_scale, numbers) "
    "SELECT entry.tenant_id, %s, entry_shelf, entry_seq, new_scale::real, new_numbers::halfvec "
    "FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS made (of_seq, new_scale, new_numbers) "
    "JOIN lineal.entry ON entry.tenant_id = %s AND entry_seq = of_seq "
    "ON CONFLICT (tenant_id, space_id, vector_shelf, vector_seq) DO UPDATE "
    "SET vector_scale = excluded.vector_scale, numbers = excluded.numbers"
)

LIKENESS = (
    "vector_scale * -((numbers <#> %s::halfvec) + (numbers <#> %s::halfvec) / 1024) AS likeness"
)
"""A cosine with asked_halves, to seven digits. Binds both."""

_NEAREST_FIRST = "ORDER BY likeness DESC, vector_seq LIMIT %s"

# By the first half alone, which is off by a few in ten thousand, and then the best of them exactly.
# The order isn't the index's, so the planner can't take it.
_EXACT = sql(
    "SELECT vector_seq,",
    LIKENESS,
    "FROM (SELECT vector_seq, vector_scale, numbers FROM lineal.embedding "
    "WHERE tenant_id = %s AND space_id = %s AND vector_shelf = ANY(%s::bigint[]) "
    "ORDER BY vector_scale * (numbers <#> %s::halfvec) LIMIT %s) AS near",
    _NEAREST_FIRST,
)
# Without this the planner would sort all of a tenant that it takes for a small one.
_SEARCHING = (
    "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.max_scan_tuples', %s, true), "
    "set_config('hnsw.iterative_scan', 'relaxed_order', true), "
    "set_config('enable_sort', 'off', true)"
)
_SEARCHED = "SELECT set_config('enable_sort', 'on', true)"
_NEAR = sql(
    "SELECT vector_seq,",
    LIKENESS,
    "FROM (SELECT vector_seq, vector_scale, numbers FROM lineal.embedding "
    "WHERE tenant_id = %s AND space_id = {space} AND vector_shelf = ANY(%s::bigint[]) "
    "ORDER BY (numbers::halfvec({dim})) <=> %s::halfvec({dim}) LIMIT %s) AS near",
    _NEAREST_FIRST,
)

_LARGE = (
    "SELECT 1 FROM lineal.shelf WHERE tenant_id = %s GROUP BY tenant_id HAVING sum(entries) > %s"
)
_INDEX = (
    "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
    "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE nspname = 'lineal' AND relname = %s"
)
_TAKE = "SELECT pg_try_advisory_lock(%s)"
_LEAVE = "SELECT pg_advisory_unlock(%s)"
_MAKE_INDEX = (
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON lineal.embedding "
    "USING hnsw ((numbers::halfvec({dim})) halfvec_cosine_ops) "
    "WITH (m = 24, ef_construction = 128) WHERE space_id = {space}"
)
_DROP_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS lineal.{name}"


def space_of(space: Space) -> int:
    """A space's number: a hash of its model and dimension."""
    return key_of("space", space.version, str(space.dim))


def asked_halves(vector: Sequence[float]) -> tuple[str, str]:
    """A question's vector for LIKENESS: its numbers in 16 bits, and 1,024 times what these leave
    of them. Both together tell it in 22 bits."""
    import numpy as np

    whole = np.asarray(vector, np.float32)
    high = whole.astype(np.float16)
    low = ((whole - high.astype(np.float32)) * 1024).astype(np.float16)
    return str(high.tolist()), str(low.tolist())


async def await_first(session: Session, seq: int) -> None:
    """In each space that the tenant has; a tenant without any has nothing to remember."""
    await session.run(_WAIT, seq, False, session.tenant)


async def await_again(session: Session, seq: int) -> None:
    await session.run(_WAIT, seq, True, session.tenant)


async def await_no_more(session: Session, seq: int) -> None:
    await session.run(_WAIT_NO_MORE, session.tenant, session.tenant, seq)


async def drop(session: Session, shelf: int, seq: int) -> None:
    """Take out a context's vectors, of every space."""
    await session.run(_DROP, session.tenant, session.tenant, shelf, seq)
    await session.run(_DROP_PIECES, session.tenant, seq)


async def keep_vectors(
    session: Session, space: int, made: Sequence[tuple[int, Sequence[float]]]
) -> None:
    """Keep contexts' vectors in place of earlier ones, where their entries lie now. made: (number
    of its entry, vector) of each; their rows must be locked before."""
    in_eight = [(seq, *in_bytes(vector)) for seq, vector in made]
    seqs = [seq for seq, _, _ in in_eight]
    scales = [repr(scale) for _, scale, _ in in_eight]
    numbers = [str(numbers.tolist()) for _, _, numbers in in_eight]
    await session.run(_KEEP, space, seqs, scales, numbers, session.tenant)


async def ask_nearest(
    session: Session, space: Space, shelves: Shelves, question: Sequence[float], most: int
) -> Asked:
    """(seq, cosine) of at most `most` nearest on these shelves; none of an unknown space."""
    halves, numbers, known = asked_halves(question), list(shelves.numbers), space_of(space)
    tenant = session.tenant
    if shelves.size <= EXACT_MAX:
        close = (halves[0], most + CLOSE)
        return await session.ask(_EXACT, *halves, tenant, known, numbers, *close, most)
    await session.run(_SEARCHING, str(EF_SEARCH), str(SCAN_MAX))
    measured = max(most, MEASURED)
    near = _with(_NEAR, known, space.dim)
    asked = await session.ask(near, *halves, tenant, numbers, halves[0], measured, most)
    await session.run(_SEARCHED)
    return asked


async def wants_near_index(session: Session, space: Space) -> bool:
    """Whether the session's tenant has more than is looked at whole, and its space no index."""
    large = await session.ask(_LARGE, session.tenant, EXACT_MAX)
    there = await session.ask(_INDEX, _name(space))
    return await large.row() is not None and not await there.value()


async def ensure_near_index(connection: Connection, space: Space) -> None:
    """Make the index of a space's vectors, unless it is there or somebody is at it.

    connection: in no transaction and no pipeline. Reads and writes go on meanwhile. One that was
    left unfinished is made anew."""
    async with _alone(connection, key_of("near", _name(space))) as alone:
        if not alone:
            return
        row = await (await connection.execute(_INDEX, (_name(space),))).fetchone()
        if row is not None and row[0]:
            return
        if row is not None:
            await connection.execute(_composed(_DROP_INDEX, space))
        await connection.execute(
            "SELECT set_config('maintenance_work_mem', %s, false)", (BUILD_MEMORY,)
        )
        try:
            await connection.execute(_composed(_MAKE_INDEX, space))
        finally:
            await connection.execute("RESET maintenance_work_mem")


@asynccontextmanager
async def _alone(connection: Connection, key: int) -> AsyncIterator[bool]:
    """Whether nobody else is at it. Nobody waits: making an index waits for all who do."""
    row = await (await connection.execute(_TAKE, (key,))).fetchone()
    taken = bool(row and row[0])
    try:
        yield taken
    finally:
        if taken:
            await connection.execute(_LEAVE, (key,))


def _name(space: Space) -> str:
    """Of a space's index: its number without a sign."""
    return f"vector_near_{space_of(space) & 0xFFFFFFFFFFFFFFFF:016x}"


def _with(statement: str, space: int, dim: int) -> str:
    """Two whole numbers of our own making, which the index is made for."""
    return statement.replace("{space}", str(space)).replace("{dim}", str(dim))


def _composed(statement: str, space: Space) -> composed.Composed:
    return composed.SQL(statement).format(
        name=composed.Identifier(_name(space)),
        dim=composed.Literal(space.dim),
        space=composed.Literal(space_of(space)),
    )
