"""Which backend the settings mean, made but not opened."""

from __future__ import annotations

import importlib.metadata
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from lineal.clock import Clock, SystemClock
from lineal.engine.backend import EmbeddedBackend
from lineal.errors import ErrorCode, LinealError
from lineal.ids import RandomIds
from lineal.models.changes import Amend, Scope
from lineal.models.checks import Check
from lineal.models.schema import Schema
from lineal.models.sizing import ShardPlan, Sizes
from lineal.parts import embedder_of, extractor_of, finer_of
from lineal.policy.ranking import ranking
from lineal.policy.sharding import shard_plan
from lineal.ports.backend import Backend
from lineal.ports.evidence import Witness
from lineal.ports.outbox import Outbox
from lineal.ports.remote import Remote
from lineal.ports.store import Store
from lineal.schemas.book import SHIPPED, SchemaBook, read_schema
from lineal.settings import Settings

if TYPE_CHECKING:
    from lineal.remotes.backend import RemoteBackend
    from lineal.stores.postgres import PostgresStore
    from lineal.stores.sqlite import SqliteStore

__all__ = [
    "POSTGRES",
    "REMOTES",
    "backend_of",
    "check_schema",
    "database_checks",
    "database_plan",
    "file_of",
    "forwarding",
    "ledger_path",
    "open_ledger",
    "postgres_store",
    "remote_backend",
    "schema_files",
    "store_path",
]

BACKENDS_GROUP = "lineal.backends"
"""Entry-point group of third-party backends: scheme → factory(settings) → Backend."""

POSTGRES = ("postgres", "postgresql")
"""Schemes of a database that many machines share."""

REMOTES = ("jean", "nia", "mem0", "mem0-server")
"""Schemes of backends that forward to somebody else's service."""


def store_path(settings: Settings) -> Path:
    """Where the embedded store's file is; meaningful for a sqlite backend."""
    url = settings.backend.get_secret_value()
    parts = urlsplit(url)
    name = "" if url == "sqlite" else unquote(parts.netloc + parts.path)
    path = Path(name) if name.strip("/") else settings.home / "lineal.db"
    # sqlite:///abs/path is absolute; sqlite:name.db lies in the data directory.
    return path if path.is_absolute() else settings.home / path


def backend_of(settings: Settings, witness: Witness | None = None) -> Backend:
    """The configured backend, not yet opened. Raises invalid_request for an unknown one.

    witness: who knows later what is not known of a write at once.
    """
    url = settings.backend.get_secret_value()
    scheme = url.split(":", 1)[0] if url else "sqlite"
    places = _schema_directories(settings)
    if scheme == "sqlite":
        return _embedded(settings, _sqlite(settings, store_path(settings)), scheme, witness, places)
    if scheme == "memory":
        from lineal.stores.memory import MemoryStore

        clock = SystemClock(settings.clock_offset_s)
        store = MemoryStore(clock=clock, language=settings.language)
        return _embedded(settings, store, scheme, witness, places)
    if scheme in POSTGRES:
        return _embedded(settings, postgres_store(settings), "postgres", witness, places)
    if scheme in REMOTES:
        return _remote(settings, scheme, witness)
    found = importlib.metadata.entry_points(group=BACKENDS_GROUP, name=scheme)
    for entry in found:
        factory: Callable[[Settings], Backend] = entry.load()
        return factory(settings)
    raise LinealError.invalid(
        "LINEAL_BACKEND",
        f"LINEAL_BACKEND names the unknown backend '{scheme}'. Known: sqlite:///path, "
        f"postgres://user@host/database, memory://, {'://, '.join(REMOTES)}://, and what is "
        f"registered under the entry-point group '{BACKENDS_GROUP}'.",
    )


def ledger_path(settings: Settings) -> Path:
    """Where the ledger beside a remote backend is: a file for each service and address."""
    scheme, address = _remote_address(settings)
    host = urlsplit(address).netloc if address else ""
    name = "-".join(filter(None, (scheme, quote(host.rpartition("@")[2], safe=""))))
    return settings.home / "ledgers" / f"{name}.db"


