"""Mem0's contract: the platform's third version, with what is still current of the first."""

from __future__ import annotations

import uuid
from itertools import count
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineal.testing.contracts.faults import Faults
from lineal.testing.contracts.server import Contract

__all__ = ["Mem0Contract", "Memories"]

ENTITIES = ("user_id", "agent_id", "app_id", "run_id")
MADE_AT = "2026-03-01T12:00:00Z"


class Memories:
    """What a Mem0 keeps, the newest last."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {}
        self._numbers = count(1)

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        memory_id = str(uuid.UUID(int=next(self._numbers)))
        self.all[memory_id] = {
            "id": memory_id,
            "memory": body["messages"][0]["content"],
            **{name: body.get(name) for name in ENTITIES},
            "metadata": body.get("metadata"),
            "expiration_date": body.get("expiration_date"),
            "created_at": MADE_AT,
            "updated_at": MADE_AT,
        }
        return self.all[memory_id]

    def change(self, memory_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Of what is sent only; an end of null is taken away."""
        memory = self.all[memory_id]
        names = {"text": "memory", "metadata": "metadata", "expiration_date": "expiration_date"}
        memory |= {mine: body[theirs] for theirs, mine in names.items() if theirs in body}
        return memory

    def of(self, user: str) -> list[dict[str, Any]]:
        """Newest first; "*": everybody's."""
        every = reversed(self.all.values())
        return [one for one in every if user in ("*", one["user_id"])]

    def found(self, user: str, question: str, limit: int) -> list[dict[str, Any]]:
        words = question.lower().split()
        hits = [one for one in self.of(user) if any(w in one["memory"].lower() for w in words)]
        return [{**one, "score": 0.9 - at / 100} for at, one in enumerate(hits[:limit])]


class Mem0Contract(Contract):
    """pending: how often an added memory is still being stored when it is asked for."""

    def __init__(self, key: str, *, pending: int = 0, faults: Faults | None = None) -> None:
        self.memories = Memories()
        self._pending = pending
        self._events: dict[str, tuple[int, dict[str, Any]]] = {}
        routes = [
            Route("/v3/memories/add/", self._add, methods=["POST"]),
            Route("/v3/memories/search/", self._search, methods=["POST"]),
            Route("/v3/memories/", self._list, methods=["POST"]),
            Route("/v1/event/{event_id}/", self._event, methods=["GET"]),
            Route("/v1/memories/{memory_id}/", self._one, methods=["GET", "PUT", "DELETE"]),
        ]
        super().__init__(
            routes,
            base="",
            allowed=lambda headers: headers.get("authorization") == f"Token {key}",
            shut=lambda: JSONResponse({"detail": "Invalid token."}, 401),
            lost=lambda: Response("<h1>Not Found</h1>", 404, media_type="text/html"),
            faults=faults,
        )

    async def _add(self, request: Request) -> Response:
        body = await request.json()
        if not body.get("messages"):
            return _invalid("messages is required")
        if not any(body.get(name) for name in ENTITIES):
            return _invalid("One of user_id, agent_id, app_id, run_id is required")
        memory = self.memories.add(body)
        event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, memory["id"]))
        if body.get("infer", True) or self._pending:
            self._events[event_id] = (self._pending, memory)
            return JSONResponse({"event_id": event_id, "status": "PENDING"})
        answer = {"message": "Stored", "status": "SUCCEEDED", "event_id": event_id}
        return JSONResponse({**answer, "results": [_result(memory)]})

    async def _event(self, request: Request) -> Response:
        event_id = request.path_params["event_id"]
        if event_id not in self._events:
            return JSONResponse({"error": "Event not found"}, 404)
        left, memory = self._events[event_id]
        self._events[event_id] = (left - 1, memory)
        status = "SUCCEEDED" if left <= 1 else "PENDING"
        results = [_result(memory)] if left <= 1 else []
        return JSONResponse(
            {"id": event_id, "event_type": "ADD", "status": status, "results": results}
        )

    async def _search(self, request: Request) -> Response:
        body = await request.json()
        user = _filtered_user(body)
        if not body.get("query") or user is None:
            return _invalid("query and filters with an entity are required")
        results = self.memories.found(user, body["query"], body.get("top_k", 10))
        return JSONResponse({"results": results})

    async def _list(self, request: Request) -> Response:
        user = _filtered_user(await request.json())
        size = int(request.query_params.get("page_size", 100))
        page = int(request.query_params.get("page", 1))
        if user is None or not 1 <= size <= 200:
            return _invalid("filters with an entity and a page_size up to 200 are required")
        all_ = self.memories.of(user)
        more = page * size < len(all_)
        answer = {"count": len(all_), "previous": None, "results": all_[(page - 1) * size :][:size]}
        return JSONResponse({**answer, "next": f"?page={page + 1}" if more else None})

    async def _one(self, request: Request) -> Response:
        memory_id = unquote(request.path_params["memory_id"])
        if not _is_uuid(memory_id):
            return JSONResponse({"error": "memory_id should be a valid UUID"}, 400)
        if memory_id not in self.memories.all:
            return JSONResponse({"error": "Memory not found!"}, 404)
        if request.method == "GET":
            return JSONResponse(self.memories.all[memory_id])
        if request.method == "PUT":
            return JSONResponse(self.memories.change(memory_id, await request.json()))
        del self.memories.all[memory_id]
        return JSONResponse({"message": "Memory deleted successfully!"})


def _result(memory: dict[str, Any]) -> dict[str, Any]:
    return {"id": memory["id"], "data": {"memory": memory["memory"]}, "event": "ADD"}


def _filtered_user(body: dict[str, Any]) -> str | None:
    """Entities stand inside of the filters; beside them they are an error."""
    if any(name in body for name in ENTITIES):
        return None
    parts = (body.get("filters") or {}).get("AND", [])
    user = next((part["user_id"] for part in parts if "user_id" in part), None)
    return None if user is None else str(user)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _invalid(message: str) -> Response:
    return JSONResponse({"error": "Bad request", "details": {"message": message}}, 400)
