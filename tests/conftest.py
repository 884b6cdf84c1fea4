"""What every test shares."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("lineal.testing.store_cases", "lineal.testing.backend_cases")

# Workers that share the tests among them are told of a width; a pipe has none.
os.environ.pop("COLUMNS", None)

settings.register_profile("default", print_blob=True, deadline=None)
settings.load_profile("default")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
