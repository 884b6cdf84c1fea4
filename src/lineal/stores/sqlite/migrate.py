"""Bringing a file to this version's tables, once, whoever comes first."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import apsw

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.policy.expiry import ClockMark
from lineal.stores.sqlite import lexicon
from lineal.stores.sqlite.entries import rebuild
from lineal.stores.sqlite.meta import Meta, insert_meta
from lineal.stores.sqlite.schema import APPLICATION_ID, INDEXED, MIGRATIONS, VERSION
from lineal.stores.sqlite.statements import one_value

__all__ = ["is_current", "migrate", "require_ours", "require_readable", "require_version"]


def is_current(connection: apsw.Connection) -> bool:
    """Whether nothing needs to be made. Raises LinealError for a foreign or a newer file."""
    version = require_ours(connection)
    if version != VERSION or connection.pragma("journal_mode") != "wal":
        return False
    return lexicon.is_current(connection)


def require_ours(connection: apsw.Connection, known: int = VERSION) -> int:
    """The file's version, 0 for a new one; raises LinealError for a foreign one, and for a newer
    one than `known`."""
    version: int = connection.pragma("user_version")
    application: int = connection.pragma("application_id")
    pages: int = connection.pragma("page_count")
    new = version == 0 and application == 0 and (pages == 0 or _is_empty(connection))
    if application != APPLICATION_ID and not new:
        raise LinealError.unavailable(
            f"The file is another program's database (application_id {application:#x}), not a "
            "lineal store. Nothing was changed; give the store a path of its own.",
            retryable=False,
        )
    if version > known:
        raise _newer(version)
    return version


def require_version(connection: apsw.Connection) -> None:
    """Raises LinealError when another process has migrated the file since it was opened."""
    version: int = connection.pragma("user_version")
    if version != VERSION:
        raise _newer(version)


def require_readable(connection: apsw.Connection) -> None:
    """Raises LinealError for a file that would have to be migrated, by one who can't write."""
    if require_ours(connection) != VERSION:
        raise LinealError.unavailable(
            "The store was made by an older lineal and must be migrated before it can be read. "
            "Open it once with the right to write.",
            retryable=False,
        )


def migrate(
    connection: apsw.Connection,
    clock: Clock,
    migrations: Sequence[str] = MIGRATIONS,
    *,
    language: str = "english",
) -> None:
    """Run what hasn't run yet in one transaction. Needs the queue's turn.

    language: of the words of a store that has no index of them yet."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = require_ours(connection, len(migrations))
        for script in migrations[done:]:
            connection.execute(script)
        if done == 0:
            connection.pragma("application_id", APPLICATION_ID)
            now = clock.now()
            insert_meta(connection, Meta(secrets.token_hex(16), now, ClockMark(high=now)))
        if done < INDEXED <= len(migrations):
            rebuild(connection, language)
        elif done >= INDEXED and not lexicon.is_current(connection):
            rebuild(connection, lexicon.language_of(connection)[0])
        if done < len(migrations):
            connection.pragma("user_version", len(migrations))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_empty(connection: apsw.Connection) -> bool:
    tables: int = one_value(connection, "SELECT count(*) FROM sqlite_schema")
    return tables == 0


def _newer(version: int) -> LinealError:
    return LinealError.unavailable(
        f"The store was made by a newer lineal (its version is {version}, this one knows "
        f"{VERSION}). Nothing was changed; upgrade lineal here, or stop the older one.",
        retryable=False,
        store_version=version,
        known_version=VERSION,
    )
