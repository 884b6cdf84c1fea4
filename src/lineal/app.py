"""The composition: the only module that knows everyone."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import anyio
from pydantic import ValidationError

from lineal.backends import (
    POSTGRES,
    REMOTES,
    backend_of,
    check_schema,
    database_checks,
    database_plan,
    file_of,
    open_ledger,
    remote_backend,
    schema_files,
    store_path,
)
from lineal.capture.places import Places
from lineal.capture.project import identify
from lineal.capture.witness import SessionWitness
from lineal.clock import SystemClock
from lineal.detectors.detector import Detector
from lineal.errors import LinealError
from lineal.models.changes import Call
from lineal.models.context import SOURCES
from lineal.models.forwarding import OutboxState
from lineal.models.lineage import Evidence
from lineal.models.project import Project
from lineal.policy.limits import Limits
from lineal.policy.redaction import allowing, entries
from lineal.ports.backend import Backend
from lineal.ports.evidence import Witness
from lineal.ports.outbox import Outbox
from lineal.ports.resolver import Resolver
from lineal.service import Defaults, Pointers, Secrets, Service
from lineal.settings import Settings, environment

if TYPE_CHECKING:
    from lineal.faces.http.app import Process
    from lineal.faces.mcp.access import OneClient
    from lineal.faces.mcp.front import Front

__all__ = [
    "POSTGRES",
    "REMOTES",
    "asked_remote",
    "backend_of",
    "check_schema",
    "database_checks",
    "database_plan",
    "deliver_now",
    "file_of",
    "local_call",
    "open_outbox",
    "open_service",
    "project_of",
    "run_http",
    "run_stdio",
    "schema_files",
    "store_path",
]

RESOLVERS_GROUP = "lineal.resolvers"
"""Entry-point group of those that follow a memory_ref: scheme → factory(settings) → Resolver."""

NO_PROJECT = "none"
"""As LINEAL_PROJECT: memories belong to no project."""

COMPLETING_AGAIN_S = 30.0
"""Until a store that couldn't be asked is asked again."""

FETCH_WITHIN_S = 5.0
"""For a document of the issuer's; a request waits for it."""

NOT_THE_CLIENTS: dict[str, object] = {
    "client_session_id": None,
    "client_entrypoint": None,
    "client_project_dir": None,
    "project_dir": None,
}
"""Over HTTP the process's environment tells nothing of its clients."""

NOT_WATCHED: dict[str, object] = {"capture": "off"}

_log = logging.getLogger("lineal")


def _secrets(settings: Settings) -> Secrets | None:
    """Raises invalid_request for an allow list that can't be read."""
    if settings.secrets == "off":
        return None
    detector = Detector(settings.home / "cache")
    return Secrets(detector, allowing(_allowed(settings.secrets_allow.get_secret_value())))


