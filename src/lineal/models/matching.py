"""Who suits whom in a domain, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from lineal.models.base import Instant, Model
from lineal.models.changes import Outcome
from lineal.models.context import IdempotencyKey, Identifier
from lineal.models.forwarded import Forwarded
from lineal.models.lineage import DeclaredLineage, Lineage

__all__ = [
    "Filters",
    "MatchAnswer",
    "MatchCandidate",
    "MatchUsers",
    "OutcomeAnswer",
    "OutcomeKind",
    "RecordOutcome",
]

Filters = Annotated[dict[str, JsonValue], Field(max_length=64)]
"""Field → a value, a list of allowed values, or {"minimum": …, "maximum": …}, both inclusive."""

OutcomeKind = Literal["accepted", "rejected", "converted", "expired"]

NotSaid = Field(default=None, exclude_if=lambda value: value is None)


class MatchUsers(Model):
    """Who suits this user, or this description of one (one of the two), in a domain."""

    user_id: Identifier | None = None
    description: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    domain: Identifier | None = None
    filters: Filters = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1, le=100, strict=True)] = 10


class MatchCandidate(Model):
    """One who suits. score in [0, 1], higher is better; stages: the same of the head alone and of
    the fields alone, where they could be compared. reasons: in plain words, the weightiest first.
    fields: the hard and derived values that were compared."""

    user_id: str
    score: float
    stages: dict[str, float]
    reasons: tuple[str, ...] = ()
    fields: dict[str, Any] = Field(default_factory=dict)


class MatchAnswer(Model):
    """Best first, equal scores by user_id.

    considered: live users of the domain that were looked at. filtered: of them, left out by
    filters. more: passed the filters, but are not shown.
    head: whether what is sought has a vector: ready; absent where nothing soft is known; off
    without an embedder; unavailable while its model can't be used. headless: how many that passed
    were ranked by their fields alone, having no vector of this model's version.
    from_domain: whose row stands for a user who has none in this one. understood, extractor: what
    was read from the description, and what read it.
    """

    user_id: str | None = NotSaid
    domain: str
    candidates: tuple[MatchCandidate, ...]
    considered: int
    filtered: int
    more: int
    head: Literal["ready", "absent", "off", "unavailable"]
    headless: int = 0
    from_domain: str | None = NotSaid
    understood: dict[str, Any] | None = NotSaid
    extractor: str | None = NotSaid
    forwarded: Forwarded | None = NotSaid


class RecordOutcome(Model):
    """What became of a user and a candidate. score: what the match gave them then."""

    user_id: Identifier | None = None
    domain: Identifier | None = None
    candidate_id: Identifier
    outcome: OutcomeKind
    weight: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] = 1.0
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    lineage: DeclaredLineage | None = None
    idempotency_key: IdempotencyKey | None = None


class OutcomeAnswer(Model):
    """An outcome as it was kept."""

    outcome_id: str
    user_id: str
    domain: str
    candidate_id: str
    outcome: OutcomeKind
    weight: float
    score: float | None = NotSaid
    recorded_at: Instant
    lineage: Lineage
    forwarded: Forwarded | None = NotSaid

    @classmethod
    def of(cls, outcome: Outcome) -> OutcomeAnswer:
        own = cls.model_fields.keys() - {"forwarded"}
        return cls(**{name: getattr(outcome, name) for name in own})
