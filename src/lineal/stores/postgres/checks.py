"""What an operator should know of the server and of the role, and what the store warns of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import psycopg

from lineal.models.checks import Check
from lineal.stores.postgres import trouble
from lineal.stores.postgres.address import CONNECT_S, conninfo_of
from lineal.stores.postgres.migrate import SERVER_MIN, version_of
from lineal.stores.postgres.schema import VERSION
from lineal.stores.postgres.session import Connection

__all__ = ["POOL_MAX", "checks", "examined", "warnings"]

POOL_MAX = 8
"""Connections of one process, unless told otherwise."""

VECTORS_MIN = (0, 8)
"""pgvector: from 0.8 on an index scan goes on until enough rows pass the filters."""

_STATE = (
    "SELECT current_setting('server_version_num')::integer, current_setting('server_version'), "
    "(SELECT extversion FROM pg_extension WHERE extname = 'vector'), "
    "session_user::text, rolsuper, rolbypassrls, pg_is_in_recovery(), "
    "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), "
    "current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), "
    "current_setting('fsync'), current_setting('full_page_writes'), "
    "current_setting('max_connections')::integer "
    "- current_setting('superuser_reserved_connections')::integer "
    "FROM pg_roles WHERE rolname = session_user"
)


class _State(NamedTuple):
    """What a server says of itself. ssl None: the server doesn't know (a pooler stands between)."""

    server_version: int
    server_named: str
    vectors: str | None
    role: str
    superuser: bool
    bypasses: bool
    standby: bool
    ssl: bool | None
    standby_names: str
    synchronous_commit: str
    fsync: str
    full_page_writes: str
    connections: int


async def examined(dsn: str, durability: str, pool_max: int = POOL_MAX) -> list[Check]:
    """Every check, on a connection of its own; one alone where the server can't be reached.

    Raises LinealError for an address that can't be read or would go without TLS, and for a role
    that isn't let into lineal's schema.
    """
    conninfo = conninfo_of(dsn)
    try:
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        advice = "Check that the server runs and that LINEAL_BACKEND names it."
        return [
            Check(
                name="server",
                ok=False,
                value=f"can't be reached: {trouble.cause_of(error)}",
                advice=advice,
            )
        ]
    try:
        async with connection:
            return await checks(connection, durability, pool_max)
    except psycopg.Error as error:
        raise trouble.translated(error, CONNECT_S) from error


async def checks(connection: Connection, durability: str, pool_max: int = POOL_MAX) -> list[Check]:
    """Everything but whether it can be reached. durability: full or normal, as lineal has it."""
    values = await (await connection.execute(_STATE)).fetchone()
    if values is None:
        return []
    state = _State(*values)
    return [
        *_versions(state),
        _schema(await version_of(connection)),
        _role(state),
        _line(state, connection.info.host),
        *_disk(state),
        _standby(state, durability),
        _room(state, pool_max),
    ]


async def warnings(connection: Connection, durability: str) -> list[str]:
    """What is said at each start: what is wrong, and what its operator may not have meant."""
    return [
        f"PostgreSQL, {check.name}: {check.value}. {check.advice or ''}".rstrip()
        for check in await checks(connection, durability)
        if check.ok is False or check.warns
    ]


def _versions(state: _State) -> Iterator[Check]:
    writable = not state.standby
    named = f"PostgreSQL {state.server_named}"
    yield Check(
        name="server",
        ok=state.server_version >= SERVER_MIN and writable,
        value=named if writable else f"{named}, a standby: it takes no writes",
        advice="Name every host, with target_session_attrs=read-write."
        if state.server_version >= SERVER_MIN
        else "lineal needs PostgreSQL 15 or later.",
    )
    yield Check(
        name="pgvector",
        ok=state.vectors is not None and _numbers(state.vectors) >= VECTORS_MIN,
        value=state.vectors or "not in this database",
        advice="Install pgvector 0.8 or later, then as a superuser in lineal's database: "
        "CREATE EXTENSION vector; or, of an older one, ALTER EXTENSION vector UPDATE;",
    )


def _schema(version: int) -> Check:
    if version == 0:
        return Check(name="schema", ok=None, value="not made yet; the first use does")
    if version < VERSION:
        told = f"{version}; the next start of lineal makes {VERSION} of it"
        return Check(name="schema", ok=None, value=told)
    return Check(
        name="schema",
        ok=version == VERSION,
        value=f"{version}" if version == VERSION else f"{version}; this lineal knows {VERSION}",
        advice="A newer lineal made it. Upgrade lineal here.",
    )


def _role(state: _State) -> Check:
    """Row-level security binds neither: the wall would rest on the statements alone."""
    rights = ("superuser", state.superuser), ("BYPASSRLS", state.bypasses)
    over = " and ".join(right for right, held in rights if held)
    return Check(
        name="role",
        ok=not over,
        value=f"{state.role}: {over}, whom row-level security doesn't bind"
        if over
        else f"{state.role}, bound by row-level security",
        advice="Give lineal its own role: CREATE ROLE lineal LOGIN NOSUPERUSER NOBYPASSRLS;",
    )


def _line(state: _State, host: str) -> Check:
    if state.ssl:
        return Check(name="line", ok=True, value="TLS")
    if host.startswith(("/", "@")) or host in ("", "localhost", "127.0.0.1", "::1"):
        return Check(name="line", ok=True, value="without TLS, on this machine")
    return Check(
        name="line",
        ok=False,
        value="without TLS, to another machine",
        advice="Use sslmode=verify-full in LINEAL_BACKEND, and ssl = on at the server.",
    )


def _disk(state: _State) -> Iterator[Check]:
    off = [
        name
        for name, value in (("fsync", state.fsync), ("full_page_writes", state.full_page_writes))
        if value == "off"
    ]
    yield Check(
        name="disk",
        ok=not off,
        value=f"{' and '.join(off)} off: a power cut can lose or damage what was acknowledged"
        if off
        else "fsync and full_page_writes on",
        advice="Turn them on in postgresql.conf, and restart the server.",
    )
    if state.synchronous_commit in ("off", "local"):
        told = f"{state.synchronous_commit} at the server; lineal's writes turn it on"
        yield Check(name="synchronous_commit", ok=None, value=told)


def _standby(state: _State, durability: str) -> Check:
    if durability != "full":
        told = "LINEAL_DURABILITY is normal: a crash of the server may lose the last writes"
        return Check(name="standby", ok=None, value=told)
    if state.standby_names:
        return Check(name="standby", ok=True, value=f"waited for: {state.standby_names}")
    return Check(
        name="standby",
        ok=None,
        value="no synchronous one: acknowledged writes survive a crash, not the loss of the "
        "server's disk",
        advice="For that, name one in synchronous_standby_names (docs/scale.md).",
        warns=True,
    )


def _room(state: _State, pool_max: int) -> Check:
    processes = state.connections // pool_max
    return Check(
        name="connections",
        ok=processes > 0,
        value=f"{state.connections}, and at most {pool_max} for each lineal process: "
        f"room for {processes}",
        advice="Raise max_connections, or put a pooler between (docs/scale.md).",
    )


def _numbers(version: str) -> tuple[int, ...]:
    """0.8.6 → (0, 8, 6); what isn't a number ends it."""
    parts: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)
