"""The courier: brings letters to the remote, each queue in its order, until they have arrived."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from itertools import groupby
from typing import NamedTuple
from weakref import WeakValueDictionary

import anyio
from pydantic import ValidationError

from lineal.clock import Clock, monotonic_s
from lineal.errors import ErrorCode, LinealError, Unsupported
from lineal.models.changes import Scope
from lineal.models.forwarding import Letter, Settled
from lineal.models.letters import AppendLetter, Sent, UpdateLetter, UpsertLetter
from lineal.models.user import UpsertUser
from lineal.outbound.faults import Away, Refused
from lineal.policy.delivery import KEY_WAIT_S, wait_s
from lineal.ports.outbox import Outbox
from lineal.ports.remote import Remote

__all__ = ["BEHIND", "Courier", "Tried"]

AT_ONCE = 8
"""Queues that are delivered side by side by one process."""

FLUSH_S = 0.05
"""Until what became of a letter is kept on its own, where no other write takes it along."""

IDLE_S = 10.0
"""Most seconds between two looks into the outbox: other processes leave letters too."""

TURN_S = 2.0
"""How long a write waits for the letters before its own."""

POLL_S = 0.05

ROUND_S = 5.0
"""After a claim, until when attempts are begun; the rest is given back."""

REQUESTS_MAX = 3
"""Of one attempt: a look for what may have arrived and the letter, or the letter, its user and the
letter again."""

UNSENDABLE = (ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED)
"""Of a letter of which no request can be made."""

AGAIN_S = 1.0
"""After the ledger couldn't be used, until the next round."""

BEHIND = "Earlier writes of this user are still on their way."

_log = logging.getLogger("lineal.outbox")


class Tried(NamedTuple):
    """What came of an attempt: what is kept of it, and what the remote said or why it didn't."""

    settled: Settled
    sent: Sent | None = None
    error: LinealError | None = None


