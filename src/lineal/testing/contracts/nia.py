"""Nia's contract for contexts, in either of its two public shapes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any, Literal
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineal.clock import Clock
from lineal.models.base import rfc3339
from lineal.testing.contracts.faults import Faults
from lineal.testing.contracts.server import Contract

__all__ = ["NiaContract"]

Shape = Literal["earlier", "later"]

LENGTHS = {"title": (1, 200), "summary": (10, 1_000), "content": (50, None)}
LIVES = {"scratchpad": 3_600, "episodic": 604_800, "fact": None, "procedural": None}
KINDS: dict[str, type | tuple[type, ...]] = {
    "tags": list,
    "metadata": dict,
    "nia_references": dict,
    "edited_files": list,
    "lineage": dict,
}
CHANGEABLE = (*LENGTHS, *KINDS, "memory_type")
REQUIRED = ("title", "summary", "content", "agent_source")
OPERATIONS = ("created", "modified", "deleted")

Problem = tuple[tuple[str | int, ...], str]
"""Where, and what is wrong there."""


class NiaContract(Contract):
    """shape: "earlier" (2.2.0: 400 and {"error"}, lists under contexts) or "later" (generated: 422
    and {"detail": [...]}, lists under items, more asked of edited files). vectors: whether there
    is a search by meaning; without it 503."""

    def __init__(
        self,
        key: str,
        clock: Clock,
        shape: Shape = "earlier",
        *,
        vectors: bool = True,
        faults: Faults | None = None,
    ) -> None:
        self._clock = clock
        self.shape = shape
        self.vectors = vectors
        self.contexts: dict[str, dict[str, Any]] = {}
        self._numbers = count()
        routes = [
            Route("/contexts", self._save, methods=["POST"]),
            Route("/contexts", self._list, methods=["GET"]),
            Route("/contexts/search", self._search, methods=["GET"]),
            Route("/contexts/semantic-search", self._semantic, methods=["GET"]),
            Route("/contexts/{context_id}", self._get, methods=["GET"]),
            Route("/contexts/{context_id}", self._update, methods=["PUT"]),
            Route("/contexts/{context_id}", self._delete, methods=["DELETE"]),
        ]
        super().__init__(
            routes,
            base="/v2",
            allowed=lambda headers: headers.get("authorization") == f"Bearer {key}",
            shut=lambda: self._error(401, "Invalid API key"),
            lost=lambda: self._error(404, "Not Found"),
            faults=faults,
        )

    async def _save(self, request: Request) -> Response:
        body = await request.json()
        missing: list[Problem] = [
            ((name,), "Field required") for name in REQUIRED if name not in body
        ]
        wrong = self._invalid([*missing, *self._problems(body)])
        if wrong is not None:
            return wrong
        context_id = f"nia-{next(self._numbers):04d}"
        kept = {name: body.get(name, empty) for name, empty in _empty().items()}
        now = self._clock.now()
        self.contexts[context_id] = {
            **kept,
            "id": context_id,
            "user_id": "account-1",
            "organization_id": None,
            "agent_source": body["agent_source"],
            "created_at": rfc3339(now),
            "updated_at": None,
            "expires_at": self._end(kept["memory_type"], body.get("ttl_seconds")),
        }
        return JSONResponse(self.contexts[context_id])

    async def _update(self, request: Request) -> Response:
        context = self._live(request)
        if context is None:
            return self._error(404, "Context not found")
        body = await request.json()
        wrong = self._invalid(self._problems(body))
        if wrong is not None:
            return wrong
        context |= {name: body[name] for name in CHANGEABLE if body.get(name) is not None}
        if "ttl_seconds" in body or "memory_type" in body:
            context["expires_at"] = self._end(context["memory_type"], body.get("ttl_seconds"))
        context["updated_at"] = rfc3339(self._clock.now())
        return JSONResponse(context)

    async def _get(self, request: Request) -> Response:
        context = self._live(request)
        return JSONResponse(context) if context else self._error(404, "Context not found")

    async def _delete(self, request: Request) -> Response:
        context = self._live(request)
        if context is None:
            return self._error(404, "Context not found")
        del self.contexts[context["id"]]
        return JSONResponse({"success": True, "message": "Context deleted"})

    async def _list(self, request: Request) -> Response:
        asked = request.query_params
        limit, offset = int(asked.get("limit", 20)), int(asked.get("offset", 0))
        if not 1 <= limit <= 100:
            return self._refused([(("limit",), "Input should be from 1 to 100")])
        all_ = self._filtered(request, ("agent_source", "memory_type"))
        page = all_[offset : offset + limit]
        more = {"total": len(all_), "limit": limit, "offset": offset, "has_more": False}
        key = "contexts" if self.shape == "earlier" else "items"
        return JSONResponse({key: page, "total": len(all_), "pagination": more})

    async def _search(self, request: Request) -> Response:
        question = request.query_params.get("q", "")
        if not question:
            return self._refused([(("q",), "Field required")])
        found = self._holding(question, self._filtered(request, ("agent_source",)))
        limit = int(request.query_params.get("limit", 20))
        answer = {"search_query": question, "total_results": len(found)}
        return JSONResponse({"contexts": found[:limit], **answer})

    async def _semantic(self, request: Request) -> Response:
        if not self.vectors:
            return self._error(503, "Vector store not available")
        question = request.query_params.get("q", "")
        if not question:
            return self._refused([(("q",), "Field required")])
        found = self._holding(question, self._filtered(request, ()))
        results = [
            {**one, "relevance_score": 0.9 - at / 100, "match_metadata": {"rank": at + 1}}
            for at, one in enumerate(found[: int(request.query_params.get("limit", 20))])
        ]
        return JSONResponse({"results": results, "search_query": question, "suggestions": {}})

    def _holding(self, question: str, among: list[dict[str, Any]]) -> list[dict[str, Any]]:
        words = question.lower().split()
        return [one for one in among if any(word in one["content"].lower() for word in words)]

    def _filtered(self, request: Request, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """Newest first."""
        asked = request.query_params
        tags = set(filter(None, asked.get("tags", "").split(",")))
        return [
            one
            for one in reversed(self.contexts.values())
            if tags <= set(one["tags"])
            and all(name not in asked or one[name] == asked[name] for name in names)
        ]

    def _live(self, request: Request) -> dict[str, Any] | None:
        context = self.contexts.get(unquote(request.path_params["context_id"]))
        now = rfc3339(self._clock.now())
        ended = context and context["expires_at"] and context["expires_at"] <= now
        return None if ended else context

    def _end(self, memory_type: str, ttl: int | None) -> str | None:
        life = LIVES[memory_type] if ttl is None else ttl
        return None if life is None else rfc3339(self._clock.now() + timedelta(seconds=life))

    def _problems(self, body: dict[str, Any]) -> Iterator[Problem]:
        for name, (least, most) in LENGTHS.items():
            if body.get(name) is not None and not least <= len(body[name]) <= (most or 10**9):
                yield (name,), f"String should have {least} to {most} characters"
        for name, kind in KINDS.items():
            if body.get(name) is not None and not isinstance(body[name], kind):
                yield (name,), "Input should be of another kind"
        if body.get("memory_type", "fact") not in LIVES:
            yield (
                ("memory_type",),
                "Input should be 'scratchpad', 'episodic', 'fact' or 'procedural'",
            )
        ttl = body.get("ttl_seconds")
        if ttl is not None and (not isinstance(ttl, int) or ttl < 0):
            yield ("ttl_seconds",), "Input should be at least 0"
        for at, file in enumerate(body.get("edited_files") or ()):
            yield from self._file_problems(at, file)

    def _file_problems(self, at: int, file: dict[str, Any]) -> Iterator[Problem]:
        required = ("file_path",)
        if self.shape == "later":
            required += ("operation", "changes_description")  # type: ignore[assignment]
        for name in required:
            if name not in file:
                yield ("edited_files", at, name), "Field required"
        if file.get("operation", "created") not in OPERATIONS:
            yield ("edited_files", at, "operation"), "Input should be one of the three"

    def _invalid(self, problems: Iterator[Problem] | list[Problem]) -> Response | None:
        found = list(problems)
        return self._refused(found) if found else None

    def _refused(self, problems: list[Problem]) -> Response:
        if self.shape == "earlier":
            return self._error(400, f"Invalid request parameters: {problems[0]}")
        detail = [{"loc": ["body", *loc], "msg": msg, "type": "invalid"} for loc, msg in problems]
        return JSONResponse({"detail": detail}, 422)

    def _error(self, status: int, message: str) -> Response:
        if self.shape == "earlier":
            return JSONResponse({"error": message, "status": status}, status)
        return JSONResponse({"detail": message}, status)


def _empty() -> dict[str, Any]:
    """What a context holds where nothing was sent."""
    return {
        "title": "",
        "summary": "",
        "content": "",
        "tags": [],
        "metadata": {},
        "nia_references": None,
        "edited_files": [],
        "memory_type": "episodic",
        "lineage": None,
    }
