"""What every test shares."""

from __future__ import annotations

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("lineal.testing.store_cases", "lineal.testing.backend_cases")

settings.register_profile("default", print_blob=True, deadline=None)
settings.load_profile("default")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
