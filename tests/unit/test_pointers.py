"""Pointers to memory that is kept elsewhere: U12."""

from __future__ import annotations

import pytest

from lineal.errors import LinealError
from lineal.models.user import UpsertUser
from lineal.ports.resolver import Resolver
from lineal.service.pointers import Pointers

pytestmark = pytest.mark.anyio

CHARS_MAX = 1_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Known:
    """A resolver that knows one text, or fails. asked: what it was asked for."""

    def __init__(
        self, text: str | None = "I live in Graz.", error: Exception | None = None
    ) -> None:
        self._text = text
        self._error = error
        self.asked: list[str] = []

    async def resolve(self, memory_ref: str) -> str | None:
        self.asked.append(memory_ref)
        if self._error is not None:
            raise self._error
        return self._text


async def followed(resolver: Resolver, memory_ref: str | None, **values: str) -> UpsertUser:
    pointers = Pointers({"mem0": resolver, "http": resolver, "HTTPS": resolver, "file": resolver})
    return await pointers.followed(UpsertUser(memory_ref=memory_ref, **values), CHARS_MAX)


async def test_what_a_registered_pointer_names_is_read_as_the_context() -> None:
    known = Known()
    assert (await followed(known, "mem0://ada")).context == "I live in Graz."
    assert (await followed(known, "MEM0:ada")).context == "I live in Graz."
    assert known.asked == ["mem0://ada", "MEM0:ada"]


@pytest.mark.parametrize(
    "memory_ref",
    [
        *("jeanmemory://tenant/u", "ada", "", "://", "mem0", "http://169.254.169.254/"),
        *("https://x.example", "HTTP://[::1]/", "file:///etc/passwd"),
    ],
)
async def test_no_other_pointer_is_followed(memory_ref: str) -> None:
    known = Known()
    assert (await followed(known, memory_ref or None, domain="notes")).context is None
    assert known.asked == []


async def test_a_context_of_its_own_is_not_replaced() -> None:
    known = Known()
    assert (await followed(known, "mem0://ada", context="I live in Linz.")).context is not None
    assert known.asked == []


@pytest.mark.parametrize("text", [None, "", " \n", "x" * (CHARS_MAX + 1)])
async def test_what_is_nothing_or_too_much_is_not_read(text: str | None) -> None:
    request = await followed(Known(text), "mem0://ada")
    assert (request.context, request.memory_ref) == (None, "mem0://ada")


@pytest.mark.parametrize(
    "error", [LinealError.unavailable("away"), TimeoutError(), ConnectionRefusedError()]
)
async def test_a_pointer_that_fails_is_kept_all_the_same_and_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    request = await followed(Known(error=error), "mem0://ada?token=sesame")
    assert (request.context, request.memory_ref) == (None, "mem0://ada?token=sesame")
    assert "mem0" in caplog.text
    assert "sesame" not in caplog.text