class Courier:
    """Delivers for one process. One queue is never delivered by two at once: whoever delivers
    holds its letters, for so long that no attempt outlasts it."""

    def __init__(
        self,
        remote: Remote,
        outbox: Outbox,
        clock: Clock,
        *,
        holder: str,
        timeout_s: float,
        chance: Callable[[], float],
    ) -> None:
        """timeout_s: of one request. chance: a number in [0, 1), for the jitter."""
        self._remote = remote
        self._outbox = outbox
        self._clock = clock
        self._chance = chance
        self._pending: list[Settled] = []
        self._turns: WeakValueDictionary[tuple[str, str], anyio.Lock] = WeakValueDictionary()
        self._awaited: dict[str, Tried | None] = {}
        self._woken = anyio.Event()
        self._quiet_until_s = 0.0
        self._failures = 0
        self._running = False
        self._rounds = f"{holder}-rounds"  # so that a call that is given up takes none from a round
        self.holder = holder
        self.held_s = ROUND_S + REQUESTS_MAX * (timeout_s + 1)
        """No attempt that is begun within ROUND_S outlasts it."""
        self.away: str | None = None
        """Why the remote is left alone for now, in words for the caller."""

    @property
    def paused(self) -> bool:
        """Whether the remote is left alone for now."""
        return monotonic_s() < self._quiet_until_s

    def turn(self, tenant: str, user_id: str) -> AbstractAsyncContextManager[object]:
        """One writer of a queue at a time in this process, in the order of coming."""
        return self._turns.setdefault((tenant, user_id), anyio.Lock())

    def settling(self) -> tuple[Settled, ...]:
        """What became of letters and isn't kept yet; whoever takes it keeps it, or gives it back
        by `settle`."""
        taken, self._pending = tuple(self._pending), []
        return taken

    def settle(self, settled: Sequence[Settled]) -> None:
        """To be kept with the next write, or soon."""
        self._pending[:0] = settled

    async def flush(self) -> None:
        """Keep what became of letters."""
        taken = self.settling()
        if taken:
            try:
                await self._outbox.settle(taken, holder=self.holder)
            except BaseException:
                self.settle(taken)
                raise

    def wake(self) -> None:
        """There may be something to deliver."""
        self._woken.set()

    async def first(self, letter: Letter) -> Tried | None:
        """Deliver a letter that was posted just now, if it is its turn; None: it waits."""
        if letter.holder is None:
            return None
        try:
            kept = await self._outbox.letter(letter.letter_id)
            if kept is not None and kept.holder == self.holder:
                return await self.attempt(letter)
        except BaseException:
            self.given_up(letter, begun=True)
            raise
        return await self._its_turn(letter.letter_id)

    def given_up(
        self, letter: Letter | None, settling: Sequence[Settled] = (), *, begun: bool = False
    ) -> None:
        """Nobody waits for it any more: the next round takes it. settling: what is kept with it, if
        it is kept."""
        if letter is None:
            self.settle(settling)
            return
        self.settle([self._again(letter, begun=begun)])
        self.wake()

    def _again(self, letter: Letter, *, begun: bool) -> Settled:
        return Settled(
            letter_id=letter.letter_id,
            holder=letter.holder,
            outcome="later",
            due_at=self._clock.now(),
            begun=begun,
            reason="It was given up before an answer came.",
        )

    async def _its_turn(self, letter_id: str) -> Tried | None:
        """Let what stands before it go first, for a moment; then it waits in the outbox."""
        until_s = monotonic_s() + TURN_S
        self._awaited[letter_id] = None
        try:
            while self._running and not self.paused and monotonic_s() < until_s:
                self.wake()  # each time: another process may hold what stands before it
                await anyio.sleep(POLL_S)
                tried = self._awaited[letter_id]
                if tried is not None:
                    return tried
                if await self._outbox.letter(letter_id) is None:  # another process's work
                    gone = Settled(letter_id=letter_id, outcome="delivered")
                    return self._awaited[letter_id] or Tried(gone, sent=Sent())
            return self._awaited[letter_id]  # what is delivered is kept by whoever asked
        except BaseException:
            tried = self._awaited[letter_id]
            self.settle([tried.settled] if tried else [])
            raise
        finally:
            del self._awaited[letter_id]

    async def alone(self, letter: Letter) -> Tried:
        """Try once to deliver a letter that isn't kept. Raises unavailable where others of its
        queue wait, which it must not overtake."""
        if await self._outbox.waits(letter.tenant, letter.user_id):
            raise LinealError.unavailable(f"{BEHIND} Nothing was changed.")
        return await self.attempt(letter)

    async def attempt(self, letter: Letter) -> Tried:
        """Try once to deliver a letter that this process holds."""
        try:
            return await self._put(letter)
        except Refused as refused:
            return self._refused(letter, refused)
        except Away as away:
            return self._away(letter, away)
        except LinealError as error:
            if error.code not in UNSENDABLE:
                raise
            return self._dead(letter, error)
        except ValidationError:  # its words would hold the letter's
            unread = LinealError.unavailable(
                "Another version of lineal wrote this letter: this one can't read it.",
                retryable=False,
            )
            return self._dead(letter, unread)

    def _dead(self, letter: Letter, error: LinealError) -> Tried:
        dead = Settled(
            letter_id=letter.letter_id, holder=letter.holder, outcome="dead", reason=error.message
        )
        return Tried(dead, error=error)

    async def _put(self, letter: Letter) -> Tried:
        repeated = False
        remote_id = await self._remote_id(letter)
        if remote_id is None and letter.verb == "update" and letter.body:
            letter = _as_append(letter)
        if letter.begun and (letter.body or letter.verb == "append"):
            found, repeated = await self._found(letter)
            if found is not None:  # of what is forgotten here the sweep deletes it there
                return self._delivered(letter, found)
        if not letter.body:
            gone = Settled(letter_id=letter.letter_id, holder=letter.holder, outcome="dropped")
            return Tried(gone, sent=Sent())
        return self._delivered(letter, await self._sent(letter, remote_id), repeated=repeated)

    async def _found(self, letter: Letter) -> tuple[Sent | None, bool]:
        """What is at the remote of a letter that may have arrived, and whether sending it now may
        be the second time."""
        try:
            return await self._remote.sent_before(letter), False
        except Unsupported:  # twice and counted is better than not at all
            return None, True

    async def _sent(self, letter: Letter, remote_id: str | None) -> Sent:
        try:
            return await self._remote.send(letter, remote_id)
        except Refused as refused:
            if refused.answered != 404 or not _provisions(letter):
                raise
        await self._remote.send(_user_of(letter), None)
        return await self._remote.send(letter, remote_id)

    async def _remote_id(self, letter: Letter) -> str | None:
        if letter.verb not in ("update", "delete"):
            return None
        scope = Scope(tenant=letter.tenant)
        known = await self._outbox.counterpart(scope, letter.context_id)
        return known.remote_id if known else None

    def _delivered(self, letter: Letter, sent: Sent, *, repeated: bool = False) -> Tried:
        self._quiet_until_s, self._failures, self.away = 0.0, 0, None
        settled = Settled(
            letter_id=letter.letter_id,
            holder=letter.holder,
            outcome="delivered",
            remote_id=sent.remote_id,
            repeated=repeated,
        )
        return Tried(settled, sent=sent)

    def _refused(self, letter: Letter, refused: Refused) -> Tried:
        if refused.key:
            self._leave_alone(KEY_WAIT_S, refused.message)
            return self._later(letter, refused, KEY_WAIT_S, begun=False)
        if letter.verb == "delete" and refused.answered == 404:
            return self._delivered(letter, Sent())
        dead = Settled(
            letter_id=letter.letter_id, holder=letter.holder, outcome="dead", reason=refused.message
        )
        return Tried(dead, error=refused)

    def _away(self, letter: Letter, away: Away) -> Tried:
        """The letter waits by its own failures, everybody by the remote's: one letter that always
        fails doesn't hold up the others."""
        chance = self._chance()
        if not self.paused:
            self._failures += 1
        self._leave_alone(wait_s(self._failures or 1, away.wait_s, chance), away.message)
        wait = wait_s(letter.tries + 1, away.wait_s, chance)
        return self._later(letter, away, wait, begun=away.arrived is not False)

    def _later(self, letter: Letter, error: LinealError, wait: float, *, begun: bool) -> Tried:
        later = Settled(
            letter_id=letter.letter_id,
            holder=letter.holder,
            outcome="later",
            due_at=self._clock.now() + timedelta(seconds=wait),
            begun=begun,
            reason=error.message,
        )
        return Tried(later, error=error)

    def _leave_alone(self, seconds: float, why: str) -> None:
        if self.away is None:
            _log.warning("writes wait: %s", why)
        self._quiet_until_s = max(self._quiet_until_s, monotonic_s() + seconds)
        self.away = why

    async def run(self) -> None:
        """Deliver whatever is due, this process's letters and others', until cancelled."""
        self._running = True
        try:
            while True:
                try:
                    await self._once()
                except LinealError as error:
                    _log.warning("delivering: %s", error.message)
                    await anyio.sleep(AGAIN_S)
        finally:
            self._running = False

    async def _once(self) -> None:
        await self._next()
        await self.flush()
        if not self.paused:
            await self.round()

    async def _next(self) -> None:
        """Until something is due, or somebody has woken us."""
        due_s = await self._outbox.next_due_in_s()
        pause_s = max(0.0, self._quiet_until_s - monotonic_s())
        wait = IDLE_S if due_s is None else max(due_s, pause_s)
        with anyio.move_on_after(min(FLUSH_S if self._pending else wait, IDLE_S)):
            await self._woken.wait()
            await anyio.sleep(FLUSH_S)  # a write takes along what became of the one before
        self._woken = anyio.Event()

    async def round(self) -> int:
        """Claim what is due and deliver it, several queues side by side; how many were tried."""
        with anyio.CancelScope(shield=True):  # what is claimed is known, and given back
            letters = await self._outbox.claim_letters(self._rounds, held_s=self.held_s)
        until_s = monotonic_s() + ROUND_S
        room = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for _, queue in groupby(letters, key=lambda one: (one.tenant, one.user_id)):
                tasks.start_soon(self._queue, tuple(queue), room, until_s)
        return len(letters)

    async def _queue(
        self, queue: tuple[Letter, ...], room: anyio.CapacityLimiter, until_s: float
    ) -> None:
        """Letters of one queue in their order, as far as they are taken and there is time."""
        left = list(queue)
        try:
            async with room:
                while left and not self.paused and monotonic_s() <= until_s:
                    now = await self._outbox.letter(left[0].letter_id)
                    letter = left.pop(0)
                    if now is not None and not await self._brought(letter, now):
                        break
        except LinealError as error:  # what is held is free again in time
            _log.warning("delivering: %s", error.message)
        finally:
            with anyio.CancelScope(shield=True), suppress(LinealError):
                await self._give_back(left)

    async def _brought(self, letter: Letter, now: Letter) -> bool:
        """Whether the next of its queue may go. now: the letter as it is kept: of what was
        forgotten since the claim nothing is sent, and another may hold it."""
        if now.holder != self._rounds:
            return False
        tried, settled = None, self._again(letter, begun=True)
        try:
            tried = await self.attempt(letter.model_copy(update={"body": now.body}))
            settled = tried.settled
        finally:  # the process may end: the next one needn't wait for the hold's end
            with anyio.CancelScope(shield=True):
                await self._keep(settled, tried)
        return settled.outcome != "later"

    async def _keep(self, settled: Settled, tried: Tried | None) -> None:
        """What is delivered while somebody waits for it, they keep, with their answer."""
        awaited = settled.letter_id in self._awaited
        if awaited:
            self._awaited[settled.letter_id] = tried
        if not (awaited and settled.outcome == "delivered"):
            await self._outbox.settle([settled], holder=self._rounds)

    async def _give_back(self, letters: Sequence[Letter]) -> None:
        await self._outbox.release([one.letter_id for one in letters], holder=self._rounds)


def _as_append(letter: Letter) -> Letter:
    """What the remote doesn't know yet can't be changed there: it is told as it is now."""
    context = UpdateLetter.model_validate_json(letter.body).context
    body = AppendLetter(context=context).model_dump_json()
    return letter.model_copy(update={"verb": "append", "body": body})


def _provisions(letter: Letter) -> bool:
    return letter.verb == "append" and AppendLetter.model_validate_json(letter.body).provision


def _user_of(letter: Letter) -> Letter:
    """The configured default user, made at first use (A1)."""
    body = UpsertLetter(request=UpsertUser(fields={})).model_dump_json(exclude_unset=True)
    return letter.model_copy(update={"verb": "upsert", "body": body})
