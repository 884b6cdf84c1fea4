"""What the remote says and what the ledger keeps, joined into one answer; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from lineal.errors import Capability
from lineal.models.base import Model
from lineal.models.changes import Scope
from lineal.models.context import AppendAnswer, Context, ContextAnswer, ForgetAnswer, MemoryType
from lineal.models.forwarded import Forwarded
from lineal.models.forwarding import Letter
from lineal.models.letters import RemoteRecord, RemoteUser, Sent
from lineal.models.lineage import Lineage
from lineal.models.matching import OutcomeAnswer
from lineal.models.search import SearchAnswer
from lineal.models.user import UserAnswer
from lineal.ports.backend import Support
from lineal.ports.remote import Remote
from lineal.remotes.courier import BEHIND, Tried

__all__ = ["adopted", "appended", "said", "user_answer"]

A = TypeVar("A", AppendAnswer, UserAnswer, ContextAnswer, SearchAnswer, ForgetAnswer, OutcomeAnswer)

PARTS: Mapping[type[Model], tuple[Capability, ...]] = {
    AppendAnswer: (Capability.TTL, Capability.LINEAGE),
    UserAnswer: (Capability.USERS, Capability.TTL, Capability.LINEAGE),
    ContextAnswer: (Capability.GET, Capability.UPDATE, Capability.TTL, Capability.LINEAGE),
    SearchAnswer: (Capability.SEARCH,),
    ForgetAnswer: (Capability.FORGET,),
    OutcomeAnswer: (Capability.MATCHING,),
}
"""What each answer rests on: of these it says which the remote can't do by itself."""


def said(
    remote: Remote,
    answer: A,
    letter: Letter | None = None,
    tried: Tried | None = None,
    away: str | None = None,
    note: str | None = None,
) -> A:
    """The answer with how it came about. letter, tried: of a write, what was posted and what came
    of it; away: why the remote is left alone."""
    if letter is None and answer.forwarded is not None:
        return answer  # of a write that had been done before
    forwarded = Forwarded(
        backend=remote.name,
        emulated=_emulated(remote.capabilities, PARTS[type(answer)]),
        queued=None if letter is None or _arrived(tried) else letter.letter_id,
        reason=_reason(letter, tried, away),
        note=note,
    )
    return answer.model_copy(update={"forwarded": forwarded})


def _emulated(
    capabilities: Mapping[Capability, Support], parts: Iterable[Capability]
) -> tuple[str, ...]:
    return tuple(part.value for part in parts if capabilities[part] == "emulated")


def _arrived(tried: Tried | None) -> bool:
    return tried is not None and tried.settled.outcome in ("delivered", "dropped")


def _reason(letter: Letter | None, tried: Tried | None, away: str | None) -> str | None:
    """Why a letter waits: what became of its first attempt, or why there was none."""
    if letter is None:
        return away
    if _arrived(tried):
        return None
    if tried is None:
        return away or BEHIND
    why = tried.error.message if tried.error else ""
    if tried.settled.outcome == "dead":
        return f"Refused: {why} It is kept here; see 'lineal outbox list --dead'."
    return f"{why} It may have arrived already." if tried.settled.begun else why


def appended(answer: AppendAnswer, sent: Sent | None) -> AppendAnswer:
    """The ledger's answer with what the remote made of the text."""
    if sent is None:
        return answer
    return answer.model_copy(
        update={
            "fields_updated": sent.fields_updated or answer.fields_updated,
            "embeddings_refreshed": sent.embeddings_refreshed or answer.embeddings_refreshed,
        }
    )


def user_answer(scope: Scope, told: RemoteUser, kept: UserAnswer | None) -> UserAnswer | None:
    """The remote's row with the life and the lineage that the ledger keeps; None where neither
    says when it was made."""
    made_at = told.last_enriched_at or (kept.last_enriched_at if kept else None)
    if made_at is None:
        return None
    return UserAnswer(
        user_id=scope.user_id or "",
        domain=scope.domain or "",
        schema_version=told.schema_version or f"{scope.domain}.v0",
        fields=told.fields,
        derived=told.derived,
        embeddings=told.embeddings,
        last_enriched_at=made_at,
        memory_type=kept.memory_type if kept else MemoryType.FACT,
        expires_at=kept.expires_at if kept else None,
        lineage=kept.lineage if kept else Lineage(created_at=made_at),
        extras=told.extras or None,
    )


def adopted(record: RemoteRecord, scope: Scope) -> Context | None:
    """A context that somebody else stored at the remote, as the ledger would keep it: whose it
    is, says the scope; under the remote's id. None where the remote doesn't say when."""
    at = record.created_at or record.updated_at
    if at is None or scope.user_id is None:
        return None
    said_ = record.lineage
    return Context(
        context_id=record.remote_id,
        user_id=scope.user_id,
        domain=scope.domain or "contexts",
        revision=1,
        title=record.title,
        summary=record.summary,
        content=record.content,
        tags=record.tags,
        metadata=record.metadata,
        nia_references=record.nia_references,
        edited_files=record.edited_files,
        occurred_at=at,
        agent_source=record.agent_source,
        memory_type=record.memory_type or MemoryType.FACT,
        expires_at=record.expires_at,
        created_at=at,
        updated_at=record.updated_at or at,
        lineage=Lineage(
            created_at=at,
            source_ids=(said_.source_ids if said_ else None) or (),
            confidence=said_.confidence if said_ else None,
            derived_from=(said_.derived_from if said_ else None) or (),
            tool_calls=(said_.tool_calls if said_ else None) or (),
            model_version=said_.model_version if said_ else None,
            agent_source=record.agent_source,
            declared=said_,
        ),
    )
