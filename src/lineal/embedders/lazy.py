"""A heavy thing that is made when it is first used, and let go when nobody uses it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from lineal.errors import LinealError

__all__ = ["Lazy", "give_back"]

T = TypeVar("T")
R = TypeVar("R")

CHECKS = 10
"""How often within the idle time it is looked whether to let go."""


class Lazy(Generic[T]):
    """Makes a value in a worker thread at its first use; all uses share it, one at a time.

    make: what takes long. Its LinealError is kept: it is tried once, and each later use raises
    the same at once. tick: seconds that never go back. idle_s: unused for that long, it is freed.

    A caller that is cancelled waits until its own piece of work has ended (or, in the first, until
    the value is there), so it never takes the value from those who wait behind it.
    """

    def __init__(self, make: Callable[[], T], *, tick: Callable[[], float], idle_s: float) -> None:
        self._make = make
        self._tick = tick
        self._idle_s = idle_s
        self._value: T | None = None
        self._failure: LinealError | None = None
        self._used_s = tick()
        # Its own, of one: waiting for a load takes no thread from the store, and the memory that
        # a piece of work needs is needed once.
        self._turn = anyio.CapacityLimiter(1)

    @property
    def ready(self) -> bool:
        """Whether the value is there now."""
        return self._value is not None

    async def run(self, work: Callable[[T], R]) -> R:
        """work(value) in a worker thread. Raises what `make` raised, and what work raises."""
        self._refuse()
        return await anyio.to_thread.run_sync(self._worked, work, limiter=self._turn)

    async def free_if_idle(self) -> bool:
        """Let go of the value if it was unused for idle_s; whether it was let go."""
        if not self._is_idle():
            return False
        return await anyio.to_thread.run_sync(self._freed, limiter=self._turn)

    async def free(self) -> None:
        """Let go of the value now, after what is being done with it; a later use makes it anew."""
        if self._value is not None:
            await anyio.to_thread.run_sync(self._let_go, limiter=self._turn)

    async def free_when_idle(self) -> None:
        """Look now and then until cancelled; belongs in a task group beside the server."""
        while True:
            await anyio.sleep(self._idle_s / CHECKS)
            await self.free_if_idle()

    def _worked(self, work: Callable[[T], R]) -> R:
        self._refuse()
        value = self._made()
        try:
            return work(value)
        finally:
            self._used_s = self._tick()

    def _refuse(self) -> None:
        """A new error each time: one that is raised again would grow with every traceback."""
        if (known := self._failure) is not None:
            raise LinealError(known.code, known.message, details=known.details)

    def _made(self) -> T:
        if self._value is None:
            try:
                self._value = self._make()
            except LinealError as error:
                self._failure = LinealError(error.code, error.message, details=error.details)
                raise
            give_back()
        return self._value

    def _is_idle(self) -> bool:
        return self._value is not None and self._tick() - self._used_s >= self._idle_s

    def _freed(self) -> bool:
        # Somebody may have used it while this waited for its turn.
        if not self._is_idle():
            return False
        self._let_go()
        return True

    def _let_go(self) -> None:
        self._value = None
        give_back()


def give_back() -> None:
    """Hand freed memory back to the system at once, where the C library keeps it (glibc).

    Loading leaves some 60 MB of holes behind and each long text as much: without this they stay.
    Takes a few milliseconds. Elsewhere it does nothing.
    """
    if sys.platform != "linux":
        return
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except AttributeError:  # another C library
        return
    trim(0)
