"""The contract of a Mem0 server of one's own."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineal.testing.contracts.faults import Faults
from lineal.testing.contracts.mem0 import Memories
from lineal.testing.contracts.server import Contract

__all__ = ["Mem0ServerContract"]


class Mem0ServerContract(Contract):
    """key: None for a server that is open."""

    def __init__(self, key: str | None, faults: Faults | None = None) -> None:
        self.memories = Memories()
        routes = [
            Route("/memories", self._add, methods=["POST"]),
            Route("/memories", self._list, methods=["GET"]),
            Route("/search", self._search, methods=["POST"]),
            Route("/memories/{memory_id}", self._one, methods=["GET", "PUT", "DELETE"]),
        ]
        super().__init__(
            routes,
            base="",
            allowed=lambda headers: headers.get("x-api-key") == key,
            shut=lambda: _detail(403, "Invalid API key"),
            lost=lambda: _detail(404, "Not Found"),
            faults=faults,
        )

    async def _add(self, request: Request) -> Response:
        body = await request.json()
        if not body.get("messages"):
            problem = {"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}
            return _detail(422, [problem])
        if not any(body.get(name) for name in ("user_id", "agent_id", "run_id")):
            return _detail(400, "At least one identifier is required.")
        memory = self.memories.add(body)
        result = {"id": memory["id"], "memory": memory["memory"], "event": "ADD"}
        return JSONResponse({"results": [result]})

    async def _list(self, request: Request) -> Response:
        user = request.query_params.get("user_id")
        if not user:
            return _detail(400, "At least one identifier is required.")
        return JSONResponse({"results": self.memories.of(user)})

    async def _search(self, request: Request) -> Response:
        body = await request.json()
        user = body.get("user_id") or (body.get("filters") or {}).get("user_id")
        if not user or not body.get("query"):
            return _detail(400, "A query and an identifier are required.")
        results = self.memories.found(user, body["query"], body.get("top_k", 100))
        return JSONResponse({"results": results})

    async def _one(self, request: Request) -> Response:
        memory_id = unquote(request.path_params["memory_id"])
        if memory_id not in self.memories.all:
            return _detail(404, "Memory not found")
        if request.method == "GET":
            return JSONResponse(self.memories.all[memory_id])
        if request.method == "PUT":
            self.memories.change(memory_id, await request.json())
            return JSONResponse({"message": "Memory updated successfully!"})
        del self.memories.all[memory_id]
        return JSONResponse({"message": "Memory deleted successfully!"})


def _detail(status: int, detail: Any) -> JSONResponse:
    return JSONResponse({"detail": detail}, status)