def _allowed(listed: str) -> tuple[str, ...]:
    """The entries of an allow list, or of the file that it names."""
    path = Path(listed).expanduser() if listed and "\n" not in listed else None
    if path is not None and path.is_absolute():
        try:
            return entries(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise LinealError.invalid(
                "LINEAL_SECRETS_ALLOW",
                f"LINEAL_SECRETS_ALLOW names a file that can't be read: {error.strerror}.",
            ) from None
    return entries(listed)


def witness_of(settings: Settings, *, read_only: bool = False) -> SessionWitness | None:
    """Who watches how calls come about; None where that is turned off.

    By the wall clock, whatever offset the store's clock has: hooks and transcripts go by it.
    """
    if settings.capture == "off":
        return None
    config = settings.client_config_dir or Path.home() / ".claude"
    places = Places(config, settings.client_project_dir)
    return SessionWitness(settings.home, SystemClock(), places, persists=not read_only)


async def project_of(settings: Settings) -> Project | None:
    """Where the client works: the configured name, or its project directory's repository; the
    process's own directory only where that is in a repository."""
    if settings.project is not None:
        named = settings.project
        return None if named == NO_PROJECT else Project(name=named, aliases=(named,))
    told = settings.project_dir or settings.client_project_dir
    found = await identify(told or Path.cwd(), environment())
    if found is None or (told is None and not found.repository):
        return None
    return found


def service_of(settings: Settings, backend: Backend, witness: Witness | None = None) -> Service:
    """The service over a backend, with the configured limits and defaults."""
    return Service(
        backend,
        limits=_limits(settings),
        defaults=Defaults(user_id=settings.user, domain=settings.domain),
        secrets=_secrets(settings),
        pointers=_pointers(settings),
        witness=witness,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        content_min=settings.content_min,
        content_max=settings.content_max,
        sources=(*SOURCES, *settings.extra_sources),
    )


def _pointers(settings: Settings) -> Pointers:
    """Who follows which scheme of memory_ref: only those that a package registers."""
    found = importlib.metadata.entry_points(group=RESOLVERS_GROUP)
    factories: dict[str, Callable[[Settings], Resolver]] = {e.name: e.load() for e in found}
    return Pointers({scheme: made(settings) for scheme, made in factories.items()})


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """What waits for a remote backend; nothing is delivered meanwhile. Raises unsupported for a
    backend that doesn't forward."""
    store, outbox = open_ledger(settings)
    await store.open()
    try:
        yield outbox
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()


async def asked_remote(settings: Settings) -> tuple[str, str | None]:
    """Where the remote backend is, and what hinders it, if anything does. Raises LinealError for
    settings that can't be right."""
    backend = remote_backend(settings)
    try:
        await backend.ask()
    except LinealError as error:
        return backend.place, error.message
    finally:
        await backend.disconnect()
    return backend.place, None


async def deliver_now(settings: Settings) -> OutboxState:
    """Try whatever is due, in this process; how the outbox stands then. Raises unsupported for a
    backend that doesn't forward."""
    backend = remote_backend(settings)
    await backend.open()
    try:
        await backend.deliver()
        return await backend.outbox_state()
    finally:
        with anyio.CancelScope(shield=True):
            await backend.close()


@asynccontextmanager
async def open_service(
    settings: Settings, watching: SessionWitness | None = None, *, traced: bool = False
) -> AsyncIterator[Service]:
    """The service over an opened backend, closed at the end.

    watching: the witness; None: one of its own, if the settings want one. traced: each verb is a
    span.
    """
    witness = watching or witness_of(settings)
    backend = backend_of(settings, witness)
    if traced:
        backend = _traced(settings, backend)
    await backend.open()
    try:
        yield service_of(settings, backend, witness)
    finally:
        with anyio.CancelScope(shield=True):
            await backend.close()
        if witness is not None:
            witness.close()


def _traced(settings: Settings, backend: Backend) -> Backend:
    from lineal.telemetry.backend import TracedBackend  # late: a command line has no use for it

    return TracedBackend(backend, content=settings.trace_content)


def local_call(settings: Settings, tool: str, project: Project | None = None) -> Call:
    """A call made by a person at this machine's command line."""
    evidence = Evidence(
        tool=tool,
        client_name="lineal-cli",
        client_version=importlib.metadata.version("lineal"),
        session_id=settings.client_session_id,
    )
    return Call(tenant=settings.tenant, evidence=evidence, project=project)


def run_stdio(front: Front, *, read_only: bool = False) -> int:
    """Serve MCP behind the front until the client leaves; the exit status.

    A wrong setting or a store that can't be opened is said on stderr and to each call; the lists
    go on being answered, so that the client shows what is wrong instead of nothing.
    """
    try:
        settings = Settings()
        wrong = None
    except ValidationError as error:
        settings = Settings.model_construct()
        wrong = _settings_error(error)
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level.upper(),
        format="lineal %(levelname)s %(name)s: %(message)s",
    )
    from lineal.telemetry.setup import Asked, exporting  # late: a command line has no use for it

    with exporting(Asked(settings.client_otel_exporter, settings.client_otel_protocol)):
        anyio.run(_serve, settings, wrong, front, read_only)
    return 0


def run_http(*, read_only: bool = False) -> int:
    """Serve MCP and REST over HTTP until SIGTERM or SIGINT; the exit status, 1 where it could not
    begin, which is said on stderr."""
    from lineal.telemetry.setup import Asked, exporting  # late: a command line has no use for it

    try:
        settings = Settings().model_copy(update=NOT_THE_CLIENTS)
    except ValidationError as error:
        return _not_served(_settings_error(error))
    logging.basicConfig(
        stream=sys.stderr,
        level=settings.log_level.upper(),
        format="lineal %(levelname)s %(name)s: %(message)s",
    )
    with exporting(Asked(settings.client_otel_exporter, settings.client_otel_protocol)):
        try:
            anyio.run(_serve_http, settings, read_only)
        except LinealError as error:
            return _not_served(error)
    return 0


def _not_served(error: LinealError) -> int:
    print(f"lineal: {error.message}", file=sys.stderr, flush=True)  # noqa: T201
    return 1


async def _serve_http(settings: Settings, read_only: bool) -> None:
    """Raises LinealError for what stands against serving, before anything is listened on."""
    from lineal.faces.http.app import Limits as HttpLimits
    from lineal.faces.http.app import build_app
    from lineal.faces.http.serving import listen, serve_app
    from lineal.faces.mcp.access import OneClient
    from lineal.faces.rest.access import ServiceAccess
    from lineal.faces.rest.routes import routes

    process = _process(settings, read_only)
    limits = HttpLimits(settings.body_bytes, settings.rate_per_second, settings.result_chars)
    listening = listen(settings.http_host, settings.http_port)
    # What others' clients do isn't in this machine's transcripts.
    watched = settings if process.is_open() else settings.model_copy(update=NOT_WATCHED)
    witness = witness_of(watched, read_only=read_only)
    async with open_service(watched, witness, traced=True) as service:

        async def connect() -> Service:
            return service

        access = OneClient(connect)
        app = build_app(
            connect, routes(ServiceAccess(connect), limits=_limits(settings)), process, limits
        )
        async with anyio.create_task_group() as tasks:
            if not read_only:
                tasks.start_soon(_completing, access)
                tasks.start_soon(_background, access)
            if settings.sweep_interval_s and not read_only:
                tasks.start_soon(_sweeping, access, settings.sweep_interval_s)
            await serve_app(app, listening, process.greeting(listening))
            tasks.cancel_scope.cancel()
        await access.leave()


