"""What every test shares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import settings

if find_spec("psycopg") is not None:  # one server for all rooms
    from tests.postgres.fixtures import cluster, pair, postgres_dsn

    __all__ = ["cluster", "pair", "postgres_dsn"]

pytest.register_assert_rewrite("lineal.testing.store_cases", "lineal.testing.backend_cases")

settings.register_profile("default", print_blob=True, deadline=None)
settings.load_profile("default")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Outside:
    """Where the tests tried to reach beyond this machine: nowhere, or they fail. What lineal calls
    is configured, and the tests configure stand-ins."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            self._note(arguments[1][0])
        elif event == "socket.getaddrinfo":
            self._note(arguments[0])

    def _note(self, host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if name not in ("", "localhost", "::1") and not name.startswith("127."):
            self.tried.append(name)


_outside = _Outside()
sys.addaudithook(_outside)


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that means to try is marked `tries_outside`."""
    _outside.tried.clear()
    yield
    if request.node.get_closest_marker("tries_outside") is None:
        assert _outside.tried == []
