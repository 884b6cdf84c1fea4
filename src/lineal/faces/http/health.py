"""Whether the process is well: the version, and whether its backend answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineal import __version__
from lineal.errors import ErrorCode, LinealError
from lineal.faces.http.metrics import CONTENT_TYPE, Metrics
from lineal.models.changes import Call
from lineal.models.context import GetContext
from lineal.models.lineage import Evidence
from lineal.service import Service

__all__ = ["HEALTH_PATH", "Health", "metrics_route"]

HEALTH_PATH = "/healthz"

ASK_AGAIN_S = 5.0
"""Anybody may ask, and a backend may be a service that counts questions."""

ANSWER_WITHIN_S = 3.0

NOWHERE = Call(tenant="lineal:health", evidence=Evidence(tool="health"), session="health")
NEVER = GetContext(context_id="ctx_" + "0" * 26)
"""Asked for behind a wall with nothing behind it: that it isn't there is the answer wanted."""

AWAY = (ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL)


class Health:
    """Answers /healthz. elapsed_s: seconds that never go back."""

    def __init__(
        self, connect: Callable[[], Awaitable[Service]], elapsed_s: Callable[[], float]
    ) -> None:
        self._connect = connect
        self._elapsed_s = elapsed_s
        self._asked_s = float("-inf")
        self._well = False
        self._asking = anyio.Lock()

    def route(self) -> Route:
        return Route(HEALTH_PATH, self._answer, methods=["GET"])

    async def _answer(self, request: Request) -> Response:
        async with self._asking:
            if self._elapsed_s() - self._asked_s >= ASK_AGAIN_S:
                self._well = await self._reachable()
                self._asked_s = self._elapsed_s()
        told = {
            "ok": self._well,
            "version": __version__,
            "backend": "reachable" if self._well else "unreachable",
        }
        return JSONResponse(told, status_code=200 if self._well else 503)

    async def _reachable(self) -> bool:
        with anyio.move_on_after(ANSWER_WITHIN_S):
            try:
                await (await self._connect()).get_context(NOWHERE, NEVER)
            except LinealError as error:
                return error.code not in AWAY
            return True
        return False


def metrics_route(metrics: Metrics, connect: Callable[[], Awaitable[Service]]) -> Route:
    """/metrics, behind the gate like everything that isn't public."""

    async def read(request: Request) -> Response:
        with suppress(LinealError):  # what the process itself counts is told all the same
            metrics.forwarding(await (await connect()).outbox_state())
        return Response(metrics.text(), headers={"content-type": CONTENT_TYPE})

    return Route("/metrics", read, methods=["GET"])
