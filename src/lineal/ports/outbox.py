"""The outbox port: what a store keeps of the way to a remote backend, beside its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lineal.models.changes import Scope
from lineal.models.forwarding import Counterpart, Letter, LetterPage, OutboxState, Settled

__all__ = ["Outbox"]


class Outbox(Protocol):
    """Letters and counterparts, kept by the store whose `commit` took them in
    (`Changes.letters`, `.settled`, `.counterparts`), and as durably.

    A letter that comes in while nothing of its queue (tenant, user_id) waits is held at once by the
    `holder` it names, so that one commit both keeps and claims it; behind others it waits unheld.
    Dead letters don't stop the queue behind them. Every verb raises LinealError `unavailable` as
    the store does.
    """

    async def waits(self, tenant: str, user_id: str) -> bool:
        """Whether anything that isn't dead stands in this queue."""
        ...

    async def letter(self, letter_id: str) -> Letter | None:
        """As it is now; None once it is delivered or dropped."""
        ...

    async def claim_letters(
        self, holder: str, *, held_s: float, limit: int = 64
    ) -> tuple[Letter, ...]:
        """For `holder` alone during held_s seconds: of each queue whose first letter is due and
        held by nobody (or by one whose time is over) the first letters, in order, at most 16 of a
        queue; queues by their first letter's number. `begun` is as the attempt before left it, or
        true where a holder's time ran out; while held they count as begun."""
        ...

    async def settle(self, settled: Sequence[Settled], *, holder: str | None = None) -> None:
        """Keep what became of letters, all in one transaction. One that is gone is passed over, and
        one that is put off or refused but held by another than `holder` (None: whoever) now."""
        ...

    async def release(self, letter_ids: Sequence[str], *, holder: str | None = None) -> None:
        """Give back letters that were claimed and not tried: as if they had never been held by
        `holder` (None: by whoever holds them)."""
        ...

    async def next_due_in_s(self) -> float | None:
        """Seconds until a letter that nobody holds is due, or a holder's time is over; 0: now;
        None: nothing waits."""
        ...

    async def letters(
        self,
        tenant: str | None = None,
        *,
        dead: bool | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> LetterPage:
        """In order of number; of every tenant where none is named; dead or waiting ones alone."""
        ...

    async def state(self, tenant: str | None = None) -> OutboxState: ...

    async def retry(self, letter_ids: Sequence[str] | None = None) -> int:
        """Dead letters wait again, due now, in their old place; waiting ones are due now. None:
        all. How many."""
        ...

    async def drop(self, letter_ids: Sequence[str] | None = None) -> int:
        """Letters are sent no more. None: all that are dead. How many."""
        ...

    async def counterpart(
        self, scope: Scope, local_id: str, *, kind: str = "context"
    ) -> Counterpart | None:
        """What that is called at the remote, whether it is still live here or not. kind "user":
        the scope's user and domain are the key, local_id the domain."""
        ...

    async def counterparts(
        self, tenant: str, remote_ids: Sequence[str]
    ) -> dict[str, tuple[Counterpart, ...]]:
        """By remote id: those of contexts of this tenant, the kept ones first, at most 100 of each:
        a remote may take texts that are alike once."""
        ...

    async def orphans(self, *, limit: int = 100) -> tuple[Counterpart, ...]:
        """Counterparts of contexts that are kept here no more (forgotten for good, or swept) and
        for which no letter of verb delete is waiting; of every tenant. What is withheld, or has
        expired and isn't swept, is none yet."""
        ...

    async def forget_counterparts(self, orphans: Sequence[Counterpart]) -> None:
        """Nothing is left of these at the remote, or nothing can be done about it."""
        ...
