"""What the doctor looks at: each finding says how it is, and what to do if that is wrong."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
from rich.filesize import decimal

from lineal.app import (
    REMOTES,
    asked_remote,
    backend_of,
    file_of,
    local_call,
    open_outbox,
    open_service,
    project_of,
    schema_files,
)
from lineal.errors import LinealError, Unsupported
from lineal.faces.cli.base import no_memory_yet
from lineal.faces.cli.discreet import hidden_secrets
from lineal.faces.cli.launch import server_launch
from lineal.faces.cli.output import counted
from lineal.faces.cli.schema import checked_files, in_short
from lineal.models.base import Model
from lineal.settings import Settings

__all__ = [
    "Finding",
    "engine_finding",
    "path_findings",
    "project_finding",
    "remote_findings",
    "round_trip",
    "schema_findings",
    "search_finding",
    "setting_values",
    "settings_alone",
    "store_finding",
    "version_findings",
]

PYTHON_MIN = (3, 11)
NO_PREFIX = "NOT_LINEAL_"
"""Of variables that nobody sets."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Finding(Model):
    """One thing looked at. ok None: nothing to judge. advice: what to do when it is wrong."""

    area: str
    name: str
    ok: bool | None
    value: str
    advice: str | None = None


def version_findings() -> Iterator[Finding]:
    """The packages and the interpreter."""
    yield Finding(
        area="versions",
        name="python",
        ok=sys.version_info >= PYTHON_MIN,
        value=f"{platform.python_version()} at {sys.executable}",
        advice="lineal needs Python 3.11 or newer.",
    )
    for package in ("lineal", "mcp", "pydantic"):
        yield Finding(
            area="versions", name=package, ok=True, value=importlib.metadata.version(package)
        )


async def engine_finding() -> Finding:
    """The SQLite library, by opening a new store with it; an unsafe one refuses."""
    # Whole or not at all: a store that is still being opened would outlive its directory.
    with (
        anyio.CancelScope(shield=True),
        tempfile.TemporaryDirectory(prefix="lineal-doctor-") as home,
    ):
        settings = settings_alone({"home": Path(home)})
        try:
            async with open_service(settings) as service:
                stats = await service.stats(local_call(settings, "stats"))
        except (LinealError, ImportError, OSError) as failure:
            return Finding(area="versions", name="engine", ok=False, value=str(failure))
    return Finding(area="versions", name="engine", ok=True, value=stats.engine)


def path_findings(settings: Settings) -> Iterator[Finding]:
    """The data directory and the file: there, ours alone, writable."""
    yield _private("data directory", settings.home, os.W_OK | os.X_OK)
    path = file_of(settings)
    if path is not None:
        yield _private("store", path, os.W_OK)


async def project_finding(settings: Settings) -> Finding:
    """Which project memories made here belong to, and by which names it is known besides."""
    project = await project_of(settings)
    if project is None:
        value = "none: what is remembered from here is found from everywhere"
    else:
        others = ", ".join(project.aliases[1:])
        value = f"{project.name}, also {others}" if others else project.name
    return Finding(area="paths", name="project", ok=None, value=value)


def setting_values(settings: Settings) -> dict[str, Any]:
    """Every setting by name, without secrets; of the ranking only what was changed."""
    values = settings.model_dump(mode="json")
    values["backend"] = hidden_secrets(settings.backend.get_secret_value())
    values["ranking"] = settings.ranking.model_dump(exclude_defaults=True)
    return values


def settings_alone(given: Mapping[str, Any]) -> Settings:
    """Settings of another process: what is given, and nothing of this one's environment."""
    return Settings(_env_prefix=NO_PREFIX, **given)


async def store_finding(settings: Settings) -> Finding:
    """The configured memory, opened and counted; one that isn't there yet isn't made."""
    finding = Finding(
        area="store", name="health", ok=None, value="not made yet; the first use does"
    )
    try:
        if no_memory_yet(settings):
            backend_of(settings)  # what is wrong with it would be wrong with the first use
            return finding
        async with open_service(settings) as service:
            try:
                stats = await service.stats(local_call(settings, "stats"))
            except Unsupported as refused:
                what = refused.details["capability"]
                value = f"opened; the backend '{service.backend_name}' offers no {what}"
                return finding.model_copy(update={"value": value})
    except LinealError as failure:
        return finding.model_copy(update={"ok": False, "value": failure.message})
    value = (
        f"{counted(stats.contexts, 'memory', 'memories')}, "
        f"{counted(stats.users, 'user row', 'user rows')}, schema {stats.schema_version}, "
        f"{decimal(stats.size_bytes)} + {decimal(stats.wal_bytes)} log"
    )
    return finding.model_copy(update={"ok": True, "value": value})


