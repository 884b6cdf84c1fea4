"""What a store is asked to read and to keep, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field, SkipValidation

from lineal.models.asking import Ask
from lineal.models.base import Instant, Model
from lineal.models.context import Context, Sighting
from lineal.models.forwarding import Counterpart, Letter, Settled
from lineal.models.lineage import Edge, Evidence, Lineage, Relation
from lineal.models.project import Project
from lineal.models.receipt import Receipt
from lineal.models.user import Head, UserRow

__all__ = [
    "ALIKE_MAX",
    "DESCENDANTS_MAX",
    "EVIDENCE",
    "SIGHTINGS_MAX",
    "USER_REVISIONS_MAX",
    "Amend",
    "Call",
    "Changes",
    "Completed",
    "Decide",
    "Fingerprint",
    "Life",
    "Outcome",
    "OutcomePage",
    "Peer",
    "Plan",
    "Reads",
    "Receipt",
    "Scope",
    "Snapshot",
    "Stamp",
    "StoreStats",
    "SweepReport",
    "Task",
    "Tombstone",
    "VerifyReport",
    "Withholding",
]


ALIKE_MAX = 16
"""Candidates for being the same content; more that share a key are not looked at."""

DESCENDANTS_MAX = 10_000
"""Memories that one cascade takes; a call for each further ten thousand."""

SIGHTINGS_MAX = 20
"""Sightings of one context that are read back."""

USER_REVISIONS_MAX = 64
"""Revisions kept of a user row; each value names the context that it came from for good."""


class Scope(Model):
    """Whose memory it is. tenant is a wall; None stands for every user or domain behind it."""

    tenant: Annotated[str, Field(min_length=1)]
    user_id: str | None = None
    domain: str | None = None


class Call(Model):
    """Who calls: behind which wall, with which evidence, in which session of ours.

    session: one connection of one client, so that its reads and writes can be joined.
    project: where the client works, None where that isn't known or there is none.
    ask: the client's own model, where it lends it. read_only: see Stamp.
    """

    tenant: Annotated[str, Field(min_length=1)]
    evidence: Evidence
    session: str = "local"
    project: Project | None = None
    read_only: bool = False
    ask: Annotated[Ask | None, SkipValidation] = Field(default=None, exclude=True, repr=False)


class Life(Model):
    """How long a write asks to live, before a store's time is known.

    keep: leave the expiry as it is. type_default: what the stored memory_type gives, from the
    store's now. Otherwise seconds from the store's now; None: for good.
    """

    keep: bool = False
    type_default: bool = False
    seconds: Annotated[int, Field(ge=0)] | None = None


class Stamp(Model):
    """What the service adds to every call: whose it is, and what was seen of it.

    provision: the scope is the configured default user, made at first use.
    project: what a new memory belongs to, and what a duplicate must belong to. projects: where to
    look besides what belongs to none; None: everywhere.
    ask: the client's own model, where it lends it. read_only: nothing is to be kept, not even
    what was made on the way.
    """

    scope: Scope
    evidence: Evidence
    provision: bool = False
    project: str | None = None
    projects: tuple[str, ...] | None = None
    read_only: bool = False
    ask: Annotated[Ask | None, SkipValidation] = Field(default=None, exclude=True, repr=False)


class Tombstone(Model):
    """The mark of a memory that is gone: it had this id, and ended in this way. No content."""

    context_id: str
    user_id: str
    domain: str
    reason: Literal["expired", "forgotten"]
    memory_type: str
    revision: int
    created_at: Instant
    ended_at: Instant


class Task(Model):
    """Something left to be done at due_at, kept with the write that left it.

    head: make the domain's head of the user again. extract: ask the better extractor for this
    context. restored: read a context anew that was given back. ended: take out values whose
    contexts have expired. lineage: look for later evidence of the calls that wrote this context,
    or with context_id "" the user's row.
    Another task of the same kind, user, domain and context takes its place.
    """

    kind: Literal["head", "extract", "restored", "ended", "lineage"]
    tenant: str
    user_id: str
    domain: str
    context_id: str = ""
    due_at: Instant
    tries: Annotated[int, Field(ge=0)] = 0


class Outcome(Model):
    """What became of two users who were brought together in a domain; for learning later.

    weight: how much it counts, > 0.
    """

    outcome_id: str
    user_id: str
    domain: str
    candidate_id: str
    outcome: Literal["accepted", "rejected", "converted", "expired"]
    weight: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)] = 1.0
    score: float | None = None
    recorded_at: Instant
    lineage: Lineage


class OutcomePage(Model):
    """Outcomes in order of receipt, and where the next page begins."""

    outcomes: tuple[Outcome, ...]
    after: int = 0


class Fingerprint(Model):
    """How a text is found again among many (policy/duplicates.py).

    content_key: 32 hex digits, equal for texts that are equal but for case and punctuation.
    keys: at most 8 numbers in [0, 2**63); near-identical texts share one. () for a short text.
    """

    content_key: str
    keys: tuple[int, ...] = ()


class Withholding(Model):
    """Memories that are forgotten until somebody wants them back, or until `until`.

    root: the id by which they are asked back, all together; it need not be among them.
    """

    root: str
    context_ids: tuple[str, ...]
    until: Instant


EVIDENCE = frozenset({"lineage", "session_id"})
"""What later evidence may change of a revision that is kept."""


class Completed(Model):
    """Lineage that later evidence made whole: of revisions that are kept already, which differ from
    the kept ones in EVIDENCE alone.

    sightings: (as kept, as it is to be). edges: those of the revisions' lineage now, which take
    the place of their `used` edges that were observed.
    """

    contexts: tuple[Context, ...] = ()
    users: tuple[UserRow, ...] = ()
    sightings: tuple[tuple[Sighting, Sighting], ...] = ()
    edges: tuple[Edge, ...] = ()


class Reads(Model):
    """What a decision needs to see.

    user: the scope's user row. known: whether there is a live one, without reading it.
    context_ids: those contexts, or their tombstones.
    receipt: the idempotency key to look up. alike: live contexts of the scope's (user, domain)
    that share its content_key, or else one of its keys. sightings: of the named contexts.
    revisions: how many of the latest revisions of each named context. withheld_by: contexts that
    are withheld by that root and can still be given back.
    alike_in: only such as belong to one of these projects or to none; None: to any.
    descendants_of: everything live that rests on that id along `relations`, through what has ended
    too, nearest first, at most `descendants_max`; with descendants_withheld also what is withheld
    and can still be given back, the root itself among it.
    """

    user: bool = False
    known: bool = False
    context_ids: tuple[str, ...] = ()
    receipt: str | None = None
    alike: Fingerprint | None = None
    alike_in: tuple[str, ...] | None = None
    sightings: bool = False
    revisions: Annotated[int, Field(ge=0, le=1_000)] = 0
    withheld_by: str | None = None
    descendants_of: str | None = None
    relations: tuple[Relation, ...] = (Relation.WAS_DERIVED_FROM,)
    descendants_max: int = DESCENDANTS_MAX
    descendants_withheld: bool = False
    owners: bool = False


class Snapshot(Model):
    """What a store showed at one instant: only live rows; what has ended appears as a tombstone.

    now: the store's own time, by which expiry is decided. known: the scope's user has a live row,
    whether it was read or not; False where nobody asked.
    alike: those of equal content_key first, by receipt, then those that share most keys, newest
    first; at most ALIKE_MAX. sightings: of each named context, in order of receipt, the latest
    SIGHTINGS_MAX. revisions: of each named live context, first to last. withheld: as they would be
    given back, in order of receipt; those that would have expired meanwhile are not.
    """

    now: Instant
    user: UserRow | None = None
    known: bool = False
    contexts: dict[str, Context] = Field(default_factory=dict)
    tombstones: dict[str, Tombstone] = Field(default_factory=dict)
    receipt: Receipt | None = None
    alike: tuple[Context, ...] = ()
    sightings: dict[str, tuple[Sighting, ...]] = Field(default_factory=dict)
    revisions: dict[str, tuple[Context, ...]] = Field(default_factory=dict)
    withheld: tuple[Context, ...] = ()
    descendants: tuple[str, ...] = ()
    owners: tuple[UserRow, ...] = ()


class Changes(Model):
    """What one write keeps, all or nothing: records and their lineage together.

    contexts, users: new revisions (revision = the present one's + 1, or 1). edges: of these
    revisions. fingerprints: context_id → how its content is found again.
    sightings: of live contexts. tasks, done: what is left to do, and what no longer is.
    heads: of the scope's user; a row's revision also takes out the heads that it doesn't name.
    Of a user's earlier revisions the latest USER_REVISIONS_MAX stay.
    rewritten: users whose earlier revisions go, so that what stood there is never read again.
    forget: ids whose content is to be taken out physically, history, index and all, leaving a
    tombstone; withheld ones too. withhold: live contexts that look like forgotten ones from now on
    and are taken out by the first sweep after `until`. restore: withheld ids to be live again.
    completed: later evidence; it makes no revision.
    letters: to be forwarded, behind what waits; settled: what became of others, before them.
    counterparts: in the place of those of the same kind and local id. A store without an outbox
    refuses all three. What is forgotten here takes its letters' contents along.
    """

    contexts: tuple[Context, ...] = ()
    users: tuple[UserRow, ...] = ()
    edges: tuple[Edge, ...] = ()
    fingerprints: dict[str, Fingerprint] = Field(default_factory=dict)
    sightings: tuple[Sighting, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    tasks: tuple[Task, ...] = ()
    done: tuple[Task, ...] = ()
    heads: tuple[Head, ...] = ()
    rewritten: tuple[UserRow, ...] = ()
    forget: tuple[str, ...] = ()
    withhold: Withholding | None = None
    restore: tuple[str, ...] = ()
    completed: Completed | None = None
    letters: tuple[Letter, ...] = ()
    settled: tuple[Settled, ...] = ()
    counterparts: tuple[Counterpart, ...] = ()
    receipt: Receipt | None = None

    @property
    def empty(self) -> bool:
        """Nothing to keep: no transaction needs to be written."""
        return not any(getattr(self, name) for name in Changes.model_fields)


class Peer(NamedTuple):
    """A live user of a domain, with the vector of that name if there is one.

    after: where the next page of peers begins.
    """

    row: UserRow
    head: Head | None
    after: int


Answer = TypeVar("Answer")


class Plan(NamedTuple, Generic[Answer]):
    """A decision: what to keep, and what to tell the caller once it is kept."""

    changes: Changes
    answer: Answer


Decide = Callable[[Snapshot], Plan[Answer]]
"""Pure: sees a snapshot, returns a plan, or raises LinealError to keep nothing."""

Amend = Callable[[Scope, Decide[Any]], Decide[Any]]
"""What a decision becomes before it is made, in the task of whoever commits it."""


class SweepReport(Model):
    """What a sweep took out. refused: why it took out nothing, when the clock can't be trusted."""

    contexts: int = 0
    users: int = 0
    receipts: int = 0
    refused: str | None = None


class StoreStats(Model):
    """Counts of live rows, and sizes in bytes. by_type: live contexts per memory_type."""

    contexts: int
    revisions: int
    users: int
    tombstones: int
    edges: int
    expired_unswept: int
    by_type: dict[str, int]
    by_domain: dict[str, int]
    size_bytes: int
    wal_bytes: int = 0
    schema_version: int = 0
    engine: str = ""


class VerifyReport(Model):
    """What a check of every row found. damaged: ids of rows whose hash doesn't fit, at most 100."""

    checked: int
    damaged: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.damaged and not self.problems
