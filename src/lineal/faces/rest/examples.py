"""Examples and links of the description: the calls that the contracts' own pages show."""

from __future__ import annotations

from typing import Any

__all__ = ["EXAMPLES", "LINKS"]

HIKING = (
    "Just got back from a week of hiking in the Catskills. Loved it. Already planning the next "
    "trip."
)
ALICE = "32, NYC, looking for someone serious. Reads a lot, runs in the park, vegetarian."

EXAMPLES: dict[str, dict[str, Any]] = {
    "appendContext": {
        "chat": {
            "value": {
                "user_id": "u_alice",
                "domain": "dating",
                "source": "chat",
                "content": HIKING,
            }
        }
    },
    "upsertUser": {
        "text and fields": {
            "value": {
                "user_id": "u_alice",
                "domain": "dating",
                "context": ALICE,
                "fields": {"age": 32, "location": "New York, NY"},
                "memory_ref": "jeanmemory://tenant/u_alice",
            }
        }
    },
    "match": {"user": {"value": {"user_id": "u_alice", "domain": "dating", "limit": 5}}},
    "submitFeedback": {
        "accepted": {
            "value": {
                "domain": "dating",
                "items": [{"seeker_id": "u_alice", "candidate_id": "u_bob", "outcome": "accepted"}],
            }
        }
    },
    "saveContext": {
        "conversation": {
            "value": {
                "title": "Retries of the importer",
                "summary": "Why the importer tries five times, and where that is set.",
                "content": "The importer tries five times, since the feed is closed for a minute "
                "at midnight. The number stands in importer/settings.py.",
                "agent_source": "claude-code",
                "tags": ["importer"],
                "edited_files": [
                    {
                        "file_path": "importer/settings.py",
                        "operation": "modified",
                        "lines_added": 1,
                        "lines_removed": 1,
                        "language": "python",
                    }
                ],
                "memory_type": "episodic",
                "lineage": {"source_ids": ["doc:feed"], "confidence": 0.5},
            }
        }
    },
    "updateContext": {
        "type and lineage": {
            "value": {
                "memory_type": "scratchpad",
                "ttl_seconds": 3600,
                "lineage": {"confidence": 0.5, "model_version": "m-1"},
            }
        }
    },
}

_KEPT = {"context_id": "$response.body#/id"}
_APPENDED = {"context_id": "$response.body#/context_id"}

LINKS: dict[str, dict[str, Any]] = {
    "saveContext": {
        "read": {"operationId": "getContext", "parameters": _KEPT},
        "update": {"operationId": "updateContext", "parameters": _KEPT},
        "delete": {"operationId": "deleteContext", "parameters": _KEPT},
    },
    "appendContext": {
        "read": {"operationId": "getContext", "parameters": _APPENDED},
        "update": {"operationId": "updateContext", "parameters": _APPENDED},
        "delete": {"operationId": "deleteContext", "parameters": _APPENDED},
    },
    "upsertUser": {
        "read": {
            "operationId": "getUser",
            "parameters": {
                "user_id": "$response.body#/user_id",
                "domain": "$response.body#/domain",
            },
        }
    },
}
