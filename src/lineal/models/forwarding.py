"""Forwarding: what is on its way to a remote backend, and what it is called there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lineal.models.base import Instant, Model
from lineal.models.receipt import Receipt

__all__ = ["Counterpart", "Letter", "LetterPage", "LetterVerb", "OutboxState", "Settled"]

LetterVerb = Literal["append", "upsert", "update", "delete", "outcome"]


class Letter(Model):
    """One write on its way to the remote, kept in the transaction of the write itself.

    user_id: with the tenant, the queue that it stands in: those of a queue are delivered one after
    another, in order of number (the store's own, from 1). context_id: the local id of what it is
    about, "" for a user's. body: JSON of the verb's letter; "" once what it held is forgotten.
    due_at: not before then. tries: attempts that have ended. begun: an attempt was begun whose
    outcome isn't known: it may have arrived. holder, held_until: which process is delivering it.
    dead_at: since when it waits for a person, with the reason.
    """

    letter_id: str
    tenant: str
    user_id: str
    domain: str
    verb: LetterVerb
    context_id: str = ""
    body: str
    number: Annotated[int, Field(ge=0)] = 0
    posted_at: Instant
    due_at: Instant
    tries: Annotated[int, Field(ge=0)] = 0
    begun: bool = False
    holder: str | None = None
    held_until: Instant | None = None
    dead_at: Instant | None = None
    reason: str | None = None


class LetterPage(Model):
    """Letters in order of number, and where the next page begins."""

    letters: tuple[Letter, ...]
    after: int = 0


class OutboxState(Model):
    """How the outbox stands. waiting: not dead; uncertain: of them, begun by nobody who is still at
    it. repeated: letters sent a second time without knowing whether the first arrived, ever."""

    waiting: int = 0
    uncertain: int = 0
    dead: int = 0
    oldest_at: Instant | None = None
    repeated: int = 0


class Settled(Model):
    """What became of an attempt to deliver a letter.

    delivered: it is gone from the outbox; remote_id: what its context is called there from now on.
    later: again at due_at; begun: whether it may have arrived. dead: a person must decide.
    dropped: it isn't sent any more. receipt: the answer that its key shows from now on. undone: the
    idempotency key whose receipt goes with it, as if the write had never been asked for.
    repeated: this attempt may have been the second to arrive. holder: who tells; None: whoever.
    """

    letter_id: str
    holder: str | None = None
    outcome: Literal["delivered", "later", "dead", "dropped"]
    remote_id: str | None = None
    due_at: Instant | None = None
    begun: bool = False
    reason: str | None = None
    receipt: Receipt | None = None
    undone: str | None = None
    repeated: bool = False


class Counterpart(Model):
    """What a context, or a user's row in a domain, is called at the remote.

    local_id: the context's id, or for a user "<domain>" with the user's id in user_id.
    expires_at: until when it is shown, for a user: the ledger's own row may be swept.
    """

    kind: Literal["context", "user"]
    tenant: str
    user_id: str
    domain: str
    local_id: str
    remote_id: str
    expires_at: Instant | None = None
