"""/openapi.json: the face, described as it is configured."""

from __future__ import annotations

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from lineal.errors import ErrorCode, LinealError
from lineal.faces.rest.access import RestAccess
from lineal.faces.rest.answers import failed
from lineal.faces.rest.openapi import Facts, document
from lineal.faces.rest.standing import Standing, standing
from lineal.models.schema import SchemaOutline
from lineal.policy.limits import Limits
from lineal.service import Service

__all__ = ["Describing"]


class Describing:
    """Makes the description at the first request that finds the service, and keeps it: nothing of
    it can change while the process runs."""

    def __init__(self, access: RestAccess, limits: Limits) -> None:
        self._access = access
        self._limits = limits
        self._made: bytes | None = None

    async def answer(self, request: Request) -> Response:
        try:
            self._made = self._made or await self._make(request)
        except LinealError as error:
            if error.code is ErrorCode.UNAUTHORIZED:
                return failed(error)
            unknown = Facts(Standing(user=False, domain=False), (), self._limits)
            return _response(to_json(document(unknown)))
        return _response(self._made)

    async def _make(self, request: Request) -> bytes:
        return to_json(document(await self._facts(request)))

    async def _facts(self, request: Request) -> Facts:
        call = self._access.call(request, "get_user")
        service = await self._access.service()
        return Facts(
            standing=await standing(service, call),
            domains=await _domains(service),
            limits=self._limits,
        )


async def _domains(service: Service) -> tuple[SchemaOutline, ...]:
    return tuple([(await service.schema(name)).outline() for name in await service.domains()])


def _response(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