def search_finding(settings: Settings) -> Finding:
    """What searches go by."""
    kind = settings.embedder
    made_by = f"{settings.embed_model} (endpoint)" if kind == "endpoint" else kind
    told = "words only" if kind == "none" else f"words, and meanings by {made_by}"
    return Finding(area="store", name="search", ok=None, value=told)


async def remote_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the service that is forwarded to answers, and what waits for it."""
    scheme = settings.backend.get_secret_value().split(":", 1)[0]
    if scheme not in REMOTES:
        return
    finding = Finding(area="remote", name=scheme, ok=False, value="")
    try:
        place, wrong = await asked_remote(settings)
        yield finding.model_copy(update={"ok": wrong is None, "value": wrong or f"{place} answers"})
        if not no_memory_yet(settings):
            async with open_outbox(settings) as box:
                state = await box.state()
            value = f"{counted(state.waiting, 'letter waits', 'letters wait')}, {state.dead} dead"
            advice = "`lineal outbox list --dead` says why; retry or drop them."
            update = {"name": "outbox", "ok": not state.dead, "value": value, "advice": advice}
            yield finding.model_copy(update=update)
    except LinealError as failure:
        yield finding.model_copy(update={"value": failure.message})


def schema_findings(settings: Settings) -> Iterator[Finding]:
    """The schema files that can be used, each that can't, and the domain that has none.

    Nothing where the directory isn't there: the store's finding says so."""
    if settings.schemas is not None and not settings.schemas.is_dir():
        return
    checked = checked_files(schema_files(settings))
    told = f"{counted(len(checked.domains), 'domain', 'domains')}: {', '.join(checked.domains)}"
    yield Finding(area="schemas", name="registered", ok=True, value=told)
    for path, why in checked.wrong.items():
        advice = "Mend or remove it; until then its domain is refused."
        value = f"{path}: {in_short(why)}"
        yield Finding(area="schemas", name=Path(path).name, ok=False, value=value, advice=advice)
    if settings.domain not in (None, *checked.domains, *checked.refused):
        told = f"'{settings.domain}' has none: texts there are kept, but nothing is read from them"
        yield Finding(area="schemas", name="LINEAL_DOMAIN", ok=None, value=told)


async def round_trip() -> Finding:
    """A server process as a client starts it: remember, find, forget, in a temporary store."""
    from lineal.demo.client import connected

    launch = server_launch()
    with tempfile.TemporaryDirectory(prefix="lineal-doctor-", ignore_cleanup_errors=True) as home:
        env = {"LINEAL_HOME": home, "LINEAL_USER": "doctor", "LINEAL_DOMAIN": "coding"}
        log = Path(home) / "server.log"
        started = anyio.current_time()
        try:
            async with connected(launch.command, launch.args, env, log, "lineal-doctor") as server:
                await server.call("search_context", query="Anybody here?")
                first_ms = (anyio.current_time() - started) * 1000
                began = anyio.current_time()
                said = await server.call("append_context", content="The doctor was here.")
                found = await server.call("search_context", query="Who was here?")
                gone = await server.call("forget_context", context_id=said["context_id"])
                took_ms = (anyio.current_time() - began) * 1000
        except LinealError as failure:
            return Finding(
                area="server",
                name="round trip",
                ok=False,
                value=failure.message,
                advice=str(launch),
            )
    hits = [hit["context_id"] for hit in found["hits"]]
    return Finding(
        area="server",
        name="round trip",
        ok=hits == [said["context_id"]] and gone["count"] == 1,
        value=f"tools listed after {server.ready_ms:.0f} ms, first answer after {first_ms:.0f} ms; "
        f"then append, search and forget in {took_ms:.0f} ms (protocol {server.protocol_version})",
        advice="What was stored wasn't found again; run `lineal demo` to see more.",
    )


def _private(name: str, path: Path, access: int) -> Finding:
    """A path that should be this person's only. It is looked at, never opened."""
    finding = Finding(area="paths", name=name, ok=True, value=str(path))
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return finding.model_copy(update={"ok": None, "value": f"{path} (not made yet)"})
    except OSError as failure:
        return finding.model_copy(update={"ok": False, "value": f"{path}: {failure.strerror}"})
    if not os.access(path, access):
        advice = f"This account can't write to it; the server would be read-only: {path}"
        return finding.model_copy(update={"ok": False, "advice": advice})
    # Windows has no such bits; its data directory belongs to the account.
    if os.name == "posix" and mode & OTHERS:
        advice = f"Others can read it. Run: chmod go-rwx '{path}'"
        return finding.model_copy(
            update={"ok": False, "value": f"{path} (mode {mode:o})", "advice": advice}
        )
    return finding.model_copy(update={"value": f"{path} (mode {mode:o})"})
