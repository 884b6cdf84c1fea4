"""Ends of a process that leave nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType, TracebackType
from typing import TypeVar, TypeVarTuple, Unpack

import anyio

__all__ = ["TidyEnd"]

Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class TidyEnd:
    """Being told to end, or losing the terminal, is a SystemExit: what was opened inside is closed
    and cleared away. For the main thread; what nohup ignores stays ignored."""

    def __init__(self) -> None:
        self._before: dict[int, signal.Handlers | Callable[..., object] | int | None] = {}
        self._told: int | None = None
        self._cancel: Callable[[], object] | None = None

    def __enter__(self) -> TidyEnd:
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._end)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(
        self, work: Callable[[Unpack[Arguments]], Awaitable[Answer]], *arguments: *Arguments
    ) -> Answer:
        """As anyio.run. Told to end, the work is cancelled, which lets it close what it opened: an
        exception out of a signal's handler could tear the event loop itself."""
        done = anyio.run(self._cancellable, partial(work, *arguments))
        if self._told is not None:
            sys.exit(128 + self._told)
        [answer] = done
        return answer

    async def _cancellable(self, work: Callable[[], Awaitable[Answer]]) -> list[Answer]:
        """The answer, or nothing when the work was cancelled."""
        loop = asyncio.get_running_loop()
        done: list[Answer] = []
        with anyio.CancelScope() as scope:
            self._cancel = partial(loop.call_soon_threadsafe, scope.cancel)
            try:
                done.append(await work())
            finally:
                self._cancel = None
        return done

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._told is not None:
            return  # told twice, it goes on clearing away
        self._told = number
        if self._cancel is None:
            sys.exit(128 + number)
        self._cancel()
