"""What a thread owes to a caller who waits in an event loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel

from lineal.errors import LinealError
from lineal.stores.sqlite import trouble

__all__ = ["Job", "Promise", "attempted", "refuse_cancelled", "require_same_process"]

Result = TypeVar("Result")
Subject = TypeVar("Subject")


def require_same_process(pid: int) -> None:
    """Raises LinealError in a process forked from the one (`pid`) that opened the store."""
    if os.getpid() != pid:
        raise trouble.forked()


async def refuse_cancelled() -> None:
    """Let a cancellation that came already take effect, before a thread can claim anything."""
    await anyio.lowlevel.checkpoint_if_cancelled()
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        await asyncio.sleep(0)


def attempted(work: Callable[[], Result]) -> tuple[Result, None] | tuple[None, Exception]:
    """(result, None), or (None, what it raised): a thread owes either to whoever waits for it."""
    try:
        return work(), None
    except Exception as error:
        return None, error


class Promise(Generic[Result]):
    """A future that any thread may settle, once; made inside a running asyncio loop.

    One hop each way: anyio's own worker threads cost two more, measured 0.1 ms a call.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Result] = self._loop.create_future()

    def keep(self, result: Result) -> None:
        self._settle(self._future.set_result, result)

    def fail(self, error: BaseException) -> None:
        self._settle(self._future.set_exception, error)

    @property
    def settled(self) -> bool:
        return self._future.done()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it is settled, after at most timeout_s; a cancellation leaves it unsettled."""
        if not self._future.done():
            await asyncio.wait((self._future,), timeout=timeout_s)
        return self._future.done()

    def result(self) -> Result:
        """Raises what it failed with."""
        return self._future.result()

    def _settle(
        self, setter: Callable[[Result], None] | Callable[[BaseException], None], value: object
    ) -> None:
        def settle() -> None:
            if not self._future.done():
                setter(value)  # type: ignore[arg-type]
                # Asked for by nobody when the caller was cancelled: not worth a warning.
                self._future.exception()

        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            self._loop.call_soon_threadsafe(settle)


class Job(Promise[Result], Generic[Subject, Result]):
    """Work for a thread, which either claims it or finds it withdrawn: never both."""

    def __init__(self, run: Callable[[Subject], Result]) -> None:
        super().__init__()
        self.run = run
        self._claimed = threading.Lock()

    def claim(self) -> bool:
        """Take the job, or withdraw it: only the first who asks gets it. From any thread."""
        return self._claimed.acquire(blocking=False)

    @property
    def claimed(self) -> bool:
        return self._claimed.locked()

    async def outcome(self, timeout_s: float, late: Callable[[], LinealError]) -> Result:
        """The job's result. Withdrawn when nobody has claimed it after timeout_s (raises late()) or
        when the caller is cancelled before; once claimed it is waited for, whatever happens."""
        try:
            if not await self.wait(timeout_s) and self.claim():
                raise late()
        except asyncio.CancelledError:
            if not self.claim():
                await self._wait_shielded()
            raise
        if not self.settled:
            await self._wait_or_shield()
        return self.result()

    async def _wait_or_shield(self) -> None:
        try:
            await self.wait()
        except asyncio.CancelledError:
            await self._wait_shielded()
            raise

    async def _wait_shielded(self) -> None:
        """anyio's shield keeps out its own cancel scopes, the loop keeps out asyncio's."""
        with anyio.CancelScope(shield=True):
            while not self.settled:
                with suppress(asyncio.CancelledError):
                    await self.wait()
