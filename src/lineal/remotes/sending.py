"""Forwarding a write: kept in the ledger with its letter, then tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.changes import Plan, Scope, Snapshot
from lineal.models.context import AppendAnswer, ContextAnswer, ForgetAnswer
from lineal.models.forwarding import Letter, Settled
from lineal.models.matching import OutcomeAnswer
from lineal.models.receipt import Receipt
from lineal.models.user import UserAnswer
from lineal.outbound.faults import Refused
from lineal.ports.remote import Remote
from lineal.remotes.courier import Courier, Tried
from lineal.remotes.joining import said
from lineal.remotes.posting import Posting, Write

__all__ = ["Done", "Make", "Sender", "error_of"]

A = TypeVar("A")
Said = TypeVar("Said", AppendAnswer, UserAnswer, ContextAnswer, ForgetAnswer, OutcomeAnswer)

Make = Callable[[Snapshot, Plan[Any]], Letter | None]
"""The letter of what a plan keeps; None where there is nothing to tell."""


class Done(NamedTuple):
    """What became of a write's letter: the letter, the attempt (None: it waits), and the receipt
    that was kept with it. Without a letter there was nothing to tell."""

    letter: Letter | None = None
    tried: Tried | None = None
    receipt: Receipt | None = None

    @property
    def is_key(self) -> bool:
        """Whether it is the key that was refused."""
        error = self.tried.error if self.tried else None
        return isinstance(error, Refused) and error.key

    @property
    def note(self) -> str | None:
        """What the remote's answer is to be told with."""
        sent = self.tried.sent if self.tried else None
        return sent.note if sent else None

    def undone(self) -> Settled:
        """As if the write had never been asked for."""
        letter_id = self.letter.letter_id if self.letter else ""
        key = self.receipt.key if self.receipt else None
        return Settled(letter_id=letter_id, outcome="dropped", undone=key)


class Sender:
    """Sends what a write has to tell, or leaves it in the outbox."""

    def __init__(self, remote: Remote, posting: Posting, courier: Courier, *, queues: bool) -> None:
        """queues: what can't be delivered now waits; else such a write fails."""
        self._remote = remote
        self._posting = posting
        self._courier = courier
        self.queues = queues

    async def write(
        self,
        scope: Scope,
        key: str | None,
        make: Make,
        write: Callable[[], Awaitable[A]],
    ) -> tuple[A, Done]:
        """Keep the write with its letter, and try to deliver it; what came of that is kept by
        whoever calls, who may have more to keep with it."""
        courier = self._courier
        async with courier.turn(scope.tenant, scope.user_id or ""):
            if key is not None:  # its receipt must show what the last attempt came to
                await courier.flush()
            settling = courier.settling()
            holder = None if courier.paused else courier.holder
            posting = Write(make, holder, courier.held_s, settling)
            try:
                with self._posting.writing(posting):
                    answer = await write()
            except LinealError:
                courier.settle(settling)
                raise
            except BaseException:  # given up: it may be kept all the same, with its letter
                courier.given_up(posting.letter, settling)
                raise
            if posting.letter is None:
                courier.settle(settling)
                return answer, Done()
            tried = await courier.first(posting.letter)
            return answer, Done(posting.letter, tried, posting.receipt)

    async def told_first(
        self, scope: Scope, make: Make, write: Callable[[], Awaitable[A]]
    ) -> tuple[A, Done]:
        """Without an outbox a change is told before it is kept: a failure then changes nothing.
        Raises what the remote answers, and unavailable behind letters that wait."""
        async with self._courier.turn(scope.tenant, scope.user_id or ""):
            await self._courier.flush()
            rehearsal = Write(make, None, 0.0, rehearsed=True)
            with self._posting.writing(rehearsal):
                await write()
            done = Done()
            if rehearsal.letter is not None:
                done = Done(rehearsal.letter, await self._courier.alone(rehearsal.letter))
            if done.tried is not None and done.tried.error is not None:
                raise error_of(done)
            return await write(), done

    def said(self, answer: Said, done: Done, note: str | None = None) -> Said:
        return said(self._remote, answer, done.letter, done.tried, self._courier.away, note)

    def failed(self, done: Done) -> bool:
        """Whether the caller is told of a failure: of what was refused, and without an outbox of
        all that has not arrived."""
        if done.tried is None:
            return not self.queues
        if done.tried.settled.outcome in ("delivered", "dropped"):
            return False
        return not self.queues or done.tried.settled.outcome == "dead" or done.is_key

    def settle(self, done: Done, answer: Model) -> None:
        """Keep what came of the attempt with the next write, or in a moment; its key shows the
        answer from then on."""
        if done.tried is not None:
            settled = done.tried.settled
            if done.receipt is not None:
                shown = done.receipt.model_copy(update={"answer": answer.model_dump_json()})
                settled = settled.model_copy(update={"receipt": shown})
            self._courier.settle([settled])
        if done.letter is not None:
            self._courier.wake()

    def sendable(self, told: Letter) -> Letter | None:
        """The letter, if anything of it goes to this remote."""
        return told if told.verb in self._remote.verbs and self._remote.sends(told) else None


def error_of(done: Done, missing: LinealError | None = None) -> LinealError:
    """What the caller is told of a write that was taken back. missing: what a 404 means, if it
    isn't the address that is wrong."""
    error = done.tried.error if done.tried else None
    if done.tried is None or error is None:
        return LinealError.unavailable("The remote backend can't be used now; nothing was kept.")
    if missing is not None and getattr(error, "answered", None) == 404:
        return missing
    if done.tried.settled.begun:
        return LinealError.unavailable(
            f"{error.message} Nothing was kept here; it may have arrived there all the same.",
            retryable=False,
            outcome="unknown",
        )
    return error