def file_of(settings: Settings) -> Path | None:
    """The file of the configured backend; None for one that has none, or that isn't ours."""
    scheme, _ = _remote_address(settings)
    if scheme in REMOTES:
        return ledger_path(settings)
    is_sqlite = scheme.split(":", 1)[0] in ("", "sqlite")
    return store_path(settings) if is_sqlite else None


def open_ledger(settings: Settings) -> tuple[SqliteStore, Outbox]:
    """The ledger's store and outbox by themselves, not yet opened. Raises unsupported for a backend
    that doesn't forward."""
    from lineal.stores.sqlite.outbox import SqliteOutbox

    scheme, _ = _remote_address(settings)
    _require_remote(scheme)
    store = _sqlite(settings, ledger_path(settings))
    return store, SqliteOutbox(store)


def remote_backend(settings: Settings) -> RemoteBackend:
    """The configured backend that forwards, not yet opened. Raises unsupported for another."""
    scheme, _ = _remote_address(settings)
    _require_remote(scheme)
    return _remote(settings, scheme, None)


def _require_remote(scheme: str) -> None:
    if scheme not in REMOTES:
        raise LinealError(
            ErrorCode.UNSUPPORTED,
            "Nothing is forwarded: the backend keeps everything itself. An outbox belongs to a "
            f"backend that forwards ({', '.join(REMOTES)}); see LINEAL_BACKEND.",
        )


def _remote(settings: Settings, scheme: str, witness: Witness | None) -> RemoteBackend:
    from lineal.remotes.known import remote_of  # late: it brings httpx

    _, address = _remote_address(settings)
    timeout_s = settings.remote_timeout_s
    remote = remote_of(
        scheme, address, settings.remote_key, home_tenant=settings.tenant, timeout_s=timeout_s
    )
    # What the remote reads out of texts isn't read a second time here.
    places = [] if "upsert" in remote.verbs else _schema_directories(settings)
    return forwarding(
        remote,
        lambda amend: _sqlite(settings, ledger_path(settings), amend),
        lambda store: _embedded(settings, store, scheme, witness, places),
        clock=SystemClock(settings.clock_offset_s),
        home=Scope(tenant=settings.tenant, user_id=settings.user, domain=settings.domain),
        timeout_s=timeout_s,
        queues=settings.outbox == "on",
    )


def forwarding(
    remote: Remote,
    ledger: Callable[[Amend], SqliteStore],
    local: Callable[[Store], Backend],
    *,
    clock: Clock,
    home: Scope,
    timeout_s: float,
    queues: bool = True,
) -> RemoteBackend:
    """A remote with its ledger. ledger: makes its store; local: the backend over that. home: whose
    the account is. timeout_s: of one request. queues: see LINEAL_OUTBOX."""
    from lineal.remotes.backend import RemoteBackend
    from lineal.remotes.courier import Courier
    from lineal.remotes.posting import Posting
    from lineal.stores.sqlite.outbox import SqliteOutbox

    posting = Posting(remote)
    store = ledger(posting.amend)
    outbox = SqliteOutbox(store)
    courier = Courier(
        remote,
        outbox,
        clock,
        holder=secrets.token_hex(8),
        timeout_s=timeout_s,
        chance=SystemRandom().random,
    )
    return RemoteBackend(
        remote,
        local(store),
        store,
        outbox,
        posting,
        courier,
        home=home,
        ids=RandomIds(),
        queues=queues,
    )


def _remote_address(settings: Settings) -> tuple[str, str | None]:
    """The scheme of the backend, and the service's address where one is given: jean://host/v1 is
    https://host/v1."""
    scheme, _, place = settings.backend.get_secret_value().partition("://")
    if settings.remote_url is not None:
        return scheme, settings.remote_url.get_secret_value()
    return scheme, f"https://{place}" if place else None


