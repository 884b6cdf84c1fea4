"""Where spans go, when the process is asked by OpenTelemetry's own variables to send them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry import trace

from lineal import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["Asked", "exporting"]

EXPORTERS_GROUP = "opentelemetry_traces_exporter"
"""Entry-point group in which packages register what sends spans."""

FLUSH_S = 1.0
"""How long the end of the process waits for the last spans to be sent. A client that has closed
the wire soon kills what doesn't end; without a bound a dead collector would hold it ten seconds."""

_log = logging.getLogger("lineal.telemetry")


class Asked(NamedTuple):
    """What the environment asks for. exporters: OTEL_TRACES_EXPORTER, names separated by commas;
    "" or none: nothing. protocol: OTEL_EXPORTER_OTLP_PROTOCOL, which says what `otlp` is."""

    exporters: str = ""
    protocol: str = "http/protobuf"


@contextmanager
def exporting(asked: Asked) -> Iterator[bool]:
    """Send the process's spans while the block runs; whether it is this that sends them.

    False: nothing is asked for, somebody else has set a provider up (opentelemetry-instrument
    does), or it can't be done, which the log says: a memory serves without being watched. The
    variables that say where to, how much and under which name are read by the SDK itself.
    """
    provider = _made(asked) if _is_free() else None
    if provider is None:
        yield False
        return
    trace.set_tracer_provider(provider)
    try:
        yield True
    finally:
        # The SDK's own way waits up to half a minute for a collector that doesn't answer.
        ending = Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_S)


def _is_free() -> bool:
    return isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _made(asked: Asked) -> TracerProvider | None:
    try:
        return _provider(_exporters(asked))
    except (ImportError, ValueError) as error:  # a broken package; a variable with a wrong value
        _log.warning("No spans are sent: %s. Look at the variables OTEL_….", error)
        return None


def _exporters(asked: Asked) -> list[SpanExporter]:
    """Those asked for that can be had; the rest is told in the log."""
    names = {name.strip() for name in asked.exporters.split(",")} - {"", "none"}
    if names and importlib.util.find_spec("opentelemetry.sdk") is None:
        _log.warning("OTEL_TRACES_EXPORTER is set, and no SDK is installed: lineal[otel] has one.")
        return []
    found = [_exporter(name, asked.protocol) for name in sorted(names)]
    return [exporter for exporter in found if exporter is not None]


def _exporter(name: str, protocol: str) -> SpanExporter | None:
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)  # stdout is the protocol's
    registered = _registered(name, protocol)
    for entry in importlib.metadata.entry_points(group=EXPORTERS_GROUP, name=registered):
        made: SpanExporter = entry.load()()
        return made
    _log.warning("No package sends spans as %r: lineal[otel] has otlp over HTTP.", registered)
    return None


def _registered(name: str, protocol: str) -> str:
    """Under which name a package registers it."""
    if name != "otlp":
        return name
    return "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"


def _provider(exporters: list[SpanExporter]) -> TracerProvider | None:
    if not exporters:
        return None
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _resource() -> Resource:
    """What the environment says of this service (OTEL_SERVICE_NAME), or that it is lineal."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    said = Resource.create()
    if not str(said.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return said
    return said.merge(Resource({SERVICE_NAME: "lineal", SERVICE_VERSION: __version__}))
