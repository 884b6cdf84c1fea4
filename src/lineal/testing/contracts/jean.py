"""Jean's contract: users, context that is merged into them, schemas, matches and feedback."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineal.testing.contracts.faults import Faults
from lineal.testing.contracts.server import Contract

__all__ = ["JeanContract"]

SOURCES = ("chat", "voice_transcript", "behavior", "upload", "connector", "manual")
ENRICHED_AT = "2026-05-17T22:01:09Z"
SCHEMA = {
    "domain": "dating",
    "version": "dating.v3",
    "fields": [
        {"name": "age", "kind": "hard", "type": "integer", "required": True, "priority": "high"},
        {"name": "interests", "kind": "soft", "type": "string", "priority": "medium"},
        {"name": "attachment_style", "kind": "derived", "type": "enum", "priority": "low"},
    ],
}

Users = dict[tuple[str, str], dict[str, Any]]


class Kept(NamedTuple):
    """One context: whose, what, and under which id."""

    user_id: str
    domain: str
    content: str
    context_id: str


class JeanContract(Contract):
    """The published surface; what it leaves open is the least that a client can live with: 401
    in the same envelope, 404 for users that aren't there."""

    def __init__(self, key: str, faults: Faults | None = None) -> None:
        self.users: Users = {}
        self.contexts: list[Kept] = []
        self.outcomes: list[dict[str, Any]] = []
        routes = [
            Route("/users", self._upsert, methods=["POST"]),
            Route("/users/{user_id}", self._user, methods=["GET"]),
            Route("/context", self._append, methods=["POST"]),
            Route("/schema", self._schema, methods=["GET"]),
            Route("/match", self._match, methods=["POST"]),
            Route("/feedback", self._feedback, methods=["POST"]),
        ]
        super().__init__(
            routes,
            base="/v1",
            allowed=lambda headers: headers.get("authorization") == f"Bearer {key}",
            shut=lambda: _error(401, "unauthorized", "The API key is not valid."),
            lost=lambda: _error(404, "not_found", "There is no such address."),
            faults=faults,
        )

    async def _upsert(self, request: Request) -> Response:
        body = await request.json()
        wrong = _wrong(body, "user_id", "domain")
        if wrong is not None:
            return wrong
        user = {
            "user_id": body["user_id"],
            "domain": body["domain"],
            "schema_version": f"{body['domain']}.v3",
            "fields": body.get("fields", {}),
            "derived": {"attachment_style": "secure"},
            "embeddings": {body["domain"]: {"dim": 1024, "version": "dating-2026-05-01"}},
            "last_enriched_at": ENRICHED_AT,
        }
        self.users[body["user_id"], body["domain"]] = user
        return JSONResponse(user)

    async def _user(self, request: Request) -> Response:
        wanted = unquote(request.path_params["user_id"])
        domain = request.query_params.get("domain")
        for (user_id, known), user in self.users.items():
            if user_id == wanted and domain in (None, known):
                return JSONResponse(user)
        return _error(404, "not_found", f"User '{wanted}' is not known.")

    async def _append(self, request: Request) -> Response:
        body = await request.json()
        wrong = _wrong(body, "user_id", "domain", "content")
        if wrong is not None:
            return wrong
        if "source" in body and body["source"] not in SOURCES:
            return _error(400, "invalid_request", "Field 'source' is not known.")
        if (body["user_id"], body["domain"]) not in self.users:
            return _error(404, "not_found", f"User '{body['user_id']}' is not known.")
        return JSONResponse(self._merged(body["user_id"], body["domain"], body["content"]))

    def _merged(self, user_id: str, domain: str, content: str) -> dict[str, Any]:
        """The same content again is taken once."""
        same = (kept for kept in self.contexts if kept[:3] == (user_id, domain, content))
        kept = next(same, None)
        new = kept or Kept(user_id, domain, content, f"ctx_{len(self.contexts):04x}")
        if kept is None:
            self.contexts.append(new)
        return {
            "user_id": user_id,
            "domain": domain,
            "context_id": new.context_id,
            "fields_updated": [] if kept else ["interests", "values_text"],
            "embeddings_refreshed": kept is None,
        }

    async def _schema(self, request: Request) -> Response:
        domain = request.query_params.get("domain")
        if not domain:
            return _error(400, "invalid_request", "Field 'domain' is required.")
        if domain != SCHEMA["domain"]:
            return _error(404, "not_found", f"Domain '{domain}' has no schema.")
        return JSONResponse(SCHEMA)

    async def _match(self, request: Request) -> Response:
        body = await request.json()
        wrong = _wrong(body, "user_id", "domain")
        if wrong is not None:
            return wrong
        if (body["user_id"], body["domain"]) not in self.users:
            return _error(404, "not_found", f"User '{body['user_id']}' is not known.")
        others = [user_id for user_id, domain in self.users if user_id != body["user_id"]]
        matches = [
            {
                "user_id": other,
                "score": 0.9 - at / 100,
                "stage_scores": {"retrieval": 0.8, "llm_judge": None},
                "reasons": ["Both hike."],
            }
            for at, other in enumerate(others[: body.get("limit", 10)])
        ]
        return JSONResponse({"matches": matches, "pipeline_stats": {}, "models_used": []})

    async def _feedback(self, request: Request) -> Response:
        body = await request.json()
        wrong = _wrong(body, "domain", "items")
        for item in body.get("items", ()):
            wrong = wrong or _wrong(item, "seeker_id", "candidate_id", "outcome")
        if wrong is not None:
            return wrong
        self.outcomes += body["items"]
        return JSONResponse({"accepted": len(body["items"]), "triplets_generated": 0})


def _wrong(body: dict[str, Any], *required: str) -> Response | None:
    missing = next((name for name in required if body.get(name) in (None, "")), None)
    if missing is None:
        return None
    message = f"Field '{missing}' is required."
    return _error(400, "invalid_request", message, {"field": missing})


def _error(
    status: int, code: str, message: str, details: dict[str, Any] | None = None
) -> JSONResponse:
    error = {"code": code, "message": message, "details": details or {}}
    return JSONResponse({"error": error}, status)
