"""The same request again, for services that may be asked twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from lineal.outbound.caller import Lost
from lineal.outbound.reply import Reply

__all__ = ["BUSY", "retried"]

BUSY = (429, 503)
"""Statuses after which the same request may be answered."""

RETRY_WAIT_S = 0.5
"""Before the first retry, when the service doesn't say how long; before each next one twice that
of the one before."""


async def retried(
    ask: Callable[[], Awaitable[Reply]], *, retries: int, unheard: bool = False
) -> Reply:
    """The answer, after up to `retries` more tries while there is no room for the request or its
    connection is lost. unheard: also where there was no connection at all.

    A wait that would outlast the time there is (anyio's deadline) isn't begun: the busy answer is
    given, or Lost raised. Raises as `ask` does.
    """
    for retry in range(retries):
        wait_s = RETRY_WAIT_S * 2**retry
        try:
            reply = await ask()
        except Lost as lost:
            if (lost.arrived is False and not unheard) or not _is_time_for(wait_s):
                raise
        else:
            wait_s = wait_s if reply.wait_s is None else reply.wait_s
            if reply.status not in BUSY or not _is_time_for(wait_s):
                return reply
        await anyio.sleep(wait_s)
    return await ask()


def _is_time_for(wait_s: float) -> bool:
    return anyio.current_time() + wait_s < anyio.current_effective_deadline()
