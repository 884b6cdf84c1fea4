"""Bringing a database to this version's tables, once, whoever comes first."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import psycopg
from psycopg import errors

from lineal.analysis.analyzer import Analyzer
from lineal.clock import Clock, to_ms
from lineal.errors import LinealError
from lineal.stores.postgres.locks import key_of
from lineal.stores.postgres.meta import newer, older, server_now_ms
from lineal.stores.postgres.schema import MIGRATIONS
from lineal.stores.postgres.session import Connection

__all__ = ["SERVER_MIN", "migrate", "version_of"]

SERVER_MIN = 150_000
"""PostgreSQL 15, as server_version_num says it."""

_EXISTS = "SELECT to_regclass('lineal.store') IS NOT NULL"
_VERSION = "SELECT store_version FROM lineal.store WHERE tenant_id = ''"
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_SET_VERSION = "UPDATE lineal.store SET store_version = %s WHERE tenant_id = ''"
_INSERT = (
    "INSERT INTO lineal.store (tenant_id, store_version, store_id, made_at, high_at, language, "
    "words_version) VALUES ('', %s, %s, %s, %s, %s, %s)"
)


async def version_of(connection: Connection) -> int:
    """How many migrations have run; 0 for a database without a store."""
    made = await (await connection.execute(_EXISTS)).fetchone()
    if made is None or not made[0]:
        return 0
    found = await (await connection.execute(_VERSION)).fetchone()
    return 0 if found is None else int(found[0])


async def migrate(
    connection: Connection,
    clock: Clock | None,
    language: str,
    *,
    read_only: bool = False,
    migrations: Sequence[str] = MIGRATIONS,
) -> None:
    """Run what hasn't run yet, in one transaction under a lock; nothing where all has.

    language: of the words of a new store. Raises unavailable for a server that is too old, a store
    of a newer lineal, and where the role may not make what is missing.
    """
    if connection.info.server_version < SERVER_MIN:
        raise LinealError.unavailable(
            f"The server is PostgreSQL {connection.info.server_version // 10_000}; lineal needs 15 "
            "or later.",
            retryable=False,
        )
    known = len(migrations)
    done = await version_of(connection)
    if done > known:
        raise newer(done)
    if done == known:
        return
    if read_only:
        raise older()
    async with connection.transaction():
        await connection.execute(_LOCK, (key_of("migration"),))
        done = await version_of(connection)
        if done == 0:
            await _require_vectors(connection)
            await connection.execute("CREATE SCHEMA IF NOT EXISTS lineal")
        for script in migrations[done:]:
            await connection.execute(script)
        if done == 0:
            now_ms = to_ms(clock.now()) if clock else await server_now_ms(connection)
            words = Analyzer(language).version
            made = (known, secrets.token_hex(16), now_ms, now_ms, language, words)
            await connection.execute(_INSERT, made)
        else:
            await connection.execute(_SET_VERSION, (known,))


async def _require_vectors(connection: Connection) -> None:
    try:
        async with connection.transaction():
            await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except (errors.InsufficientPrivilege, errors.FeatureNotSupported, errors.UndefinedFile):
        raise LinealError.unavailable(
            "The database has no pgvector, and lineal's role can't add it. Install pgvector 0.8 or "
            "later on the server and run, as its superuser and in lineal's database: "
            "CREATE EXTENSION vector;",
            retryable=False,
        ) from None
    except psycopg.errors.DuplicateObject:
        return
