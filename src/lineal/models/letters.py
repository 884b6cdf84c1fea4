"""What letters hold, and what a remote says: to them, and of what it keeps."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from lineal.models.base import Instant, Model
from lineal.models.context import Context, MemoryType, UpdateContext
from lineal.models.lineage import DeclaredLineage
from lineal.models.matching import RecordOutcome
from lineal.models.user import HeadInfo, UpsertUser

__all__ = [
    "AppendLetter",
    "DeleteLetter",
    "OutcomeLetter",
    "RemoteRecord",
    "RemoteUser",
    "Sent",
    "UpdateLetter",
    "UpsertLetter",
]


class AppendLetter(Model):
    """A new context. context: as the ledger keeps it, its id included. title and summary may be
    None, content shorter than the remote takes: the adapter makes of it what the remote asks.
    provision: its user is made there, if there is none yet."""

    context: Context
    provision: bool = False


class UpdateLetter(Model):
    """What was changed of a context (only the set fields), and what it is now."""

    request: UpdateContext
    context: Context


class UpsertLetter(Model):
    """A user's row, as it was sent."""

    request: UpsertUser


class DeleteLetter(Model):
    """A context that has ended here."""

    remote_id: str


class OutcomeLetter(Model):
    """What became of two users."""

    request: RecordOutcome


class RemoteUser(Model):
    """A user's row as the remote tells it; what it doesn't tell is None."""

    schema_version: str | None = None
    fields: dict[str, Any] = Field(default_factory=dict)
    derived: dict[str, Any] = Field(default_factory=dict)
    extras: dict[str, Any] | None = None
    embeddings: dict[str, HeadInfo] = Field(default_factory=dict)
    last_enriched_at: Instant | None = None


class Sent(Model):
    """What the remote said to a letter. note: what had to be made different for it."""

    remote_id: str | None = None
    fields_updated: tuple[str, ...] = ()
    embeddings_refreshed: bool = False
    user: RemoteUser | None = None
    note: str | None = None


class RemoteRecord(Model):
    """One context as the remote tells it. local_id, tenant, user_id, domain: what lineal wrote
    beside it, None for what others stored there; whose that is stands in tenant and user_id where
    the remote knows users. score: higher is better, None outside a search."""

    remote_id: str
    local_id: str | None = None
    tenant: str | None = None
    user_id: str | None = None
    domain: str | None = None
    title: str | None = None
    summary: str | None = None
    content: str
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    nia_references: dict[str, Any] | None = None
    edited_files: tuple[dict[str, Any], ...] = ()
    agent_source: str | None = None
    memory_type: MemoryType | None = None
    lineage: DeclaredLineage | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    expires_at: Instant | None = None
    score: float | None = None