def _process(settings: Settings, read_only: bool) -> Process:
    """By which names, and to whom. Raises invalid_request."""
    from lineal.faces.http.app import Process

    return Process.of(
        settings.http_host,
        settings.home,
        SystemClock(settings.clock_offset_s),
        hosts=settings.http_hosts,
        origins=settings.http_origins,
        tenant=settings.tenant,
        issuer=settings.issuer,
        public_url=settings.public_url,
        tenant_claim=settings.tenant_claim,
        fetch=_fetch,
        read_only=read_only,
    )


async def _fetch(url: str) -> bytes:
    """A document of the issuer's. Raises unavailable."""
    from lineal.outbound.address import address_of
    from lineal.outbound.caller import Caller

    parts = urlsplit(url)
    base = address_of(
        f"{parts.scheme}://{parts.netloc}",
        "LINEAL_ISSUER",
        key_setting="no setting",
        example="https://login.example",
    )
    caller = Caller(base, {}, timeout_s=FETCH_WITHIN_S, bytes_max=2**20, name="The issuer")
    try:
        reply = await caller.call("GET", parts.path, params=dict(parse_qsl(parts.query)) or None)
    finally:
        await caller.close()
    if reply.status != 200:
        raise LinealError.unavailable(f"The issuer's {parts.path} answers {reply.status}.")
    return reply.body


async def _serve(
    settings: Settings, wrong: LinealError | None, front: Front, read_only: bool
) -> None:
    from lineal.faces.mcp.access import OneClient
    from lineal.faces.mcp.serve import serve_stdio
    from lineal.faces.mcp.server import build_server

    async with AsyncExitStack() as stack:

        async def connect() -> Service:
            if wrong is not None:
                raise wrong
            access.project = await project_of(settings)
            opened = open_service(settings, witness, traced=True)
            return await stack.enter_async_context(opened)

        witness = witness_of(settings, read_only=read_only)
        access = OneClient(
            connect,
            tenant=settings.tenant,
            client_session_id=settings.client_session_id,
            entrypoint=settings.client_entrypoint,
            result_chars=settings.result_chars,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_warming_up, access, witness)
            if not read_only:
                tasks.start_soon(_completing, access)
                tasks.start_soon(_background, access)
            if settings.sweep_interval_s and not read_only:
                tasks.start_soon(_sweeping, access, settings.sweep_interval_s)
            await serve_stdio(build_server(access, read_only=read_only), front)
            tasks.cancel_scope.cancel()
        await access.leave()


async def _warming_up(access: OneClient, witness: SessionWitness | None) -> None:
    """Open the service before the first call, read what is written of its session already, and take
    out what was noted of sessions long over."""
    await access.warm_up()
    if witness is not None:
        await witness.warm(access.client_session_id)
        await anyio.to_thread.run_sync(witness.tidy)


async def _completing(access: OneClient) -> None:
    """Complete lineage with what comes after the writes; what fails is the sweeper's to do."""
    while True:
        try:
            await (await access.service()).completing()
        except LinealError as error:
            _log.warning("completing lineage: %s", error.message)
            await anyio.sleep(COMPLETING_AGAIN_S)


async def _background(access: OneClient) -> None:
    """Make vectors of what is written, as long as the server runs."""
    try:
        await (await access.service()).background()
    except LinealError as error:
        _log.warning("making vectors: %s", error.message)


async def _sweeping(access: OneClient, interval_s: float) -> None:
    """Sweep now and then; what can't be done now is done later."""
    while True:
        await anyio.sleep(interval_s)
        try:
            report = await (await access.service()).sweep()
        except LinealError as error:
            _log.warning("sweep: %s", error.message)
        else:
            if report.refused:
                _log.warning("sweep: %s", report.refused)


def _settings_error(wrong: ValidationError) -> LinealError:
    """What is wrong with the settings, by the names of their variables, without their values."""
    errors = wrong.errors(include_url=False, include_input=False)
    names = [f"LINEAL_{'.'.join(map(str, error['loc'])).upper()}" for error in errors]
    parts = [f"{name}: {error['msg']}" for name, error in zip(names, errors, strict=True)]
    return LinealError.invalid(
        names[0], f"A setting is wrong. {'; '.join(parts)}. Correct it and start again."
    )