def _sqlite(settings: Settings, path: Path, amend: Amend | None = None) -> SqliteStore:
    from lineal.stores.sqlite import SqliteStore

    return SqliteStore(
        path,
        clock=SystemClock(settings.clock_offset_s),
        durability=settings.durability,
        busy_timeout_s=settings.busy_timeout_s,
        allow_network_fs=settings.allow_network_fs,
        language=settings.language,
        amend=amend,
    )


def postgres_store(settings: Settings) -> PostgresStore:
    """The configured database's store, not yet opened. Raises unsupported without the driver."""
    with _driver():
        from lineal.stores.postgres import PostgresStore
    offset_s = settings.clock_offset_s
    return PostgresStore(
        settings.backend.get_secret_value(),
        clock=SystemClock(offset_s) if offset_s else None,
        durability=settings.durability,
        busy_timeout_s=settings.busy_timeout_s,
        pool_max=settings.pool_max,
        language=settings.language,
    )


async def database_checks(settings: Settings) -> list[Check]:
    """How the configured database is set up. Raises unsupported for a backend that is none."""
    url = _database(settings)
    with _driver():
        from lineal.stores.postgres.checks import examined
    return await examined(url, settings.durability, settings.pool_max)


async def database_plan(
    settings: Settings, *, memories: int, replicas: int, shard_bytes: int
) -> tuple[Sizes, ShardPlan]:
    """The configured database's sizes, and a plan for many more memories like those in it. Raises
    unsupported for a backend that is none."""
    url = _database(settings)
    with _driver():
        from lineal.stores.postgres.schema import DIRECTORY, TABLES
        from lineal.stores.postgres.sizing import measured
    sizes = await measured(url)
    plan = shard_plan(
        sizes,
        memories=memories,
        replicas=replicas,
        shard_bytes=shard_bytes,
        tables=TABLES,
        directory=DIRECTORY,
    )
    return sizes, plan


def _database(settings: Settings) -> str:
    url = settings.backend.get_secret_value()
    if url.split(":", 1)[0] not in POSTGRES:
        raise LinealError(
            ErrorCode.UNSUPPORTED,
            "The backend isn't a PostgreSQL database. Name yours in LINEAL_BACKEND or with "
            "--backend: postgres://user@host/database",
        )
    return url


@contextmanager
def _driver() -> Iterator[None]:
    """Raises unsupported where PostgreSQL's driver isn't installed."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        raise LinealError(
            ErrorCode.UNSUPPORTED,
            "LINEAL_BACKEND names PostgreSQL, and its driver isn't installed. "
            "Run: pip install 'lineal[postgres]'",
        ) from None


def _embedded(
    settings: Settings, store: Store, name: str, witness: Witness | None, places: list[Path]
) -> EmbeddedBackend:
    """places: directories of schemas."""
    embedder = embedder_of(settings)
    return EmbeddedBackend(
        store,
        schemas=SchemaBook(places),
        extractor=extractor_of(settings),
        embedder=embedder,
        finer=finer_of(settings, embedder),
        ids=RandomIds(),
        clock=SystemClock(settings.clock_offset_s),
        heads_per_minute=settings.heads_per_minute,
        witness=witness,
        grace=timedelta(seconds=settings.grace_s),
        rank=ranking(settings.ranking),
        search_wait_s=settings.search_wait_s,
        name=name,
    )


def schema_files(settings: Settings) -> tuple[Path, ...]:
    """Every registered schema's file."""
    directories = _schema_directories(settings)
    return tuple(path for place in directories for path in sorted(place.glob("*.json")))


def check_schema(path: Path) -> Schema:
    """The schema in a file. Raises invalid_request naming the file, the line and what is wrong."""
    return read_schema(path)


def _schema_directories(settings: Settings) -> list[Path]:
    return [SHIPPED, *([settings.schemas] if settings.schemas else [])]
