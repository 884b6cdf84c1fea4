"""PostgreSQL servers that a test starts, kills and promotes as it likes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.postgres.engine import BIN, STEP_S, Place, called, environment, owner
from tests.postgres.processes import alive, children

__all__ = ["SUPERUSER", "Cluster"]

SUPERUSER = "postgres"
ROLE = "lineal"
"""Owns the databases and is no superuser, whom row-level security doesn't bind."""

TEMPLATE = "lineal_template"
POLL_S = 0.01
ORDINARY: Mapping[str, str] = {
    "unix_socket_permissions": "0777",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_senders": "4",
    "timezone": "Asia/Kolkata",  # who relies on the server's own shall be noticed
    "log_timezone": "UTC",
}
HASTY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}
"""For servers that nobody kills: only the machine's own end could lose anything."""


class Cluster:
    """A server in a directory of its own, ready once made; `close` leaves nothing behind.

    durable: as a careful administrator has it, for tests that kill it. loopback: it listens on
    127.0.0.1 too. settings: further ones, by their names in postgresql.conf.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        loopback: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = {**ORDINARY, **({} if durable else HASTY), **(settings or {})}
        self._begin(loopback)
        arguments = ("-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        called("initdb", "-D", str(self.data), *arguments, directory=self._place.path)
        self._configure()
        self.start()
        self._furnish()

    def _begin(self, loopback: bool) -> None:
        self.port = _free_port() if loopback else 5432
        self._loopback = loopback
        self._names = count(1)
        self._server: subprocess.Popen[bytes] | None = None
        self._place = Place()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def data(self) -> Path:
        return self._place.path / "data"

    @property
    def host(self) -> str:
        """The directory of its Unix socket."""
        return str(self._place.path)

    def dsn(self, database: str = "postgres", role: str = ROLE, **more: Any) -> str:
        """How to reach a database over the Unix socket."""
        known = {"host": self.host, "port": self.port, "user": role, "dbname": database}
        return make_conninfo(**{**known, **more})

    def start(self) -> None:
        """Raises RuntimeError with the log's end when it doesn't come up."""
        with (self._place.path / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [str(BIN and BIN / "postgres"), "-D", str(self.data)],
                cwd=self._place.path,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **owner(),
            )
        self.wait_until_ready()

    def stop(self) -> None:
        """Orderly: running transactions are rolled back, clients cut off."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(STEP_S)
            self._server = None

    def kill(self) -> None:
        """As when the machine goes: SIGKILL to every process, none of which can act on it."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGSTOP)  # so that it starts no others meanwhile
        gone = children(self._server.pid)
        for pid in (*gone, self._server.pid):
            os.kill(pid, signal.SIGKILL)
        self._server.wait(STEP_S)
        self._server = None
        while any(map(alive, gone)):
            time.sleep(POLL_S)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.stop()
        self._place.remove()

    def sql(
        self, statement: str, *values: Any, database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """What the superuser is answered, outside of a transaction."""
        with psycopg.connect(self.dsn(database, SUPERUSER), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def set(self, **settings: str) -> None:
        """Change settings of the running server that need no restart."""
        for name, value in settings.items():
            self._alter(name, value)
        self.sql("SELECT pg_reload_conf()")
        for name, value in settings.items():
            self.wait_until(f"SELECT setting = %s FROM pg_settings WHERE name = '{name}'", value)

    def wait_until(self, question: str, *values: Any, timeout_s: float = STEP_S) -> None:
        """Until the question's first answer is true. Raises TimeoutError."""
        end = time.monotonic() + timeout_s
        while True:
            rows = self.sql(question, *values)
            if rows and rows[0][0]:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"{question}: {rows}")
            time.sleep(POLL_S)

    def wait_until_ready(self) -> None:
        end = time.monotonic() + STEP_S
        while True:
            try:
                self.sql("SELECT 1")
                return
            except psycopg.OperationalError as error:
                ended = self._server is None or self._server.poll() is not None
                if ended or time.monotonic() > end:
                    raise RuntimeError(f"PostgreSQL didn't start: {self.log()}") from error
            time.sleep(POLL_S)

    def log(self, lines: int = 20) -> str:
        """The end of what the server wrote."""
        text = (self._place.path / "log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def new_database(self) -> str:
        """The address of an empty database of `lineal`, with the extensions that need a superuser.

        file_copy: 14 ms, and wal_log 33 ms, on the machine where this was written; only without
        fsync, with which its two checkpoints cost more.
        """
        name = f"lineal_{next(self._names)}"
        strategy = "file_copy" if self._settings.get("fsync") == "off" else "wal_log"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {ROLE} STRATEGY {strategy}")
        return self.dsn(name)

    def drop_database(self, dsn: str) -> None:
        """Whoever is connected to it is cut off."""
        name = sql.Identifier(str(conninfo_to_dict(dsn)["dbname"]))
        with psycopg.connect(self.dsn("postgres", SUPERUSER), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def standby(self, name: str = "standby") -> Cluster:
        """A copy that follows this server and can be promoted; `name`: how it calls itself."""
        copy = object.__new__(type(self))
        copy._settings = self._settings
        copy._begin(self._loopback)
        source = self.dsn("postgres", SUPERUSER, application_name=name)
        arguments = ("-c", "fast", "-X", "stream", "-R", "--no-sync", "-d", source)
        called("pg_basebackup", "-D", str(copy.data), *arguments, directory=copy._place.path)
        copy._configure()
        copy.start()
        follows = "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"
        self.wait_until(f"{follows} AND application_name = %s", name)
        return copy

    def promote(self) -> None:
        """Make a standby a server that is written to."""
        self.sql("SELECT pg_promote(true)")

    def _configure(self) -> None:
        listen = "127.0.0.1" if self._loopback else ""
        place = {
            "port": self.port,
            "listen_addresses": listen,
            "unix_socket_directories": self.host,
        }
        lines = [f"{name} = '{value}'" for name, value in {**self._settings, **place}.items()]
        self._place.write("postgresql.conf", lines)

    def _furnish(self) -> None:
        self.sql(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
        self.sql(f"CREATE DATABASE {TEMPLATE} IS_TEMPLATE true")
        self.sql("CREATE EXTENSION vector", database=TEMPLATE)

    def _alter(self, name: str, value: str) -> None:
        with psycopg.connect(self.dsn("postgres", SUPERUSER), autocommit=True) as connection:
            statement = sql.SQL("ALTER SYSTEM SET {} = {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Literal(value)))


def both(first: Cluster, second: Cluster, dsn: str) -> str:
    """The address of a database on whichever of two servers on loopback takes writes."""
    servers = (first, second)
    where = {"host": "127.0.0.1,127.0.0.1", "port": ",".join(str(s.port) for s in servers)}
    return make_conninfo(dsn, **where, target_session_attrs="read-write", connect_timeout=2)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
