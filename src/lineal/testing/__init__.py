"""For those who build on lineal: a fake backend, conformance suites, and faults to inject.

The suites import pytest, so each name is loaded only when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineal.testing.backend_suite import BackendSuite
    from lineal.testing.fake_backend import FakeBackend, RecordedCall
    from lineal.testing.faults import FailingStore, Fault, Gate, kill_hard, resume, stop
    from lineal.testing.store_suite import StoreSuite

__all__ = [
    "BackendSuite",
    "FailingStore",
    "FakeBackend",
    "Fault",
    "Gate",
    "RecordedCall",
    "StoreSuite",
    "kill_hard",
    "resume",
    "stop",
]

_ROOMS = {
    "BackendSuite": "backend_suite",
    "FakeBackend": "fake_backend",
    "RecordedCall": "fake_backend",
    "StoreSuite": "store_suite",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS.get(name, 'faults')}"), name)
