"""What the process counts, as Prometheus reads it. No label holds an id, a tenant or a text."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import Scope

from lineal import __version__
from lineal.models.forwarding import OutboxState

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


class Metrics:
    """The counters of one process. sessions: how many MCP sessions are open now."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "lineal_http_requests",
            "Requests by route and status.",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "lineal_http_answer_seconds",
            "Seconds until an answer begins.",
            ("route", "method"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._limited = Counter(
            "lineal_http_rate_limited", "Requests over their token's rate.", registry=registry
        )
        self._strangers = Counter(
            "lineal_http_auth_failures", "Requests without a valid token.", registry=registry
        )
        self._sessions = Gauge("lineal_mcp_sessions", "MCP sessions open now.", registry=registry)
        self._letters = Gauge(
            "lineal_outbox_letters",
            "Writes on their way to a remote backend, by state.",
            ("state",),
            registry=registry,
        )
        build = Gauge("lineal_build_info", "The version.", ("version",), registry=registry)
        build.labels(__version__).set(1)

    def watch_sessions(self, count: Callable[[], int]) -> None:
        """Ask this for the number of sessions whenever somebody reads."""
        self._sessions.set_function(count)

    def forwarding(self, state: OutboxState | None) -> None:
        """How the outbox stands now; None: nothing is forwarded."""
        if state is not None:
            for name in ("waiting", "uncertain", "dead", "repeated"):
                self._letters.labels(name).set(getattr(state, name))

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """One answer began, so long after its request."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = str(getattr(scope.get("route"), "path", "none"))
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)
        if status == 429:
            self._limited.inc()
        if status == 401:
            self._strangers.inc()

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)
